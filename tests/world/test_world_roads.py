"""The roads of a made-up town: all of them, the same each time, where the map has them."""

import numpy as np
import pytest

from pipeline.config.region import Region
from pipeline.config.sources import WorldMap
from pipeline.geo.point import Point
from pipeline.sources.base import HasRoads
from pipeline.sources.world import WorldMapSource


@pytest.mark.parametrize("centre", [(52.37, 4.9), (-17.7, 179.999), (78.2, 15.6)])
def test_every_street_of_the_map_is_a_road(centre: tuple[float, float]) -> None:
    region = Region(name="harbour", centre=centre, radius_m=400)
    source = WorldMapSource("map", WorldMap(type="world"), [region])
    assert isinstance(source, HasRoads)
    roads = list(source.roads(region))
    assert len({road.road_id for road in roads}) == len(roads) > 20
    assert {road.category for road in roads} >= {"residential"}
    again = WorldMapSource("map", WorldMap(type="world"), [region])
    assert [road.road_id for road in again.roads(region)] == [road.road_id for road in roads]
    for road in roads[:10]:
        middle = len(road.lon) // 2
        facts = source.around(Point(float(road.lat[middle]), float(road.lon[middle])), 2.0)
        if facts:  # the middle of a road at the border lies outside
            assert any(fact.kind == "road" and fact.distance_m < 0.5 for fact in facts)


def test_roads_of_a_smaller_region_are_among_those_of_a_larger_one() -> None:
    small, large = (Region(name="harbour", centre=(52.37, 4.9), radius_m=radius) for radius in (200, 600))
    ids = []
    for region in (small, large):
        source = WorldMapSource("map", WorldMap(type="world"), [region])
        ids.append({road.road_id for road in source.roads(region)})
        west, _, east, _ = region.bounds()
        for road in source.roads(region):
            assert np.ptp(road.lon) < 0.01
            assert road.lon.max() >= west
            assert road.lon.min() <= east
    assert ids[0] < ids[1]


def test_a_region_of_another_build_has_no_roads() -> None:
    source = WorldMapSource("map", WorldMap(type="world"), [Region(name="harbour", centre=(52.37, 4.9), radius_m=200)])
    assert not list(source.roads(Region(name="elsewhere", centre=(10.0, 10.0), radius_m=200)))
