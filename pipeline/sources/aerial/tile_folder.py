"""A folder of tiles on disk, z/x/y.jpg or .png, as one grid of pixels: the whole of Web Mercator at one zoom."""

import logging
import re
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import mercantile
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from pipeline.config.imagery import ImageLimits
from pipeline.config.region import Region
from pipeline.config.sources import RasterSource
from pipeline.errors import Problem, SiteError
from pipeline.geo.window import Window as Boxes
from pipeline.imaging.decode import decode_rgba
from pipeline.sources.aerial.collar import clear_collars
from pipeline.sources.aerial.layouts import RGBA, Grid
from schemas.reasons import Reason

log = logging.getLogger(__name__)

_SUFFIXES = (".jpg", ".png")
_LIMITS = ImageLimits(max_bytes=20_000_000, max_pixels=2048 * 2048, min_side_px=64)
_NUMBER = re.compile(r"0|[1-9][0-9]{0,7}")
"""Without zeros before it: the paths are made of the numbers again."""
_MOST_ZOOM = 24
"""A folder called by a larger number, such as a year, holds something else."""
_NOT_FOR_TILES = ("bands", "scale", "nodata")
Edges = NDArray[np.float64]
"""Rows of west, south, east, north in degrees."""


class TileFolder:
    """Tiles of one zoom. Threads may share it: nothing changes after it is made."""

    def __init__(self, settings: RasterSource, regions: Sequence[Region], where: str, problems: list[Problem]) -> None:
        """List the tiles and look at the first; what is wrong is added to the problems.

        Args:
            settings: The source's section.
            regions: Those that use it. They tell whether rows count from the north (XYZ) or the south (TMS).
            where: Key of the section, for messages.
            problems: Added to.
        """
        self.grids: list[Grid] = []
        self._settings = settings
        problems += [
            Problem(f"{where}.{key}", str(getattr(settings, key)), "nothing where layout is xyz")
            for key in _NOT_FOR_TILES
            if getattr(settings, key) is not None
        ]
        if isinstance(settings.mask, int):
            problems.append(Problem(f"{where}.mask", str(settings.mask), "auto or file where layout is xyz"))
        zooms = [zoom for zoom in _numbered(settings.path) if zoom <= _MOST_ZOOM]
        self._zoom = settings.zoom if settings.zoom is not None else max(zooms, default=0)
        self._folder = settings.path / str(self._zoom)
        tiles = np.array([(int(path.parent.name), int(path.stem)) for _, path in self.files()], np.int64)
        if not len(tiles):
            found = f"no tile {self._folder}/x/y.jpg or .png; zooms present: {zooms or 'none'}"
            problems.append(Problem(f"{where}.path", found, "a folder of tiles with tiles of that zoom"))
            return
        first = next(self.files())[1]
        try:
            self._side = len(_decoded(first))
        except (SiteError, OSError) as error:
            problems.append(Problem(str(first), str(error), "a JPEG or PNG tile"))
            return
        self._from_south = self._rows_from_south(tiles, regions, where, problems)
        size = self._side * 2**self._zoom
        half = mercantile.CE / 2
        transform = Affine(mercantile.CE / size, 0, -half, 0, -mercantile.CE / size, half)
        self.grids = [Grid(settings.path.name, "EPSG:3857", transform, size, size)]

    def _rows_from_south(
        self, tiles: NDArray[np.int64], regions: Sequence[Region], where: str, problems: list[Problem]
    ) -> bool:
        """Which way the rows count, by which way they reach a region. A folder that reaches none is a problem."""
        stated = self._settings.tms
        if not regions:
            return bool(stated)
        wanted = Boxes.of((region.bounds() for region in regions), 0.0)
        ways = {tms: _edges(tiles, self._zoom, tms=tms) for tms in (False, True)}
        reached = [tms for tms, edges in ways.items() if stated in (None, tms) and wanted.meets(edges).any()]
        if reached == [True] and stated is None:
            log.warning("%s: %s is taken for TMS, whose rows count from the south", where, self._settings.path)
        if len(reached) == 2:
            found = f"tiles in {self._settings.path} that reach a region whether rows count from the north or the south"
            problems.append(Problem(f"{where}.tms", found, "true (TMS, from the south) or false (XYZ, from the north)"))
        if not reached:
            found = " or ".join(
                f"{_said(edges)} if rows count from the {'south' if tms else 'north'}"
                for tms, edges in ways.items()
                if stated in (None, tms)
            )
            names = ", ".join(region.name for region in regions[:5])
            allowed = f"tiles that reach one of its regions ({names}), as west, south, east, north"
            problems.append(Problem(f"{where}.path", f"tiles from {found}", allowed))
        return reached == [True]

    def read(self, _grid: Grid, window: Window, _shape: tuple[int, int]) -> tuple[RGBA, list[str]]:
        """A window in full resolution; transparent where there is no tile, and where tiles have a collar."""
        side = self._side
        left, top = window.col_off // side, window.row_off // side
        right, bottom = (window.col_off + window.width - 1) // side, (window.row_off + window.height - 1) // side
        mosaic = np.zeros((4, (bottom - top + 1) * side, (right - left + 1) * side), np.uint8)
        names = []
        for x, y in product(range(left, right + 1), range(top, bottom + 1)):
            tile = self._tile(x, y)
            if tile is not None:
                name, rgba = tile
                names.append(name)
                mosaic[:, (y - top) * side :, (x - left) * side :][:, :side, :side] = rgba
        if self._settings.mask == "auto":
            clear_collars(mosaic)
        skip_x, skip_y = window.col_off - left * side, window.row_off - top * side
        part = mosaic[:, skip_y : skip_y + window.height, skip_x : skip_x + window.width]
        return np.ascontiguousarray(part), names

    def _tile(self, x: int, y: int) -> tuple[str, RGBA] | None:
        row = 2**self._zoom - 1 - y if self._from_south else y
        path = next((p for s in _SUFFIXES if (p := self._folder / str(x) / f"{row}{s}").is_file()), None)
        if path is None:
            return None
        name = f"{self._zoom}/{x}/{path.name}"
        try:
            rgba = _decoded(path).transpose(2, 0, 1)
        except (SiteError, OSError) as error:
            raise SiteError(Reason.READ_FAILED, f"tile {name}: {error}") from error
        if rgba.shape != (4, self._side, self._side):
            found = f"tile {name} is {rgba.shape[2]} x {rgba.shape[1]}, the first {self._side} x {self._side}"
            raise SiteError(Reason.READ_FAILED, found)
        return name, rgba

    def files(self) -> Iterator[tuple[str, Path]]:
        """Names and paths of the zoom's tiles, sorted."""
        for x in _numbered(self._folder):
            column = self._folder / str(x)
            for path in sorted(p for p in column.iterdir() if p.suffix in _SUFFIXES and _NUMBER.fullmatch(p.stem)):
                yield f"{self._folder.name}/{x}/{path.name}", path


def _edges(tiles: NDArray[np.int64], zoom: int, *, tms: bool) -> Edges:
    """Where tiles (rows of x, y) lie."""
    x, y = tiles.T
    row = 2**zoom - 1 - y if tms else y

    side = 2.0**-zoom
    south, north = (np.degrees(np.arctan(np.sinh(np.pi * (1.0 - 2.0 * edge * side)))) for edge in (row + 1, row))
    return np.column_stack([x * side * 360.0 - 180.0, south, (x + 1) * side * 360.0 - 180.0, north])


def _said(edges: Edges) -> str:
    low, high = edges.min(axis=0), edges.max(axis=0)
    return ", ".join(f"{edge:.4f}" for edge in (low[0], low[1], high[2], high[3]))


def _numbered(folder: Path) -> list[int]:
    """Numbers that subfolders are called by, sorted."""
    if not folder.is_dir():
        return []
    return sorted(int(p.name) for p in folder.iterdir() if _NUMBER.fullmatch(p.name) and p.is_dir())


def _decoded(tile: Path) -> NDArray[np.uint8]:
    """Height x width x 4."""
    size = tile.stat().st_size
    if size > _LIMITS.max_bytes:  # before it is read
        raise SiteError(Reason.IMAGE_TOO_LARGE, f"{size} bytes, at most {_LIMITS.max_bytes} allowed")
    return decode_rgba(tile.read_bytes(), _LIMITS)
