"""Vector tiles of the Protomaps schema: the same town in tiles as in a file, whole across the tiles' edges."""

import gzip
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import mercantile
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from mapbox_vector_tile.Mapbox import vector_tile_pb2
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pipeline.cartography.existence import CLOSED, FERRY, HIDDEN
from pipeline.cartography.features import NO_KIND
from pipeline.config.imagery import Imagery
from pipeline.config.region import Region
from pipeline.config.sources import PmtilesMap
from pipeline.errors import ConfigError, SiteError
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.net.client import HttpClient
from pipeline.sources.base import HasRoads, Networked
from pipeline.sources.maps.pmtiles import PmtilesMapSource
from pipeline.sources.maps.protomaps import id_of, tags_of
from pipeline.sources.maps.vector_tile import Thing, read_tile
from schemas.reasons import Reason

Thing4 = tuple[str, int, dict[str, Any], list[tuple[float, float]]]
"""Layer, number, properties, place in metres from the middle."""
ZOOM = 15
TILE = mercantile.tile(8.5417, 47.3769, ZOOM)
_BOUNDS = mercantile.bounds(TILE)
EDGE = Point((_BOUNDS.south + _BOUNDS.north) / 2, _BOUNDS.east)
"""On the edge of two tiles."""
TOWN_REGION = Region(name="town", centre=(EDGE.lat, EDGE.lon), radius_m=300)


def way(number: int) -> int:
    return (2 << 51) | number


def square(x: float, y: float, side: float) -> list[tuple[float, float]]:
    h = side / 2
    return [(x - h, y - h), (x + h, y - h), (x + h, y + h), (x - h, y + h), (x - h, y - h)]


TOWN: list[Thing4] = [
    ("roads", way(1), {"kind": "minor_road", "kind_detail": "residential", "name": "Hauptstraße",
                       "name:en": "High Street"}, [(-100, 0), (100, 0)]),
    ("roads", way(2), {"kind": "minor_road", "kind_detail": "residential", "name": "Mill Lane"}, [(-30, 0), (-30, 90)]),
    ("roads", way(3), {"kind": "major_road", "kind_detail": "tertiary", "name": "Ring"}, [(40, -90), (40, 90)]),
    ("roads", way(4), {"kind": "path", "kind_detail": "footway"}, [(-60, -40), (60, -40)]),
    ("roads", way(5), {"kind": "major_road", "kind_detail": "primary", "is_link": True}, [(-90, -90), (90, -90)]),
    ("roads", way(6), {"kind": "rail", "kind_detail": "tram"}, [(-90, -70), (90, -70)]),
    ("roads", way(7), {"kind": "minor_road", "kind_detail": "service", "service": "driveway"}, [(60, 0), (60, 20)]),
    ("buildings", way(10), {"kind": "building", "height": 12}, square(0, 40, 30)),
    ("buildings", way(11), {"kind": "building_part", "height": 12}, square(0, 40, 10)),
    ("landuse", way(12), {"kind": "park", "name": "Garden"}, square(-70, 40, 30)),
    ("landuse", way(13), {"kind": "residential"}, square(0, 0, 240)),
    ("water", way(14), {"kind": "lake", "name": "Pond"}, square(80, 60, 20)),
    ("pois", (1 << 51) | 20, {"kind": "cafe", "name": "Café"}, [(15, 6)]),
    ("pois", (1 << 51) | 21, {"kind": "bus_stop", "name": "Ring"}, [(-15, -6)]),
    ("pois", way(10), {"kind": "museum", "name": "Haus der Kunst"}, [(2, 41)]),
    ("pois", (1 << 51) | 22, {"kind": "bench"}, [(-20, -6)]),
    ("earth", 0, {"kind": "earth"}, square(0, 0, 900)),
]  # fmt: skip


def degrees(place: list[tuple[float, float]]) -> list[tuple[float, float]]:
    lon, lat = LocalFrame(EDGE.lat, EDGE.lon).to_degrees([x for x, _ in place], [y for _, y in place])
    return list(zip(lon.tolist(), lat.tolist(), strict=True))


def tiles(things: list[Thing4], extent: int = 4096, buffer: int = 64) -> dict[mercantile.Tile, bytes]:
    """The town cut into tiles, as Planetiler cuts: with a margin around each."""
    layers: dict[mercantile.Tile, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for tile in [TILE, *mercantile.neighbors(TILE)]:
        for layer, number, properties, place in things:
            points = []
            for lon, lat in degrees(place):
                x = (lon + 180.0) / 360.0 * 2**ZOOM - tile.x
                y = (1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * 2**ZOOM - tile.y
                points.append((x * extent, y * extent))
            closed = len(points) > 2 and place[0] == place[-1]
            shape = (
                shapely.Polygon(points)
                if closed
                else shapely.LineString(points)
                if points[1:]
                else shapely.Point(points)
            )
            cut = shape.intersection(shapely.box(-buffer, -buffer, extent + buffer, extent + buffer))
            if not cut.is_empty:
                layers[tile][layer].append({"geometry": cut, "properties": properties, "id": number})
    return {
        tile: mapbox_vector_tile.encode(
            [{"name": name, "features": features} for name, features in found.items()],
            default_options={"y_coord_down": True, "extents": extent},
        )
        for tile, found in layers.items()
    }


def write_archive(path: Path, things: list[Thing4] = TOWN, *, kind: TileType = TileType.MVT, zoom: int = ZOOM) -> Path:
    with path.open("wb") as file:
        writer: Any = Writer(file)  # type: ignore[no-untyped-call]  # ships no types
        found = {zxy_to_tileid(zoom, t.x % 2**zoom, t.y % 2**zoom): data for t, data in tiles(things).items()}
        for number, data in sorted(found.items()):
            writer.write_tile(number, gzip.compress(data))
        header = {
            "tile_type": kind,
            "tile_compression": Compression.GZIP,
            "min_zoom": zoom,
            "max_zoom": zoom,
            "min_lon_e7": int((EDGE.lon - 0.02) * 1e7),
            "min_lat_e7": int((EDGE.lat - 0.02) * 1e7),
            "max_lon_e7": int((EDGE.lon + 0.02) * 1e7),
            "max_lat_e7": int((EDGE.lat + 0.02) * 1e7),
            "center_zoom": zoom,
            "center_lon_e7": int(EDGE.lon * 1e7),
            "center_lat_e7": int(EDGE.lat * 1e7),
        }
        layers = [{"id": name, "fields": {}} for name in sorted({layer for layer, *_ in things})]
        written = {"planetiler:osm:osmosisreplicationtime": "2026-10-05T00:00:00Z", "vector_layers": layers}
        writer.finalize(header, written)
        writer.tile_f.close()
    return path


def source(archive: Path | str, client: HttpClient, **settings: Any) -> PmtilesMapSource:
    return PmtilesMapSource("p", PmtilesMap(type="pmtiles", archive=str(archive), **settings), [TOWN_REGION], client)


def test_the_town_is_told_as_from_a_file(tmp_path: Path, client: HttpClient) -> None:
    town = source(write_archive(tmp_path / "town.pmtiles"), client)
    facts = town.around(EDGE, 110.0)
    told = {(fact.kind, fact.category, fact.name) for fact in facts}
    assert told == {
        ("road", "residential", "Hauptstraße"),
        ("road", "residential", "Mill Lane"),
        ("road", "tertiary", "Ring"),
        ("road", "footway", None),
        ("road", "primary_link", None),
        ("rail", "tram", None),
        ("green", "park", "Garden"),
        ("water", "lake", "Pond"),
        ("poi", "cafe", "Café"),
        ("poi", "museum", "Haus der Kunst"),
        ("stop", "bus_stop", "Ring"),
        ("junction", "t-junction", "Hauptstraße / Mill Lane"),
        ("junction", "crossroads", "Hauptstraße / Ring"),
    }
    by_name = {fact.name: fact for fact in facts}
    assert by_name["Café"].distance_m == pytest.approx(np.hypot(15, 6), abs=0.4)
    assert by_name["Hauptstraße"].name_en == "High Street"
    assert by_name["Hauptstraße / Ring"].distance_m == pytest.approx(40, abs=0.6)
    assert len({fact.fact_id for fact in facts}) == len(facts)
    assert by_name["Café"].fact_id == "osm:n20"


def test_ways_that_are_gone_hidden_or_ferries_are_left_out(tmp_path: Path, client: HttpClient) -> None:
    things: list[Thing4] = [
        ("roads", way(1), {"kind": "minor_road", "kind_detail": "residential", "name": "High"}, [(-9, 9), (9, 9)]),
        ("roads", way(2), {"kind": "ferry", "name": "Harbour Ferry"}, [(-9, 5), (9, 5)]),
        ("roads", way(3), {"kind": "rail", "kind_detail": "abandoned", "name": "Old Line"}, [(-9, 2), (9, 2)]),
        ("roads", way(4), {"kind": "path", "kind_detail": "corridor", "name": "Mall"}, [(-9, 1), (9, 1)]),
        ("roads", way(5), {"kind": "rail", "kind_detail": "subway", "is_tunnel": True}, [(-9, 3), (9, 3)]),
        ("roads", way(6), {"kind": "major_road", "kind_detail": "primary", "is_tunnel": True, "name": "Deep"},
         [(-9, 4), (9, 4)]),
    ]  # fmt: skip
    town = source(write_archive(tmp_path / "a.pmtiles", things), client)
    assert [(fact.kind, fact.name) for fact in town.around(EDGE, 60.0)] == [("road", "High")]
    assert set(town.left_out) == {FERRY, CLOSED, NO_KIND, HIDDEN}
    assert town.charted() == {"road", "rail"}


def test_what_two_tiles_share_is_one_thing(tmp_path: Path, client: HttpClient) -> None:
    town = source(write_archive(tmp_path / "town.pmtiles"), client)
    store = town.store(EDGE, 100.0)
    (house,) = [f for f in store.features if f.building]
    assert house.geometry.geom_type == "Polygon"
    metres = shapely.transform(
        house.geometry, lambda c: np.column_stack(LocalFrame(EDGE.lat, EDGE.lon).to_metres(c[:, 0], c[:, 1]))
    )
    assert metres.area == pytest.approx(900, rel=0.04)
    assert metres.centroid.x == pytest.approx(0, abs=0.3)
    (street,) = [f for f in store.features if f.name == "Hauptstraße"]
    assert street.feature_id == "osm:w1"
    assert street.geometry.geom_type == "LineString"


def test_chips_are_drawn_and_dated(tmp_path: Path, client: HttpClient) -> None:
    path = write_archive(tmp_path / "town.pmtiles")
    house, carto = (source(path, client, style=style).chip(EDGE, 256, 0.5) for style in ("house", "carto"))
    assert carto.captured_at is not None
    assert carto.captured_at.isoformat() == "2026-10-05T00:00:00+00:00"
    assert carto.source_id == "town.pmtiles"
    assert (house.pixels != carto.pixels).any()
    for chip in (house, carto):
        assert tuple(chip.pixels[128 - 100, 128 - 20]) == (217, 208, 201)  # the building, 50 m to the north


def test_roads_are_cut_at_the_tiles_and_counted_once(tmp_path: Path, client: HttpClient) -> None:
    town = source(write_archive(tmp_path / "town.pmtiles"), client)
    assert isinstance(town, HasRoads)
    roads = list(town.roads(TOWN_REGION))
    assert len({road.road_id for road in roads}) == len(roads)
    pieces = [road for road in roads if road.road_id.startswith("osm:w1@")]
    assert len(pieces) == 2
    frame = LocalFrame(EDGE.lat, EDGE.lon)
    ends = sorted(float(x) for road in pieces for x in frame.to_metres(road.lon, road.lat)[0])
    assert [ends[0], ends[-1]] == pytest.approx([-100, 100], abs=0.4)
    assert ends[1] == pytest.approx(ends[2], abs=0.01)
    assert {road.category for road in roads} == {"residential", "tertiary", "footway", "primary_link"}
    assert [road.road_id for road in town.roads(TOWN_REGION)] == [road.road_id for road in roads]


def test_an_archive_at_an_address_is_read_in_ranges(tmp_path: Path, httpserver: HTTPServer, client: HttpClient) -> None:
    data = write_archive(tmp_path / "town.pmtiles").read_bytes()

    def ranges(request: Request) -> Response:
        start, end = (int(part) for part in request.headers["Range"].removeprefix("bytes=").split("-"))
        part = data[start : end + 1]
        headers = {"Content-Range": f"bytes {start}-{start + len(part) - 1}/{len(data)}", "ETag": '"1"'}
        return Response(part, 206, headers=headers)

    httpserver.expect_request("/town.pmtiles").respond_with_handler(ranges)
    httpserver.expect_request("/robots.txt").respond_with_data("", status=404)
    remote = source(httpserver.url_for("/town.pmtiles"), client)
    local = source(tmp_path / "town.pmtiles", client)
    assert isinstance(remote, Networked)
    assert "holds the middle of town" in remote.probe(TOWN_REGION)
    assert remote.around(EDGE, 100.0) == local.around(EDGE, 100.0)
    assert remote.requests(np.full(9, EDGE.lat), np.full(9, EDGE.lon), Imagery()) == 10
    assert local.requests(np.full(9, EDGE.lat), np.full(9, EDGE.lon), Imagery()) == 0


def test_beyond_the_archive_there_is_no_map(tmp_path: Path, client: HttpClient) -> None:
    town = source(write_archive(tmp_path / "town.pmtiles"), client)
    for far, reason in ((Point(10.0, 10.0), Reason.NO_OVERLAP), (Point(EDGE.lat + 0.015, EDGE.lon), Reason.EMPTY_MAP)):
        with pytest.raises(SiteError) as error:
            town.chip(far, 256, 0.3)
        assert error.value.reason is reason


def test_an_archive_that_reaches_no_region_is_refused_with_its_bounds(tmp_path: Path, client: HttpClient) -> None:
    archive = PmtilesMap(type="pmtiles", archive=str(write_archive(tmp_path / "town.pmtiles")))
    far = Region(name="far", centre=(EDGE.lon, EDGE.lat), radius_m=300)
    PmtilesMapSource("p", archive, [far, TOWN_REGION], client)
    with pytest.raises(ConfigError, match=r"tiles within 8\.5\d+, 47\.3\d+, .*that reach one of its regions \(far\)"):
        PmtilesMapSource("p", archive, [far], client)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b"no archive at all"), "no PMTiles archive"),
        (lambda path: write_archive(path, [("transportation", 0, {}, [(0, 0)])]), r"another schema.*: transportation"),
        (lambda path: write_archive(path, kind=TileType.PNG), "PNG tiles"),
        (lambda path: write_archive(path, zoom=13), "zoom 13"),
        (lambda _: None, "which is no file"),
    ],
)
def test_archives_that_cannot_be_used_are_refused(
    tmp_path: Path, client: HttpClient, make: Callable[[Path], Any], message: str
) -> None:
    make(tmp_path / "a.pmtiles")
    with pytest.raises(ConfigError, match=message):
        source(tmp_path / "a.pmtiles", client)


def test_the_public_tile_server_is_refused(client: HttpClient) -> None:
    with pytest.raises(ConfigError, match="forbids bulk download"):
        source("https://vector.openstreetmap.org/planet.pmtiles", client)
    with pytest.raises(ConfigError, match="a key or signature"):
        source("https://e.org/planet.pmtiles?sig=abcdefgh", client)


@given(st.binary(max_size=300))
def test_rubbish_is_no_vector_tile_and_does_no_harm(data: bytes) -> None:
    try:
        read_tile(data, 15, 1, 1, {"roads"})
    except SiteError as error:
        assert error.reason is Reason.BAD_ANSWER  # noqa: PT017 - most rubbish is no tile, some is an empty one


@given(st.lists(st.integers(0, 2**32 - 1), max_size=40), st.sampled_from([1, 2, 3]), st.integers(0, 2**32 - 1))
def test_hostile_geometry_is_bounded(geometry: list[int], kind: int, extent: int) -> None:
    tile = vector_tile_pb2.tile()
    layer = tile.layers.add(name="roads", version=2, extent=extent)
    feature = layer.features.add(type=kind)
    feature.geometry.extend(geometry)
    try:
        things = read_tile(tile.SerializeToString(), 15, 1, 1, {"roads"})
    except SiteError as error:
        assert error.reason is Reason.BAD_ANSWER  # noqa: PT017 - some geometry can be read, most cannot
    else:
        assert len(things) <= 1


def test_a_tile_of_too_many_features_is_not_unpacked() -> None:
    tile = vector_tile_pb2.tile()
    layer = tile.layers.add(name="roads", version=2, extent=4096)
    for _ in range(60_001):
        layer.features.add(type=1).geometry.extend([9, 2, 2])
    with pytest.raises(SiteError) as error:
        read_tile(tile.SerializeToString(), 15, 1, 1, {"roads"})
    assert error.value.reason is Reason.ANSWER_TOO_LARGE
    assert not read_tile(tile.SerializeToString(), 15, 1, 1, {"water"})


@pytest.mark.parametrize(
    ("layer", "properties", "tags"),
    [
        ("roads", {"pmap:kind": "minor_road"}, {"highway": "road"}),
        ("roads", {"pmap:kind": "highway", "pmap:link": 1, "pmap:level": 1},
         {"highway": "motorway_link", "bridge": "yes", "layer": "1"}),
        ("roads", {"kind": "path", "kind_detail": "steps", "is_tunnel": True}, {"highway": "steps", "tunnel": "yes"}),
        ("roads", {"kind": "ferry"}, {"route": "ferry"}),
        ("roads", {"kind": "path", "kind_detail": "corridor"}, {"highway": "corridor"}),
        ("roads", {"kind": "rail", "kind_detail": "abandoned"}, {"highway": "abandoned"}),
        ("buildings", {"kind": "address", "addr_housenumber": "7"}, {}),
        ("landuse", {"kind": "school", "name": "Elm"}, {"amenity": "school", "name": "Elm"}),
        ("pois", {"kind": "station"}, {"railway": "station"}),
        ("water", {"kind": "lake", "name": 7}, {"natural": "water", "water": "lake", "name": "7"}),
    ],
)  # fmt: skip
def test_the_schema_is_read_as_tags(layer: str, properties: dict[str, Any], tags: dict[str, str]) -> None:
    assert tags_of(Thing(layer, 0, properties, shapely.box(0, 0, 1, 1))) == tags


@pytest.mark.parametrize(
    ("number", "found"),
    [((2 << 51) | 77, "osm:w77"), ((3 << 44) | 77, "osm:r77"), ((1 << 44) | 9_999_999_999, "osm:n9999999999")],
)
def test_ids_are_osms(number: int, found: str) -> None:
    assert id_of(Thing("roads", number, {}, None), 15, 1, 1) == found


def test_things_without_an_id_keep_theirs_from_one_reading_to_the_next() -> None:
    thing = Thing("roads", 0, {"kind": "path"}, shapely.LineString([(0, 0), (1, 1)]))
    assert id_of(thing, 15, 1, 1) == id_of(thing, 15, 1, 1) != id_of(thing, 15, 1, 2)
