"""GeoJSON and GeoParquet: what their writers put where there is no value, and what is no table of features."""

import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from pipeline.cartography.existence import Trust
from pipeline.cartography.features import features_of
from pipeline.config.region import Region
from pipeline.config.sources import MapFiles
from pipeline.errors import ConfigError
from pipeline.geo.point import Point
from pipeline.geo.window import Window
from pipeline.sources.maps.files import MapFilesSource
from pipeline.sources.maps.read_geo import read_geojson

ZURICH = Point(47.3769, 8.5417)


def around(point: Point) -> Region:
    return Region(name=f"r{int(point.lat)}", centre=(point.lat, point.lon), radius_m=500)


def made(tmp_path: Path, document: object) -> MapFilesSource:
    (tmp_path / "m.json").write_text(json.dumps(document))
    return MapFilesSource("m", MapFiles(type="files", files=[tmp_path / "m.json"]), [around(ZURICH)])


def feature(point: Point, **properties: Any) -> dict[str, Any]:
    place = {"type": "Point", "coordinates": [point.lon, point.lat]}
    return {"type": "Feature", "geometry": place, "properties": properties}


@pytest.mark.parametrize("said", ["nan", "NaN", "null", "None", "<NA>", "NaT", float("nan"), None])
def test_what_programs_write_for_no_value_is_none(said: Any, tmp_path: Path) -> None:
    shop = feature(ZURICH, amenity="cafe", name=said, shop=said, end_date=said, operating_status=said, disused=said)
    read = read_geojson(Path("m.geojson"), {"features": [shop]})
    assert [element.tags for element in read.elements] == [{"amenity": "cafe"}]
    path = tmp_path / "town.parquet"
    place = pa.array([shapely.to_wkb(shapely.Point(ZURICH.lon, ZURICH.lat))])
    pq.write_table(pa.table({"geometry": place, "amenity": ["cafe"], "name": [said]}), path)
    source = MapFilesSource("m", MapFiles(type="files", files=[path]), [around(ZURICH)])
    assert [(fact.category, fact.name) for fact in source.around(ZURICH, 10.0)] == [("cafe", None)]


def test_names_that_are_like_no_value_are_names(tmp_path: Path) -> None:
    for name in ("Nan", "Null", "True", "Na", 75):
        shop = {"type": "FeatureCollection", "features": [feature(ZURICH, amenity="cafe", name=name)]}
        assert [fact.name for fact in made(tmp_path, shop).around(ZURICH, 10.0)] == [str(name)]
    flag = {"type": "FeatureCollection", "features": [feature(ZURICH, amenity="cafe", name=True)]}
    assert [fact.name for fact in made(tmp_path, flag).around(ZURICH, 10.0)] == [None]


@pytest.mark.parametrize(("value", "gone"), [(1.0, True), (0.0, False), (1, True), (0, False), (True, True)])
def test_whole_numbers_may_be_floats_as_in_columns_with_nulls(value: Any, gone: bool) -> None:
    shop = feature(ZURICH, amenity="cafe", disused=value, lanes=2.0)
    (element,) = read_geojson(Path("m.geojson"), {"features": [shop]}).elements
    assert element.tags["lanes"] == "2"
    left_out: Counter[str] = Counter()
    found = features_of([element], Window.of([around(ZURICH).bounds()], 100.0), left_out, Trust(date(2026, 1, 1), 0.0))
    assert (len(found), left_out.total()) == ((0, 1) if gone else (1, 0))


def test_features_without_properties_are_counted(tmp_path: Path) -> None:
    empty: list[Any] = [None, {}, [1]]
    bare = [feature(ZURICH) | {"properties": properties} for properties in empty]
    document = {"type": "FeatureCollection", "features": [*bare, {"type": "FeatureCollection", "features": bare}]}
    assert made(tmp_path, document).left_out == {"without properties": 4}


def test_a_single_feature_is_read_and_other_geojson_is_named(tmp_path: Path) -> None:
    shop = feature(ZURICH, amenity="cafe", name="A")
    assert [fact.name for fact in made(tmp_path, shop).around(ZURICH, 10.0)] == ["A"]
    for kind in ("Point", "GeometryCollection", "Topology"):
        with pytest.raises(ConfigError, match=f"JSON of type '{kind}'; allowed: .*FeatureCollection"):
            made(tmp_path, {"type": kind})


def test_map_data_that_lies_near_no_region_is_refused_with_its_bounds(tmp_path: Path) -> None:
    """As where latitude and longitude are swapped: every site would lack its map."""
    swapped = Point(ZURICH.lon, ZURICH.lat)
    paths = [tmp_path / name for name in ("a.geojson", "b.geojson")]
    for path, points in zip(paths, ([swapped, Point(1.0, 2.0)], [swapped]), strict=True):
        features = [feature(point, amenity="cafe", name="A") for point in points]
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    files = MapFiles(type="files", files=paths)
    with pytest.raises(ConfigError) as caught:
        MapFilesSource("m", files, [around(ZURICH)])
    (problem,) = caught.value.problems
    assert problem.where == "sources.map.m.files"
    assert problem.found == "map data within 2.0000, 1.0000, 47.3769, 8.5417 (west, south, east, north)"
    assert MapFilesSource("m", files, [around(ZURICH), around(swapped)]).around(swapped, 10.0)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"crs": "EPSG:4267"}, "coordinates in system EPSG:4267"),
        ({"crs": "OGC:CRS84", "edges": "spherical"}, None),
        ({}, None),
        ([], "broken GeoParquet metadata"),
    ],
)
def test_a_parquet_file_may_tell_its_system_as_geoarrow_does(told: Any, said: str | None, tmp_path: Path) -> None:
    kind = {"ARROW:extension:name": "geoarrow.wkb", "ARROW:extension:metadata": json.dumps(told)}
    fields = pa.schema([pa.field("amenity", pa.string()), pa.field("geometry", pa.binary(), metadata=kind)])
    point = shapely.to_wkb(shapely.Point(ZURICH.lon, ZURICH.lat))
    pq.write_table(pa.table([["cafe"], [point]], schema=fields), tmp_path / "m.parquet")
    files = MapFiles(type="files", files=[tmp_path / "m.parquet"])
    if said is None:
        assert len(MapFilesSource("m", files, [around(ZURICH)]).around(ZURICH, 10.0)) == 1
    else:
        with pytest.raises(ConfigError, match=said):
            MapFilesSource("m", files, [around(ZURICH)])
