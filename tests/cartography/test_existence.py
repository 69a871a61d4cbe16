"""What is closed, gone, planned, doubted or hidden is never told, and is counted by why."""

from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cartography.classes import Class, Tags, classify
from pipeline.cartography.existence import (
    CLOSED,
    DOUBTED,
    FERRY,
    GONE,
    HIDDEN,
    PLANNED,
    UNKNOWN,
    Trust,
    absence,
    hidden,
)
from pipeline.cartography.features import Element, Feature, features_of
from pipeline.geo.point import Point
from pipeline.geo.window import Window
from pipeline.sources.maps.files import MapFilesSource

WriteTown = Callable[..., Path]
SourceOf = Callable[..., MapFilesSource]

HERE = Point(47.3769, 8.5417)
EVERYWHERE = Window(((-180.0, -90.0, 180.0, 90.0),))
TRUST = Trust(date(2026, 7, 20), 0.5)


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({"shop": "bakery"}, None),
        ({"shop": "bakery", "disused": "yes"}, CLOSED),
        ({"shop": "bakery", "disused": "no"}, None),
        ({"shop": "vacant"}, CLOSED),
        ({"amenity": "fuel", "abandoned": "yes"}, CLOSED),
        ({"amenity": "pub", "disused:amenity": "pub"}, CLOSED),
        ({"amenity": "pub", "disused:shop": "bakery"}, None),
        ({"railway": "abandoned"}, CLOSED),
        ({"highway": "footway", "abandoned:railway": "rail"}, None),
        ({"tourism": "hotel", "demolished": "2019"}, GONE),
        ({"building": "yes", "razed:building": "yes"}, GONE),
        ({"man_made": "tower", "removed": "yes"}, GONE),
        ({"amenity": "school", "proposed": "yes"}, PLANNED),
        ({"building": "construction"}, PLANNED),
        ({"highway": "primary", "construction": "yes"}, PLANNED),
        ({"highway": "primary", "construction": "minor"}, None),
        ({"landuse": "construction"}, None),
        ({"shop": "books", "operating_status": "permanently_closed"}, CLOSED),
        ({"shop": "books", "operating_status": "temporarily_closed"}, CLOSED),
        ({"shop": "books", "operating_status": "open"}, None),
        ({"shop": "books", "operating_status": "OPERATIONAL"}, None),
        ({"shop": "books", "operating_status": "None"}, None),
        ({"shop": "books", "operating_status": "Permanently Closed"}, CLOSED),
        ({"shop": "books", "operating_status": "out of business"}, CLOSED),
        ({"shop": "books", "operating_status": "moved to Springfield"}, UNKNOWN),
        ({"amenity": "drinking_water", "operational_status": "needs_maintenance"}, None),
        ({"amenity": "school", "ruined": "yes"}, CLOSED),
        ({"building": "yes", "burnt_down:building": "yes"}, GONE),
        ({"amenity": "pub", "no_longer:amenity": "pub"}, GONE),
        ({"railway": "station", "cancelled": "yes"}, PLANNED),
        ({"amenity": "cancelled_school"}, PLANNED),
        ({"amenity": "lost_property_office"}, None),
        ({"shop": "books", "business_status": "CLOSED PERMANENTLY"}, CLOSED),
        ({"shop": "books", "opening_hours": "closed"}, CLOSED),
        ({"shop": "books", "confidence": "0.49"}, DOUBTED),
        ({"shop": "books", "confidence": "0.5"}, None),
        ({"shop": "books", "confidence": "high"}, None),
        ({"shop": "books", "confidence": "nan"}, None),
        ({"shop": "books", "confidence": "0.1", "closed": "yes"}, CLOSED),
        ({"route": "ferry", "natural": "water"}, FERRY),
        ({"shop": "empty"}, CLOSED),
        ({"railway": "disused_station"}, CLOSED),
        ({"amenity": "former_school"}, GONE),
        ({"amenity": "planned_parenthood"}, None),
        ({"railway": "station", "station": "abandoned"}, CLOSED),
        ({"railway": "station", "station": "subway"}, None),
        ({"building": "collapsed"}, GONE),
        ({"building": "yes", "building:status": "demolished"}, GONE),
        ({"building": "yes", "damage": "collapsed"}, GONE),
        ({"building": "ruins"}, CLOSED),
        ({"amenity": "school", "ruins": "yes"}, CLOSED),
        ({"historic": "castle", "ruins": "yes"}, None),
        ({"historic": "ruins"}, None),
        ({"amenity": "pub", "historic:amenity": "pub"}, GONE),
        ({"amenity": "restaurant", "was:amenity": "pub"}, None),
        ({"highway": "residential", "historic:highway": "roman_road"}, None),
        ({"shop": "books", "permanently_closed": "yes"}, CLOSED),
        ({"shop": "books", "operating_status": "permanently-closed"}, CLOSED),
        ({"shop": "books", "lifecycle_status": "proposed"}, PLANNED),
        ({"shop": "books", "condition": "good"}, None),
        ({"shop": "books", "date_closed": "2024-02-01"}, GONE),
        ({"shop": "books", "date_closed": "2027-02-01"}, None),
        ({"shop": "books", "opening_hours": 'off "for good"'}, CLOSED),
        ({"shop": "books", "opening_hours": "Mo-Fr 09:00-18:00; Su off"}, None),
        ({"shop": "books", "name": "Star Books (closed)"}, CLOSED),
        ({"shop": "books", "name": "Star Books - PERMANENTLY CLOSED"}, CLOSED),
        ({"shop": "books", "name": "Star Books [Geschlossen]"}, CLOSED),
        ({"shop": "books", "name": "The Closed Door"}, None),
        ({"shop": "books", "name": "Closed"}, None),
        ({"shop": "books", "name": "(" * 20_000}, None),
    ],
)
def test_what_tags_say_of_a_things_life(tags: Tags, why: str | None) -> None:
    assert absence(tags, TRUST) == why


@pytest.mark.parametrize(
    ("stated", "gone"),
    [
        ("1987", True), ("1987-05", True), ("~1980", True), ("1980s", True), ("before 1950", True), ("C19", True),
        ("2010..2012", True), ("2026-07-20", True), ("2026-07-21", False), ("2027", False), ("2010..2030", False),
        ("20190101", True), ("20270101", False), ("1990-2000", True), ("1990-2030", False), ("2019-13", True),
        ("unknown", False), ("", False), ("0000", True), ("2024-13-99", True), ("12345", False),
    ],
)  # fmt: skip
def test_an_end_in_the_maps_past_is_believed(stated: str, gone: bool) -> None:
    assert absence({"man_made": "chimney", "end_date": stated}, TRUST) == (GONE if gone else None)


@pytest.mark.parametrize(
    ("said", "building"), [("True", True), ("YES", True), ("1", True), ("No", False), ("0", False)]
)
def test_a_yes_or_no_may_be_spelt_as_programs_do(said: str, building: bool) -> None:
    house = Element("x", shapely.box(1.0, 1.0, 1.001, 1.001), {"building": said, "name": "Old Mill"})
    found = [(feature.category, feature.name) for feature in features_of([house], EVERYWHERE, Counter(), TRUST)]
    assert found == ([("building", "Old Mill")] if building else [])


@pytest.mark.parametrize("key", ["opening_date", "start_date"])
def test_what_opens_after_the_map_was_made_is_not_there_yet(key: str) -> None:
    school = {"amenity": "school"}
    assert absence(school | {key: "2027-01"}, TRUST) == PLANNED
    assert absence(school | {key: "20270101"}, TRUST) == PLANNED
    assert absence(school | {key: "2026-07"}, TRUST) is None
    assert absence(school | {key: "2026-09"}, Trust(date(2026, 10, 1))) is None


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12)), st.dates())
def test_any_tags_are_judged(tags: Tags, day: date) -> None:
    trust = Trust(day, 0.5)
    assert absence(tags, trust) in {None, CLOSED, GONE, PLANNED, DOUBTED, FERRY, UNKNOWN}
    assert hidden(tags, Class("poi", "shop")) in {True, False}


@pytest.mark.parametrize(
    ("tags", "shape", "unseen"),
    [
        ({"highway": "residential", "tunnel": "yes"}, "line", True),
        ({"highway": "residential", "tunnel": "building_passage"}, "line", False),
        ({"highway": "residential", "layer": "-1"}, "line", True),
        ({"highway": "footway", "tunnel": "yes"}, "line", True),
        ({"highway": "footway", "level": "1;2"}, "line", False),
        ({"highway": "footway", "indoor": "yes"}, "line", True),
        ({"highway": "footway", "indoor": "False", "tunnel": "False"}, "line", False),
        ({"railway": "rail", "tunnel": "True"}, "line", True),
        ({"railway": "subway", "layer": "-2"}, "line", True),
        ({"railway": "rail", "tunnel": "yes"}, "line", True),
        ({"railway": "rail", "layer": "1"}, "line", False),
        ({"railway": "station", "level": "-2"}, "point", True),
        ({"railway": "station", "level": "3"}, "point", False),
        ({"highway": "bus_stop", "layer": "-1"}, "point", True),
        ({"shop": "books", "level": "-1"}, "point", True),
        ({"shop": "books", "level": "-2--1"}, "point", True),
        ({"shop": "books", "level": "-1;0"}, "point", False),
        ({"shop": "books", "level": "0-3"}, "point", False),
        ({"shop": "books", "level": "1"}, "point", False),
        ({"shop": "books", "level": "4"}, "point", True),
        ({"shop": "books", "level": "upstairs"}, "point", False),
        ({"amenity": "parking", "location": "underground"}, "area", True),
        ({"waterway": "stream", "layer": "-1"}, "line", False),
        ({"waterway": "stream", "tunnel": "culvert"}, "line", True),
        ({"leisure": "park", "layer": "-1"}, "area", False),
        ({"building": "church", "layer": "-1"}, "area", False),
    ],
)
def test_what_lies_out_of_sight(tags: Tags, shape: Any, unseen: bool) -> None:
    what = classify(tags, shape)
    assert what is not None
    assert hidden(tags, what) == unseen


def features(shape: Any, tags: Tags, left_out: Counter[str] | None = None) -> list[Feature]:
    return features_of([Element("osm:w1", shape, tags)], EVERYWHERE, Counter() if left_out is None else left_out, TRUST)


WALLS = shapely.box(8.5416, 47.3768, 8.5418, 47.3770)


def test_a_building_outlives_what_was_in_it() -> None:
    (shell,) = features(WALLS, {"building": "retail", "shop": "bakery", "name": "Boarded Up", "disused": "yes"})
    assert (shell.kind, shell.name, shell.told, shell.building) == ("building", None, False, True)
    (church,) = features(WALLS, {"building": "church", "name": "Old Pub", "disused:amenity": "pub"})
    assert (church.category, church.name, church.told) == ("church", None, True)
    (cafe,) = features(WALLS, {"building": "yes", "amenity": "cafe", "name": "New Cafe", "disused:shop": "bakery"})
    assert (cafe.kind, cafe.name) == ("poi", "New Cafe")
    assert features(WALLS, {"building": "yes", "demolished": "yes"}) == []


def test_a_street_below_ground_is_drawn_and_not_told() -> None:
    line = shapely.LineString([(8.541, 47.377), (8.542, 47.377)])
    (tunnel,) = features(line, {"highway": "primary", "tunnel": "yes", "name": "Deep Street"})
    (underpass,) = features(line, {"highway": "primary", "layer": "-1", "name": "Low Street"})
    assert [(f.category, f.told) for f in (tunnel, underpass)] == [("tunnel", False), ("primary", False)]
    left_out: Counter[str] = Counter()
    assert features(line, {"railway": "subway", "tunnel": "yes"}, left_out) == []
    assert left_out == {HIDDEN: 1}


LIFECYCLE: list[Any] = [
    ([(0, 5)], {"amenity": "cafe", "name": "Open Cafe"}, {}),
    ([(5, 5)], {"shop": "bakery", "name": "Boarded Up", "disused": "yes"}, {}),
    ([(9, 5)], {"tourism": "hotel", "name": "Razed Hotel", "demolished": "yes"}, {}),
    ([(5, 9)], {"amenity": "school", "name": "Planned School", "proposed": "yes"}, {}),
    ([(9, 9)], {"man_made": "chimney", "name": "Old Chimney", "end_date": "1987"}, {}),
    ([(-20, 0), (20, 0)], {"railway": "rail", "name": "Disused Line", "disused": "yes"}, {}),
    ([(-20, 3), (20, 3)], {"highway": "residential", "name": "High Street"}, {}),
]


@pytest.mark.parametrize("name", ["m.osm", "m.osm.pbf", "m.json", "m.geojson"])
def test_every_format_leaves_out_what_is_gone(
    tmp_path: Path, write_town: WriteTown, source_of: SourceOf, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = source_of(write_town(tmp_path / name, HERE, LIFECYCLE), middle=HERE)
    assert {fact.name for fact in source.around(HERE, 100)} == {"Open Cafe", "High Street"}
    assert source.left_out == {CLOSED: 2, GONE: 2, PLANNED: 1}
    assert caplog.messages == [f"map source town: left out 2 ({CLOSED}), 2 ({GONE}), 1 ({PLANNED})"]


def test_without_a_date_a_map_is_of_today_and_its_fingerprint_follows(
    tmp_path: Path, write_town: WriteTown, source_of: SourceOf
) -> None:
    things: list[Any] = [([(0, 5)], {"amenity": "cafe", "name": "Cafe", "end_date": "2020"}, {})]
    path = write_town(tmp_path / "m.geojson", HERE, things)
    assert source_of(path, middle=HERE).around(HERE, 50) == []
    before = source_of(path, middle=HERE, extracted_on="2019-12-31")
    assert [fact.name for fact in before.around(HERE, 50)] == ["Cafe"]
    after = source_of(path, middle=HERE, extracted_on="2020-01-02")
    assert after.around(HERE, 50) == []
    assert len({s.fingerprint() for s in (before, after, source_of(path, middle=HERE))}) == 3


def test_of_an_extract_of_osm_the_kinds_that_it_was_cut_to_are_charted(
    tmp_path: Path, write_town: WriteTown, source_of: SourceOf
) -> None:
    streets: list[Any] = [([(x, -20), (x, 20)], {"highway": "residential"}, {}) for x in range(60)]
    stray: list[Any] = [([(-5, -5), (-9, -5), (-9, -9), (-5, -5)], {"leisure": "park"}, {})]
    cut = source_of(write_town(tmp_path / "m.osm", HERE, streets + stray), middle=HERE)
    assert cut.charted() == {"road", "junction"}
    plain = source_of(write_town(tmp_path / "m.geojson", HERE, streets), middle=HERE)
    assert plain.charted() == frozenset(), "nobody knows what a GeoJSON file is a whole of"
