"""Map facts around a point."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import shapely
from scipy.spatial import cKDTree

from pipeline.cartography.features import Feature
from pipeline.cartography.sight import Sight, in_frame
from pipeline.geo import window
from pipeline.geo.axis import axis_deg
from pipeline.geo.frame import LocalFrame, bearing_deg
from pipeline.geo.point import Point
from schemas.records import MapFact

SAME_THING_M = 30.0
"""Two things of one kind, class and name nearer to each other than this are one: the lanes of a divided road each have
their own nodes and crossings."""


CROWD = 8
CROWD_M = 3.0
"""More than so many places within so few metres are firms registered at one address, not shops that anyone sees."""


def without_crowds(features: Sequence[Feature]) -> list[Feature]:
    """The same features; places that stand in a crowd are not told."""
    places = [i for i, feature in enumerate(features) if feature.kind == "poi" and feature.shape == "point"]
    if not places:
        return list(features)
    degrees = shapely.get_coordinates([features[i].geometry for i in places])
    metres = degrees * window.METRES_PER_DEGREE
    metres[:, 0] *= np.cos(np.radians(degrees[:, 1]))
    distinct, which, count = np.unique(metres, axis=0, return_inverse=True, return_counts=True)
    # No more neighbours than make a crowd: all pairs of a crowd of thousands would take gigabytes.
    tree, among = cKDTree(distinct), min(CROWD + 1, len(distinct))
    near, other = tree.query(distinct, k=np.arange(1, among + 1), distance_upper_bound=np.nextafter(CROWD_M, np.inf))
    around = np.where(np.isfinite(near), np.append(count, 0)[other], 0).sum(axis=1)
    crowded = {places[i] for i in np.flatnonzero(around[which] > CROWD)}
    return [replace(feature, told=False) if i in crowded else feature for i, feature in enumerate(features)]


def facts(features: Sequence[Feature], point: Point, radius_m: float) -> list[MapFact]:
    """Features within a radius as facts, nearest first, ties by id; each street and each thing once."""
    told = [feature for feature in features if feature.told]
    if not told:
        return []
    shapes = in_frame(told, LocalFrame(point.lat, point.lon))
    site = shapely.Point(0.0, 0.0)
    distances = shapely.distance(site, shapes)
    nearest = shapely.get_coordinates(shapely.shortest_line(site, shapes)).reshape(-1, 2, 2)[:, 1]
    centres = shapely.get_coordinates(shapely.centroid(shapes))
    places_named = {
        told[i].name for i in np.flatnonzero(distances <= radius_m) if told[i].kind == "poi" and told[i].name
    }
    sight = Sight.among(features, LocalFrame(point.lat, point.lon))
    found: list[MapFact] = []
    places: dict[tuple[object, ...], list[tuple[float, float]]] = {}
    """By what is the same, and by square of `SAME_THING_M`."""
    for i in sorted(range(len(told)), key=lambda i: (distances[i], told[i].feature_id)):
        if distances[i] > radius_m:
            break
        feature = told[i]
        if feature.kind == "building" and feature.name in places_named:
            continue  # the place says more: what it is
        x, y = nearest[i] if distances[i] > 0 else centres[i]
        same = _sameness(feature)
        column, row = (0, 0) if feature.kind == "road" else (x // SAME_THING_M, y // SAME_THING_M)
        others = [at for i in (-1, 0, 1) for j in (-1, 0, 1) for at in places.get((same, column + i, row + j), ())]
        if any(feature.kind == "road" or math.hypot(x - u, y - v) < SAME_THING_M for u, v in others):
            continue
        places.setdefault((same, column, row), []).append((x, y))
        building, axis = None, axis_deg(shapes[i], x, y) if feature.kind == "road" else None
        if feature.kind in ("poi", "building"):
            building, axis = sight.wall_at(x, y) or (None, None)
        found.append(
            MapFact(
                fact_id=feature.feature_id,
                kind=feature.kind,
                category=feature.category,
                name=feature.name,
                name_en=feature.name_en,
                distance_m=float(distances[i]),
                bearing_deg=bearing_deg(x, y),
                axis_deg=axis,
                building_id=building,
                in_sight=sight.reaches(x, y, feature.feature_id),
                confidence=feature.confidence,
            )
        )
    return found


def _sameness(feature: Feature) -> tuple[str, ...]:
    if feature.kind == "road" and feature.name:
        return ("road", feature.name)  # a street is one whatever class its pieces have
    return (feature.kind, feature.category, feature.name or "")
