"""Facts around a point: distances and bearings are true, each thing is told once, junctions are found."""

import math
import zlib
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from pipeline.cartography.classes import Tags, classify
from pipeline.cartography.existence import Trust
from pipeline.cartography.facts import CROWD, facts, without_crowds
from pipeline.cartography.features import Element, Feature, features_of
from pipeline.cartography.junctions import junctions
from pipeline.geo.point import Point
from pipeline.geo.window import Window
from pipeline.sources.maps.files import MapFilesSource
from schemas.records import MapFact

WriteTown = Callable[..., Path]
SourceOf = Callable[..., MapFilesSource]

HERE = Point(47.3769, 8.5417)
GEOD = Geod(ellps="WGS84")
EVERYWHERE = Window(((-180.0, -90.0, 180.0, 90.0),))


def at(x: float, y: float, site: Point = HERE) -> tuple[float, float]:
    """Longitude and latitude of a point x metres east and y metres north."""
    lon, lat, _ = GEOD.fwd(site.lon, site.lat, math.degrees(math.atan2(x, y)), math.hypot(x, y))
    return lon, lat


def feature(shape: Any, number: int = 1, **tags: str) -> list[Feature]:
    return features_of([Element(f"osm:w{number}", shape, tags)], EVERYWHERE, Counter(), Trust(date(2026, 7, 20)))


def street(name: str | None, *places: tuple[float, float], **tags: str) -> Feature:
    known = {"highway": "residential"} | ({"name": name} if name else {}) | tags
    found = feature(
        shapely.LineString([at(x, y) for x, y in places]), zlib.crc32(repr((name, places)).encode()), **known
    )
    return found[0]


def shop(name: str | None, x: float, y: float, number: int = 1, **tags: str) -> Feature:
    known = {"shop": "bakery"} | ({"name": name} if name else {}) | tags
    (found,) = feature(shapely.Point(at(x, y)), number, **known)
    return found


def told(features: list[Feature], radius_m: float = 100.0) -> list[MapFact]:
    return facts(features, HERE, radius_m)


@given(st.floats(-84, 84), st.floats(-180, 180), st.floats(0.5, 900), st.floats(0, 359.99))
def test_distance_and_bearing_are_those_of_the_geodesic(
    lat: float, lon: float, distance: float, azimuth: float
) -> None:
    site = Point(lat, lon)
    far_lon, far_lat, _ = GEOD.fwd(lon, lat, azimuth, distance)
    (place,) = feature(shapely.Point(far_lon, far_lat), shop="bakery")
    (fact,) = facts([place], site, 1_000.0)
    assert fact.distance_m == pytest.approx(distance, abs=0.01)
    turn = (fact.bearing_deg - azimuth + 180.0) % 360.0 - 180.0
    assert abs(math.radians(turn)) * distance < 0.02


@given(st.floats(0, 359.9), st.floats(1, 300), st.floats(-400, 400))
def test_a_street_is_as_far_as_its_nearest_point(turn: float, away: float, slide: float) -> None:
    towards, along = math.radians(turn), math.radians(turn + 90)
    foot = away * math.sin(towards), away * math.cos(towards)
    ends = [(foot[0] + s * math.sin(along), foot[1] + s * math.cos(along)) for s in (slide - 400, slide + 400)]
    (fact,) = told([street("Long Street", *ends)], 1_000.0)
    assert fact.distance_m == pytest.approx(away, abs=0.02)
    assert abs((fact.bearing_deg - turn + 180) % 360 - 180) * away < 2.0


def test_facts_reach_over_the_antimeridian(tmp_path: Path, write_town: WriteTown, source_of: SourceOf) -> None:
    middle = Point(-16.8, 180.0)
    source = source_of(write_town(tmp_path / "town.osm.pbf", middle), middle=middle)
    found = {
        (fact.kind, fact.category): fact for side in (180.0, -180.0) for fact in source.around(Point(-16.8, side), 90)
    }
    assert found["crossing", "traffic_signals"].bearing_deg == pytest.approx(270, abs=0.1)
    assert found["poi", "cafe"].distance_m == pytest.approx(math.hypot(15, 6), abs=0.02)


def test_facts_are_sorted_by_distance_then_id() -> None:
    places = [shop("c", 30, 0, 1), shop("b", 0, 20, 3), shop("a", 0, 20, 2)]
    assert [fact.fact_id for fact in told(places)] == ["osm:w2", "osm:w3", "osm:w1"]
    assert told(places[::-1]) == told(places)
    assert [fact.name for fact in told(places, radius_m=25)] == ["a", "b"]


def test_an_area_that_holds_the_site_is_at_zero_and_points_to_its_middle() -> None:
    corners = [at(-10, -10), at(50, -10), at(50, 50), at(-10, 50)]
    (fact,) = told(feature(shapely.Polygon(corners), leisure="park"))
    assert fact.distance_m == 0
    assert fact.bearing_deg == pytest.approx(45, abs=0.1)


def test_each_street_and_each_thing_is_told_once() -> None:
    streets = [street("Elm Street", (5, -50), (5, 0)), street("Elm Street", (5, 0), (5, 50), highway="service")]
    lights = [shop(None, x, 0, x, shop="no", highway="traffic_signals") for x in (10, 20, 60)]
    assert [(fact.kind, round(fact.distance_m)) for fact in told([*streets, *lights])] == [
        ("road", 5),
        ("crossing", 10),
        ("crossing", 60),
    ]


def test_a_building_named_like_a_place_in_it_gives_way() -> None:
    walls = shapely.Polygon([at(0, 0), at(20, 0), at(20, 20), at(0, 20)])
    (building,) = feature(walls, 9, building="yes", name="Japango")
    assert [fact.kind for fact in told([building, shop("Japango", 10, 10)])] == ["poi"]
    assert [fact.kind for fact in told([building, shop("Other", 10, 10)])] == ["building", "poi"]


def test_firms_crowded_at_one_address_are_not_told() -> None:
    crowd = [shop(f"Firm {i}", 40 + 0.1 * i, 0, i + 10) for i in range(CROWD + 1)]
    row = [shop(f"Shop {i}", -80 + 8 * i, 0, i + 50) for i in range(CROWD + 1)]
    assert {fact.name for fact in told(without_crowds([*crowd, *row]))} == {feature.name for feature in row}


CROSS = [(-50, 0), (0, 0), (50, 0)]


@pytest.mark.parametrize(
    ("streets", "expected"),
    [
        ([street("A", *CROSS), street("B", (0, -50), (0, 0), (0, 50))], [("crossroads", "A / B")]),
        ([street("A", *CROSS), street("B", (0, 0), (0, 50))], [("t-junction", "A / B")]),
        ([street("A", *CROSS), street(None, (0, 0), (0, 50))], [("t-junction", None)]),
        ([street("A", *CROSS[:2]), street("B", (0, 0), (0, 50))], [("corner", "A / B")]),
        ([street("A", *CROSS[:2]), street("A", *CROSS[1:])], []),
        ([street("A", *CROSS), street("A", (0, 0), (0, 50))], []),
        ([street("A", *CROSS), street("B", (0, 0), (0, 50), highway="footway")], []),
        ([street("A", *CROSS), street("B", (0, 0), (0, 50), highway="primary_link")], []),
        ([street("A", *CROSS), street("B", (1, 0), (1, 50))], []),
        ([street("A", (-50, 0), (50, 0)), street("B", (0, -50), (0, 50), bridge="yes")], []),
    ],
)
def test_junctions(streets: list[Feature], expected: list[tuple[str, str | None]]) -> None:
    assert [(junction.category, junction.name) for junction in junctions(streets)] == expected


def test_a_roundabout_is_one_junction_of_all_its_streets() -> None:
    ring = [(10 * math.cos(a), 10 * math.sin(a)) for a in (0, math.pi / 2, math.pi, 1.5 * math.pi)]
    parts = [[ring[0], ring[1], ring[2]], [ring[2], ring[3], ring[0]]]
    circle = [street(None, *part, junction="roundabout") for part in parts]
    arms = [street("A", ring[0], (60, 0)), street("B", ring[1], (0, 60)), street("C", ring[2], (-60, 0))]
    (found,) = junctions([*circle, *arms])
    assert (found.category, found.name) == ("roundabout", "A / B / C")
    assert told([found])[0].distance_m < 0.1


@pytest.mark.parametrize(
    ("tags", "shape", "expected"),
    [
        ({"highway": "footway", "tunnel": "yes"}, "line", ("road", "footway")),
        ({"highway": "primary", "tunnel": "yes"}, "line", ("other", "tunnel")),
        ({"railway": "subway"}, "line", ("rail", "subway")),
        ({"shop": "yes"}, "point", ("poi", "shop")),
        ({"amenity": "bench"}, "point", None),
        ({"amenity": "place_of_worship", "building": "church"}, "area", ("poi", "place_of_worship")),
        ({"building": "yes"}, "area", ("building", "building")),
        ({"leisure": "park", "tourism": "attraction"}, "area", ("green", "park")),
        ({"highway": "pedestrian", "area": "yes"}, "area", ("square", "pedestrian")),
        ({"highway": "crossing", "crossing": "traffic_signals"}, "point", ("crossing", "traffic_signals")),
        ({"highway": "crossing", "crossing:markings": "zebra"}, "point", ("crossing", "zebra")),
        ({"highway": "construction"}, "line", None),
        ({"category": "coffee_shop"}, "point", ("poi", "coffee_shop")),
        ({"category": "park"}, "point", ("green", "park")),
        ({"landuse": "residential", "name": "Elm Estate"}, "area", ("other", "residential")),
        ({"landuse": "quarry"}, "area", None),
    ],
)
def test_classes(tags: Tags, shape: Any, expected: tuple[str, str] | None) -> None:
    assert classify(tags, shape) == expected
