import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pipeline.config.imagery import Imagery
from pipeline.config.sources import GoogleStreet
from pipeline.errors import ConfigError, MachineError, SiteError
from pipeline.net.client import HttpClient
from pipeline.sources.street.google import GoogleStreetSource
from schemas.reasons import Reason
from tests.sources.street.conftest import HERE, JPEG, REGION, asked, jpeg, one

Serve = Callable[[str, Callable[[Request], Any]], None]
KEY = "AIzaSyCanary0123456789"
METADATA = "/maps/api/streetview/metadata"
FOUND = {
    "status": "OK",
    "pano_id": "CAoSLEFGMVFpcE5-_x",
    "location": {"lat": HERE.lat, "lng": HERE.lon},
    "date": "2022-05",
    "copyright": "© Google",
}


@pytest.fixture
def make(
    httpserver: HTTPServer, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., GoogleStreetSource]:
    monkeypatch.setenv("GOOGLE_MAPS_API_KEY", KEY)
    url = httpserver.url_for("").rstrip("/")
    return lambda **more: GoogleStreetSource("pano", GoogleStreet(type="google", endpoint=url, **more), [], client)


def test_without_an_agreement_the_id_is_noted_and_nothing_else_kept(
    make: Callable[..., GoogleStreetSource], serve: Serve, httpserver: HTTPServer
) -> None:
    serve(METADATA, lambda _: FOUND | {"location": {"lat": HERE.lat + 1e-4, "lng": HERE.lon}})
    source = make()
    photo = one(source.near(HERE, 20))
    assert photo.source_id == FOUND["pano_id"]
    assert photo.unusable is not None
    assert photo.unusable[0] is Reason.METADATA_ONLY
    assert (photo.position, photo.captured_at, photo.picture) == (HERE, None, None)
    assert (photo.licence, photo.redistributable) == ("LicenseRef-Google", False)
    with pytest.raises(SiteError) as caught:
        source.read(photo)
    assert caught.value.reason is Reason.METADATA_ONLY
    (request,) = (request for request, _ in httpserver.log)
    assert (request.args["location"], request.args["radius"]) == (f"{HERE.lat:.7f},{HERE.lon:.7f}", "20")
    assert source.requests(np.zeros(10), np.zeros(10), Imagery()) == 10


def test_with_an_agreement_four_views_are_given_and_marked(
    make: Callable[..., GoogleStreetSource], serve: Serve, httpserver: HTTPServer
) -> None:
    serve(METADATA, lambda _: FOUND)
    serve("/maps/api/streetview", jpeg)
    source = make(separate_agreement="contract 12 of 2026")
    photos = source.near(HERE, 20)
    assert {photo.heading_deg for photo in photos} == {0.0, 90.0, 180.0, 270.0}
    assert {(photo.redistributable, photo.unusable, photo.hfov_deg) for photo in photos} == {(False, None, 90.0)}
    assert photos[0].captured_at == datetime(2022, 5, 1, tzinfo=UTC)
    assert source.read(photos[0]) == JPEG
    (request,) = asked(httpserver, "/maps/api/streetview")
    assert (request.args["pano"], request.args["heading"]) == (FOUND["pano_id"], "0")


@pytest.mark.parametrize("status", ["ZERO_RESULTS", "NOT_FOUND"])
def test_no_panorama_is_no_fault(make: Callable[..., GoogleStreetSource], serve: Serve, status: str) -> None:
    serve(METADATA, lambda _: {"status": status})
    assert make().near(HERE, 20) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [({"status": "REQUEST_DENIED", "error_message": "The provided API key is invalid."}, 200), ({}, 403)],
)
def test_a_refused_key_stops_the_build(
    make: Callable[..., GoogleStreetSource], serve: Serve, httpserver: HTTPServer, body: dict[str, Any], status: int
) -> None:
    serve(METADATA, lambda _: Response(json.dumps(body), status, content_type="application/json"))
    with pytest.raises(MachineError, match="GOOGLE_MAPS_API_KEY") as caught:
        make().near(HERE, 20)
    assert KEY not in str(caught.value)
    assert len(httpserver.log) == 1


@pytest.mark.parametrize(
    ("status", "reason", "tries"),
    [
        ("OVER_QUERY_LIMIT", Reason.RATE_LIMITED, 3),
        ("UNKNOWN_ERROR", Reason.SERVER_ERROR, 3),
        ("INVALID_REQUEST", Reason.REFUSED, 1),
        ("SOMETHING_NEW", Reason.BAD_ANSWER, 1),
        ("OK", Reason.BAD_ANSWER, 1),
    ],
)
def test_statuses_stand_in_the_body(
    make: Callable[..., GoogleStreetSource],
    serve: Serve,
    httpserver: HTTPServer,
    status: str,
    reason: Reason,
    tries: int,
) -> None:
    serve(METADATA, lambda _: {"status": status})
    with pytest.raises(SiteError) as caught:
        make().near(HERE, 20)
    assert caught.value.reason is reason
    assert len(httpserver.log) == tries
    assert KEY not in caught.value.detail


def test_sites_cannot_be_drawn_from_it(make: Callable[..., GoogleStreetSource]) -> None:
    with pytest.raises(ConfigError, match="uniform, grid, roads"):
        make().candidates(REGION)
