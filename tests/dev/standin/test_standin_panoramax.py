"""Panoramax's shapes, field by field, as the documentation has them."""

import json
import uuid
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pyproj import Geod

from tests.dev.standin.plain import PlainClient
from tools.dev.standin import Running

GEOD = Geod(ellps="WGS84")


def search(standin: Running, ask: PlainClient, **params: Any) -> Any:
    query = "&".join(f"{name}={value}" for name, value in params.items())
    got = ask(f"{standin.api}/panoramax/api/search?{query}")
    assert got.status == 200, got.body
    assert got.headers["content-type"] == "application/geo+json"
    return got.json["features"]


def distance(item: Any, lon: float, lat: float) -> float:
    return float(GEOD.inv(lon, lat, *item["geometry"]["coordinates"])[2])


def test_an_item_has_the_documented_members(standin: Running, ask: PlainClient, box: str) -> None:
    features = search(standin, ask, bbox=box, limit=1000)
    assert len(features) > 50
    for item in features:
        assert item["type"] == "Feature"
        assert str(uuid.UUID(item["id"])) == item["id"]
        assert str(uuid.UUID(item["collection"])) == item["collection"]
        lon, lat = item["geometry"]["coordinates"]
        assert item["bbox"] == [lon, lat, lon, lat]
        assert item["providers"][0]["roles"] == ["producer"]
        assert item["providers"][0]["name"] == item["properties"]["geovisio:producer"]
        assert item["properties"]["datetime"].endswith("+00:00")
        assert 0 <= item["properties"]["view:azimuth"] < 360
        assert 60 <= item["properties"]["pers:interior_orientation"]["field_of_view"] <= 360
        assert item["properties"]["geovisio:status"] == "ready"
        assert item["properties"]["geovisio:rank_in_collection"] >= 1
        assert set(item["assets"]) == {"hd", "sd", "thumb"}
        for asset in item["assets"].values():
            assert asset["type"] == "image/jpeg"
            assert asset["href"].startswith(standin.pictures)
        assert {"root", "parent", "self", "collection", "via"} <= {link["rel"] for link in item["links"]}
        assert "null" not in json.dumps(item)


def test_licences_are_those_of_the_instances_and_old_servers_state_none(
    standin: Running, ask: PlainClient, box: str
) -> None:
    stated = {
        (
            next(link for link in item["links"] if link["rel"] == "via")["instance_name"],
            item["properties"].get("license"),
        )
        for item in search(standin, ask, bbox="-1.160,46.154,-1.144,46.164", limit=10_000)
    }
    assert {("ign", "etalab-2.0"), ("osm-fr", "CC-BY-SA-4.0")} <= stated
    assert stated - {("ign", "etalab-2.0"), ("osm-fr", "CC-BY-SA-4.0")} <= {
        ("old-server", "proprietary"),
        ("old-server", None),
    }


def test_the_nearest_to_the_centre_come_first_and_limit_cuts(standin: Running, ask: PlainClient, box: str) -> None:
    west, south, east, north = map(float, box.split(","))
    features = search(standin, ask, bbox=box, limit=1000)
    distances = [distance(item, (west + east) / 2, (south + north) / 2) for item in features]
    assert distances == pytest.approx(sorted(distances), abs=0.01)
    assert [item["id"] for item in search(standin, ask, bbox=box)] == [item["id"] for item in features[:10]]


def test_post_asks_the_same(standin: Running, ask: PlainClient, box: str) -> None:
    body = json.dumps({"bbox": [float(x) for x in box.split(",")], "limit": 20}).encode()
    got = ask(f"{standin.api}/panoramax/api/search", post=body, Content_Type="application/json")
    assert got.json["features"] == search(standin, ask, bbox=box, limit=20)
    assert ask(f"{standin.api}/panoramax/api/search", post=body, Content_Type="text/json").status == 400


@pytest.mark.parametrize(
    "query",
    ["bbox=1,2,3", "bbox=1,2,3,nan", "bbox=0,4,1,3", "limit=0", "limit=10001", "limit=x", "ids=1", "datetime=soon",
     "place_position=1,95", "place_position=1,45&place_fov_tolerance=1", "intersects={}"],
)  # fmt: skip
def test_what_cannot_be_understood_is_refused_as_documented(standin: Running, ask: PlainClient, query: str) -> None:
    got = ask(f"{standin.api}/panoramax/api/search?{query}")
    assert got.status == 400
    assert got.json["status_code"] == 400
    assert got.json["message"]


def test_nothing_there_is_an_empty_collection(standin: Running, ask: PlainClient) -> None:
    assert search(standin, ask, bbox="10,10,10.1,10.1") == []


def test_ids_collections_dates_and_shapes_choose(standin: Running, ask: PlainClient, box: str) -> None:
    everything = search(standin, ask, bbox=box, limit=1000)
    first = everything[0]
    assert [item["id"] for item in search(standin, ask, ids=first["id"])] == [first["id"]]
    of_drive = search(standin, ask, bbox=box, collections=first["collection"], limit=1000)
    assert of_drive == [item for item in everything if item["collection"] == first["collection"]]
    since = "2021-01-01T00:00:00Z"
    later = search(standin, ask, bbox=box, datetime=f"{since}/..", limit=1000)
    assert {item["id"] for item in later} == {i["id"] for i in everything if i["properties"]["datetime"] >= since[:10]}
    west, south, east, north = map(float, box.split(","))
    triangle = {"type": "Polygon", "coordinates": [[[west, south], [east, south], [west, north], [west, south]]]}
    inside = search(standin, ask, intersects=json.dumps(triangle).replace(" ", ""), limit=1000)
    assert 0 < len(inside) < len(everything)
    for item in inside:
        lon, lat = item["geometry"]["coordinates"]
        assert (lon - west) / (east - west) + (lat - south) / (north - south) <= 1


def test_place_position_finds_what_looks_at_the_place(standin: Running, ask: PlainClient, box: str) -> None:
    place = search(standin, ask, bbox=box, limit=1)[0]["geometry"]["coordinates"]
    lon, lat = place[0] + 1e-4, place[1] + 5e-5
    found = search(standin, ask, place_position=f"{lon},{lat}", place_distance="2-60", limit=100)
    around = search(standin, ask, bbox=f"{lon - 1e-3},{lat - 1e-3},{lon + 1e-3},{lat + 1e-3}", limit=1000)

    def looks(item: Any) -> bool:
        bearing, _, metres = GEOD.inv(item["geometry"]["coordinates"][0], item["geometry"]["coordinates"][1], lon, lat)
        off = abs((bearing - item["properties"]["view:azimuth"] + 180) % 360 - 180)
        panorama = item["properties"]["pers:interior_orientation"]["field_of_view"] == 360
        return bool(2 <= metres <= 60 and (panorama or off <= 15))

    assert {item["id"] for item in found} == {item["id"] for item in around if looks(item)}
    assert found


def test_one_item_and_its_pictures(standin: Running, ask: PlainClient, box: str) -> None:
    item = search(standin, ask, bbox=box, limit=1)[0]
    itself = next(link["href"] for link in item["links"] if link["rel"] == "self")
    assert ask(itself).json == item
    assert ask(itself[:-4] + "0000").status == 404
    widths = item["properties"]["pers:interior_orientation"]["sensor_array_dimensions"]
    for name, width in (("hd", widths[0]), ("sd", widths[0]), ("thumb", 500)):
        got = ask(item["assets"][name]["href"])
        assert got.headers["content-type"] == "image/jpeg"
        assert Image.open(BytesIO(got.body)).size[0] == width
    other = item["assets"]["hd"]["href"].replace("/api/pictures/", "/x/api/pictures/")
    assert ask(other).status == 404


def test_every_picture_lies_on_a_listed_instance(standin: Running, ask: PlainClient, box: str) -> None:
    urls = [instance["url"] for instance in ask(f"{standin.api}/panoramax/api/instances").json["instances"]]
    for item in search(standin, ask, bbox=box, limit=100):
        assert any(item["assets"]["hd"]["href"].startswith(f"{url}/") for url in urls)
    assert ask(f"{standin.api}/panoramax/api").json["type"] == "Catalog"


def test_a_box_across_the_antimeridian(standin: Running, ask: PlainClient) -> None:
    found = search(standin, ask, bbox="179.99,-16.81,-179.99,-16.79", limit=1000)
    lon = np.array([item["geometry"]["coordinates"][0] for item in found])
    assert (lon > 179).any()
    assert (lon < -179).any()
