"""Boxes of longitude and latitude, cut in two at the antimeridian."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.geo.frame import LocalFrame

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees; west <= east."""

METRES_PER_DEGREE = 111_195.0  # of latitude, on a sphere of 6371 km


def unwrapped(west: float, south: float, east: float, north: float) -> list[Box]:
    """One box, or two where west is greater than east."""
    if west <= east:
        return [(west, south, east, north)]
    return [(west, south, 180.0, north), (-180.0, south, east, north)]


def around(lat: float, lon: float, radius_m: float) -> list[Box]:
    """Boxes that contain the circle around a point."""
    return unwrapped(*LocalFrame(lat, lon).chip_bbox(2, radius_m))


def padded(box: Box, margin_m: float) -> list[Box]:
    """A box widened by a margin in metres. What crosses the antimeridian continues on the other side."""
    west, south, east, north = box
    dlat = margin_m / METRES_PER_DEGREE
    dlon = dlat / max(math.cos(math.radians(min(max(abs(south), abs(north)) + dlat, 89.0))), 1e-6)
    shifted = ((max(west - dlon + s, -180.0), min(east + dlon + s, 180.0)) for s in (0.0, 360.0, -360.0))
    return [(w, max(south - dlat, -90.0), e, min(north + dlat, 90.0)) for w, e in shifted if w <= e]


@dataclass(frozen=True)
class Window:
    """The area for which data is wanted."""

    boxes: tuple[Box, ...]

    @classmethod
    def of(cls, bounds: Iterable[Box], margin_m: float) -> "Window":
        """Boxes (west > east across the antimeridian), each widened by a margin in metres."""
        boxes = [box for one in bounds for part in unwrapped(*one) for box in padded(part, margin_m)]
        return cls(tuple(boxes))

    def meets(self, bounds: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each of the bounds (rows: west, south, east, north) meets a box; NaN rows do not."""
        met = np.zeros(len(bounds), dtype=bool)
        for west, south, east, north in self.boxes:
            met |= (bounds[:, 0] <= east) & (bounds[:, 2] >= west) & (bounds[:, 1] <= north) & (bounds[:, 3] >= south)
        return met
