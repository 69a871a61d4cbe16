"""Aerial tiles: where they say they are, by every way of numbering, with what caches need."""

from io import BytesIO
from pathlib import Path

import cv2
import mercantile
import numpy as np
import pytest
from owslib.wmts import WebMapTileService
from PIL import Image

from pipeline.config.sources import Credits, WorldAerial
from pipeline.config.sources import RasterSource as RasterConfig
from pipeline.geo.point import Point
from pipeline.sources.aerial.raster import RasterSource
from pipeline.sources.world import WorldAerialSource
from tests.dev.standin.plain import PlainClient
from tools.dev.standin import Running
from tools.dev.standin.library import TOWNS
from tools.dev.standin.running import SEED

MIDDLE = mercantile.tile(-1.1520, 46.1591, 18)


def url(standin: Running, tile: mercantile.Tile, layer: str = "world") -> str:
    return f"{standin.api}/tiles/{layer}/{tile.z}/{tile.x}/{tile.y}.jpg"


@pytest.mark.parametrize(("lat", "lon"), [(46.15915, -1.15205), (-16.80005, 179.99995)])
def test_a_chip_made_of_tiles_is_the_world_s_own(
    standin: Running, ask: PlainClient, tmp_path: Path, lat: float, lon: float
) -> None:
    """To a fifth of a chip's pixel, also across the antimeridian."""
    for tile in mercantile.tiles(*around(lat, lon), zooms=19):
        file = tmp_path / "19" / f"{tile.x}" / f"{tile.y}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(ask(url(standin, tile)).body)
    terms = Credits(author="a", licence="CC0-1.0", link="https://a.b")
    config = RasterConfig(type="raster", path=tmp_path, layout="xyz", credits=terms)
    tiled = RasterSource("tiles", config, []).chip(Point(lat, lon), 300, 0.3)
    own = WorldAerialSource("world", WorldAerial(type="world", seed=SEED), TOWNS).chip(Point(lat, lon), 300, 0.3)
    assert tiled.covered > 0.98  # all but a seam at the antimeridian
    grey = [cv2.cvtColor(chip.pixels, cv2.COLOR_RGB2GRAY).astype(np.float32) for chip in (tiled, own)]
    (dx, dy), _ = cv2.phaseCorrelate(grey[0], grey[1], cv2.createHanningWindow((300, 300), cv2.CV_32F))
    assert abs(dx) < 0.2
    assert abs(dy) < 0.2
    there = tiled.pixels.any(axis=2)
    assert np.corrcoef(grey[0][there], grey[1][there])[0, 1] > 0.97


def around(lat: float, lon: float) -> tuple[float, float, float, float]:
    return (lon - 8e-4, lat - 6e-4, (lon + 8e-4 + 180) % 360 - 180, lat + 6e-4)


def test_tms_and_quadkey_name_the_same_tiles(standin: Running, ask: PlainClient) -> None:
    tile = ask(url(standin, MIDDLE)).body
    flipped = mercantile.Tile(MIDDLE.x, 2**18 - 1 - MIDDLE.y, 18)
    assert ask(url(standin, flipped, "world-tms")).body == tile
    assert ask(f"{standin.api}/tiles/world-quadkey/{mercantile.quadkey(MIDDLE)}.jpg").body == tile
    assert ask(url(standin, flipped)).status == 404
    assert ask(url(standin, MIDDLE, "world-tms")).status == 404


def test_the_same_seed_gives_the_same_bytes(standin: Running, ask: PlainClient) -> None:
    assert ask(url(standin, MIDDLE)).body == ask(url(standin, MIDDLE)).body
    assert Image.open(BytesIO(ask(url(standin, MIDDLE)).body)).size == (256, 256)


def test_a_tile_that_is_known_is_not_sent_again(standin: Running, ask: PlainClient) -> None:
    first = ask(url(standin, MIDDLE))
    assert "max-age=86400" in first.headers["cache-control"]
    again = ask(url(standin, MIDDLE), If_None_Match=first.headers["etag"])
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert ask(url(standin, MIDDLE), If_None_Match='"other"').status == 200
    assert [entry.if_none_match for entry in standin.log()][-2:] == [first.headers["etag"], '"other"']


@pytest.mark.parametrize(
    "path", ["world/18/0/0", "world/12/2035/1453", "world/18/x/1", "world/18/999999/1", "moon/1/0/0"]
)
def test_what_is_not_there(standin: Running, ask: PlainClient, path: str) -> None:
    assert ask(f"{standin.api}/tiles/{path}.jpg").status == 404


def test_the_blank_layer_is_one_picture(standin: Running, ask: PlainClient) -> None:
    one, other = (ask(url(standin, mercantile.Tile(x, 5, 10), "blank")).body for x in (1, 2))
    assert one == other


def test_wmts_capabilities_lead_to_the_same_tile(standin: Running, ask: PlainClient) -> None:
    address = f"{standin.api}/wmts/1.0.0/WMTSCapabilities.xml"
    service = WebMapTileService(address, xml=ask(address).body)
    layer = service.contents["world"]
    matrix_set = service.tilematrixsets[next(iter(layer.tilematrixsetlinks))]
    assert matrix_set.crs == "urn:ogc:def:crs:EPSG::3857"
    scale = matrix_set.tilematrix["18"].scaledenominator
    assert scale * 0.00028 * 256 * 2**18 == pytest.approx(mercantile.CE, rel=1e-9)
    template = layer.resourceURLs[0]["template"]
    for name, value in (("TileMatrixSet", "PM"), ("TileMatrix", 18), ("TileRow", MIDDLE.y), ("TileCol", MIDDLE.x)):
        template = template.replace(f"{{{name}}}", str(value))
    tile = ask(url(standin, MIDDLE)).body
    assert ask(template).body == tile
    kvp = (
        f"{standin.api}/wmts/kvp?SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER=world&STYLE=normal"
        f"&TILEMATRIXSET=PM&TILEMATRIX=18&TILEROW={MIDDLE.y}&TILECOL={MIDDLE.x}&FORMAT=image/jpeg"
    )
    assert ask(kvp).body == tile
    refused = ask(kvp.replace("LAYER=world", "LAYER=moon"))
    assert refused.status == 400
    assert b'exceptionCode="InvalidParameterValue" locator="layer"' in refused.body
