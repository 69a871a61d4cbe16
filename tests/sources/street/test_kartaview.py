import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pipeline.config.region import Region
from pipeline.config.sources import KartaView
from pipeline.errors import SiteError
from pipeline.net.client import HttpClient
from pipeline.sources.street.kartaview import KartaViewSource
from schemas.reasons import Reason
from tests.sources.street.conftest import HERE, JPEG, asked, jpeg, one

Serve = Callable[[str, Callable[[Request], Any]], None]
LIST = "/1.0/list/nearby-photos/"
SUCCESS = {"apiCode": "600", "httpCode": 200, "httpMessage": "Success"}


@pytest.fixture
def source(httpserver: HTTPServer, client: HttpClient) -> KartaViewSource:
    config = KartaView(type="kartaview", endpoint=httpserver.url_for("/"), rate={"per_s": 1000, "at_once": 2})
    return KartaViewSource("photos", config, [], client)


def item(number: int = 1, north_m: float = 0.0, **more: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "sequence_id": "100",
        "sequence_index": "7",
        "lat": str(HERE.lat + north_m / 111_200),
        "lng": str(HERE.lon),
        "heading": "90",
        "shot_date": "2017-09-24 23:58:07",
        "username": "test",
        "name": f"storage6/files/photo/2017/9/24/proc/{number}.jpg",
        **more,
    }


def page(*items: Any) -> dict[str, Any]:
    return {"status": SUCCESS, "currentPageItems": list(items), "totalFilteredItems": [str(len(items))]}


def test_a_photo_as_it_is_documented(source: KartaViewSource, serve: Serve, httpserver: HTTPServer) -> None:
    serve(LIST, lambda _: page(item()))
    photo = one(source.near(HERE, 20))
    assert (photo.source_id, photo.heading_deg, photo.projection, photo.hfov_deg) == ("1", 90.0, "perspective", None)
    assert photo.captured_at == datetime(2017, 9, 24, 23, 58, 7, tzinfo=UTC)
    assert (photo.author, photo.licence, photo.sequence) == ("test", "CC-BY-SA-4.0", "100")
    assert photo.link == "https://kartaview.org/details/100/7"
    (request,) = asked(httpserver, LIST)
    assert request.method == "POST"
    assert set(request.form) == {"ipp", "page", "bbTopLeft", "bbBottomRight"}
    north, west = map(float, request.form["bbTopLeft"].split(","))
    south, east = map(float, request.form["bbBottomRight"].split(","))
    assert south < HERE.lat < north
    assert west < HERE.lon < east


def test_pictures_come_by_the_proxy(source: KartaViewSource, serve: Serve) -> None:
    stored = "https://storage6.openstreetcam.org/files/photo/2017/9/24/proc/1.jpg"
    serve(LIST, lambda _: page(item()))
    serve(f"/pr:sharp/{base64.urlsafe_b64encode(stored.encode()).decode().rstrip('=')}", jpeg)
    assert source.read(one(source.near(HERE, 20))) == JPEG


def test_the_proxy_of_the_real_endpoint(client: HttpClient) -> None:
    source = KartaViewSource("photos", KartaView(type="kartaview"), [], client)
    assert source._address("storage6/files/a.jpg") == (
        "https://cdn.kartaview.org/pr:sharp/aHR0cHM6Ly9zdG9yYWdlNi5vcGVuc3RyZWV0Y2FtLm9yZy9maWxlcy9hLmpwZw"
    )
    assert source._address("https://evil.example/storage6/files/a.jpg") is None
    assert source._address("") is None


def test_a_photo_without_its_file_is_gone(source: KartaViewSource, serve: Serve) -> None:
    serve(LIST, lambda _: page(item(name="")))
    photo = one(source.near(HERE, 20))
    with pytest.raises(SiteError) as caught:
        source.read(photo)
    assert caught.value.reason is Reason.GONE


def test_pages_are_read_to_the_last(source: KartaViewSource, serve: Serve, httpserver: HTTPServer) -> None:
    def listed(request: Request) -> Any:
        start = (int(request.form["page"]) - 1) * 1000
        return page(*(item(i, i / 200) for i in range(start, min(start + 1000, 2300))))

    serve(LIST, listed)
    assert len(source.near(HERE, 20)) == 2300
    assert [request.form["page"] for request in asked(httpserver, LIST)] == ["1", "2", "3"]


def test_pages_that_repeat_themselves_end(source: KartaViewSource, serve: Serve, httpserver: HTTPServer) -> None:
    serve(LIST, lambda _: page(*(item(i) for i in range(1000))))
    assert len(source._pages(bbTopLeft="1,1", bbBottomRight="0,2")) == 1000
    assert len(asked(httpserver, LIST)) == 2


@pytest.mark.parametrize("status", [200, 400])
def test_where_boxes_are_refused_a_point_and_radius_are_asked_for(
    source: KartaViewSource, serve: Serve, httpserver: HTTPServer, status: int
) -> None:
    def listed(request: Request) -> Any:
        if "radius" in request.form:
            return page(item())
        return Response(
            '{"status": {"apiCode": "422", "apiMessage": "bad box"}}', status, content_type="application/json"
        )

    serve(LIST, listed)
    for _ in range(2):
        assert one(source.near(HERE, 20)).source_id == "1"
    first, second, third = asked(httpserver, LIST)
    assert "bbTopLeft" in first.form
    assert second.form["radius"] == third.form["radius"] == "29"  # to the corner of the box


def test_empty_places_and_odd_items(source: KartaViewSource, serve: Serve) -> None:
    answers = [
        {"status": {"apiCode": 601, "apiMessage": "The request has an empty response", "httpCode": 200}},
        page(item(1, heading="", shot_date="0000-00-00 00:00:00"), item(2, lat="0", lng="0"), item(3, lat="NaN")),
    ]
    serve(LIST, lambda _: answers.pop(0))
    assert source.near(HERE, 20) == []
    first, second = source.near(HERE, 20)
    assert (first.heading_deg, first.captured_at, first.unusable) == (None, None, None)
    assert second.unusable == (Reason.BAD_POSITION, "0, 0")


def test_a_region_is_listed_in_small_boxes(source: KartaViewSource, serve: Serve, httpserver: HTTPServer) -> None:
    serve(LIST, lambda _: page(item(1), item(2, 500)))
    region = Region(name="paris", centre=(HERE.lat, HERE.lon), radius_m=150)
    assert one(list(source.candidates(region))).source_id == "1"
    assert len(asked(httpserver, LIST)) == 4
    assert source.probe(region) == "reachable; 2 photos within 50 m of the middle of paris; licence CC-BY-SA-4.0"
