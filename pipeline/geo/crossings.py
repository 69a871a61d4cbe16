"""How often outlines and lines meet: the measure of what overlay operations on them cost, counted before they begin.

GEOS's overlays and repairs take time in proportion to the places where segments meet. A few kilobytes from outside can
hold a hundred thousand: n segments that all cross each other meet n squared times.
"""

from collections.abc import Sequence

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from pipeline.errors import SiteError
from schemas.reasons import Reason

_SORTED = 64
"""Sorting so many segments costs about as much as one meeting."""


def count_meetings(geometries: Sequence[BaseGeometry], most: int) -> int:
    """Number of pairs of segments that meet, beyond those that follow each other in a line.

    Args:
        geometries: lines and areas; the segments of all are taken together. Points count nothing.
        most: counting ends beyond this, so that it takes no longer than what it is to prevent.

    Returns:
        The number; or some number greater than `most`. Segments alone count too, a 64th each, as sorting them costs
        time as well.
    """
    parts = shapely.get_parts(geometries)
    kinds = shapely.get_type_id(parts)
    parts = np.concatenate([parts[np.isin(kinds, (1, 2))], shapely.get_rings(parts[kinds == 3])])
    coordinates, owner = shapely.get_coordinates(parts, return_index=True)
    follows = owner[1:] == owner[:-1]
    number = int(follows.sum())
    count = number // _SORTED
    if count > most:
        return count
    segments = shapely.linestrings(np.stack([coordinates[:-1][follows], coordinates[1:][follows]], axis=1))
    tree = shapely.STRtree(segments)
    line = owner[:-1][follows]
    at_once = max(16, min(256, 8 * most // max(number, 1)))  # together they may meet all others
    for start in range(0, number, at_once):
        one, other = tree.query(segments[start : start + at_once], predicate="intersects")
        one += start
        count += int(((other > one + 1) | ((other == one + 1) & (line[other] != line[one]))).sum())
        if count > most:
            break
    return count


def check_meetings(geometries: Sequence[BaseGeometry], most: int, what: str) -> None:
    """Refuse an overlay that would take too much work.

    Args:
        geometries: that are to be overlaid.
        most: see `count_meetings`.
        what: names them in the message.

    Raises:
        SiteError: BAD_ANSWER, they meet more often.
    """
    if count_meetings(geometries, most) > most:
        raise SiteError(Reason.BAD_ANSWER, f"{what} cross each other in more than {most:,} places")
