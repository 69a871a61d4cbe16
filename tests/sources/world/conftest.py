"""One small town, and its sources."""

from dataclasses import dataclass

import pytest

from pipeline.config import Region, WorldAerial, WorldMap, WorldStreet
from pipeline.sources.base import Photo
from pipeline.sources.world import WorldAerialSource, WorldMapSource, WorldStreetSource


@dataclass(frozen=True)
class World:
    """A region with its three sources, and some of its photos."""

    region: Region
    street: WorldStreetSource
    aerial: WorldAerialSource
    map: WorldMapSource
    photos: list[Photo]

    @property
    def flat(self) -> list[Photo]:
        return [photo for photo in self.photos if photo.projection == "perspective"]

    @property
    def round(self) -> list[Photo]:
        return [photo for photo in self.photos if photo.projection == "equirectangular"]


def make_world(region: Region, seed: int = 0) -> World:
    street = WorldStreetSource("street", WorldStreet(type="world", seed=seed, panoramas=0.4), [region])
    return World(
        region,
        street,
        WorldAerialSource("aerial", WorldAerial(type="world", seed=seed), [region]),
        WorldMapSource("map", WorldMap(type="world", seed=seed, labels=False), [region]),
        list(street.candidates(region)),
    )


@pytest.fixture(scope="session")
def world() -> World:
    return make_world(Region(name="harbour", centre=(52.37, 4.9), radius_m=260))
