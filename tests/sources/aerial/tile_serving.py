"""A tile server for tests: its tiles hold, as colours, how far each pixel is from a place, for reading chips."""

import io
import re
import threading
from collections.abc import Callable

import mercantile
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pyproj import Transformer
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pipeline.config.sources import Credits, Rate
from pipeline.geo.point import Point
from pipeline.sources.base import RasterChip

SIZE_PX, GSD_M = 64, 0.25
RAMP_M = 8.5
"""Tiles hold metres east and north of the place; -8.5 m becomes 0 and +8.5 m 255: 6.7 cm a level."""
FAST = Rate(per_s=5_000, at_once=50)
CREDITS = Credits(author="somebody", licence="CC-BY-4.0", link="https://example.org/terms")

Paint = Callable[[int, int, int], bytes | Response]


def png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def one_colour(colour: tuple[int, ...] = (200, 200, 200), side_px: int = 256, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGBA" if len(colour) == 4 else "RGB", (side_px, side_px), colour).save(file, kind)
    return file.getvalue()


def noise(seed: int, side_px: int = 256) -> bytes:
    return png(np.random.default_rng(seed).integers(0, 255, (side_px, side_px, 3), np.uint8))


def ramp(point: Point, west: float, north: float, step: float, side_px: int = 256) -> bytes:
    """A square of EPSG:3857 with pixels of `step`, whose colours say where they lie by what pyproj says."""
    steps = (np.arange(side_px) + 0.5) * step
    x, y = np.meshgrid(west + steps, north - steps)
    lon, lat = Transformer.from_crs("EPSG:3857", "OGC:CRS84", always_xy=True).transform(x, y)
    frame = f"+proj=aeqd +lat_0={point.lat:.8f} +lon_0={point.lon:.8f} +datum=WGS84"
    east, north_m = Transformer.from_crs("OGC:CRS84", frame, always_xy=True).transform(lon, lat)
    levels = np.stack([east, north_m, east]) / (2 * RAMP_M) * 255 + 127.5
    return png(np.clip(np.rint(levels), 0, 255).astype(np.uint8).transpose(1, 2, 0))


def ramps(point: Point, side_px: int = 256) -> Paint:
    def paint(z: int, x: int, y: int) -> bytes:
        step = mercantile.CE / (side_px * 2**z)
        return ramp(
            point, x * side_px * step - mercantile.CE / 2, mercantile.CE / 2 - y * side_px * step, step, side_px
        )

    return paint


def worst_error_m(chip: RasterChip) -> float:
    """Between what the chip's pixels say of their place and where they are."""
    where = (np.arange(SIZE_PX) + 0.5 - SIZE_PX / 2) * GSD_M
    said = (chip.pixels.astype(float) - 127.5) / 255 * 2 * RAMP_M
    return float(max(np.abs(said[:, :, 0] - where[None, :]).max(), np.abs(said[:, :, 1] + where[:, None]).max()))


class TileServer:
    """Serves tiles from /z/x/y.png and counts what was asked for."""

    def __init__(self, server: HTTPServer, paint: Paint) -> None:
        self.asked: list[tuple[int, int, int]] = []
        self.queries: list[str] = []
        self.paint = paint
        self.template = server.url_for("/") + "{z}/{x}/{y}.png"
        self._lock = threading.Lock()
        server.expect_request("/robots.txt").respond_with_data("", status=404)
        server.expect_request(re.compile(r"/\d+/\d+/\d+\.png")).respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        z, x, y = (int(number) for number in request.path.removesuffix(".png").split("/")[1:])
        with self._lock:
            self.asked.append((z, x, y))
            self.queries.append(request.query_string.decode())
        found = self.paint(z, x, y)
        return found if isinstance(found, Response) else Response(found, mimetype="image/png")
