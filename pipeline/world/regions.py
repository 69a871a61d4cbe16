"""Finds the town of a position: a source of the synthetic world has one town a region."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.config.region import Region
from pipeline.geo.point import Point
from pipeline.world.town import Town, build_town

WORLD_VERSION = 3
"""Raise it whenever anything in the world changes what a source gives."""
AUTHOR = "geoscribe synthetic world"
LICENCE = "CC0-1.0"
LINK = "https://example.org/geoscribe-world"


class Home(NamedTuple):
    """A region and its town."""

    region: Region
    town: Town


class Homes:
    """The towns of some regions. Where regions overlap, the first one owns the ground."""

    def __init__(self, seed: int, regions: Sequence[Region]) -> None:
        self._homes = [Home(region, build_town(seed, region)) for region in regions]

    def at(self, point: Point) -> Home | None:
        """The home that a position lies in."""
        return next((home for home in self._homes if within(home.region, point)), None)

    def named(self, name: str) -> Home | None:
        """The home of the region with that name."""
        return next((home for home in self._homes if home.region.name == name), None)


def within(region: Region, point: Point) -> bool:
    """Whether a position lies in a region's box."""
    west, south, east, north = region.bounds()
    return south <= point.lat <= north and (point.lon - west) % 360.0 <= (east - west) % 360.0
