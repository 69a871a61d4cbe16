"""Where a source has imagery: boxes of west, south, east, north in degrees; west > east across the antimeridian."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.config.region import Region
from pipeline.errors import Problem
from pipeline.sources.aerial.datum import from_degrees
from pipeline.sources.aerial.layouts import Grid
from pipeline.sources.listing import Box

_STEPS = 21
"""Points along each side of a grid, projected to find its box."""
_MOST_SHOWN = 3
"""Boxes in a message; a country with its islands has dozens."""


def inside(boxes: Sequence[Box], lat: ArrayLike, lon: ArrayLike) -> NDArray[np.bool_]:
    """Whether positions lie within any box; within none at all means anywhere."""
    lat, lon = np.asarray(lat, float), np.asarray(lon, float)
    found = np.full(lat.shape, not boxes)
    for box in boxes:
        for west, south, east, north in _halves(box):
            found |= (lat >= south) & (lat <= north) & (lon >= west) & (lon <= east)
    return found


def meets(boxes: Sequence[Box], region: Region) -> bool:
    """Whether a region's bounds and any box have a point in common."""
    return not boxes or common_point(boxes, region) is not None


def common_point(boxes: Sequence[Box], region: Region) -> tuple[float, float] | None:
    """Latitude and longitude of a point of both: the region's middle if it will do."""
    middle = region.middle()
    if inside(boxes, *middle):
        return middle
    for box in boxes:
        for a in _halves(box):
            for b in _halves(region.bounds()):
                west, south, east, north = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
                if west <= east and south <= north:
                    return (south + north) / 2, (west + east) / 2
    return None


def check_regions(boxes: Sequence[Box], regions: Sequence[Region], source: str, problems: list[Problem]) -> None:
    """Add a problem for each region that the source covers no part of."""
    for region in regions:
        if not meets(boxes, region):
            bounds = ", ".join(f"{edge:.2f}" for edge in region.bounds())
            shown = [str(box) for box in boxes[:_MOST_SHOWN]]
            shown += [f"{len(boxes) - _MOST_SHOWN} boxes more"] if len(boxes) > _MOST_SHOWN else []
            allowed = f"a region within {'; '.join(shown)} (west, south, east, north), or another source"
            problems.append(Problem(f"regions.{region.name}", f"{source} covers no part of {bounds}", allowed))


def check_reach(boxes: Sequence[Box], regions: Sequence[Region], where: str, problems: list[Problem]) -> None:
    """Add a problem for imagery, given by the boxes it lies in, that reaches none of the regions that use it."""
    if not boxes or not regions or any(meets(boxes, region) for region in regions):
        return
    shown = "; ".join(", ".join(f"{edge:.4f}" for edge in box) for box in boxes[:_MOST_SHOWN])
    more = f" and {len(boxes) - _MOST_SHOWN} boxes more" if len(boxes) > _MOST_SHOWN else ""
    names = ", ".join(region.name for region in regions[:_MOST_SHOWN])
    allowed = f"imagery that reaches one of its regions ({names})"
    problems.append(Problem(where, f"imagery within {shown}{more} (west, south, east, north)", allowed))


def grid_box(grid: Grid) -> Box:
    """The box around a grid's pixels."""
    across, down = np.linspace(0, grid.width, _STEPS), np.linspace(0, grid.height, _STEPS)
    columns = np.concatenate([across, across, np.zeros(_STEPS), np.full(_STEPS, grid.width)])
    rows = np.concatenate([np.zeros(_STEPS), np.full(_STEPS, grid.height), down, down])
    t = grid.transform
    x, y = t.a * columns + t.b * rows + t.c, t.d * columns + t.e * rows + t.f
    lon, lat = from_degrees(grid.crs).transform(x, y, direction="INVERSE")
    good = np.isfinite(lon) & np.isfinite(lat)
    if not good.any():
        return -180.0, -90.0, 180.0, 90.0
    south, north = float(lat[good].min()), float(lat[good].max())
    # By steps around the outline, so that one that crosses the antimeridian, or goes beyond 180 degrees, is not torn.
    way = np.unwrap(lon[good][np.argsort(columns[good], kind="stable")], period=360.0)
    if np.ptp(way) >= 360.0 - 1e-6:
        return -180.0, south, 180.0, north
    west, east = (float((edge + 180.0) % 360.0 - 180.0) for edge in (way.min(), way.max()))
    return west, south, east, north


def _halves(box: Box) -> Iterator[Box]:
    """The box, or its two parts where it crosses the antimeridian."""
    west, south, east, north = box
    if west <= east:
        yield box
    else:
        yield west, south, 180.0, north
        yield -180.0, south, east, north
