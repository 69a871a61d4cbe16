"""Chips through a real tile server, against chips from the same file."""

from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
import pytest

from pipeline.config import sources as config
from pipeline.config.network import Network
from pipeline.config.region import Region
from pipeline.geo.point import Point
from pipeline.net.client import HttpClient
from pipeline.sources.aerial.raster import RasterSource
from pipeline.sources.aerial.wmts import WmtsSource
from pipeline.sources.aerial.xyz import XyzSource
from pipeline.sources.base import AerialSource, RasterChip

pytestmark = pytest.mark.servers

CREDITS = {"author": "a", "licence": "CC-BY-4.0", "link": "https://example.org"}
SIZE, GSD = 512, 0.3
PLACES = {
    "aerial/kampala_z20_east.tif": Point(0.35087, 32.59472),
    "aerial/manila_oam.tif": Point(14.595955, 120.98182),
}


@pytest.fixture
def client(tmp_path: Path) -> HttpClient:
    return HttpClient(Network(allow_loopback=True, cache=str(tmp_path / "cache")))


def from_file(path: Path, point: Point, gsd: float) -> RasterChip:
    section = config.RasterSource.model_validate({"type": "raster", "path": path, "credits": CREDITS})
    return RasterSource("file", section, []).chip(point, SIZE, gsd)


def shift_m(a: RasterChip, b: RasterChip, gsd: float) -> float:
    """How far two chips of one place are apart, in metres, by phase correlation."""
    grey = [cv2.cvtColor(c.pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)[64:-64, 64:-64] for c in (a, b)]
    window = cv2.createHanningWindow(grey[0].shape[::-1], cv2.CV_32F)
    (x, y), _ = cv2.phaseCorrelate(grey[0], grey[1], window)
    return float(np.hypot(x, y)) * gsd


@pytest.mark.parametrize("file", ["aerial/kampala_z20_east.tif", "aerial/manila_oam.tif"])
@pytest.mark.parametrize("service", ["xyz", "wmts"])
def test_chips_through_titiler_lie_where_those_of_the_file_lie(
    titiler: str, corpus: Path, client: HttpClient, file: str, service: str
) -> None:
    url = quote(str(corpus / file), safe="")
    source: AerialSource
    if service == "xyz":
        template = f"{titiler}/cog/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}.png?url={url}&tilesize=256"
        section = config.XyzSource.model_validate(
            {"type": "xyz", "template": template, "credits": CREDITS, "max_zoom": 20}
        )
        source = XyzSource("tiles", section, [], client)
    else:
        capabilities, layer = (
            f"{titiler}/cog/WMTSCapabilities.xml?url={url}",
            f"{corpus / file}_WebMercatorQuad_default",
        )
        wmts = config.WmtsSource.model_validate(
            {"type": "wmts", "capabilities": capabilities, "layer": layer, "credits": CREDITS}
        )
        source = WmtsSource("wmts", wmts, [], client)
    point = PLACES[file]
    got, expected = source.chip(point, SIZE, GSD), from_file(corpus / file, point, GSD)
    assert got.covered == pytest.approx(expected.covered, abs=0.02)
    assert shift_m(got, expected, GSD) < 0.1
    assert np.abs(got.pixels.astype(int) - expected.pixels.astype(int)).mean() < 12


def test_the_probe_tells_what_it_found(titiler: str, corpus: Path, client: HttpClient) -> None:
    url = quote(str(corpus / "aerial/kampala_z20_east.tif"), safe="")
    template = f"{titiler}/cog/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}.png?url={url}&tilesize=256"
    section = config.XyzSource.model_validate({"type": "xyz", "template": template, "credits": CREDITS, "max_zoom": 20})
    region = Region(name="kampala", centre=(0.35087, 32.59472), radius_m=50)
    assert XyzSource("tiles", section, [region], client).probe(region)
