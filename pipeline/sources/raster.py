"""Aerial chips from local rasters: GeoTIFF (or COG) files in any coordinate system, or an XYZ tile folder.

Each chip is warped once, from the source's own pixels to the site's local metric frame, so that its scale does not
depend on the latitude. Files are opened for each chip, as a GDAL dataset may not be shared between threads.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.warp import reproject
from rasterio.windows import Window

from pipeline import config
from pipeline.config import Region
from pipeline.digest import digest, digest_file
from pipeline.errors import ConfigError, Problem, SiteError
from pipeline.imaging.frame import LocalFrame
from pipeline.sources.base import Point, RasterChip
from pipeline.sources.layouts import RGBA, Grid, Layout, RasterFiles, TileFolder, from_degrees
from schemas.reasons import Reason

_VERSION = 1
_WARP_TOLERANCE_PX = 0.01
"""GDAL's default of 1/8 source pixel is more than a decimetre on 1 m imagery."""
_STEPS = 16
"""The chip's outline is projected from a grid of so many steps a side."""


class RasterSource:
    """Aerial imagery on local disk. Where files overlap, the first by name that holds data counts."""

    synthetic = False

    def __init__(self, name: str, settings: config.RasterSource, _regions: list[Region]) -> None:
        """Read all headers.

        Raises:
            ConfigError: for every file that cannot be used, and why.
        """
        self.name = name
        self._settings = settings
        where = f"sources.aerial.{name}"
        problems: list[Problem] = []
        self._captured_at = _date(settings.captured_on, f"{where}.captured_on", problems)
        self._layout: Layout
        if settings.layout == "xyz":
            self._layout = TileFolder(settings, where, problems)
        else:
            self._layout = RasterFiles(settings, where, problems)
        if problems:
            raise ConfigError(problems)

    def fingerprint(self) -> str:
        """Of the settings, GDAL's version, and every file's name, size and content."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        files = [(name, digest_file(path)) for name, path in self._layout.files()]
        settings = self._settings.model_dump(mode="json", exclude={"path"})
        return digest(_VERSION, rasterio.__gdal_version__, settings, files)

    def chip(self, point: Point, size_px: int, gsd_m: float) -> RasterChip:
        """A chip centred on a point, north up; black where there is no data.

        Args:
            point: The centre.
            size_px: Side in pixels.
            gsd_m: Metres a pixel, in the point's local frame.

        Raises:
            SiteError: NO_OVERLAP, ALL_NODATA or READ_FAILED.
        """
        frame = LocalFrame(point.lat, point.lon)
        pixels = np.zeros((size_px, size_px, 3), np.uint8)
        covered = np.zeros((size_px, size_px), bool)
        names: list[str] = []
        overlaps = False
        for grid, window, finer in _windows(self._layout.grids, frame, size_px, gsd_m):
            # Averaged on reading to 1.5 source pixels a chip pixel; the warp's cubic kernel widens for the rest.
            shrink = max(1.0, finer / 1.5)
            shape = math.ceil(window.height / shrink), math.ceil(window.width / shrink)
            rgba, files = self._layout.read(grid, window, shape)
            overlaps |= bool(files)
            warped = _warp(rgba, grid, window, frame, size_px, gsd_m)
            new = (warped[3] >= 128) & ~covered
            if new.any():
                pixels[new] = warped[:3].transpose(1, 2, 0)[new]
                covered |= new
                names += files
            if covered.all():
                break
        if not overlaps:
            raise SiteError(Reason.NO_OVERLAP, f"none of {self._settings.path.name} reaches {point.lat}, {point.lon}")
        if not covered.any():
            raise SiteError(Reason.ALL_NODATA, f"no data in {self._settings.path.name} at {point.lat}, {point.lon}")
        return RasterChip(
            pixels=pixels,
            covered=float(covered.mean()),
            source_id=" ".join(dict.fromkeys(names)),
            author=self._settings.author,
            licence=self._settings.licence,
            link=self._settings.link,
            captured_at=self._captured_at,
        )


def _date(text: str | None, where: str, problems: list[Problem]) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        problems.append(Problem(where, repr(text), "a date like 2024-06-30"))
        return None


def _windows(grids: list[Grid], frame: LocalFrame, size_px: int, gsd_m: float) -> Iterator[tuple[Grid, Window, float]]:
    """The part of each grid that a chip needs, and how many of its pixels make a chip pixel's side.

    A grid has two parts where a chip lies across the antimeridian.
    """
    steps = np.linspace(-size_px * gsd_m / 2, size_px * gsd_m / 2, _STEPS + 1)
    lon, lat = frame.to_degrees(*np.meshgrid(steps, steps))
    parts = [lon >= 0, lon < 0] if np.ptp(lon) > 180 else [np.ones(lon.shape, bool)]
    projected = {crs: from_degrees(crs).transform(lon, lat) for crs in {grid.crs for grid in grids}}
    for grid in grids:
        x, y = projected[grid.crs]
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            continue  # beyond what the projection can show
        inverse = ~grid.transform
        columns = inverse.a * x + inverse.b * y + inverse.c
        rows = inverse.d * x + inverse.e * y + inverse.f
        step = min(float(np.median(np.hypot(np.diff(columns, axis=i), np.diff(rows, axis=i)))) for i in (0, 1))
        for part in parts:
            left, right = _reach(columns[part], grid.width)
            top, bottom = _reach(rows[part], grid.height)
            if left < right and top < bottom:
                yield grid, Window(left, top, right - left, bottom - top), step * _STEPS / size_px


def _reach(places: NDArray[np.float64], length: int) -> tuple[int, int]:
    """First and last pixel, clipped to the grid; a step of the outline and the cubic kernel wider than the places."""
    first, last = float(places.min()), float(places.max())
    if last <= 0 or first >= length:
        return 0, 0
    margin = (last - first) / _STEPS + 4
    return max(0, math.floor(first - margin)), min(length, math.ceil(last + margin))


def _warp(rgba: RGBA, grid: Grid, window: Window, frame: LocalFrame, size_px: int, gsd_m: float) -> RGBA:
    """A window's pixels in the chip's frame."""
    half = size_px * gsd_m / 2
    across, down = window.width / rgba.shape[2], window.height / rgba.shape[1]
    t, column, row = grid.transform, window.col_off, window.row_off
    warped = np.zeros((4, size_px, size_px), np.uint8)
    reproject(
        rgba,
        warped,
        src_transform=Affine(
            *(t.a * across, t.b * down, t.a * column + t.b * row + t.c),
            *(t.d * across, t.e * down, t.d * column + t.e * row + t.f),
        ),
        src_crs=grid.crs,
        dst_transform=Affine(gsd_m, 0, -half, 0, -gsd_m, half),
        dst_crs=frame.crs,
        src_alpha=4,
        dst_alpha=4,
        # Not average: that takes whole source pixels and so moves edges by up to half of one.
        resampling=Resampling.cubic,
        tolerance=_WARP_TOLERANCE_PX,
    )
    return warped
