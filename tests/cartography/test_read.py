"""Reading map files: every format gives the same town, and what is broken is refused or counted."""

import contextlib
import copy
import gzip
import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cartography.existence import GONE, Trust
from pipeline.cartography.features import clean_name, features_of
from pipeline.config.region import Region
from pipeline.errors import ConfigError
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.geo.window import Window
from pipeline.sources.maps.files import MapFilesSource
from pipeline.sources.maps.read_geo import read_geojson
from pipeline.sources.maps.read_overpass import read_overpass

WriteTown = Callable[..., Path]
SourceOf = Callable[..., MapFilesSource]

ZURICH = Point(47.3769, 8.5417)
OSM_FORMATS = ("town.json", "town.json.gz", "town.osm", "town.osm.bz2", "town.osm.pbf")
FORMATS = (*OSM_FORMATS, "town.geojson", "town.parquet")


def told(source: MapFilesSource, point: Point) -> list[tuple[object, ...]]:
    """Facts without their ids, which only OSM's formats have."""
    return sorted(
        (f.kind, f.category, f.name or "", f.name_en or "", round(f.distance_m, 3), round(f.bearing_deg, 3))
        for f in source.around(point, 200.0)
    )


def elements(*items: dict[str, Any]) -> dict[str, Any]:
    return {"elements": list(items)}


def node(number: int, lat: float, lon: float, **tags: str) -> dict[str, Any]:
    return {"type": "node", "id": number, "lat": lat, "lon": lon, "tags": tags}


def made(tmp_path: Path, source_of: SourceOf, document: object, name: str = "m.json", **more: Any) -> MapFilesSource:
    path = tmp_path / name
    path.write_text(json.dumps(document))
    return source_of(path, middle=ZURICH, **more)


def test_all_formats_give_the_same_facts(tmp_path: Path, write_town: WriteTown, source_of: SourceOf) -> None:
    lon, lat = LocalFrame(ZURICH.lat, ZURICH.lon).to_degrees(-4.0, 3.0)
    site = Point(float(lat), float(lon))
    facts = {name: told(source_of(write_town(tmp_path / name, ZURICH), middle=ZURICH), site) for name in FORMATS}
    places = {fact[:4]: pytest.approx(fact[4:], abs=0.05) for fact in facts["town.json"]}
    assert places == {
        ("building", "church", "St. Mary", ""): (13.038, 302.47),
        ("crossing", "traffic_signals", "", ""): (26.173, 263.42),
        ("green", "park", "Garden", ""): (29.411, 54.69),
        ("junction", "t-junction", "Hauptstraße / Mill Lane", "High Street / Mill Lane"): (5, 126.87),
        ("poi", "cafe", "Café", ""): (19.235, 81.03),
        ("rail", "tram", "", ""): (73, 180),
        ("road", "footway", "", ""): (25.298, 108.43),
        ("road", "primary", "Ring", ""): (63, 180),
        ("road", "residential", "Hauptstraße", "High Street"): (3, 180),
        ("road", "tertiary", "Mill Lane", ""): (4, 90),
        ("stop", "bus_stop", "Ring", ""): (64.777, 98.88),
        ("water", "pond", "", ""): (58.694, 315.69),
    }
    for name in FORMATS:
        assert facts[name] == facts["town.json"], name


def test_osm_formats_agree_on_ids_and_pixels(tmp_path: Path, write_town: WriteTown, source_of: SourceOf) -> None:
    sources = [source_of(write_town(tmp_path / name, ZURICH), middle=ZURICH) for name in OSM_FORMATS]
    facts = [source.around(ZURICH, 200.0) for source in sources]
    assert all(other == facts[0] for other in facts)
    assert {"osm:w1", "osm:w6"} <= {fact.fact_id for fact in facts[0]}
    chips = [source.chip(ZURICH, 256, 0.5) for source in sources]
    assert all((chip.pixels == chips[0].pixels).all() for chip in chips)
    stamp = datetime(2026, 7, 20, 3, 29, 37, tzinfo=UTC)
    assert [chip.captured_at for chip in chips] == [stamp, stamp, None, None, stamp], "osmium reads no date from XML"


def test_the_date_comes_from_the_configuration_where_the_file_has_none(
    tmp_path: Path, write_town: WriteTown, source_of: SourceOf
) -> None:
    path = write_town(tmp_path / "town.geojson", ZURICH)
    dated = source_of(path, middle=ZURICH, extracted_on="2026-05-04")
    assert dated.chip(ZURICH, 128, 1.0).captured_at == datetime(2026, 5, 4, tzinfo=UTC)
    assert source_of(path, middle=ZURICH).chip(ZURICH, 128, 1.0).captured_at is None
    with pytest.raises(ConfigError, match="extracted_on"):
        source_of(path, middle=ZURICH, extracted_on="last May")


def test_the_same_object_in_two_files_is_one(tmp_path: Path, write_town: WriteTown, source_of: SourceOf) -> None:
    one = write_town(tmp_path / "town.osm", ZURICH)
    two = write_town(tmp_path / "town.osm.pbf", ZURICH)
    assert source_of(one, two, middle=ZURICH).around(ZURICH, 200) == source_of(one, middle=ZURICH).around(ZURICH, 200)


def test_only_the_regions_and_their_margin_are_kept(tmp_path: Path, write_town: WriteTown, source_of: SourceOf) -> None:
    things: list[Any] = [([(x, 0.0)], {"shop": "bakery", "name": f"at {x}"}, {}) for x in (0, 900, 1_900)]
    source = source_of(write_town(tmp_path / "town.osm", ZURICH, things), middle=ZURICH)
    assert [fact.name for fact in source.around(ZURICH, 3_000)] == ["at 0", "at 900"]
    assert not source.left_out


def test_overpass_multipolygons_are_put_together(tmp_path: Path, source_of: SourceOf) -> None:
    def ring(side: float) -> list[dict[str, float]]:
        corners = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]
        return [{"lat": ZURICH.lat + y * side, "lon": ZURICH.lon + x * side} for x, y in corners]

    members = [
        {"type": "way", "ref": 1, "role": "outer", "geometry": ring(0.001)[:3]},
        {"type": "way", "ref": 2, "role": "outer", "geometry": ring(0.001)[2:]},
        {"type": "way", "ref": 3, "role": "inner", "geometry": ring(0.0002)},
    ]
    tags = {"type": "multipolygon", "leisure": "park", "name": "Ring Park"}
    source = made(tmp_path, source_of, elements({"type": "relation", "id": 7, "members": members, "tags": tags}))
    (fact,) = source.around(ZURICH, 100)
    assert fact.fact_id == "osm:r7"
    assert fact.distance_m == pytest.approx(0.0002 * 75_500, rel=0.01), "the middle lies in the hole"
    assert source.around(Point(ZURICH.lat + 0.0006, ZURICH.lon), 10)[0].distance_m == 0


def test_overpass_centres_are_points(tmp_path: Path, source_of: SourceOf) -> None:
    hotel = {
        "type": "way",
        "id": 5,
        "center": {"lat": ZURICH.lat, "lon": ZURICH.lon},
        "tags": {"tourism": "hotel", "name": "Sonne"},
    }
    (fact,) = made(tmp_path, source_of, elements(hotel)).around(ZURICH, 10)
    assert (fact.fact_id, fact.category, fact.name) == ("osm:w5", "hotel", "Sonne")


@pytest.mark.parametrize(
    ("feature", "reason"),
    [
        ({"type": "Point", "coordinates": [float("nan"), 47.0]}, "no readable geometry"),
        ({"type": "Point", "coordinates": []}, "empty geometry"),
        ({"type": "Point", "coordinates": [47.0, 147.0]}, "beyond 180 or 90 degrees"),
        ({"type": "Polygon", "coordinates": [[[8, 47], [9, 48], [9, 47], [8, 48], [8, 47]]]}, "invalid geometry"),
        ({"type": "GeometryCollection", "geometries": []}, "empty geometry"),
        ({"type": "MultiPoint", "coordinates": [[8, 47]]}, "neither point, line nor area"),
        (None, "no readable geometry"),
        ({"type": "Polygon", "coordinates": "far away"}, "no readable geometry"),
    ],
)
def test_unusable_geometry_is_skipped_and_counted(
    tmp_path: Path, source_of: SourceOf, feature: object, reason: str
) -> None:
    good = {"type": "Point", "coordinates": [ZURICH.lon, ZURICH.lat]}
    features = [{"type": "Feature", "geometry": g, "properties": {"shop": "bakery"}} for g in (feature, good)]
    source = made(tmp_path, source_of, {"type": "FeatureCollection", "features": features}, "m.geojson")
    assert source.left_out == {reason: 1}
    assert len(source.around(ZURICH, 10)) == 1


NODES = "".join(f'<node id="{i}" lat="47.3769" lon="{lon}"/>' for i, lon in enumerate((8.5417, 8.5418), 1))
NODES += '<node id="3" lat="47.377" lon="8.5418"/>'
DELETED = {
    "point": '<node id="9" lat="47.3769" lon="8.5417" visible="false"><tag k="shop" v="bakery"/></node>',
    "line": '<way id="9" visible="false"><nd ref="1"/><nd ref="2"/><tag k="highway" v="primary"/></way>',
    "area": '<way id="9" visible="false"><nd ref="1"/><nd ref="2"/><nd ref="3"/><nd ref="1"/>'
    '<tag k="shop" v="mall"/></way>',
}


@pytest.mark.parametrize("shape", DELETED)
@pytest.mark.parametrize("name", ["town.osm", "TOWN.OSM"])
def test_what_a_file_holds_as_deleted_is_gone(shape: str, name: str, tmp_path: Path, source_of: SourceOf) -> None:
    for visible, left_out in (("true", {}), ("false", {GONE: 1})):
        thing = DELETED[shape].replace("false", visible)
        (tmp_path / name).write_text(f'<osm version="0.6">{NODES}{thing}</osm>')
        assert source_of(tmp_path / name, middle=ZURICH).left_out == left_out
    gone = elements(node(1, ZURICH.lat, ZURICH.lon, shop="bakery") | {"visible": False})
    assert made(tmp_path, source_of, gone).left_out == {GONE: 1}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_json_may_begin_with_a_byte_order_mark(encoding: str, tmp_path: Path, source_of: SourceOf) -> None:
    path = tmp_path / "m.json"
    shop = elements(node(1, ZURICH.lat, ZURICH.lon, shop="bakery", name="Bäckerei"))
    path.write_bytes(json.dumps(shop, ensure_ascii=False).encode(encoding))
    assert [fact.name for fact in source_of(path, middle=ZURICH).around(ZURICH, 10.0)] == ["Bäckerei"]


@pytest.mark.parametrize(
    ("crs", "said"),
    [
        ("EPSG:4326", None),
        ({"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC::CRS84"}}, None),
        ({"type": "EPSG", "properties": {"code": 4326}}, None),
        ("EPSG:27700", "coordinates in EPSG:27700"),
        ({"type": "EPSG", "properties": {"code": 27700}}, "coordinates in EPSG:27700"),
        ({"type": "link", "properties": {"href": "http://example.org"}}, "coordinates in .*example"),
        ({"type": "name", "properties": {"name": None}}, "coordinates in .*null"),
        ([], r"coordinates in \[\]"),
        (False, "coordinates in false"),
    ],
)
def test_a_coordinate_system_is_known_in_any_form_and_told(
    crs: Any, said: str | None, tmp_path: Path, source_of: SourceOf
) -> None:
    document = {"type": "FeatureCollection", "features": [], "crs": crs}
    if said is None:
        assert made(tmp_path, source_of, document).around(ZURICH, 10.0) == []
    else:
        with pytest.raises(ConfigError, match=said):
            made(tmp_path, source_of, document)


def test_parquet_coordinates_that_are_no_numbers_are_counted(
    tmp_path: Path, write_town: WriteTown, source_of: SourceOf
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = write_town(tmp_path / "town.parquet", ZURICH)
    table = pq.read_table(path)
    broken = [shapely.to_wkb(shapely.Point(float("nan"), 1.0)), b"\x00\x01", *table["geometry"].to_pylist()[2:]]
    pq.write_table(table.set_column(1, "geometry", pa.array(broken, pa.binary())), path)
    source = source_of(path, middle=ZURICH)
    assert set(source.left_out) <= {"coordinates that are no numbers", "no readable geometry", "empty geometry"}
    assert source.left_out.total() == 2


def test_osm_ways_without_their_nodes_are_counted(tmp_path: Path, source_of: SourceOf) -> None:
    street = {"type": "way", "id": 1, "nodes": [1, 2], "tags": {"highway": "residential"}}
    park = {"type": "way", "id": 2, "nodes": [1, 2, 3, 1], "tags": {"leisure": "park"}}
    lost = node(3, float("nan"), 8.0, amenity="cafe")
    source = made(tmp_path, source_of, elements(node(1, ZURICH.lat, ZURICH.lon), street, park, lost, {"type": "sea"}))
    assert source.left_out == {"no readable geometry": 4}


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_cut_in_the_middle_is_named(
    tmp_path: Path, write_town: WriteTown, source_of: SourceOf, name: str
) -> None:
    path = write_town(tmp_path / name, ZURICH)
    _cut(path)
    with pytest.raises(ConfigError) as error:
        source_of(path, middle=ZURICH)
    assert [problem.where for problem in error.value.problems] == [str(path)]


def test_all_broken_files_are_listed(tmp_path: Path, write_town: WriteTown, source_of: SourceOf) -> None:
    paths = [write_town(tmp_path / name, ZURICH) for name in ("a.osm.pbf", "b.geojson")]
    for path in paths:
        _cut(path)
    good, unknown = write_town(tmp_path / "c.osm", ZURICH), tmp_path / "d.shp"
    unknown.write_bytes(b"")
    with pytest.raises(ConfigError) as error:
        source_of(*paths, good, unknown, middle=ZURICH)
    assert [problem.where for problem in error.value.problems] == [str(path) for path in (*paths, unknown)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "an object"),
        ("{", "broken JSON"),
        ('{"bbox": [1, 2]}', "elements"),
        ('{"type": "FeatureCollection"}', "features"),
        ('{"elements": [], "remark": "runtime error: Query timed out"}', "incomplete"),
        ("[" * 100_000, "broken JSON"),
        (
            '{"type": "FeatureCollection", "features": [], "crs": {"properties": {"name": "EPSG:32616"}}}',
            "EPSG:32616",
        ),
    ],
)
def test_documents_that_are_no_map_are_refused(tmp_path: Path, source_of: SourceOf, text: str, message: str) -> None:
    path = tmp_path / "m.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        source_of(path, middle=ZURICH)


def test_gzip_that_is_none_is_refused(tmp_path: Path, source_of: SourceOf) -> None:
    path = tmp_path / "m.json.gz"
    path.write_bytes(gzip.compress(b"{}")[:-4] + b"xxxx")
    with pytest.raises(ConfigError, match=r"m\.json\.gz"):
        source_of(path, middle=ZURICH)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
ELEMENT = st.fixed_dictionaries(
    {"type": st.sampled_from(["node", "way", "relation"]), "id": st.integers(-1, 9) | JSON},
    optional={
        "lat": st.floats(-91, 91) | JSON,
        "lon": st.floats(-181, 181) | JSON,
        "nodes": st.lists(st.integers(1, 9)) | JSON,
        "geometry": st.lists(st.fixed_dictionaries({"lat": st.floats(-91, 91), "lon": st.floats()})) | JSON,
        "members": st.lists(st.fixed_dictionaries({"type": st.just("way"), "ref": st.integers(1, 9)})) | JSON,
        "center": JSON,
        "tags": st.dictionaries(st.sampled_from(["highway", "name", "leisure", "type"]), st.text() | JSON) | JSON,
    },
)


@given(st.lists(ELEMENT | JSON, max_size=8))
def test_any_overpass_elements_are_read_or_refused(items: list[Any]) -> None:
    try:
        for element in read_overpass(Path("m.json"), {"elements": items}).elements:
            assert element.element_id.startswith("osm:") or element.geometry is None
    except ConfigError:
        pass


PROPERTIES = st.dictionaries(
    st.sampled_from(["id", "@id", "names", "name", "category", "categories", "class", "subtype", "tags", "height"]),
    st.text() | JSON | st.fixed_dictionaries({"primary": st.text() | JSON, "common": JSON}),
)
GEOMETRY = JSON | st.fixed_dictionaries(
    {"type": st.sampled_from(["Point", "LineString", "Polygon"]), "coordinates": JSON | st.just([8.5417, 47.3769])}
)


@given(st.lists(st.fixed_dictionaries({"geometry": GEOMETRY, "properties": PROPERTIES | JSON}) | JSON, max_size=5))
def test_any_geojson_features_are_read_or_counted(items: list[Any]) -> None:
    left_out: Counter[str] = Counter()
    window = Window(((-180.0, -90.0, 180.0, 90.0),))
    read = read_geojson(Path("m.json"), {"features": items}).elements
    for feature in features_of(read, window, left_out, Trust(date(2026, 7, 20))):
        assert feature.category.isprintable()
    assert left_out.total() <= len(items)


@given(st.text())
def test_names_are_one_line_without_controls(text: str) -> None:
    name = clean_name(text)
    assert name is None or (0 < len(name) <= 120 and name == name.strip() and "\n" not in name and "\u202e" not in name)


@pytest.mark.parametrize("lon", [-180.0, -179.9999, 179.999, 180.0])
def test_windows_reach_over_the_antimeridian(lon: float) -> None:
    window = Window.of([Region(name="fiji", centre=(-17.0, lon), radius_m=1_000).bounds()], margin_m=500.0)
    sides = shapely.bounds([shapely.Point(x, -17.0) for x in (-179.995, 179.995, 0.0)])
    assert window.meets(sides).tolist() == [True, True, False]


ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    1.5,
    2**70,
    float("inf"),
    "",
    "way",
    "\ud800",
    [],
    [[]],
    {},
    {"a": 1},
    [None, 5, {"lat": "x"}],
]
WAY: dict[str, Any] = {
    "type": "way", "id": 7, "tags": {"highway": "residential", "name": "Mill Lane"}, "nodes": [1, 2],
    "geometry": [{"lat": 47.3769, "lon": 8.5417}, {"lat": 47.3770, "lon": 8.5418}],
}  # fmt: skip
RELATION: dict[str, Any] = {
    "type": "relation", "id": 8, "tags": {"type": "multipolygon", "natural": "water"},
    "members": [{"type": "way", "ref": 9, "role": "outer", "geometry": WAY["geometry"]}],
}  # fmt: skip


def spoilt(value: Any, path: tuple[Any, ...], to: Any) -> Any:
    """A copy with another value at a path."""
    if not path:
        return to
    copied = copy.copy(value)
    copied[path[0]] = spoilt(value[path[0]], path[1:], to)
    return copied


PATHS: list[tuple[dict[str, Any], tuple[Any, ...]]] = [
    *((WAY, (key,)) for key in WAY), (WAY, ("tags", "highway")), (WAY, ("nodes", 0)), (WAY, ("geometry", 0)),
    (WAY, ("geometry", 0, "lat")), *((RELATION, (key,)) for key in RELATION), (RELATION, ("members", 0)),
    *((RELATION, ("members", 0, key)) for key in RELATION["members"][0]), (RELATION, ("members", 0, "geometry", 0)),
    ({**node(5, 47.3769, 8.5417), "center": {"lat": 1.0, "lon": 2.0}}, ("center",)),
    *((node(5, 47.3769, 8.5417), (key,)) for key in ("type", "id", "lat", "lon", "tags")),
]  # fmt: skip


@pytest.mark.parametrize(("element", "path"), PATHS, ids=[".".join(map(str, path)) for _, path in PATHS])
def test_a_field_of_any_type_spoils_its_element_at_most(element: dict[str, Any], path: tuple[Any, ...]) -> None:
    sound = node(1, 47.3769, 8.5417, amenity="cafe", name="Sound")
    window = Window(((8.0, 47.0, 9.0, 48.0),))
    for value in ODD:
        extract = read_overpass(Path("answer"), elements(spoilt(element, path, value), sound))
        found = features_of(extract.elements, window, Counter(), Trust(date(2026, 7, 20)))
        assert "Sound" in {feature.name for feature in found}


@pytest.mark.parametrize("value", ODD)
def test_a_reply_of_any_type_is_read_or_refused(value: Any) -> None:
    for document in ({"elements": value}, elements() | {"osm3s": value}, elements() | {"remark": value}):
        with contextlib.suppress(ConfigError):
            list(read_overpass(Path("answer"), document).elements)


def test_an_outline_of_thousands_of_corners_that_crosses_itself_is_left_out_at_once() -> None:
    some = random.Random(1)
    places = [{"lat": 47.0 + some.random() / 100, "lon": 8.0 + some.random() / 100} for _ in range(20_000)]
    way = {"type": "way", "id": 1, "tags": {"building": "yes"}, "geometry": [*places, places[0]]}
    members = [{"type": "way", "ref": 1, "role": "outer"}] * 50
    lake = {"type": "relation", "id": 2, "tags": {"type": "multipolygon", "natural": "water"}, "members": members}
    skipped: Counter[str] = Counter()
    extract = read_overpass(Path("answer"), elements(way, lake))
    assert features_of(extract.elements, Window(((8.0, 47.0, 9.0, 48.0),)), skipped, Trust(date(2026, 7, 20))) == []
    assert skipped == {"no readable geometry": 2}  # the relation, which lost its member, too
