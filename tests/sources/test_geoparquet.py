"""GeoParquet from anywhere: rows in boxes, and no more in memory than fits the file's size."""

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from pyproj import CRS

from pipeline.errors import ConfigError
from pipeline.geo.window import Window
from pipeline.sources.geoparquet import geometry_column, read_rows
from pipeline.sources.maps.read_geo import read_geoparquet

GEO = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}}


def write(path: Path, columns: dict[str, Any], geo: Any = GEO, **options: Any) -> Path:
    pq.write_table(pa.table(columns).replace_schema_metadata({"geo": json.dumps(geo)}), path, **options)
    return path


def points(number: int) -> dict[str, Any]:
    places = [(i / 100.0, 10.0) for i in range(number)]
    boxes = [{"xmin": x, "xmax": x, "ymin": y, "ymax": y} for x, y in places]
    return {
        "id": [f"p{i}" for i in range(number)],
        "geometry": [shapely.to_wkb(shapely.Point(place)) for place in places],
        "names": pa.array([{"primary": f"name {i}", "common": [("en", f"n{i}")]} for i in range(number)],
                          pa.struct([("primary", pa.string()), ("common", pa.map_(pa.string(), pa.string()))])),
        "bbox": boxes,
    }  # fmt: skip


def test_rows_of_boxes_are_those_that_meet_them(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", points(1_000), row_group_size=100)
    everything = read_rows(path)
    assert [row["id"] for row in everything] == [f"p{i}" for i in range(1_000)]
    assert everything[7]["names"] == {"primary": "name 7", "common": [("en", "n7")]}
    assert "bbox" not in everything[0]
    found = read_rows(path, [(1.005, 0.0, 1.055, 20.0), (7.0, 9.0, 7.0, 11.0), (0.0, 50.0, 9.0, 60.0)])
    assert [row["id"] for row in found] == ["p101", "p102", "p103", "p104", "p105", "p700"]


def test_rows_without_sound_bounds_are_read_for_their_geometry_to_tell(tmp_path: Path) -> None:
    columns = points(4)
    columns["bbox"][1:3] = [None, dict.fromkeys(("xmin", "xmax", "ymin", "ymax"), float("nan"))]
    path = write(tmp_path / "a.parquet", columns)
    assert [row["id"] for row in read_rows(path, [(0.03, 0.0, 1.0, 20.0)])] == ["p1", "p2", "p3"]


@pytest.mark.parametrize(("srid", "sound"), [(0, True), (4326, True), (27700, False), (4277, False)])
def test_geometry_may_name_no_other_system_than_the_file(srid: int, sound: bool, tmp_path: Path) -> None:
    shapes = shapely.set_srid(shapely.points([[8.5, 47.4], [8.6, 47.4]]), srid)
    columns = {
        "id": ["a", "b"],
        "category": ["museum"] * 2,
        "geometry": list(shapely.to_wkb(shapes, include_srid=True)),
    }
    path = write(tmp_path / "a.parquet", columns)
    if sound:
        assert len(list(read_geoparquet(path, Window(((-180.0, -90.0, 180.0, 90.0),))).elements)) == 2
    else:
        with pytest.raises(ConfigError, match=f"geometry with SRID {srid}"):
            read_geoparquet(path, Window(((-180.0, -90.0, 180.0, 90.0),)))


def test_row_groups_elsewhere_are_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", points(1_000), row_group_size=100)
    data = bytearray(path.read_bytes())
    group = pq.read_metadata(path).row_group(9)
    for i in range(group.num_columns):
        chunk = group.column(i)
        start = chunk.dictionary_page_offset or chunk.data_page_offset
        data[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(data)
    assert len(read_rows(path, [(0.0, 0.0, 5.0, 20.0)])) == 501
    with pytest.raises(ConfigError, match="cannot be read"):
        read_rows(path)


BOMBS = {
    "a text named in each row": {"name": ["x" * 100_000] * 1_000},
    "bytes named in each row": {"geometry": [b"x" * 100_000] * 1_000},
    "a text in a list": {"names": [[{"value": "x" * 100_000}]] * 1_000},
    "a text in a map": {"names": pa.array([[("en", "x" * 100_000)]] * 1_000, pa.map_(pa.string(), pa.string()))},
    "nulls": {"a": pa.nulls(10_000_000, pa.int64())},
    "one number": {"a": pa.array([5] * 3_000_000)},
    "lists of one number": {"a": [[1] * 1_000_000] * 3},
}


@pytest.mark.parametrize("columns", BOMBS.values(), ids=BOMBS.keys())
def test_small_files_that_stand_for_gigabytes_are_refused(columns: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "bomb.parquet"
    pq.write_table(pa.table(columns), path, compression="zstd")
    assert path.stat().st_size < 50_000
    with pytest.raises(ConfigError, match=r"unpack to more than|stand for") as caught:
        read_rows(path)
    assert caught.value.problems[0].where == str(path)


def test_texts_that_add_to_the_one_before_are_counted_in_full(tmp_path: Path) -> None:
    path = tmp_path / "bomb.parquet"
    texts = ["x" * 100_000 + f"{i:06}" for i in range(300)]
    options: dict[str, Any] = {"column_encoding": {"a": "DELTA_BYTE_ARRAY"}, "use_dictionary": False}
    pq.write_table(pa.table({"a": texts}), path, compression="zstd", **options)
    assert path.stat().st_size < 20_000
    with pytest.raises(ConfigError, match="unpack to more than"):
        read_rows(path)


def test_wide_tables_of_nulls_as_map_extracts_are_read(tmp_path: Path) -> None:
    some = random.Random(1)
    columns: dict[str, Any] = {f"tag{i}": pa.nulls(10_000, pa.string()) for i in range(60)}
    columns["geometry"] = [some.randbytes(40) for _ in range(10_000)]
    path = write(tmp_path / "osm.parquet", columns)
    assert len(read_rows(path)) == 10_000


@pytest.mark.parametrize(
    ("geo", "said"),
    [
        ([], "broken GeoParquet metadata"),
        ({"primary_column": ["geometry"], "columns": {}}, "broken GeoParquet metadata"),
        ({"primary_column": "geometry", "columns": {"geometry": 5}}, "broken GeoParquet metadata"),
        ({"primary_column": "geometry", "columns": {"geometry": {"encoding": "point"}}}, "encoding point"),
        ({"primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB", "crs": [1]}}}, r"in system \[1\]"),
        (
            {
                "primary_column": "geometry",
                "columns": {"geometry": {"encoding": "WKB", "crs": CRS(27700).to_json_dict()}},
            },
            "in system OSGB36 / British National Grid",
        ),
        (
            {"primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB", "crs": None}}},
            "an unnamed system",
        ),
        ({"primary_column": "gone", "columns": {"gone": {"encoding": "WKB"}}}, "a column gone of type None"),
    ],
)
def test_metadata_of_the_wrong_kind_is_refused(geo: Any, said: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", points(3), geo)
    with pytest.raises(ConfigError, match=said):
        geometry_column(path)
