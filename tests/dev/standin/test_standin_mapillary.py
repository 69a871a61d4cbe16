"""Mapillary: the Graph API, picture addresses that expire, and the vector tiles of both kinds."""

import math
import time
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import mapbox_vector_tile
import mercantile
import pytest
from PIL import Image
from pyproj import Geod

from tests.dev.standin.here import running_here
from tests.dev.standin.plain import PlainClient
from tools.dev.standin import Plan, Running
from tools.dev.standin.scene import Thumbs

GEOD = Geod(ellps="WGS84")


def images(standin: Running, graph: PlainClient, query: str) -> Any:
    got = graph(f"{standin.api}/mapillary/graph/images?{query}")
    assert got.status == 200, got.body
    return got.json["data"]


def test_only_what_is_asked_for_comes_back(standin: Running, graph: PlainClient, box: str) -> None:
    found = images(standin, graph, f"bbox={box}&fields=geometry,is_pano,nonsense,creator")
    assert len(found) > 50
    for photo in found:
        assert set(photo) == {"id", "geometry", "is_pano", "creator"}
        assert isinstance(photo["id"], str)
        assert photo["id"].isdecimal()
        assert set(photo["creator"]) == {"username", "id"}
    assert all(set(photo) == {"id"} for photo in images(standin, graph, f"bbox={box}"))


def test_panoramas_and_flat_photos_say_what_they_are(standin: Running, graph: PlainClient, box: str) -> None:
    fields = "camera_type,camera_parameters,width,height,captured_at,compass_angle,sequence,is_pano"
    for photo in images(standin, graph, f"bbox={box}&fields={fields}"):
        assert isinstance(photo["captured_at"], int)
        if photo["is_pano"]:
            assert photo["camera_type"] == "spherical"
            assert photo["width"] == 2 * photo["height"]
        else:
            assert photo["camera_type"] == "perspective"
            hfov = 2 * math.degrees(math.atan(0.5 / photo["camera_parameters"][0]))
            assert 70 <= hfov <= 95


@pytest.mark.parametrize(
    "query", ["bbox=-1.3,46.0,-1.1,46.2", "bbox=1,2,3", "bbox=2,1,1,2", "bbox=-1.16,46.15,-1.15,46.16&limit=2001", ""]
)
def test_boxes_too_large_or_wrong_are_refused_with_code_100(standin: Running, graph: PlainClient, query: str) -> None:
    got = graph(f"{standin.api}/mapillary/graph/images?{query}")
    assert got.status == 400
    assert got.json["error"]["code"] == 100


def test_a_wrong_key_is_status_500_and_code_190(standin: Running, ask: PlainClient, box: str) -> None:
    url = f"{standin.api}/mapillary/graph/images?bbox={box}"
    for got in (ask(url), ask(url, Authorization="OAuth wrong"), ask(f"{url}&access_token=wrong")):
        assert got.status == 500
        assert got.json["error"] == {
            "message": "Invalid OAuth 2.0 Access Token",
            "type": "MLYApiException",
            "code": 190,
            "fbtrace_id": got.json["error"]["fbtrace_id"],
        }
    assert ask(f"{url}&access_token={standin.key.replace('|', '%7C')}").status == 200


def test_filters_and_ids_of_a_sequence(standin: Running, graph: PlainClient, box: str) -> None:
    everything = images(standin, graph, f"bbox={box}&fields=is_pano,sequence,captured_at")
    round_ones = images(standin, graph, f"bbox={box}&is_pano=true&fields=is_pano")
    assert {p["id"] for p in round_ones} == {p["id"] for p in everything if p["is_pano"]}
    sequence = everything[0]["sequence"]
    got = graph(f"{standin.api}/mapillary/graph/image_ids?sequence_id={sequence}").json["data"]
    assert {p["id"] for p in everything if p["sequence"] == sequence} <= {p["id"] for p in got}
    later = images(standin, graph, f"bbox={box}&start_captured_at=2022-01-01T00:00:00Z&fields=captured_at")
    assert {p["id"] for p in later} == {p["id"] for p in everything if p["captured_at"] >= 1_640_995_200_000}


def test_a_box_does_not_page_and_a_contributor_does(standin: Running, graph: PlainClient, box: str) -> None:
    assert "paging" not in graph(f"{standin.api}/mapillary/graph/images?bbox={box}&limit=5").json
    seen: list[str] = []
    url = f"{standin.api}/mapillary/graph/images?creator_username=standin-anna&limit=40&fields=creator"
    after = ""
    while True:
        page = graph(url + after).json
        seen += [photo["id"] for photo in page["data"]]
        if "paging" not in page:
            break
        assert "access_token=" in page["paging"]["next"]  # the trap for clients that store it
        after = f"&after={page['paging']['cursors']['after']}"
    assert len(seen) == len(set(seen)) > 40


def test_an_entity(standin: Running, graph: PlainClient, box: str) -> None:
    photo = images(standin, graph, f"bbox={box}&fields=geometry&limit=1")[0]
    assert graph(f"{standin.api}/mapillary/graph/{photo['id']}?fields=geometry").json == photo
    gone = graph(f"{standin.api}/mapillary/graph/123").json["error"]
    assert (gone["code"], gone["error_subcode"]) == (100, 33)


def test_addresses_of_pictures_differ_each_time_and_are_signed(
    standin: Running, ask: PlainClient, graph: PlainClient, box: str
) -> None:
    url = f"{standin.api}/mapillary/graph/images?bbox={box}&limit=1&fields=thumb_256_url,thumb_1024_url"
    first, second = (graph(url).json["data"][0] for _ in range(2))
    assert first["thumb_256_url"] != second["thumb_256_url"]
    assert first["thumb_256_url"].startswith(f"{standin.pictures}/")
    one, other = ask(first["thumb_256_url"]), ask(second["thumb_256_url"])
    assert one.body == other.body
    assert Image.open(BytesIO(one.body)).size[0] == 256
    assert ask(first["thumb_256_url"].replace("_256.jpg", "_1024.jpg")).status == 403


def test_addresses_expire_by_time_and_by_use(ask: PlainClient, graph: PlainClient, box: str) -> None:
    with running_here(Plan(thumb_ttl_s=7_200.0, thumb_uses=1)) as server:
        url = f"{server.api}/mapillary/graph/images?bbox={box}&limit=1&fields=thumb_256_url"
        asked = time.time()
        fresh = graph(url).json["data"][0]["thumb_256_url"]
        until = int(dict(parse_qsl(urlsplit(fresh).query))["oe"], 16) / 1000
        assert asked + 7_200 - 0.001 <= until <= time.time() + 7_200
        assert [ask(fresh).status for _ in range(2)] == [200, 403]


def test_an_address_is_good_for_its_time_and_no_longer() -> None:
    now = [1_800_000_000.0]
    thumbs = Thumbs(3, ttl_s=60.0, uses=None, wall=lambda: now[0])
    address = urlsplit(thumbs.address("http://pictures", "7", "256"))
    name, query = address.path.rpartition("/")[2], dict(parse_qsl(address.query))
    now[0] += 59.9
    assert thumbs.refusal(name, query, None) is None
    now[0] += 0.2
    assert thumbs.refusal(name, query, None) == "URL signature expired"


def decoded(body: bytes) -> Any:
    return mapbox_vector_tile.decode(body, default_options={"y_coord_down": True})


def places(layer: Any, tile: mercantile.Tile) -> dict[str, tuple[float, float]]:
    """Longitude and latitude of each point, by id."""
    found = {}
    for feature in layer["features"]:
        x, y = feature["geometry"]["coordinates"]
        lon = (tile.x + x / layer["extent"]) / 2**tile.z * 360 - 180
        lat = math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * (tile.y + y / layer["extent"]) / 2**tile.z))))
        found[str(feature["properties"]["id"])] = lon, lat
    return found


def test_tiles_show_the_photos_that_the_search_gives(standin: Running, graph: PlainClient, box: str) -> None:
    west, south, east, north = map(float, box.split(","))
    tile = mercantile.tile((west + east) / 2, (south + north) / 2, 14)
    got = graph(f"{standin.api}/mapillary/tiles/maps/vtp/mly1_public/2/14/{tile.x}/{tile.y}")
    layers = decoded(got.body)
    assert set(layers) == {"image", "sequence"}
    spots = places(layers["image"], tile)
    for photo in images(standin, graph, f"bbox={box}&fields=geometry,is_pano,captured_at,compass_angle,sequence"):
        assert GEOD.inv(*spots[photo["id"]], *photo["geometry"]["coordinates"])[2] < 0.5
        tags = next(f["properties"] for f in layers["image"]["features"] if str(f["properties"]["id"]) == photo["id"])
        assert tags["is_pano"] == photo["is_pano"]
        assert tags["captured_at"] == photo["captured_at"]
        assert tags["sequence_id"] == photo["sequence"]
        assert tags["compass_angle"] == pytest.approx(photo["compass_angle"])


def test_layers_by_zoom(standin: Running, ask: PlainClient, graph: PlainClient, box: str) -> None:
    west, south, *_ = map(float, box.split(","))
    expected = {3: {"overview"}, 6: {"sequence"}, 13: {"sequence"}, 14: {"sequence", "image"}}
    for zoom, names in expected.items():
        tile = mercantile.tile(west, south, zoom)
        url = f"{standin.api}/mapillary/tiles/maps/vtp/mly1_public/2/{zoom}/{tile.x}/{tile.y}"
        assert set(decoded(graph(url).body)) == names
        assert ask(url).status == 500
    pictures = {5: {"grid"}, 10: {"sequences"}, 15: {"sequences", "pictures"}}
    for zoom, names in pictures.items():
        tile = mercantile.tile(-1.152, 46.1591, zoom)
        layers = decoded(ask(f"{standin.api}/panoramax/api/map/{zoom}/{tile.x}/{tile.y}.mvt").body)
        assert set(layers) == names
    assert (
        decoded(ask(f"{standin.api}/panoramax/api/map/15/0/0.mvt").body).get("pictures", {"features": []})["features"]
        == []
    )
    assert ask(f"{standin.api}/panoramax/api/map/15/99999/0.mvt").status == 404


def test_panoramax_tiles_show_the_photos_that_its_search_gives(standin: Running, ask: PlainClient) -> None:
    tile = mercantile.tile(-1.152, 46.1591, 15)
    layer = decoded(ask(f"{standin.api}/panoramax/api/map/15/{tile.x}/{tile.y}.mvt").body)["pictures"]
    spots = places(layer, tile)
    box = ",".join(f"{value:.7f}" for value in mercantile.bounds(tile))
    items = ask(f"{standin.api}/panoramax/api/search?bbox={box}&limit=10000").json["features"]
    assert {item["id"] for item in items} <= set(spots)
    for item in items:
        assert GEOD.inv(*spots[item["id"]], *item["geometry"]["coordinates"])[2] < 0.3
