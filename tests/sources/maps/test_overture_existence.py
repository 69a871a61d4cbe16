"""Overture's status, confidence and rules are heeded, in a release and in tables that were saved one by one."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import shapely

from pipeline.cartography.existence import CLOSED, DOUBTED, FERRY, GONE, HIDDEN, PLANNED, Trust, absence
from pipeline.config.region import Region
from pipeline.config.sources import MapFiles, Overture
from pipeline.geo.point import Point
from pipeline.net.client import HttpClient
from pipeline.sources.maps.files import MapFilesSource
from pipeline.sources.maps.overture import OvertureSource
from pipeline.sources.maps.read_geo import elements_of
from pipeline.sources.maps.segments import pieces

WriteType = Callable[..., Path]
HERE = Point(47.3769, 8.5417)
TOWN = Region(name="town", centre=(HERE.lat, HERE.lon), radius_m=600)


def row(number: int, shape: Any, name: str | None, **columns: Any) -> dict[str, Any]:
    moved = shapely.transform(shape, lambda xy: xy * 1e-5 + [HERE.lon, HERE.lat])
    return {"id": f"{number:08x}-0000-4000-8000-000000000000", "geometry": moved, "names": name} | columns


def place(number: int, name: str, category: str | None, **columns: Any) -> dict[str, Any]:
    categories = None if category is None else {"primary": category, "alternate": []}
    return row(number, shapely.Point(number, number), name, categories=categories, **columns)


def line(number: int, name: str, *, flags: Any = None, level: Any = None, **columns: Any) -> dict[str, Any]:
    shape = shapely.LineString([(-100, 10 * number), (100, 10 * number)])
    rules = {"road_flags": flags, "level_rules": level}
    return row(number, shape, name, **{"subtype": "road", "class": "residential"} | columns, **rules)


PLACES = [
    place(1, "Open Pharmacy", "pharmacy", confidence=0.97, operating_status="open"),
    place(2, "Gone Bakery", "bakery", confidence=0.9, operating_status="permanently_closed"),
    place(3, "Shut Cinema", "cinema", confidence=0.6, operating_status="temporarily_closed"),
    place(4, "Doubtful Museum", "museum", confidence=0.03),
    place(5, "Basic Books", None, confidence=0.7, basic_category="bookstore"),
]
SEGMENTS = [
    line(1, "High Street"),
    line(2, "Abandoned Road", flags=[{"values": ["is_abandoned"], "between": None}]),
    line(3, "Future Bypass", flags=[{"values": ["is_under_construction"], "between": [0.0, 1.0]}]),
    line(4, "Mall Corridor", flags=[{"values": ["is_indoor"], "between": None}], **{"class": "footway"}),
    line(5, "Old Railway", subtype="rail", **{"class": "standard_gauge"})
    | {"rail_flags": [{"values": ["is_disused"], "between": None}]},
    line(6, "Harbour Ferry", subtype="water", **{"class": None}),
    line(7, "Deep Street", flags=[{"values": ["is_tunnel"], "between": None}]),
]


def test_a_column_that_only_a_later_file_has_is_heeded(
    tmp_path: Path, write_type: WriteType, client: HttpClient
) -> None:
    """Arrow takes the columns of the first file for those of all."""
    write_type(tmp_path, "place", [place(1, "Plain", "cafe")], name="part-0.parquet")
    write_type(tmp_path, "place", [place(2, "Doubtful", "museum", confidence=0.03)], name="part-1.parquet")
    gone = place(3, "Gone", "bakery", operating_status="permanently_closed")
    write_type(tmp_path, "place", [gone], name="part-2.parquet")
    source = OvertureSource("o", Overture(type="overture", release=str(tmp_path)), [TOWN], client)
    assert [fact.name for fact in source.around(HERE, 100.0)] == ["Plain"]
    assert source.left_out == {DOUBTED: 1, CLOSED: 1}


def sources(tmp_path: Path, client: HttpClient, paths: list[Path], **settings: Any) -> list[Any]:
    """The same tables as a release, and as files that were saved one by one."""
    release = OvertureSource("o", Overture(type="overture", release=str(tmp_path), **settings), [TOWN], client)
    return [release, MapFilesSource("f", MapFiles(type="files", files=paths, **settings), [TOWN])]


def test_only_what_is_open_and_believed_is_told(tmp_path: Path, write_type: WriteType, client: HttpClient) -> None:
    for source in sources(tmp_path, client, [write_type(tmp_path, "place", PLACES)]):
        facts = source.around(HERE, 100.0)
        assert [(fact.name, fact.category, fact.confidence) for fact in facts] == [
            ("Open Pharmacy", "pharmacy", 0.97),
            ("Basic Books", "bookstore", 0.7),
        ]
        assert source.left_out == {CLOSED: 2, DOUBTED: 1}
        assert source.charted() == {"poi"}


def test_the_floor_of_confidence_is_a_setting(tmp_path: Path, write_type: WriteType, client: HttpClient) -> None:
    path = write_type(tmp_path, "place", PLACES)
    for floor, names in ((0.0, ["Open Pharmacy", "Doubtful Museum", "Basic Books"]), (0.9, ["Open Pharmacy"])):
        made = sources(tmp_path, client, [path], min_confidence=floor)
        assert [[fact.name for fact in source.around(HERE, 100.0)] for source in made] == [names, names]
    prints = {sources(tmp_path, client, [path], min_confidence=floor)[0].fingerprint() for floor in (0.0, 0.9)}
    assert len(prints) == 2


def test_segments_that_are_gone_hidden_or_ferries_are_not_told(
    tmp_path: Path, write_type: WriteType, client: HttpClient
) -> None:
    for source in sources(tmp_path, client, [write_type(tmp_path, "segment", SEGMENTS)]):
        assert [(fact.kind, fact.name) for fact in source.around(HERE, 100.0)] == [("road", "High Street")]
        assert source.left_out == {CLOSED: 2, PLANNED: 1, HIDDEN: 1, FERRY: 1}
        assert [road.road_id for road in source.roads(TOWN)] == ["overture:00000001-0000-4000-8000-000000000000"]
        assert source.charted() == {"road", "rail"}


def test_a_rule_for_a_part_of_a_segment_holds_for_that_part(
    tmp_path: Path, write_type: WriteType, client: HttpClient
) -> None:
    half_gone = line(1, "Half Street", flags=[{"values": ["is_abandoned"], "between": [0.4, 1.0]}])
    dips = line(2, "Dip Street", level=[{"value": -1, "between": [0.4, 0.6]}])
    for source in sources(tmp_path, client, [write_type(tmp_path, "segment", [half_gone, dips])]):
        facts = {fact.name: fact for fact in source.around(HERE, 100.0)}
        # A degree of longitude is 75.5 km here: the segments are 151 m long, the site lies south of their middle.
        assert facts["Half Street"].distance_m == pytest.approx(((0.1 * 151) ** 2 + 11.1**2) ** 0.5, abs=0.3)
        assert facts["Dip Street"].distance_m == pytest.approx(((0.1 * 151) ** 2 + 22.2**2) ** 0.5, abs=0.3)
        assert len(list(source.roads(TOWN))) == 3


def test_buildings_saved_without_theme_and_type_are_all_kept(
    tmp_path: Path, write_type: WriteType, client: HttpClient
) -> None:
    walls = [shapely.box(x, 5, x + 8, 13) for x in range(0, 50, 10)]
    buildings = [
        row(1, walls[0], "Theatre", subtype="entertainment", **{"class": "theatre"}, height=None, is_underground=False),
        row(2, walls[1], None, subtype="religious", **{"class": "church"}, height=None, is_underground=False),
        row(3, walls[2], "Tall House", subtype=None, **{"class": None}, height=41.0, is_underground=False),
        row(4, walls[3], None, subtype=None, **{"class": None}, height=None, is_underground=False),
        row(5, walls[4], "Cellar", subtype=None, **{"class": None}, height=None, is_underground=True),
    ]
    path = write_type(tmp_path, "building", buildings)
    for drop in ([], ["height"], ["is_underground"]):
        saved = tmp_path / "saved.parquet"
        pq.write_table(pq.read_table(path, partitioning=None).drop_columns(drop), saved)
        source = MapFilesSource("f", MapFiles(type="files", files=[saved]), [TOWN])
        assert {"church", "theatre", "building"} <= {fact.category for fact in source.around(HERE, 60.0)}
        cellar = 1 if "is_underground" in drop else 0
        assert len(source.store(HERE, 60.0)) == 4 + cellar
        assert source.left_out == ({} if cellar else {HIDDEN: 1})


@pytest.mark.parametrize(
    "rules",
    [
        "far away", [None], [{}], [{"values": "is_tunnel"}], [{"values": [1, None, []]}],
        [{"values": ["is_tunnel"], "between": "all"}], [{"values": ["is_tunnel"], "between": [0.5]}],
        [{"values": ["is_tunnel"], "between": [0.9, 0.1]}], [{"values": ["is_tunnel"], "between": [float("nan"), 1]}],
        [{"values": ["is_tunnel"], "between": [i / 300, (i + 1) / 300]} for i in range(300)],
    ],
)  # fmt: skip
@pytest.mark.parametrize("shape", [shapely.LineString([(0, 0), (1, 1)]), shapely.Point(0, 0), None])
def test_rules_that_make_no_sense_cut_nothing(rules: Any, shape: Any) -> None:
    found = pieces({"road_flags": rules, "level_rules": rules}, shape)
    assert [(suffix, part) for suffix, part, _ in found] == [("", shape)]


@pytest.mark.parametrize(
    "flags",
    [
        ["is_abandoned"], "is_abandoned", {"values": ["is_abandoned"]}, [{"values": "is_abandoned"}],
        [{"values": ["IS_ABANDONED"], "between": [0.9, 0.1]}], '[{"values": ["is_abandoned"], "between": null}]',
    ],
)  # fmt: skip
def test_a_flag_is_heeded_in_whatever_form_a_program_left_it(flags: Any) -> None:
    """Tables that went through programs without lists and objects; releases that had no rules yet."""
    names = '{"primary": "Old Road", "common": null}'
    row = {"subtype": "road", "class": "residential", "names": names, "road_flags": flags}
    (element,) = elements_of(row, shapely.LineString([(0, 0), (1, 1)]), None)
    assert element.tags["abandoned"] == "yes"
    assert element.tags["name"] == "Old Road"


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("end_date", date(2019, 1, 1), GONE),
        ("end_date", datetime(2019, 1, 1, tzinfo=UTC), GONE),
        ("end_date", 20190101, GONE),
        ("opening_date", date(2199, 1, 1), PLANNED),
        ("operating_status", b"permanently_closed", CLOSED),
        ("operating_status", ["permanently_closed"], CLOSED),
        ("confidence", Decimal("0.01"), DOUBTED),
        ("confidence", "0.01", DOUBTED),
        ("disused", True, CLOSED),
    ],
)
def test_a_column_of_any_type_tells_of_life(column: str, value: Any, why: str) -> None:
    (element,) = elements_of({"category": "museum", column: value}, shapely.Point(1, 1), None)
    assert absence(element.tags, Trust(date(2026, 7, 20), 0.5)) == why


def test_pieces_make_up_the_whole(tmp_path: Path) -> None:
    bent = shapely.LineString([(8.5, 60.0), (8.6, 60.0), (8.6, 60.1)])
    flags = [{"values": ["is_tunnel"], "between": [0.25, 0.5]}, {"values": ["is_bridge"], "between": [0.1, 0.9]}]
    found = pieces({"road_flags": flags}, bent)
    assert [(suffix, tags) for suffix, _, tags in found] == [("", {}), ("@0.25", {"tunnel": "yes"}), ("@0.5", {})]
    whole = shapely.line_merge(shapely.MultiLineString([part for _, part, _ in found]))
    assert shapely.hausdorff_distance(whole, bent) < 1e-9
    # At 60 degrees north the first leg is half as long on the ground as the second: a quarter is 3/4 of it.
    assert shapely.get_coordinates(found[0][1])[-1] == pytest.approx([8.575, 60.0], abs=1e-3)
