"""One chip from any grid of pixels: warped once, from the source's own pixels to the site's local metric frame.

So a chip's scale does not depend on the latitude, whatever the grid's coordinate system.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.warp import reproject
from rasterio.windows import Window

from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.imaging.types import Pixels
from pipeline.sources.aerial.layouts import RGBA, Grid, Layout, from_degrees

_WARP_TOLERANCE_PX = 0.01
"""GDAL's default of 1/8 source pixel is more than a decimetre on 1 m imagery."""
_STEPS = 16
"""The chip's outline is projected from a grid of so many steps a side."""


@dataclass(frozen=True)
class Warped:
    """A chip's pixels and where they come from."""

    pixels: Pixels
    """Black where nothing covers."""
    covered: NDArray[np.bool_]
    names: list[str]
    """Files or tiles that gave a pixel, in order."""
    overlaps: bool
    """Whether any file or tile lies within the chip, be it without data."""
    native_gsd_m: float | None
    """Side of the sources' own pixels on the ground, the coarsest of those that gave a pixel; None if none did."""


def warp_chip(layout: Layout, point: Point, size_px: int, gsd_m: float) -> Warped:
    """The chip around a point, north up, from a layout's grids in turn: the first that holds data counts.

    Args:
        layout: What to read from.
        point: The centre.
        size_px: Side in pixels.
        gsd_m: Metres a pixel, in the point's local frame.

    Raises:
        SiteError: as the layout's `read` raises it.
    """
    frame = LocalFrame(point.lat, point.lon)
    pixels = np.zeros((size_px, size_px, 3), np.uint8)
    covered = np.zeros((size_px, size_px), bool)
    names: list[str] = []
    natives: list[float] = []
    overlaps = False
    for grid, window, finer, whole in _windows(layout.grids, frame, size_px, gsd_m):
        # Averaged on reading to 1.5 source pixels a chip pixel; the warp's cubic kernel widens for the rest.
        shrink = max(1.0, finer / 1.5)
        shape = math.ceil(window.height / shrink), math.ceil(window.width / shrink)
        rgba, files = layout.read(grid, window, shape)
        overlaps |= bool(files)
        if whole and rgba[3].min() == 255:  # the usual case, for which three bands and no mask do
            warped = _warp(rgba[:3], grid, window, frame, size_px, gsd_m)
            new = ~covered
        else:
            warped = _warp(rgba, grid, window, frame, size_px, gsd_m)
            new = (warped[3] >= 128) & ~covered
        if new.all():
            pixels, covered = np.ascontiguousarray(warped[:3].transpose(1, 2, 0)), new
        elif new.any():
            pixels[new] = warped[:3].transpose(1, 2, 0)[new]
            covered |= new
        if new.any():
            names += files
            natives.append(gsd_m / finer)
        if covered.all():
            break
    return Warped(pixels, covered, list(dict.fromkeys(names)), overlaps, max(natives, default=None))


def _windows(
    grids: list[Grid], frame: LocalFrame, size_px: int, gsd_m: float
) -> Iterator[tuple[Grid, Window, float, bool]]:
    """The part of each grid that a chip needs, how many of its pixels make a chip pixel's side, and if it is all.

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
            left, right, all_across = _reach(columns[part], grid.width, step)
            top, bottom, all_down = _reach(rows[part], grid.height, step)
            if left < right and top < bottom:
                whole = all_across and all_down and len(parts) == 1
                yield grid, Window(left, top, right - left, bottom - top), step * _STEPS / size_px, whole


def _reach(places: NDArray[np.float64], length: int, step: float) -> tuple[int, int, bool]:
    """First and last pixel, clipped to the grid, and whether nothing had to be clipped.

    A step of the outline and the cubic kernel wider than the places: of a chip across the antimeridian, a part's places
    end up to a step before the meridian.
    """
    first, last = float(places.min()), float(places.max())
    if last <= 0 or first >= length:
        return 0, 0, False
    margin = max((last - first) / _STEPS, step) + 4
    start, stop = math.floor(first - margin), math.ceil(last + margin)
    return max(0, start), min(length, stop), start >= 0 and stop <= length


def _warp(bands: RGBA, grid: Grid, window: Window, frame: LocalFrame, size_px: int, gsd_m: float) -> RGBA:
    """A window's bands in the chip's frame; a fourth is alpha."""
    half = size_px * gsd_m / 2
    across, down = window.width / bands.shape[2], window.height / bands.shape[1]
    alpha = 4 if len(bands) == 4 else None
    t, column, row = grid.transform, window.col_off, window.row_off
    warped = np.zeros((len(bands), size_px, size_px), np.uint8)
    reproject(
        bands,
        warped,
        src_transform=Affine(
            *(t.a * across, t.b * down, t.a * column + t.b * row + t.c),
            *(t.d * across, t.e * down, t.d * column + t.e * row + t.f),
        ),
        src_crs=grid.crs,
        dst_transform=Affine(gsd_m, 0, -half, 0, -gsd_m, half),
        dst_crs=frame.crs,
        src_alpha=alpha,
        dst_alpha=alpha,
        # Not average: that takes whole source pixels and so moves edges by up to half of one.
        resampling=Resampling.cubic,
        tolerance=_WARP_TOLERANCE_PX,
    )
    return warped
