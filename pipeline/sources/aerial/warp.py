"""One chip from any grid of pixels: warped once, from the source's own pixels to the site's local metric frame.

So a chip's scale does not depend on the latitude, whatever the grid's coordinate system.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.warp import reproject
from rasterio.windows import Window

from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.imaging.types import Pixels
from pipeline.sources.aerial.datum import frames, from_degrees, once_around
from pipeline.sources.aerial.layouts import RGBA, Grid, Layout
from pipeline.sources.base import RasterChip

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
    datum_accuracy_m: float | None
    """Accuracy of their transformations to WGS 84, the coarsest; None if one is unknown, or none gave a pixel."""


def raster_chip(
    warped: Warped, author: str, licence: str, link: str, captured_at: datetime | None, *, redistributable: bool = True
) -> RasterChip:
    """A warped chip with its credit."""
    return RasterChip(
        pixels=warped.pixels,
        covered=float(warped.covered.mean()),
        source_id=" ".join(warped.names),
        author=author,
        licence=licence,
        link=link,
        captured_at=captured_at,
        redistributable=redistributable,
        native_gsd_m=warped.native_gsd_m,
        datum_accuracy_m=warped.datum_accuracy_m,
    )


@dataclass(frozen=True)
class _Part:
    """A part of a grid that a chip needs."""

    grid: Grid
    window: Window
    finer: float
    """How many of the grid's pixels make a chip pixel's side."""
    whole: bool
    """Whether nothing of the chip lies outside of it."""
    turn: float
    """Offset to be taken off the grid's x, which may count on beyond 180 degrees, or from 0 to 360."""


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
    used: list[_Part] = []
    overlaps = False
    for part in _parts(layout.grids, frame, size_px, gsd_m):
        # Averaged on reading to 1.5 source pixels a chip pixel; the warp's cubic kernel widens for the rest.
        shrink = max(1.0, part.finer / 1.5)
        shape = math.ceil(part.window.height / shrink), math.ceil(part.window.width / shrink)
        rgba, files = layout.read(part.grid, part.window, shape)
        overlaps |= bool(files)
        if part.whole and rgba[3].min() == 255:  # the usual case, for which three bands and no mask do
            warped = _warp(rgba[:3], part, frame, size_px, gsd_m)
            new = ~covered
        else:
            warped = _warp(rgba, part, frame, size_px, gsd_m)
            new = (warped[3] >= 128) & ~covered
        if new.all():
            pixels, covered = np.ascontiguousarray(warped[:3].transpose(1, 2, 0)), new
        elif new.any():
            pixels[new] = warped[:3].transpose(1, 2, 0)[new]
            covered |= new
        if new.any():
            names += files
            used.append(part)
        if covered.all():
            break
    native = max((gsd_m / part.finer for part in used), default=None)
    return Warped(pixels, covered, list(dict.fromkeys(names)), overlaps, native, _coarsest(used))


def _coarsest(used: list[_Part]) -> float | None:
    known = [part.grid.datum_accuracy_m for part in used if part.grid.datum_accuracy_m is not None]
    return max(known) if known and len(known) == len(used) else None


def _parts(grids: list[Grid], frame: LocalFrame, size_px: int, gsd_m: float) -> Iterator[_Part]:
    """The parts of each grid that a chip needs: one, or more where the chip lies across the antimeridian."""
    steps = np.linspace(-size_px * gsd_m / 2, size_px * gsd_m / 2, _STEPS + 1)
    lon, lat = frame.to_degrees(*np.meshgrid(steps, steps))
    sides = [lon >= 0, lon < 0] if np.ptp(lon) > 180 else [np.ones(lon.shape, bool)]
    projected = {crs: from_degrees(crs).transform(lon, lat) for crs in {grid.crs for grid in grids}}
    for grid in grids:
        x, y = projected[grid.crs]
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            continue  # beyond what the projection can show
        inverse = ~grid.transform
        columns = inverse.a * x + inverse.b * y + inverse.c
        rows = inverse.d * x + inverse.e * y + inverse.f
        step = min(float(np.median(np.hypot(np.diff(columns, axis=i), np.diff(rows, axis=i)))) for i in (0, 1))
        for turn in _turns(grid):
            for side in sides:
                left, right, all_across = _reach((columns + inverse.a * turn)[side], grid.width, step)
                top, bottom, all_down = _reach((rows + inverse.d * turn)[side], grid.height, step)
                if left < right and top < bottom:
                    whole = all_across and all_down and len(sides) == 1
                    window = Window(left, top, right - left, bottom - top)
                    yield _Part(grid, window, step * _STEPS / size_px, whole, turn)


def _turns(grid: Grid) -> tuple[float, ...]:
    """By how much a grid's x may be more than that of the same place between -180 and 180 degrees."""
    around = once_around(grid.crs)
    if around is None:
        return (0.0,)
    first, last = sorted((grid.transform.c, grid.transform.c + grid.transform.a * grid.width))
    if math.isclose(last, around / 2, rel_tol=1e-6) and math.isclose(-first, around / 2, rel_tol=1e-6):
        return (0.0,)  # the whole of Web Mercator, as nearly all grids of tiles
    return (0.0, around, -around)


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


def _warp(bands: RGBA, part: _Part, frame: LocalFrame, size_px: int, gsd_m: float) -> RGBA:
    """The bands of a part in the chip's frame; a fourth is alpha."""
    half = size_px * gsd_m / 2
    window = part.window
    across, down = window.width / bands.shape[2], window.height / bands.shape[1]
    alpha = 4 if len(bands) == 4 else None
    t, column, row = part.grid.transform, window.col_off, window.row_off
    own, local = frames(part.grid.crs, frame)
    warped = np.zeros((len(bands), size_px, size_px), np.uint8)
    reproject(
        bands,
        warped,
        src_transform=Affine(
            *(t.a * across, t.b * down, t.a * column + t.b * row + t.c - part.turn),
            *(t.d * across, t.e * down, t.d * column + t.e * row + t.f),
        ),
        src_crs=own,
        dst_transform=Affine(gsd_m, 0, -half, 0, -gsd_m, half),
        dst_crs=local,
        src_alpha=alpha,
        dst_alpha=alpha,
        # Not average: that takes whole source pixels and so moves edges by up to half of one.
        resampling=Resampling.cubic,
        tolerance=_WARP_TOLERANCE_PX,
    )
    return warped
