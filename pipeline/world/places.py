"""Positions and directions of the photos of the synthetic world."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.world.streets import ALONG_EAST, ALONG_NORTH, ROADS, Stretch, clearance, end_of, junction, stretch
from pipeline.world.town import Town, cells_near

PHOTO_EVERY_M = 20.0
EYE_M = 2.4
"""Height of the camera above the street: a camera on a car's roof."""


@dataclass(frozen=True)
class Place:
    """A position on a street where photos were taken."""

    family: int
    i: int
    j: int
    k: int
    """Which of the stretch's places, from its start."""
    x: float
    y: float
    heading: float
    """Direction of travel, degrees clockwise from the frame's north."""

    @property
    def key(self) -> tuple[int, int, int, int]:
        """Its unique name within its town."""
        return self.family, self.i, self.j, self.k


@lru_cache(maxsize=512)
def places_on(town: Town, line: Stretch) -> tuple[Place, ...]:
    """Every 20 m along a road, in the lane that the car drives in; none within a roundabout."""
    if line.kind not in ROADS:
        return ()
    clear = []
    for start in (True, False):
        island = junction(town, *end_of(line, start=start)).kind == "roundabout"
        clear.append(clearance(town, line, start=start) + 4.0 if island else 0.0)
    first = int(np.ceil(max(clear[0] - PHOTO_EVERY_M / 2, 0.0) / PHOTO_EVERY_M))
    last = int(np.floor((line.length - max(clear[1], 6.0) - PHOTO_EVERY_M / 2) / PHOTO_EVERY_M))
    found = []
    for k in range(first, last + 1):
        u = town.draws("place", line.family, line.i, line.j, k).random(4)
        forward = u[0] < 0.5
        aside = line.lane_m * (1 if forward != town.left_hand else -1)
        along = np.asarray((k + 0.5) * PHOTO_EVERY_M)
        x, y = line.at(along, aside)
        dx, dy = line.direction(along) * (1 if forward else -1)
        heading = np.degrees(np.arctan2(dx, dy)) + (u[1] - 0.5) * 10.0
        if k in (first, last):  # turning at the junction
            heading += (u[2] - 0.5) * 50.0
        found.append(Place(line.family, line.i, line.j, k, float(x), float(y), float(heading % 360.0)))
    return tuple(found)


def place_at(town: Town, family: int, i: int, j: int, k: int) -> Place | None:
    """The place with that key, or None."""
    return next((place for place in places_on(town, stretch(town, family, i, j)) if place.k == k), None)


def places_in_cells(town: Town, cells: list[tuple[int, int]]) -> Iterator[Place]:
    """The places of the stretches that start at these cells' first corners."""
    for i, j in cells:
        for family in (ALONG_EAST, ALONG_NORTH):
            yield from places_on(town, stretch(town, family, i, j))


def places_near(town: Town, x: float, y: float, radius_m: float) -> list[Place]:
    """Places within a radius, nearest first."""
    found = [
        (float(np.hypot(place.x - x, place.y - y)), place)
        for place in places_in_cells(town, cells_near(town, x, y, radius_m))
    ]
    return [place for distance, place in sorted(found, key=lambda pair: (pair[0], pair[1].key)) if distance <= radius_m]
