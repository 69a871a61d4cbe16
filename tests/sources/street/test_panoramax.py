import json
import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import mercantile
import numpy as np
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pipeline.config.imagery import Imagery
from pipeline.config.sources import Panoramax
from pipeline.errors import ConfigError, SiteError
from pipeline.net.client import HttpClient, HttpSession
from pipeline.sources.street.panoramax import PanoramaxSource
from schemas.reasons import Reason
from tests.sources.street.conftest import HERE, JPEG, REGION, Spots, asked, jpeg, one, vector_tile

Serve = Callable[[str, Callable[[Request], Any]], None]
COLLECTION = "7ae92442-4594-4556-9730-4c955802e0dc"


@pytest.fixture
def source(httpserver: HTTPServer, client: HttpClient) -> PanoramaxSource:
    return PanoramaxSource("photos", Panoramax(type="panoramax", endpoint=httpserver.url_for("/api")), [REGION], client)


def uuid(number: int) -> str:
    return str(UUID(int=number))


def item(number: int = 1, north_m: float = 0.0, href: str = "https://unlisted.example/1.jpg", **more: Any) -> Any:
    """A STAC item as a server gives it, EXIF and all."""
    properties = {
        "datetime": "2023-05-02T10:11:12+00:00",
        "datetimetz": "2023-05-02T12:11:12+02:00",
        "license": "etalab-2.0",
        "view:azimuth": 87,
        "pers:interior_orientation": {"camera_model": "X", "field_of_view": 67},
        "geovisio:producer": "bob",
        "exif": {"Exif.Image.Artist": "Bob Secret", "Exif.Photo.BodySerialNumber": "123"},
    } | more.pop("properties", {})
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": uuid(number),
        "geometry": {"type": "Point", "coordinates": [HERE.lon, HERE.lat + north_m / 111_200]},
        "collection": COLLECTION,
        "providers": [{"name": "IGN", "roles": ["host"]}, {"name": "Ana", "roles": ["producer"], "id": "9"}],
        "properties": {key: value for key, value in properties.items() if value is not None},
        "assets": {size: {"href": href, "type": "image/jpeg"} for size in ("hd", "sd", "thumb")},
        "links": [{"rel": "root", "href": "https://api.example/api/"}],
        **more,
    }


def found(*items: Any) -> Callable[[Request], Any]:
    return lambda _: {"type": "FeatureCollection", "features": list(items), "links": []}


def test_a_photo_as_it_is_documented(source: PanoramaxSource, serve: Serve, httpserver: HTTPServer) -> None:
    serve("/api/search", found(item()))
    photo = one(source.near(HERE, 20))
    assert photo.source_id == uuid(1)
    assert (photo.position, photo.heading_deg, photo.hfov_deg, photo.projection) == (HERE, 87.0, 67.0, "perspective")
    assert photo.captured_at == datetime(2023, 5, 2, 10, 11, 12, tzinfo=UTC)
    assert (photo.author, photo.licence, photo.sequence) == ("Ana", "etalab-2.0", COLLECTION)
    assert photo.link == httpserver.url_for(f"/#focus=pic&pic={uuid(1)}")
    assert photo.unusable is None
    assert "Secret" not in repr(photo)
    (request,) = asked(httpserver, "/api/search")
    assert set(request.args) == {"bbox", "limit"}


def test_panoramas_are_told_by_their_field_of_view(source: PanoramaxSource, serve: Serve) -> None:
    def of(view: Any) -> Any:
        return {"properties": {"pers:interior_orientation": {"field_of_view": view}}}

    serve("/api/search", found(item(1, **of(360)), item(2, **of(200)), item(3, **of(None))))
    shapes = {photo.source_id[-1]: (photo.projection, photo.hfov_deg) for photo in source.near(HERE, 20)}
    assert shapes == {"1": ("equirectangular", 360.0), "2": ("perspective", None), "3": ("perspective", None)}


@pytest.mark.parametrize(
    ("exif", "guessed"),
    [
        ({"Exif.GPSInfo.GPSLatitude": "49/1", "Exif.Image.Make": "X"}, True),
        ({"Exif.GPSInfo.GPSLatitude": "49/1", "Exif.GPSInfo.GPSImgDirection": "0/1"}, True),
        ({"Exif.GPSInfo.GPSLatitude": "49/1", "Exif.GPSInfo.GPSImgDirection": "north"}, True),
        ({"Exif.GPSInfo.GPSLatitude": "49/1", "Exif.GPSInfo.GPSImgDirection": "8701/100"}, False),
        ({"Exif.GPSInfo.GPSLatitude": "49/1", "Xmp.GPano.PoseHeadingDegrees": "87.2"}, False),
        ({"Exif.GPSInfo.GPSLatitude": "49/1", "Exif.GPSInfo.GPSImgDirection": "5/0"}, True),
        ({"Exif.Image.Make": "X"}, False),
        (None, False),
        ("odd", False),
    ],
)
def test_headings_that_the_server_guessed_are_told_apart_where_the_tags_say_so(
    exif: Any, guessed: bool, source: PanoramaxSource, serve: Serve
) -> None:
    serve("/api/search", found(item(properties={"exif": exif})))
    assert one(source.near(HERE, 20)).heading_guessed is guessed


def link(href: str) -> dict[str, Any]:
    return {"links": [{"rel": "license", "href": href}], "properties": {"license": None}}


@pytest.mark.parametrize(
    ("told", "licence", "why_not"),
    [
        ({"properties": {"license": "CC-BY-SA-4.0"}}, "CC-BY-SA-4.0", None),
        ({"properties": {"license": "cc-by-sa-4.0"}}, "CC-BY-SA-4.0", None),
        ({"properties": {"license": "Etalab-2.0"}}, "etalab-2.0", None),
        (link("https://creativecommons.org/licenses/by-sa/4.0/"), "CC-BY-SA-4.0", None),
        (link("https://creativecommons.org/publicdomain/zero/1.0/"), "CC0-1.0", None),
        (link("https://www.etalab.gouv.fr/wp-content/ETALAB-Licence-Ouverte-v2.0.pdf"), "etalab-2.0", None),
        (link("https://creativecommons.org/licenses/by-nc/4.0/"), "CC-BY-NC-4.0", "CC-BY-NC-4.0"),
        (link("https://example.org/ours"), "", "no licence is stated"),
        ({"properties": {"license": "proprietary"}}, "", "no licence is stated"),
        ({"properties": {"license": None}}, "", "no licence is stated"),
        ({"properties": {"license": "CC-BY-NC-SA-4.0"}}, "CC-BY-NC-SA-4.0", "CC-BY-NC-SA-4.0"),
        ({"properties": {"license": {"name": "odd"}}}, "", "no licence is stated"),
    ],
)  # fmt: skip
def test_each_photo_states_its_licence(
    source: PanoramaxSource, serve: Serve, told: dict[str, Any], licence: str, why_not: str | None
) -> None:
    serve("/api/search", found(item(**told)))
    photo = one(source.near(HERE, 20))
    assert photo.licence == licence
    assert photo.unusable == (None if why_not is None else (Reason.UNUSABLE_LICENCE, why_not))


@pytest.mark.parametrize(
    ("more", "author"),
    [
        ({}, "Ana"),
        ({"providers": []}, "bob"),
        ({"providers": [], "properties": {"geovisio:producer": {"name": "Cy"}}}, "Cy"),
        ({"providers": [{"name": "Ana"}], "properties": {"geovisio:producer": None}}, "Panoramax contributor"),
    ],
)
def test_the_author_is_the_producer(source: PanoramaxSource, serve: Serve, more: dict[str, Any], author: str) -> None:
    serve("/api/search", found(item(**more)))
    assert one(source.near(HERE, 20)).author == author


def test_bad_items_are_sorted_out_one_by_one(source: PanoramaxSource, serve: Serve) -> None:
    serve(
        "/api/search",
        found(
            item(1, 5),
            item(1, 5),
            item(2, 30),
            item(3, geometry={"type": "Point", "coordinates": [0, 0]}),
            item(4, geometry=None),
            item(5, geometry={"coordinates": [math.nan, 48]}),
            item(6, geometry={"coordinates": [HERE.lon - 360, HERE.lat]}),
            item(7, collection=None, assets={}),
        ),
    )
    photos = {photo.source_id[-1]: photo for photo in source.near(HERE, 20)}
    assert set(photos) == {"1", "3", "6", "7"}
    assert photos["3"].unusable == (Reason.BAD_POSITION, "0, 0")
    assert photos["6"].unusable is None
    assert (photos["7"].sequence, photos["7"].picture) == (None, None)


def test_in_a_crowd_those_that_look_at_the_point_are_searched_for(
    source: PanoramaxSource, serve: Serve, httpserver: HTTPServer
) -> None:
    def search(request: Request) -> Any:
        if "place_position" in request.args:
            return found(item(900, 19), item(5, 0.05))(request)
        return found(*(item(i, i / 100) for i in range(1, 201)))(request)

    serve("/api/search", search)
    photos = source.near(HERE, 20)
    assert len(photos) == 201
    assert photos[-1].source_id == uuid(900)
    request = asked(httpserver, "/api/search")[1]
    assert request.args.to_dict() == {
        "place_position": f"{HERE.lon:.7f},{HERE.lat:.7f}",
        "place_distance": "0-20",
        "limit": "200",
    }


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"message": "limit must be <= 10000", "status_code": 400}, 400, Reason.REFUSED),
        ({"message": "database timeout", "status_code": 503}, 500, Reason.SERVER_ERROR),
        ({"message": "told in the body", "status_code": 404}, 200, Reason.GONE),
        ({"message": "no features at all"}, 200, Reason.BAD_ANSWER),
    ],
)
def test_faults_are_told_by_the_body(
    source: PanoramaxSource, serve: Serve, body: dict[str, Any], status: int, reason: Reason
) -> None:
    serve("/api/search", lambda _: Response(json.dumps(body), status, content_type="application/json"))
    with pytest.raises(SiteError) as caught:
        source.near(HERE, 20)
    assert caught.value.reason is reason


def test_pictures_of_the_endpoint_are_read_without_a_list_of_instances(
    source: PanoramaxSource, serve: Serve, httpserver: HTTPServer
) -> None:
    serve("/api/search", found(item(href=httpserver.url_for("/hd.jpg"))))
    serve("/hd.jpg", jpeg)
    assert source.read(one(source.near(HERE, 20))) == JPEG
    assert asked(httpserver, "/api/instances") == []


INSTANCES = {
    "instances": [
        {"id": "a", "name": "osm-fr", "url": "https://panoramax.openstreetmap.fr/", "configuration": {}},
        {"id": "b", "name": "inside", "url": "https://10.0.0.1/"},
        {"id": "c", "name": "no url"},
        {"id": "d", "name": "ign", "url": "https://panoramax.ign.fr"},
    ]
}


def test_origins_grow_by_the_list_of_instances_alone(
    source: PanoramaxSource, serve: Serve, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed: list[str] = []
    session = source._session
    assert isinstance(session, HttpSession)
    allow = session.allow

    def noted(one: str) -> None:
        allowed.append(one)
        allow(one)

    monkeypatch.setattr(session, "allow", noted)
    serve("/api/search", found(item(1), item(2, 1)))
    serve("/api/instances", lambda _: INSTANCES)
    photos = source.near(HERE, 20)
    with ThreadPoolExecutor(8) as threads:
        faults = [future.exception() for future in [threads.submit(source.read, photo) for photo in photos * 4]]
    assert {fault.reason for fault in faults if isinstance(fault, SiteError)} == {Reason.UNSAFE_ADDRESS}
    assert len(asked(httpserver, "/api/instances")) == 1
    assert allowed == ["https://10.0.0.1", "https://panoramax.ign.fr", "https://panoramax.openstreetmap.fr"]
    origins = {origin.host for origin in session.origins}
    assert {"panoramax.ign.fr", "panoramax.openstreetmap.fr"} < origins
    assert "10.0.0.1" not in origins
    assert "unlisted.example" not in origins


def test_without_a_list_of_instances_only_the_endpoint_counts(
    source: PanoramaxSource, serve: Serve, httpserver: HTTPServer
) -> None:
    serve("/api/search", found(item()))
    photo = one(source.near(HERE, 20))
    for _ in range(2):
        with pytest.raises(SiteError) as caught:
            source.read(photo)
        assert caught.value.reason is Reason.UNSAFE_ADDRESS
    assert len(asked(httpserver, "/api/instances")) == 1


def test_a_picture_at_what_is_no_address_is_a_fault_of_the_site(source: PanoramaxSource, serve: Serve) -> None:
    serve("/api/search", found(item(href="https://[x/1.jpg")))
    serve("/api/instances", lambda _: {"instances": [{"url": "https://[x/"}]})
    with pytest.raises(SiteError) as caught:
        source.read(one(source.near(HERE, 20)))
    assert caught.value.reason is Reason.UNSAFE_ADDRESS


def test_a_list_of_instances_that_fails_for_now_is_asked_for_again(
    source: PanoramaxSource, serve: Serve, httpserver: HTTPServer
) -> None:
    serve("/api/search", found(item()))
    healed = threading.Event()
    serve("/api/instances", lambda _: INSTANCES if healed.is_set() else Response("", 503))
    photo = one(source.near(HERE, 20))
    reasons = []
    for _ in range(2):
        with pytest.raises(SiteError) as caught:
            source.read(photo)
        reasons.append(caught.value.reason)
        healed.set()
    assert reasons == [Reason.SERVER_ERROR, Reason.UNSAFE_ADDRESS]


def test_a_picture_that_moved_is_asked_for_once_more(
    source: PanoramaxSource, serve: Serve, httpserver: HTTPServer
) -> None:
    def search(request: Request) -> Any:
        return found(item(href=httpserver.url_for("/new.jpg" if "ids" in request.args else "/old.jpg")))(request)

    serve("/api/search", search)
    serve("/new.jpg", jpeg)
    assert source.read(one(source.near(HERE, 20))) == JPEG
    assert asked(httpserver, "/api/search")[1].args["ids"] == uuid(1)


def test_coverage_comes_from_tiles(source: PanoramaxSource, serve: Serve) -> None:
    spots: Spots = [
        (HERE.lat, HERE.lon, {"id": uuid(1), "ts": "2021-07-29 09:16:54+00", "heading": 370, "type": "equirectangular",
                              "account_id": uuid(50), "first_sequence": COLLECTION, "model": "GoPro Max"}),
        (HERE.lat + 0.001, HERE.lon, {"id": uuid(2), "type": "flat"}),
        (HERE.lat + 0.0055, HERE.lon, {"id": uuid(3), "type": "flat"}),
    ]  # fmt: skip
    for tile in mercantile.tiles(*REGION.bounds(), zooms=15):
        body = vector_tile(tile, "pictures", spots)
        serve(f"/api/map/15/{tile.x}/{tile.y}.mvt", lambda _, body=body: Response(body, 200))  # type: ignore[misc]  # the default binds
    first, second = sorted(source.candidates(REGION), key=lambda photo: photo.source_id)
    assert (first.source_id, first.heading_deg, first.projection) == (uuid(1), 10.0, "equirectangular")
    assert (first.author, first.sequence, first.licence) == (uuid(50), COLLECTION, "")
    assert first.captured_at == datetime(2021, 7, 29, 9, 16, 54, tzinfo=UTC)
    assert (second.source_id, second.author, second.heading_deg) == (uuid(2), "", None)


def test_a_tile_that_fails_is_not_taken_for_an_empty_one(source: PanoramaxSource, serve: Serve) -> None:
    for tile in mercantile.tiles(*REGION.bounds(), zooms=15):
        serve(f"/api/map/15/{tile.x}/{tile.y}.mvt", lambda _: Response("<html>busy</html>", 200))
    with pytest.raises(SiteError) as caught:
        list(source.candidates(REGION))
    assert caught.value.reason is Reason.BAD_ANSWER


def test_a_probe_says_what_it_found(source: PanoramaxSource, serve: Serve, httpserver: HTTPServer) -> None:
    serve("/api/search", found(item()))
    assert source.probe(REGION) == "reachable; a photo of Ana, licence etalab-2.0, near paris"
    assert len(httpserver.log) == 1
    assert source.requests(np.zeros(10), np.zeros(10), Imagery(max_views=4)) == 61


def test_an_endpoint_that_may_not_be_asked_is_refused_at_once(client: HttpClient) -> None:
    with pytest.raises(ConfigError):
        PanoramaxSource("photos", Panoramax(type="panoramax", endpoint="http://api.panoramax.xyz/api"), [], client)
