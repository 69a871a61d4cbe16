"""Pyramids of aerial tiles in Web Mercator: which zoom a chip needs, which tiles, and the tiles as one grid of pixels.

A matrix is one zoom of a pyramid, be it of the common XYZ scheme or one that a WMTS states. `TileGrid` makes it a
layout that `pipeline.sources.aerial.warp` reads from; where the tiles come from is a function's business.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import mercantile
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from pipeline.config.imagery import Imagery
from pipeline.errors import SiteError
from pipeline.geo.point import Floats
from pipeline.sources.aerial.collar import clear_collars
from pipeline.sources.aerial.layouts import RGBA, Grid
from schemas.reasons import Reason

MAX_LATITUDE = math.degrees(math.atan(math.sinh(math.pi)))
"""85.051 degrees: where the square of Web Mercator ends."""
EDGE_M = mercantile.CE / 2
"""Half the side of that square, in its own metres."""
_RADIUS_M = mercantile.CE / (2 * math.pi)
_MARGIN = 1 / 8
"""Margin of a chip beyond its own edge, in half sides (see `pipeline.sources.aerial.warp`), and pixels for the
kernel."""
_MARGIN_PX = 6
_ELLIPSOID = 1.0067
"""Web Mercator is spherical: a metre along a meridian of the ellipsoid is up to so many of its metres more."""


@dataclass(frozen=True)
class Matrix:
    """One zoom of a pyramid in EPSG:3857."""

    z: int
    pixel_m: float
    """Side of a pixel in the metres of EPSG:3857; on the ground it is shorter by the cosine of the latitude."""
    columns: int
    rows: int
    tile_px: int = 256
    left: float = -EDGE_M
    top: float = EDGE_M
    """The corner of tile 0, 0 in EPSG:3857."""
    limits: tuple[int, int, int, int] | None = None
    """First column, first row, last column, last row that the service has tiles of, where it says so."""

    def has(self, x: int, y: int) -> bool:
        """Whether a tile is within the limits."""
        if self.limits is None:
            return True
        first_x, first_y, last_x, last_y = self.limits
        return first_x <= x <= last_x and first_y <= y <= last_y

    def gsd_m(self, lat: float) -> float:
        """Ground sample distance at a latitude in degrees."""
        return self.pixel_m * math.cos(math.radians(lat))

    def tile_at(self, lat: float, lon: float) -> tuple[int, int]:
        """Column and row of the tile that holds a position in degrees."""
        side = self.tile_px * self.pixel_m
        x, y = (math.radians(lon) * _RADIUS_M - self.left) / side, (self.top - _northing(lat)) / side
        return min(int(x), self.columns - 1), min(int(y), self.rows - 1)

    @property
    def whole_turn(self) -> bool:
        """Whether it reaches around the earth, so that the tile right of the last is the first."""
        return self.left == -EDGE_M and math.isclose(self.columns * self.tile_px * self.pixel_m, 2 * EDGE_M)


Fetch = Callable[[int, list[tuple[int, int]]], "list[RGBA | None]"]
"""From a zoom and tiles (x, y) to their pixels, in that order; None where there is no tile. May raise SiteError."""


def _northing(lat: float | Floats) -> Any:
    """Northing in EPSG:3857, which is spherical."""
    return np.arcsinh(np.tan(np.radians(lat))) * _RADIUS_M


@lru_cache(maxsize=64)
def web_mercator(z: int, tile_px: int = 256) -> Matrix:
    """A zoom of the common XYZ scheme: 2^z x 2^z tiles over the whole square."""
    return Matrix(z, mercantile.CE / (tile_px * 2**z), 2**z, 2**z, tile_px)


def choose(matrices: Sequence[Matrix], lat: float, gsd_m: float) -> Matrix:
    """The coarsest matrix that is as fine as wanted at a latitude, or the finest there is.

    A chip of the finest matrix has the wanted pixels, but shows no more than the matrix holds.
    """
    ordered = sorted(matrices, key=lambda matrix: -matrix.pixel_m)
    return next((matrix for matrix in ordered if matrix.gsd_m(lat) <= gsd_m), ordered[-1])


class TileGrid:
    """A `Layout` of one matrix. A chip's tiles are asked for in one call, so that they can be fetched at once."""

    def __init__(self, name: str, matrix: Matrix, fetch: Fetch) -> None:
        """Nothing is fetched yet.

        Args:
            name: What stands before z/x/y in the names of tiles.
            matrix: Where the tiles lie.
            fetch: Where they come from.
        """
        self._name, self._matrix, self._fetch = name, matrix, fetch
        # Around the earth a tile more on each side, so that the kernel has both halves at the antimeridian.
        self._wrap = 1 if matrix.whole_turn else 0
        step, side = matrix.pixel_m, matrix.tile_px
        transform = Affine(step, 0, matrix.left - self._wrap * side * step, 0, -step, matrix.top)
        width = (matrix.columns + 2 * self._wrap) * side
        self.grids = [Grid(name, "EPSG:3857", transform, width, matrix.rows * side)]

    def read(self, _grid: Grid, window: Window, _shape: tuple[int, int]) -> tuple[RGBA, list[str]]:
        """A window in full resolution, transparent where there is no tile and where tiles have a collar; their names.

        Raises:
            SiteError: as `fetch` raises it, or BAD_ANSWER: a tile of another size.
        """
        side, z = self._matrix.tile_px, self._matrix.z
        left, top = window.col_off // side, window.row_off // side
        right, bottom = (window.col_off + window.width - 1) // side, (window.row_off + window.height - 1) // side
        mosaic = np.zeros((4, (bottom - top + 1) * side, (right - left + 1) * side), np.uint8)
        places = list(product(range(left, right + 1), range(top, bottom + 1)))
        tiles = [((x - self._wrap) % self._matrix.columns, y) for x, y in places]
        names = []
        for (column, row), (x, y), rgba in zip(places, tiles, self._fetch(z, tiles), strict=True):
            if rgba is None:
                continue
            name = f"{self._name}/{z}/{x}/{y}"
            if rgba.shape != (4, side, side):
                found = f"tile {name} is {rgba.shape[2]} x {rgba.shape[1]}, not {side} x {side}"
                raise SiteError(Reason.BAD_ANSWER, found)
            names.append(name)
            mosaic[:, (row - top) * side :, (column - left) * side :][:, :side, :side] = rgba
        clear_collars(mosaic)
        skip_x, skip_y = window.col_off - left * side, window.row_off - top * side
        part = mosaic[:, skip_y : skip_y + window.height, skip_x : skip_x + window.width]
        return np.ascontiguousarray(part), names

    def files(self) -> Iterator[tuple[str, Path]]:
        """None: nothing lies on disk."""
        return iter(())


def count_tiles(matrices: Sequence[Matrix], lat: Floats, lon: Floats, imagery: Imagery) -> int:
    """How many different tiles the chips of sites take together.

    Args:
        matrices: The pyramid.
        lat: Of the sites, degrees.
        lon: Likewise.
        imagery: Sizes of the chips.
    """
    chips = imagery.chips
    inside = np.abs(lat) < MAX_LATITUDE
    lat, lon = lat[inside], lon[inside]
    wanted: dict[Matrix, list[NDArray[np.int64]]] = {}
    for gsd_m in {chips.gsd_m, *(size_m / chips.size_px for size_m in chips.extra_sizes_m)}:
        for matrix, chosen in _chosen(matrices, gsd_m, lat):
            wanted.setdefault(matrix, []).append(_tiles_of(matrix, lat[chosen], lon[chosen], chips.size_px * gsd_m))
    return sum(len(np.unique(np.concatenate(codes))) for codes in wanted.values())


def _chosen(matrices: Sequence[Matrix], gsd_m: float, lat: Floats) -> Iterator[tuple[Matrix, NDArray[np.bool_]]]:
    """Each matrix that `choose` gives for any of the latitudes, and for which."""
    ordered = sorted(matrices, key=lambda matrix: -matrix.pixel_m)
    left, shrink = np.ones(lat.shape, np.bool_), np.cos(np.radians(lat))
    for matrix in ordered:
        chosen = left & ((matrix.pixel_m * shrink <= gsd_m) | (matrix is ordered[-1]))
        if chosen.any():
            yield matrix, chosen
        left &= ~chosen


def _tiles_of(matrix: Matrix, lat: Floats, lon: Floats, size_m: float) -> NDArray[np.int64]:
    """Codes of the tiles that chips of a size touch; a tile may come more than once."""
    side = matrix.tile_px * matrix.pixel_m
    x = (np.radians(lon) * _RADIUS_M - matrix.left) / side
    y = (matrix.top - _northing(lat)) / side
    # At the chip's edge towards the pole, where Web Mercator's metre is shortest.
    edge = np.minimum(np.radians(np.abs(lat)) + size_m / 2 / _RADIUS_M, math.radians(MAX_LATITUDE))
    reach = (size_m / 2 * _ELLIPSOID / np.cos(edge) * (1 + _MARGIN) + _MARGIN_PX * matrix.pixel_m) / side
    left, right = np.floor(x - reach).astype(np.int64), np.floor(x + reach).astype(np.int64)
    top, bottom = np.floor(y - reach).astype(np.int64), np.floor(y + reach).astype(np.int64)
    codes = []
    for across in range(int((right - left).max()) + 1):
        for down in range(int((bottom - top).max()) + 1):
            column, row = left + across, top + down
            if matrix.whole_turn:
                column = column % matrix.columns
            there = (left + across <= right) & (row <= bottom)
            there &= (column >= 0) & (column < matrix.columns) & (row >= 0) & (row < matrix.rows)
            codes.append((column[there] << 32) | row[there])
    return np.concatenate(codes)
