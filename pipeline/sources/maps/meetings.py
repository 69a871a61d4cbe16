"""Vertices where streets meet, which vector tiles lose: lines are merged and simplified, vertices on straights go.

Junctions are found by shared vertices (`pipeline.cartography.junctions`), so they are put back.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.cartography.classes import STREETS
from pipeline.cartography.features import Feature
from pipeline.geo.crossings import check_meetings

_NEAR_DEGREES = 1e-5
"""About a metre: an end this near to another street lies on it."""
_MOST_MEETINGS = 60_000
"""Maximum number of meetings of streets in one cell; some thousand in the middle of a large city."""


def with_meetings(features: Sequence[Feature]) -> list[Feature]:
    """The same features; streets of one level that cross, or end at one another, share a vertex there.

    Raises:
        SiteError: BAD_ANSWER, the streets take too much work.
    """
    streets = [i for i, f in enumerate(features) if f.kind == "road" and f.shape == "line" and f.category in STREETS]
    lines, owner = shapely.get_parts([features[i].geometry for i in streets], return_index=True)
    if not len(lines):
        return list(features)
    check_meetings(lines, _MOST_MEETINGS, "streets")
    layers = np.array([features[i].layer for i in streets])[owner]
    ends = np.concatenate([shapely.get_point(lines, 0), shapely.get_point(lines, -1)])
    tree = shapely.STRtree(lines)
    found: list[list[tuple[float, float]]] = [[] for _ in lines]
    for end, line in tree.query(ends, predicate="dwithin", distance=_NEAR_DEGREES).T:
        if end % len(lines) != line and layers[end % len(lines)] == layers[line]:
            found[line].append((ends[end].x, ends[end].y))
    for one, other in tree.query(lines, predicate="crosses").T:
        if one < other and layers[one] == layers[other]:
            for place in shapely.get_coordinates(shapely.intersection(lines[one], lines[other])).tolist():
                found[one].append((place[0], place[1]))
                found[other].append((place[0], place[1]))
    mended = np.array([_with_vertices(line, places) for line, places in zip(lines, found, strict=True)], dtype=object)
    result = list(features)
    for number, i in enumerate(streets):
        parts = mended[owner == number]
        whole = parts[0] if len(parts) == 1 else shapely.MultiLineString(list(parts))
        result[i] = replace(features[i], geometry=whole)
    return result


def _with_vertices(line: BaseGeometry, places: Sequence[tuple[float, float]]) -> BaseGeometry:
    """A line with further vertices, each put in where it comes nearest."""
    if not places:
        return line
    own: NDArray[np.float64] = shapely.get_coordinates(line)
    more = np.unique(np.array(places), axis=0)
    at = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(own, axis=0).T))])
    along = shapely.line_locate_point(line, shapely.points(more))
    inner = (along > 0) & (along < line.length)  # the ends have their vertex, which the other street took over
    order = np.argsort(np.concatenate([at, along[inner]]), kind="stable")
    return shapely.LineString(np.concatenate([own, more[inner]])[order])
