"""Files over HTTP in ranges, with the faults that servers have, and a log of what was asked for."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pmtiles.tile import Compression, TileType
from pmtiles.writer import Writer
from pyproj import Transformer
from pytest_httpserver import HTTPServer
from rasterio.enums import ColorInterp
from werkzeug import Request, Response

from pipeline.config.network import Network
from pipeline.geo.point import Point
from pipeline.net.client import HttpClient

_Writer: Any = Writer  # without types
CREDITS = {"author": "Survey", "licence": "CC-BY-4.0", "link": "https://example.org/terms"}
MANILA = Point(14.595954, 120.981819)
"""The middle of the corpus' aerial/manila_oam.tif."""
HERE = Point(48.1, 11.5)


@dataclass
class Served:
    """A server's files by path, and the ranges that were asked of each."""

    server: HTTPServer
    files: dict[str, bytes] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    spoil: Callable[[int, int, bytes], Response | None] | None = None
    """An answer in place of the right one, from the first and last byte asked for and the whole file."""

    def add(self, path: str, body: bytes | Path) -> str:
        """Serve a file; returns its address."""
        self.files[path] = body.read_bytes() if isinstance(body, Path) else body
        return self.url(path)

    def url(self, path: str) -> str:
        return f"http://{self.host}{path}"

    @property
    def host(self) -> str:
        return f"{self.server.host}:{self.server.port}"

    def answer(self, request: Request) -> Response:
        self.asked.append((request.path, request.headers.get("Range")))
        body = self.files.get(request.path)
        if body is None:
            return Response("no such file", 404)
        etag = self.etags.get(request.path, '"1"')
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
        if wanted is None:
            return Response(body, 200, {"ETag": etag})
        first, last = int(wanted[1]), min(int(wanted[2]), len(body) - 1)
        if self.spoil is not None and (spoilt := self.spoil(first, last, body)) is not None:
            return spoilt
        if first >= len(body):
            return Response("", 416, {"Content-Range": f"bytes */{len(body)}"})
        return ranged(body[first : last + 1], first, len(body), etag)


def ranged(part: bytes, first: int, size: int, etag: str = '"1"') -> Response:
    told = f"bytes {first}-{first + len(part) - 1}/{size}"
    return Response(part, 206, {"Content-Range": told, "ETag": etag}, content_type="application/octet-stream")


def serve(server: HTTPServer) -> Served:
    served = Served(server)
    server.expect_request(re.compile(r"/files/.*")).respond_with_handler(served.answer)
    return served


def client(cache: Path, **network: object) -> HttpClient:
    settings = {"allow_loopback": True, "contact": "test@example.org", "tries": 1, "cache": str(cache), **network}
    return HttpClient(Network.model_validate(settings))


def write_cog(
    path: Path,
    bands: NDArray[np.generic],
    point: Point = HERE,
    pixel_m: float = 1.0,
    east_m: float = 0.0,
    **keys: object,
) -> Path:
    """A COG with overviews, centred on a point of UTM zone 32, or `east_m` east of it."""
    x, y = Transformer.from_crs("OGC:CRS84", "EPSG:32632", always_xy=True).transform(point.lon, point.lat)
    count, height, width = bands.shape
    transform = Affine(pixel_m, 0, x + east_m - width * pixel_m / 2, 0, -pixel_m, y + height * pixel_m / 2)
    shape = {"count": count, "height": height, "width": width, "dtype": bands.dtype}
    more = {"blocksize": 256, "compress": "deflate", **keys}
    with rasterio.open(path, "w", driver="COG", crs="EPSG:32632", transform=transform, **shape, **more) as file:
        file.write(bands)
        if count == 4:
            file.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    return path


def speckle(side_px: int, seed: int = 1) -> NDArray[np.uint8]:
    """Smooth ground with noise on it: three bands."""
    chance = np.random.Generator(np.random.Philox(key=seed))
    y, x = np.mgrid[:side_px, :side_px] / side_px
    ground = np.stack([80 + 100 * x, 80 + 100 * y, 120 + 60 * np.sin(9 * (x + y))])
    return np.clip(ground + chance.normal(0, 8, ground.shape), 1, 255).astype(np.uint8)


def write_archive(path: Path, tiles: dict[int, bytes], kind: TileType = TileType.PNG, **info: object) -> Path:
    """A PMTiles archive of tiles by their id; its zooms are those of the tiles."""
    box = {"min_lon_e7": -100_000_000, "min_lat_e7": -50_000_000, "max_lon_e7": 100_000_000, "max_lat_e7": 50_000_000}
    centre = {"center_zoom": 0, "center_lon_e7": 0, "center_lat_e7": 0}
    with path.open("wb") as file:
        writer = _Writer(file)
        for tile_id in sorted(tiles):
            writer.write_tile(tile_id, tiles[tile_id])
        head = {"tile_type": kind, "tile_compression": Compression.NONE, **box, **centre, **info}
        writer.finalize(head, {"name": "test", "attribution": "nobody"})
    return path
