"""Junctions, which no map format names: found where streets share a point."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.cartography.classes import STREETS
from pipeline.cartography.features import Feature, digest_id
from pipeline.geo.crossings import check_meetings

_CATEGORIES = {2: "corner", 3: "t-junction", 4: "crossroads"}
_MOST_MEETINGS = 60_000
_SCALE = 10_000_000  # OSM's own grid: 1e-7 degrees, a centimetre


class _Meeting(NamedTuple):
    """A point that streets share."""

    arms: int
    """Street ends there; a street that passes has two."""
    streets: list[Feature]


def junctions(features: Sequence[Feature]) -> list[Feature]:
    """Points where three or more street ends meet, where a street's name changes, and roundabouts.

    Streets are matched by the place of their vertices and not by node numbers, so that all formats give the same. Slip
    roads, paths, ways through yards and streets below ground make no junction, nor does a street that only divides into
    two lanes of its own name. The name joins the streets' names by ` / `, if two or more are known.

    Raises:
        SiteError: BAD_ANSWER, the roundabouts take too much work.
    """
    streets = [f for f in features if f.kind == "road" and f.shape == "line" and f.told and f.category in STREETS]
    rings = [street for street in streets if street.roundabout]
    found = _meetings(streets)
    on_ring = {point for point, meeting in found.items() if any(street.roundabout for street in meeting.streets)}
    junctions_found = [
        _junction(shapely.Point(np.array(point) / _SCALE), _category(meeting), meeting.streets)
        for point, meeting in sorted(found.items())
        if point not in on_ring and _counts(meeting)
    ]
    return junctions_found + _roundabouts(rings, found)


def _meetings(streets: Sequence[Feature]) -> dict[tuple[int, int], _Meeting]:
    """Points that belong to two or more ends or passing streets, on the grid."""
    if not streets:
        return {}
    lines, owner = shapely.get_parts([street.geometry for street in streets], return_index=True)
    coordinates, part = shapely.get_coordinates(lines, return_index=True)
    ends = np.ones(len(part), dtype=bool)
    ends[1:-1] = (part[1:-1] != part[:-2]) | (part[1:-1] != part[2:])
    grid = np.round(coordinates * _SCALE).astype(np.int64)
    points, which = np.unique(grid, axis=0, return_inverse=True)
    arms = np.bincount(which, weights=np.where(ends, 1, 2)).astype(int)
    visits = np.bincount(which)
    users: dict[int, list[Feature]] = defaultdict(list)
    for vertex in np.flatnonzero(visits[which] > 1):
        users[int(which[vertex])].append(streets[owner[part[vertex]]])
    return {_key(points[i]): _Meeting(int(arms[i]), found) for i, found in users.items()}


def _key(point: NDArray[np.int64]) -> tuple[int, int]:
    return int(point[0]), int(point[1])


def _counts(meeting: _Meeting) -> bool:
    names = {street.name for street in meeting.streets}
    if meeting.arms == 2:
        return len(names) == 2 and None not in names
    return meeting.arms > 2 and (len(names) > 1 or None in names)


def _category(meeting: _Meeting) -> str:
    return _CATEGORIES.get(meeting.arms, "junction")


def _roundabouts(rings: Sequence[Feature], found: dict[tuple[int, int], _Meeting]) -> list[Feature]:
    """One junction a roundabout, at its middle, however many ways it is mapped as."""
    if not rings:
        return []
    check_meetings([ring.geometry for ring in rings], _MOST_MEETINGS, "roundabouts")
    merged = shapely.get_parts(shapely.line_merge(shapely.union_all([ring.geometry for ring in rings])))
    result = []
    for ring in merged:
        vertices = {_key(point) for point in np.round(shapely.get_coordinates(ring) * _SCALE).astype(np.int64)}
        meeting = {
            street.feature_id: street
            for point in vertices & found.keys()
            for street in found[point].streets
            if not street.roundabout
        }
        streets = [meeting[key] for key in sorted(meeting)]
        result.append(_junction(shapely.centroid(shapely.envelope(ring)), "roundabout", streets))
    return result


def _junction(place: shapely.Point, category: str, streets: Sequence[Feature]) -> Feature:
    named = {street.name: street.name_en for street in streets if street.name}
    names = sorted(named) if len(named) > 1 else []
    return Feature(
        feature_id=digest_id("j", round(place.x * _SCALE), round(place.y * _SCALE)),
        geometry=place,
        kind="junction",
        category=category,
        name=" / ".join(names) or None,
        name_en=" / ".join(named[name] or name for name in names) if any(named[name] for name in names) else None,
        told=True,
    )
