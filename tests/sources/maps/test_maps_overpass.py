"""The Overpass source: one question a cell, the facts of the same data as a file, and what its refusals mean."""

import gzip
import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request as Asked
from werkzeug import Response

from pipeline.cartography.existence import CLOSED, GONE, HIDDEN, PLANNED
from pipeline.config.imagery import Chips, Imagery
from pipeline.config.region import Region
from pipeline.config.sources import MapFiles, Overpass, Rate
from pipeline.errors import ConfigError, SiteError
from pipeline.geo.point import Point
from pipeline.net.client import HttpClient
from pipeline.sources.base import HasRoads, Networked
from pipeline.sources.maps.files import MapFilesSource
from pipeline.sources.maps.overpass import OverpassSource, judge
from schemas.reasons import Reason

SEOUL = Region(name="seoul", bbox=(126.96, 37.56, 127.03, 37.60))
HERE = Point(37.5702, 126.9852)
QUIET = Region(name="quiet", centre=(51.0, 4.0), radius_m=150)
REPLY: dict[str, Any] = {
    "version": 0.6,
    "osm3s": {"timestamp_osm_base": "2026-07-20T03:29:37Z"},
    "elements": [
        {
            "type": "way",
            "id": 7,
            "nodes": [1, 2],
            "geometry": [{"lat": 51.0, "lon": 3.999}, {"lat": 51.0, "lon": 4.001}],
            "tags": {"highway": "residential", "name": "Stille Straat"},
        },
        {"type": "node", "id": 3, "lat": 51.0001, "lon": 4.0001, "tags": {"shop": "bakery", "name": "Brood"}},
    ],
}


def overpass(server: HTTPServer, client: HttpClient, **settings: Any) -> OverpassSource:
    config = Overpass(
        type="overpass",
        endpoint=server.url_for("/api/interpreter"),
        rate=Rate(per_s=1000, at_once=8),
        **settings,
    )
    return OverpassSource("o", config, [QUIET], client)


def answering(server: HTTPServer, *answers: Response | dict[str, Any]) -> list[str]:
    """Give the answers in turn, the last one from then on; returns the queries as they come."""
    queries: list[str] = []

    def handler(request: Asked) -> Response:
        queries.append(parse_qs(request.get_data(as_text=True))["data"][0])
        answer = answers[min(len(queries), len(answers)) - 1]
        return answer if isinstance(answer, Response) else Response(json.dumps(answer), content_type="application/json")

    server.expect_request("/api/interpreter", method="POST").respond_with_handler(handler)
    return queries


def test_facts_are_those_of_the_same_data_as_a_file(corpus: Path, httpserver: HTTPServer, client: HttpClient) -> None:
    path = corpus / "osm" / "seoul_jongno_highways.overpass.json.gz"
    whole = json.loads(gzip.decompress(path.read_bytes()))
    queries = answering(httpserver, whole)
    source = overpass(httpserver, client)
    files = MapFilesSource("f", MapFiles(type="files", files=[path]), [SEOUL])
    for north in range(3):
        site = Point(HERE.lat + north * 4e-4, HERE.lon)
        assert source.around(site, 80.0) == files.around(site, 80.0)
        chips = [map_source.chip(site, 256, 0.5) for map_source in (source, files)]
        assert np.array_equal(chips[0].pixels, chips[1].pixels)
        assert chips[0].captured_at == chips[1].captured_at is not None
    assert len(queries) == 1


def test_what_is_gone_is_left_out_and_the_reasons_are_logged_once(
    httpserver: HTTPServer, client: HttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    def shop(number: int, **tags: str) -> dict[str, Any]:
        return {"type": "node", "id": number, "lat": 51.0, "lon": 4.0, "tags": {"shop": "bakery"} | tags}

    gone = [
        shop(4, disused="yes"),
        shop(5, end_date="2026-07-19"),
        shop(6, opening_date="2026-08"),
        shop(7, level="-1"),
    ]
    answering(httpserver, REPLY | {"elements": [*REPLY["elements"], *gone]})
    source = overpass(httpserver, client)
    for lon in (4.0, 4.1):  # two cells
        source.around(Point(51.0, lon), 100.0)
    assert {fact.name for fact in source.around(Point(51.0, 4.0), 100.0)} == {"Stille Straat", "Brood"}
    assert source.left_out == {CLOSED: 1, GONE: 1, PLANNED: 1, HIDDEN: 1}
    assert sum("left out" in message for message in caplog.messages) == 1
    assert source.charted() >= {"road", "junction", "rail", "poi"}


def test_a_cell_is_asked_for_once_and_then_lies_in_the_cache(httpserver: HTTPServer, client: HttpClient) -> None:
    queries = answering(httpserver, REPLY)
    source = overpass(httpserver, client)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: source.around(Point(51.0, 4.0 + i * 1e-5), 50.0), range(16)))
    assert len(queries) == 1
    assert {fact.name for fact in found[0]} == {"Stille Straat", "Brood"}


def test_the_question_is_for_a_cell_with_its_surroundings(httpserver: HTTPServer, client: HttpClient) -> None:
    queries = answering(httpserver, REPLY)
    overpass(httpserver, client).around(Point(51.0, 4.0), 100.0)
    (text,) = queries
    south, west, north, east = map(float, text.split("[bbox:")[1].split("]")[0].split(","))
    assert south < 51.0 - 100 / 111_195 < 51.0 + 100 / 111_195 < north
    assert west < 4.0 < east
    width_m = (east - west) * 111_195 * math.cos(math.radians(51.0))
    assert 1_500 < width_m < 2_000
    assert 'nwr["highway"];' in text
    assert text.startswith("[out:json][timeout:")


def test_roads_come_from_the_cells_of_the_region_each_once(httpserver: HTTPServer, client: HttpClient) -> None:
    queries = answering(httpserver, REPLY)
    source = overpass(httpserver, client)
    assert isinstance(source, HasRoads)
    roads = list(source.roads(Region(name="r", centre=(51.0, 4.0), radius_m=2_000)))
    assert [(road.road_id, road.category) for road in roads] == [("osm:w7", "residential")]
    assert len(queries) == len(set(queries)) >= 4


def test_an_empty_place_is_an_empty_map(httpserver: HTTPServer, client: HttpClient) -> None:
    answering(httpserver, REPLY | {"elements": []})
    with pytest.raises(SiteError) as error:
        overpass(httpserver, client).chip(Point(51.0, 4.0), 256, 0.3)
    assert error.value.reason is Reason.EMPTY_MAP


def test_one_bad_item_loses_no_other(
    httpserver: HTTPServer, client: HttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    bad = ["text", {"type": "node", "id": 5, "lat": 99, "lon": 4.0, "tags": {"shop": "books"}}, {"type": "way"}]
    answering(httpserver, REPLY | {"elements": [*bad, *REPLY["elements"]]})
    assert len(overpass(httpserver, client).around(Point(51.0, 4.0), 50.0)) == 2
    assert "left out" in caplog.text


BUSY = "<html><head><title>x</title></head><p>The server is probably too busy to handle your request.</p></html>"


def test_a_busy_server_is_asked_again(httpserver: HTTPServer, client: HttpClient) -> None:
    timed_out = REPLY | {
        "elements": [],
        "remark": 'runtime error: Query timed out in "query" at line 1 after 91 seconds.',
    }
    queries = answering(httpserver, Response(BUSY, 504, content_type="text/html"), timed_out, REPLY)
    assert overpass(httpserver, client).around(Point(51.0, 4.0), 50.0)
    assert len(queries) == 3


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (Response(BUSY, 504, content_type="text/html"), Reason.SERVER_ERROR, "too busy"),
        (Response("Error: rate_limited", 429, content_type="text/plain"), Reason.RATE_LIMITED, "rate_limited"),
        (Response("<p>parse error: ';' expected</p>", 400), Reason.BAD_ANSWER, "';' expected"),
        (Response("<html>maintenance</html>", 200), Reason.SERVER_ERROR, "maintenance"),
        (Response('{"elements": [{"lat": NaN}]}', 200), Reason.BAD_ANSWER, "NaN"),
        (Response('{"elements": 7}', 200), Reason.BAD_ANSWER, "elements"),
        (Response('{"elements": [', 200), Reason.BAD_ANSWER, "Overpass JSON"),
        (
            Response('{"elements": [], "remark": "runtime error: Query ran out of memory in \\"q\\""}', 200),
            Reason.ANSWER_TOO_LARGE,
            "out of memory",
        ),
    ],
)
def test_what_its_refusals_mean(
    httpserver: HTTPServer, client: HttpClient, answer: Response, reason: Reason, words: str
) -> None:
    answering(httpserver, answer)
    with pytest.raises(SiteError) as error:
        overpass(httpserver, client).around(Point(51.0, 4.0), 50.0)
    assert error.value.reason is reason
    assert words in error.value.detail


def test_a_remark_that_is_no_error_is_no_fault() -> None:
    assert judge(200, {}, b'{"elements": [], "remark": "slow today"}').kind == "ok"
    assert judge(200, {}, b' {"elements": [{"tags": {"name": "\\"remark\\": error"}}]}').kind == "ok"


def test_a_probe_says_how_old_the_data_is(httpserver: HTTPServer, client: HttpClient) -> None:
    answering(httpserver, REPLY)
    source = overpass(httpserver, client)
    assert isinstance(source, Networked)
    assert "2026-07-20" in source.probe(QUIET)
    assert source.provider().wants_contact
    assert Overpass(type="overpass").endpoint.startswith("https://overpass-api.de")


def test_requests_are_counted_by_cells(httpserver: HTTPServer, client: HttpClient) -> None:
    source = overpass(httpserver, client)
    lat, lon = np.full(100, 51.0), np.linspace(4.0, 4.001, 100)
    assert source.requests(lat, lon, Imagery()) == 1
    assert source.requests(lat, np.linspace(4.0, 14.0, 100), Imagery()) == 100
    assert source.requests(lat, lon, Imagery(chips=Chips(size_px=4096))) == 2


def test_rate_changes_no_recipe_and_style_does(httpserver: HTTPServer, client: HttpClient) -> None:
    one = overpass(httpserver, client)
    other = OverpassSource(
        "o", Overpass(type="overpass", endpoint=one.provider().origins[0] + "/api/interpreter"), [], client
    )
    assert one.fingerprint() == other.fingerprint()
    assert overpass(httpserver, client, style="carto").fingerprint() != one.fingerprint()


def test_the_public_tile_server_is_refused(client: HttpClient) -> None:
    config = Overpass(type="overpass", endpoint="https://tile.openstreetmap.org/api")
    with pytest.raises(ConfigError, match="forbids bulk download"):
        OverpassSource("o", config, [QUIET], client)
    with pytest.raises(ConfigError, match="a key or signature"):
        OverpassSource("o", Overpass(type="overpass", endpoint="https://e.org/api?key=abcdefgh"), [QUIET], client)
