import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import mercantile
import numpy as np
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pipeline.config.imagery import Imagery
from pipeline.config.network import Network
from pipeline.config.sources import Mapillary
from pipeline.errors import MachineError, SiteError
from pipeline.geo.point import Point
from pipeline.net.client import HttpClient
from pipeline.sources.street.mapillary import MapillarySource
from schemas.reasons import Reason
from tests.sources.street.conftest import HERE, JPEG, REGION, Spots, asked, jpeg, one, vector_tile

TOKEN = "MLY|1234567890|0123456789abcdef0123456789abcdef"
Serve = Callable[[str, Callable[[Request], Any]], None]


@pytest.fixture
def source(httpserver: HTTPServer, client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> MapillarySource:
    monkeypatch.setenv("MAPILLARY_TOKEN", TOKEN)
    url = httpserver.url_for("").rstrip("/")
    config = Mapillary(
        type="mapillary", endpoint=url, tiles_endpoint=url, allowed_hosts=[f"{httpserver.host}:{httpserver.port}"]
    )
    return MapillarySource("photos", config, [REGION], client)


def image(id_: Any = 1, north_m: float = 0.0, **more: Any) -> dict[str, Any]:
    """As the API gives it when all fields are there."""
    return {
        "id": id_,
        "captured_at": 1507560881000,
        "camera_type": "perspective",
        "camera_parameters": [0.5, 0.0, 0.0],
        "is_pano": False,
        "compass_angle": 200.9,
        "geometry": {"type": "Point", "coordinates": [HERE.lon, HERE.lat + north_m / 111_200]},
        "creator": {"username": "ana", "id": "9"},
        "sequence": "s-1",
        "quality_score": 0.8,
        "width": 4000,
        "height": 3000,
        "thumb_2048_url": "http://127.0.0.1:9/expired",
        **more,
    }


def fault(code: int, message: str = "what went wrong", **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "MLYApiException", "code": code, "fbtrace_id": "A", **more}}


def answer(body: dict[str, Any], status: int) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")


def test_a_photo_as_it_is_documented(source: MapillarySource, serve: Serve, httpserver: HTTPServer) -> None:
    serve("/images", lambda _: {"data": [image()]})
    photo = one(source.near(HERE, 20))
    assert photo.source_id == "1"
    assert photo.position == HERE
    assert (photo.heading_deg, photo.projection, photo.quality) == (200.9, "perspective", 0.8)
    assert photo.hfov_deg == pytest.approx(90)
    assert photo.captured_at == datetime(2017, 10, 9, 14, 54, 41, tzinfo=UTC)
    assert (photo.author, photo.licence, photo.sequence) == ("ana", "CC-BY-SA-4.0", "s-1")
    assert photo.link == "https://www.mapillary.com/app/?pKey=1"
    assert photo.unusable is None
    (request,) = asked(httpserver, "/images")
    assert request.headers["Authorization"] == f"OAuth {TOKEN}"
    assert TOKEN not in request.url
    assert "access_token" not in request.url
    west, south, east, north = map(float, request.args["bbox"].split(","))
    assert west < HERE.lon < east
    assert south < HERE.lat < north


def test_keys_that_are_missing_are_unknown(source: MapillarySource, serve: Serve) -> None:
    serve("/images", lambda _: {"data": [{"id": 5, "geometry": {"coordinates": [HERE.lon, HERE.lat, 35.0]}}]})
    photo = one(source.near(HERE, 20))
    assert (photo.heading_deg, photo.hfov_deg, photo.captured_at) == (None, None, None)
    assert (photo.sequence, photo.quality, photo.picture) == (None, None, None)
    assert photo.author == "Mapillary contributor"


def test_what_was_computed_counts_more_than_what_was_recorded(source: MapillarySource, serve: Serve) -> None:
    computed = {"computed_geometry": {"coordinates": [HERE.lon, HERE.lat]}, "computed_compass_angle": -90.0}
    nowhere = {"computed_geometry": {"coordinates": [0, 0]}}
    serve("/images", lambda _: {"data": [image(1, 15, **computed), image(2, 3, **nowhere)]})
    first, second = source.near(HERE, 20)
    assert (first.position, first.heading_deg) == (HERE, 270.0)
    assert (second.source_id, second.unusable) == ("2", None)


@pytest.mark.parametrize("kind", [{"is_pano": True}, {"camera_type": "spherical"}, {"camera_type": "equirectangular"}])
def test_panoramas_are_told(source: MapillarySource, serve: Serve, kind: dict[str, Any]) -> None:
    serve("/images", lambda _: {"data": [image(**kind)]})
    photo = one(source.near(HERE, 20))
    assert (photo.projection, photo.hfov_deg) == ("equirectangular", 360.0)


def test_bad_items_are_sorted_out_one_by_one(source: MapillarySource, serve: Serve) -> None:
    beyond = {"geometry": {"coordinates": [HERE.lon + 360, HERE.lat]}}
    data = [
        image("7", 5), image(7, 5), image(1, 40), image(2, geometry={"coordinates": [0, 0]}),
        image(3, geometry={"coordinates": [HERE.lat, HERE.lon]}), image(4, geometry=None), image(5, 1, **beyond),
        image(6, 2, compass_angle=math.nan),
    ]  # fmt: skip
    serve("/images", lambda _: {"data": data})
    found = {photo.source_id: photo.unusable for photo in source.near(HERE, 20)}
    assert found.pop("2") == (Reason.BAD_POSITION, "0, 0")
    swapped = found.pop("3")
    assert swapped is not None
    assert "swapped" in swapped[1]
    assert found == {"7": None, "5": None}


def test_a_full_box_is_quartered(source: MapillarySource, serve: Serve, httpserver: HTTPServer) -> None:
    photos = [image(i, (i - 1250) / 150) for i in range(2500)]

    def search(request: Request) -> dict[str, Any]:
        west, south, east, north = map(float, request.args["bbox"].split(","))
        inside = [p for p in photos if south <= p["geometry"]["coordinates"][1] <= north and west <= HERE.lon <= east]
        return {"data": inside[:2000]}

    serve("/images", search)
    assert len(source.near(HERE, 20)) == 2500
    assert len(asked(httpserver, "/images")) == 5


def test_a_box_too_dense_for_the_server_is_quartered(source: MapillarySource, serve: Serve) -> None:
    def search(request: Request) -> Any:
        west, _, east, _ = map(float, request.args["bbox"].split(","))
        if east - west > 0.0003:
            return answer(fault(1, "Please reduce the amount of data you're asking for, then retry your request"), 500)
        return {"data": [image()]}

    serve("/images", search)
    assert one(source.near(HERE, 20)).source_id == "1"


@pytest.mark.parametrize("host", ["evil.example", "[evil"])
def test_pages_are_followed_by_their_cursor_and_never_by_their_address(
    host: str, source: MapillarySource, serve: Serve, httpserver: HTTPServer
) -> None:
    elsewhere = f"https://{host}/images?access_token=MLY%7C1%7Cabc&after=two"

    def search(request: Request) -> dict[str, Any]:
        if request.args.get("after") == "two":
            return {"data": [image(2, 3)], "paging": {"cursors": {"before": "one", "after": "three"}}}
        return {"data": [image(1)], "paging": {"next": elsewhere}}

    serve("/images", search)
    assert [photo.source_id for photo in source.near(HERE, 20)] == ["1", "2"]
    assert [set(parse_qs(r.query_string.decode())) for r in asked(httpserver, "/images")] == [
        {"bbox", "fields", "limit"},
        {"bbox", "fields", "limit", "after"},
    ]


def test_pages_that_lead_back_to_themselves_end(source: MapillarySource, serve: Serve, httpserver: HTTPServer) -> None:
    paging = {"cursors": {"after": "same"}, "next": httpserver.url_for("/images?after=same")}
    serve("/images", lambda _: {"data": [image()], "paging": paging})
    assert one(source.near(HERE, 20)).source_id == "1"
    assert len(asked(httpserver, "/images")) == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (fault(190, "Invalid OAuth 2.0 Access Token"), 500),
        (fault(190, "Error validating access token: Session has expired", error_subcode=463), 400),
        (fault(190, "The access token could not be decrypted"), 200),
        ({}, 401),
    ],
)
def test_a_refused_key_stops_the_build_at_once(
    source: MapillarySource, serve: Serve, httpserver: HTTPServer, body: dict[str, Any], status: int
) -> None:
    serve("/images", lambda _: answer(body, status))
    with pytest.raises(MachineError, match="MAPILLARY_TOKEN") as caught:
        source.near(HERE, 20)
    assert TOKEN not in str(caught.value)
    assert len(asked(httpserver, "/images")) == 1


def test_no_key_is_said_before_anything_is_sent(
    source: MapillarySource, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAPILLARY_TOKEN")
    with pytest.raises(MachineError, match="MAPILLARY_TOKEN"):
        source.near(HERE, 20)
    assert httpserver.log == []


@pytest.mark.parametrize(
    ("body", "status", "reason", "tries"),
    [
        (fault(4, "Application request limit reached"), 403, Reason.RATE_LIMITED, 3),
        (fault(613, "Calls to this api have exceeded the rate limit"), 400, Reason.RATE_LIMITED, 3),
        (fault(2, "Service temporarily unavailable"), 500, Reason.SERVER_ERROR, 3),
        (fault(100, "Param bbox must be"), 500, Reason.REFUSED, 1),
        (fault(100, "does not exist", error_subcode=33), 400, Reason.GONE, 1),
        (fault(12345), 200, Reason.BAD_ANSWER, 1),
        ({"data": "none"}, 200, Reason.BAD_ANSWER, 1),
        ({}, 503, Reason.SERVER_ERROR, 3),
    ],
)
def test_faults_are_told_by_what_the_body_says(
    source: MapillarySource,
    serve: Serve,
    httpserver: HTTPServer,
    body: dict[str, Any],
    status: int,
    reason: Reason,
    tries: int,
) -> None:
    serve("/images", lambda _: answer(body, status))
    with pytest.raises(SiteError) as caught:
        source.near(HERE, 20)
    assert caught.value.reason is reason
    assert len(asked(httpserver, "/images")) == tries


def test_an_expired_address_is_asked_for_once_more(
    source: MapillarySource, serve: Serve, httpserver: HTTPServer
) -> None:
    serve("/old.jpg", lambda _: Response("URL signature expired", 403, content_type="text/plain"))
    serve("/new.jpg", jpeg)
    serve("/images", lambda _: {"data": [image(thumb_2048_url=httpserver.url_for("/old.jpg"))]})
    serve("/1", lambda _: {"id": "1", "thumb_2048_url": httpserver.url_for("/new.jpg")})
    assert source.read(one(source.near(HERE, 20))) == JPEG
    assert [len(asked(httpserver, path)) for path in ("/old.jpg", "/1", "/new.jpg")] == [1, 1, 1]
    assert "Authorization" not in asked(httpserver, "/old.jpg")[0].headers


@pytest.mark.parametrize("fresh", ["/old.jpg", "/also-old.jpg", None])
def test_a_picture_that_is_gone_is_given_up(
    source: MapillarySource, serve: Serve, httpserver: HTTPServer, fresh: str | None
) -> None:
    serve("/images", lambda _: {"data": [image(thumb_2048_url=httpserver.url_for("/old.jpg"))]})
    for path in ("/old.jpg", "/also-old.jpg"):
        serve(path, lambda _: Response("", 410))
    serve("/1", lambda _: {"id": "1", **({"thumb_2048_url": httpserver.url_for(fresh)} if fresh else {})})
    photo = one(source.near(HERE, 20))
    with pytest.raises(SiteError) as caught:
        source.read(photo)
    assert caught.value.reason is Reason.GONE
    assert len(asked(httpserver, "/1")) == 1
    assert len(asked(httpserver, "/old.jpg")) == 1


def test_an_address_elsewhere_is_not_asked(source: MapillarySource, serve: Serve, httpserver: HTTPServer) -> None:
    serve("/images", lambda _: {"data": [image(thumb_2048_url="https://fbcdn.net.evil.example/1.jpg")]})
    photo = one(source.near(HERE, 20))
    with pytest.raises(SiteError) as caught:
        source.read(photo)
    assert caught.value.reason is Reason.UNSAFE_ADDRESS


def test_coverage_comes_from_tiles(
    source: MapillarySource, serve: Serve, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tile = mercantile.tile(HERE.lon, HERE.lat, 14)
    known = {"captured_at": 1507560881000, "compass_angle": -10.0, "sequence_id": "s-1", "is_pano": True, "on_foot": 1}
    spots: Spots = [
        (HERE.lat, HERE.lon, {"id": 1001, **known}),
        (HERE.lat + 0.001, HERE.lon, {"id": 1002}),
        (HERE.lat, HERE.lon, {"id": 1001}),  # again
        (HERE.lat, HERE.lon, {"key": "of another time"}),
        (HERE.lat + 0.0055, HERE.lon, {"id": 1003}),  # outside the region
    ]

    def answer_tile(_: Request) -> Response:
        return Response(vector_tile(tile, "image", spots), content_type="application/x-protobuf")

    serve(f"/maps/vtp/mly1_public/2/14/{tile.x}/{tile.y}", answer_tile)
    first, second = source.candidates(REGION)  # the region's other tiles are answered with 404
    assert (first.source_id, first.heading_deg, first.projection) == ("1001", 350.0, "equirectangular")
    assert (first.sequence, first.author, first.licence) == ("s-1", "", "CC-BY-SA-4.0")
    assert first.captured_at == datetime(2017, 10, 9, 14, 54, 41, tzinfo=UTC)
    assert first.position.lat == pytest.approx(HERE.lat, abs=1e-5)
    assert (second.source_id, second.heading_deg, second.captured_at) == ("1002", None, None)
    assert all("access_token" not in request.url for request, _ in httpserver.log)


def test_tiles_that_are_none_of_them_there_are_a_fault(source: MapillarySource, serve: Serve) -> None:
    with pytest.raises(SiteError) as caught:
        list(source.candidates(REGION))
    assert caught.value.reason is Reason.GONE


def test_tiles_that_refuse_the_key_stop_the_build(source: MapillarySource, serve: Serve) -> None:
    for tile in mercantile.tiles(*REGION.bounds(), zooms=14):
        serve(f"/maps/vtp/mly1_public/2/14/{tile.x}/{tile.y}", lambda _: Response("", 403))
    with pytest.raises(MachineError, match="MAPILLARY_TOKEN"):
        list(source.candidates(REGION))


def test_a_place_at_the_antimeridian_is_asked_for_in_two_boxes(
    source: MapillarySource, serve: Serve, httpserver: HTTPServer
) -> None:
    serve("/images", lambda _: {"data": [image(geometry={"coordinates": [-179.99999, -17.0]})]})
    assert one(source.near(Point(-17.0, 179.99999), 20)).unusable is None
    found = [tuple(map(float, r.args["bbox"].split(","))) for r in asked(httpserver, "/images")]
    assert [(west < east, west >= -180, east <= 180) for west, _, east, _ in found] == [(True, True, True)] * 2


def test_a_probe_says_what_it_found(source: MapillarySource, serve: Serve, httpserver: HTTPServer) -> None:
    serve("/images", lambda _: {"data": []})
    told = "the key is accepted; no photo within 100 m of the middle of paris; licence CC-BY-SA-4.0"
    assert source.probe(REGION) == told
    assert len(httpserver.log) == 1
    assert source.requests(np.zeros(10), np.zeros(10), Imagery(max_views=4)) == 50


def test_the_fingerprint_leaves_out_how_fast_and_by_which_key() -> None:
    def mark(**more: Any) -> str:
        client = HttpClient(Network(cache_gb=0))  # one each, as two rates in one build are refused
        return MapillarySource("photos", Mapillary(type="mapillary", **more), [], client).fingerprint()

    assert mark() == mark(rate={"per_s": 1, "at_once": 1}) == mark(key_env="OTHER", allowed_hosts=["a.example"])
    assert len({mark(), mark(picture="1024"), mark(endpoint="https://a.example")}) == 3
