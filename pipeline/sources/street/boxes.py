"""Boxes to ask for: cut small enough for a provider, and quartered where an answer would be too large."""

import math
from collections.abc import Callable, Iterator
from typing import TypeVar

from pipeline.config.region import Region
from pipeline.errors import SiteError
from pipeline.geo.window import METRES_PER_DEGREE, Box, unwrapped
from schemas.reasons import Reason

T = TypeVar("T")

_DEEPEST = 4
"""Quarterings: to a 16th of the side, 256 boxes."""


def gather(box: Box, ask: Callable[[Box], list[T]], most_deg2: float = math.inf, depth: int = 0) -> list[T]:
    """Fetch all of a provider's photos in a box (west <= east), in quarters where need be.

    Args:
        box: west, south, east, north in degrees.
        ask: raises `SiteError(ANSWER_TOO_LARGE)` for a box that holds more than one answer gives.
        most_deg2: larger boxes, in square degrees, are not even asked for.
        depth: quarterings so far.

    Raises:
        SiteError: ANSWER_TOO_LARGE, where a 16th of the side still holds too much; and what `ask` raises.
    """
    west, south, east, north = box
    if (east - west) * (north - south) < most_deg2:
        try:
            return ask(box)
        except SiteError as error:
            if error.reason is not Reason.ANSWER_TOO_LARGE or depth == _DEEPEST:
                raise
    elif depth == _DEEPEST:
        raise SiteError(Reason.ANSWER_TOO_LARGE, f"{box} is too large to ask for")
    lon, lat = (west + east) / 2, (south + north) / 2
    quarters = [(west, south, lon, lat), (lon, south, east, lat), (west, lat, lon, north), (lon, lat, east, north)]
    return [found for quarter in quarters for found in gather(quarter, ask, most_deg2, depth + 1)]


def squares(region: Region, side_m: float) -> Iterator[Box]:
    """A region's bounds in boxes of at most a side in metres, row by row from the south west."""
    for (west, south, east, north), rows, columns in _grids(region, side_m):
        dlat, dlon = (north - south) / rows, (east - west) / columns
        for row in range(rows):
            for column in range(columns):
                yield (
                    west + column * dlon,
                    south + row * dlat,
                    west + (column + 1) * dlon,
                    south + (row + 1) * dlat,
                )


def count_squares(region: Region, side_m: float) -> int:
    """How many boxes `squares` gives."""
    return sum(rows * columns for _, rows, columns in _grids(region, side_m))


def _grids(region: Region, side_m: float) -> Iterator[tuple[Box, int, int]]:
    """The region's bounds, in two parts across the antimeridian, with the rows and columns that each is cut into."""
    for west, south, east, north in unwrapped(*region.bounds()):
        if west == east:  # what is left of a box that ends at the antimeridian
            continue
        rows = max(1, math.ceil((north - south) * METRES_PER_DEGREE / side_m))
        # The row nearest to the equator is the widest on the ground.
        widest = 0.0 if south <= 0 <= north else min(abs(south), abs(north))
        width_m = (east - west) * METRES_PER_DEGREE * math.cos(math.radians(widest))
        yield (west, south, east, north), rows, max(1, math.ceil(width_m / side_m))


def text(box: Box) -> str:
    """West, south, east, north as most providers take it; seven decimals are a centimetre."""
    return ",".join(f"{degrees:.7f}" for degrees in box)
