"""KartaView, Street View's metadata, Overpass, and the corpus's photos and tiles."""

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.config.sources import MapFiles, WorldMap
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.sources.maps.files import MapFilesSource
from pipeline.sources.world import WorldMapSource
from tests.dev.standin.here import running_here
from tests.dev.standin.plain import Got, PlainClient
from tools.dev.standin import Running
from tools.dev.standin.library import TOWNS
from tools.dev.standin.running import SEED

FORM: dict[str, Any] = {"bbTopLeft": "46.1607,-1.1545", "bbBottomRight": "46.1575,-1.1495"}


def listed(standin: Running, ask: PlainClient, **form: int) -> Got:
    return ask(f"{standin.api}/kartaview/1.0/list/nearby-photos/", form=FORM | form)


def test_kartaview_numbers_are_strings(standin: Running, ask: PlainClient) -> None:
    got = listed(standin, ask, ipp=1000, page=1).json
    assert got["status"]["apiCode"] == "600"
    items = got["currentPageItems"]
    assert got["totalFilteredItems"] == [str(len(items))]
    for item in items:
        assert all(isinstance(value, str) for value in item.values())
        assert 46.1575 <= float(item["lat"]) <= 46.1607
        assert -1.1545 <= float(item["lng"]) <= -1.1495
        assert item["name"].startswith("storage")


def test_kartaview_pages_until_one_is_not_full(standin: Running, ask: PlainClient) -> None:
    everything = [item["id"] for item in listed(standin, ask, ipp=1000, page=1).json["currentPageItems"]]
    size = len(everything) // 3 + 1
    pages = [listed(standin, ask, ipp=size, page=page).json["currentPageItems"] for page in (1, 2, 3)]
    assert [item["id"] for page in pages for item in page] == everything
    assert len(pages[-1]) < size
    beyond = listed(standin, ask, ipp=size, page=9).json
    assert (beyond["status"]["apiCode"], beyond["currentPageItems"]) == ("601", [])


def test_kartaview_by_point_and_radius(standin: Running, ask: PlainClient) -> None:
    form = {"lat": "46.1591", "lng": "-1.1520", "radius": "80", "ipp": "1000"}
    items = ask(f"{standin.api}/kartaview/1.0/list/nearby-photos/", form=form).json["currentPageItems"]
    x, y = LocalFrame(46.1591, -1.1520).to_metres([float(i["lng"]) for i in items], [float(i["lat"]) for i in items])
    assert items
    assert ((x**2 + y**2) ** 0.5 <= 80.01).all()
    refused = ask(f"{standin.api}/kartaview/1.0/list/nearby-photos/", form={"lat": "1"})
    assert refused.status == 400


def test_kartaview_pictures_come_by_the_cdn_and_not_from_the_store(standin: Running, ask: PlainClient) -> None:
    name = listed(standin, ask, ipp=1).json["currentPageItems"][0]["name"]
    store, _, path = name.partition("/")
    address = f"https://{store}.openstreetcam.org/{path}"
    coded = base64.urlsafe_b64encode(address.encode()).decode().rstrip("=")
    for base in (standin.pictures, f"{standin.api}/kartaview"):
        assert Image.open(BytesIO(ask(f"{base}/pr:sharp/{coded}").body)).size == (1024, 768)
    assert ask(f"{standin.pictures}/{path}").status == 502
    assert ask(f"{standin.pictures}/pr:sharp/x").status == 404


def test_google_metadata(standin: Running, ask: PlainClient) -> None:
    url = f"{standin.api}/google/maps/api/streetview/metadata?location=46.1591,-1.1520&radius=200"
    found = ask(f"{url}&key={standin.key.replace('|', '%7C')}").json
    assert found["status"] == "OK"
    assert set(found) == {"copyright", "date", "location", "pano_id", "status"}
    assert ask(url).json["status"] == "REQUEST_DENIED"
    nothing = url.replace("46.1591,-1.1520", "10,10")
    assert ask(f"{nothing}&key={standin.key.replace('|', '%7C')}").json == {"status": "ZERO_RESULTS"}


QUERY = "[out:json][timeout:25];(node(46.1578,-1.1540,46.1604,-1.1500);way(46.1578,-1.1540,46.1604,-1.1500););out geom;"


@pytest.mark.parametrize("query", [QUERY, QUERY.replace("out geom;", "out body;>;out skel qt;")])
def test_overpass_tells_what_the_made_up_town_has(
    standin: Running, ask: PlainClient, tmp_path: Path, query: str
) -> None:
    """Read by the reader of Overpass files, the facts around a point are the world's own."""
    got = ask(f"{standin.api}/overpass/api/interpreter", form={"data": query})
    assert got.status == 200
    assert got.json["osm3s"]["timestamp_osm_base"] == "2024-01-01T00:00:00Z"
    file = tmp_path / "town.json"
    file.write_bytes(got.body)
    read = MapFilesSource("files", MapFiles(type="files", files=[file]), list(TOWNS))
    world = WorldMapSource("world", WorldMap(type="world", seed=SEED), TOWNS)
    point = Point(46.1591, -1.1520)

    def told(source: MapFilesSource | WorldMapSource) -> set[tuple[str, str, int, int]]:
        facts = source.around(point, 80.0)
        return {(f.kind, f.name, round(f.distance_m), round(f.bearing_deg / 4)) for f in facts if f.name}

    expected = told(world)
    found = told(read)
    assert expected
    missing = {(kind, name) for kind, name, *_ in expected} - {(kind, name) for kind, name, *_ in found}
    assert not missing
    near = {(k, n, d + off, b + turn) for k, n, d, b in found for off in (-1, 0, 1) for turn in (-1, 0, 1)}
    assert len(expected - near) <= len(expected) // 10


def test_overpass_cuts_what_lies_across_the_antimeridian(standin: Running, ask: PlainClient) -> None:
    data = "[out:json];(nwr(-16.801,179.999,-16.799,180);nwr(-16.801,-180,-16.799,-179.999););out geom;"
    ways = [
        e for e in ask(f"{standin.api}/overpass/api/interpreter", form={"data": data}).json["elements"] if "nodes" in e
    ]
    lon = [[place["lon"] for place in way["geometry"]] for way in ways]
    assert all(max(one) - min(one) < 1 for one in lon)
    assert {180.0, -180.0} <= {value for one in lon for value in one}


def test_overpass_around_a_point_and_in_words_it_does_not_speak(standin: Running, ask: PlainClient) -> None:
    url = f"{standin.api}/overpass/api/interpreter"
    around = ask(url, form={"data": "[out:json];nwr(around:60,46.1591,-1.1520);out geom;"}).json["elements"]
    boxed = ask(url, post=QUERY.encode()).json["elements"]
    assert {(e["type"], e["id"]) for e in around} < {(e["type"], e["id"]) for e in boxed}
    bounded = ask(url, form={"data": "[out:json][bbox:46.1578,-1.1540,46.1604,-1.1500];nwr;out geom;"}).json["elements"]
    assert bounded == boxed
    for wrong in ("[out:xml];node(1,2,3,4);out;", "[out:json];node;out;"):
        got = ask(url, form={"data": wrong})
        assert got.status == 400
        assert got.headers["content-type"].startswith("text/html")
    assert b"slots available" in ask(f"{standin.api}/overpass/api/status").body
    far = ask(url, form={"data": "[out:json];node(10,10,11,11);out;"}).json["elements"]
    assert far == []


def test_the_corpus_is_served_too(corpus: Path, ask: PlainClient, graph: PlainClient) -> None:
    with running_here(corpus=corpus) as server:
        url = f"{server.api}/mapillary/graph/images?bbox=-105.30,40.00,-105.26,40.03&fields=thumb_original_url,geometry"
        photos = graph(url).json["data"]
        assert len(photos) > 30
        assert Image.open(BytesIO(ask(photos[0]["thumb_original_url"]).body)).format == "JPEG"
        items = ask(f"{server.api}/panoramax/api/search?bbox=126.97,37.56,127.00,37.59&limit=100").json["features"]
        rows = [json.loads(line) for line in (corpus / "MANIFEST.jsonl").read_text("utf-8").splitlines()]
        known = {
            (round(r["lon"], 6), round(r["lat"], 6), r["licence"]) for r in rows if r["kind"] == "street" and r["lat"]
        }
        for item in items:
            lon, lat = item["geometry"]["coordinates"]
            assert (round(lon, 6), round(lat, 6), item["properties"]["license"]) in known
        tile = ask(f"{server.api}/tiles/kampala/19/309613/261632.jpg")
        assert tile.body == (corpus / "aerial/kampala_xyz/19/309613/261632.jpg").read_bytes()
