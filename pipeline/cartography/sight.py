"""Finds what is visible from a point past the buildings on the map."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.cartography.features import Feature
from pipeline.geo.frame import LocalFrame, bearing_deg

_GRAZE_M = 1.0
"""A line of sight may cut so much off a building's corner: outlines are not so exact."""
_FRONT_M = 8.0
"""A place on the map so near to a building is likely in it."""
_INSIDE_M = 15.0
"""A place on the map stands inside its building; deeper than this its front is on another side."""


def in_frame(features: Sequence[Feature], frame: LocalFrame) -> list[BaseGeometry]:
    """The features' geometries in metres east and north of the frame's centre."""

    def to_metres(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(frame.to_metres(degrees[:, 0], degrees[:, 1]))

    geometries = np.array([feature.geometry for feature in features], dtype=object)
    return list(shapely.transform(geometries, to_metres))


@dataclass(frozen=True)
class Sight:
    """The buildings around a site, in metres east and north of it, the nearest first."""

    ids: Sequence[str]
    buildings: NDArray[np.object_]

    @classmethod
    def among(cls, features: Sequence[Feature], frame: LocalFrame) -> "Sight":
        """The buildings among a map's features."""
        found = [
            feature
            for feature in features
            if (feature.building or feature.kind == "building") and feature.shape == "area"
        ]
        shapes = in_frame(found, frame) if found else []
        site = shapely.Point(0.0, 0.0)
        kept = [
            (feature.feature_id, shape)
            for feature, shape in zip(found, shapes, strict=True)
            # One that holds the site hides nothing: either GPS is a little off, or it is all that can be seen.
            if not shapely.contains(shape, site)
        ]
        kept.sort(key=lambda one: shapely.distance(one[1], site))  # what is near hides most
        return cls([feature_id for feature_id, _ in kept], np.array([shape for _, shape in kept], dtype=object))

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self.buildings)

    def wall_at(self, x: float, y: float) -> tuple[str, float] | None:
        """Id of the building at a point and the direction in which it is long, in [0, 180); None where none is near."""
        if not len(self.buildings):
            return None
        at = self._tree.query_nearest(shapely.Point(x, y), max_distance=_FRONT_M, all_matches=False)
        if not len(at):
            return None
        corners = shapely.get_coordinates(shapely.minimum_rotated_rectangle(self.buildings[at[0]]))
        sides = np.diff(corners, axis=0)
        if len(sides) < 4:
            return None
        east, north = max(sides[:2], key=lambda side: float(np.hypot(*side)))
        return self.ids[at[0]], bearing_deg(float(east), float(north)) % 180.0

    def reaches(self, x: float, y: float, feature_id: str) -> bool | None:
        """Whether nothing stands between the site and a point of a thing; None where the map has no buildings."""
        if not len(self.buildings):
            return None
        line = shapely.LineString([(0.0, 0.0), (x, y)])
        target = shapely.Point(x, y)
        for at in sorted(self._tree.query(line, predicate="intersects").tolist()):
            own = self.ids[at] == feature_id or shapely.distance(self.buildings[at], target) < _GRAZE_M
            if shapely.length(shapely.intersection(self.buildings[at], line)) > (_INSIDE_M if own else _GRAZE_M):
                return False
        return True
