"""A folder of photos: the index in three formats, what is near, and every kind of bad row."""

import csv
import json
import os
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from pipeline.config.region import Region
from pipeline.config.sources import FolderSource
from pipeline.errors import ConfigError, SiteError
from pipeline.geo.point import Point
from pipeline.sources.base import Photo
from pipeline.sources.street.folder import FolderStreetSource
from pipeline.sources.street.index import MOST_PROBLEMS
from schemas.reasons import Reason
from tools.corpus_index import index_from_manifest

BOULDER = Region(name="boulder", centre=(40.0178, -105.2802), radius_m=2_000)
SEOUL = Region(name="seoul", bbox=(126.9, 37.5, 127.1, 37.7))
KAMPALA = Region(name="kampala", centre=(0.31, 32.58), radius_m=5_000)
GOOD = {
    "path": "a.jpg",
    "lat": 40.0178,
    "lon": -105.2802,
    "author": "Ann",
    "licence": "CC-BY-4.0",
    "link": "https://example.org/a",
}
Rows = Sequence[dict[str, Any]]


def write(folder: Path, rows: Rows, suffix: str = ".jsonl") -> Path:
    """An index of rows, and the files that they name where they are plain names."""
    for row in rows:
        name = str(row.get("path", ""))
        if name.endswith(".jpg") and "/" not in name and "missing" not in name:
            (folder / name).write_bytes(b"JPEG " + name.encode())
    index = folder / f"index{suffix}"
    columns = list(dict.fromkeys(key for row in rows for key in row))
    if suffix == ".jsonl":
        index.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif suffix == ".csv":
        with index.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    else:
        points = [shapely.to_wkb(shapely.Point(row["lon"], row["lat"])) for row in rows]
        others = {key: [row.get(key) for row in rows] for key in columns if key not in {"lat", "lon"}}
        geo = {"version": "1.1.0", "primary_column": "geom", "columns": {"geom": {"encoding": "WKB"}}}
        table = pa.table({"geom": points, **others}).replace_schema_metadata({"geo": json.dumps(geo)})
        pq.write_table(table, index)
    return index


def source(folder: Path, rows: Rows, suffix: str = ".jsonl", *regions: Region) -> FolderStreetSource:
    config = FolderSource(type="folder", index=write(folder, rows, suffix), root=folder)
    return FolderStreetSource("photos", config, regions or [BOULDER])


def problems(folder: Path, rows: Rows, suffix: str = ".jsonl", *regions: Region) -> list[str]:
    with pytest.raises(ConfigError) as error:
        source(folder, rows, suffix, *regions)
    return [str(problem) for problem in error.value.problems]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_all_formats_give_the_same_photos(tmp_path: Path, suffix: str) -> None:
    full = GOOD | {"id": "x", "heading": 360.0, "hfov_deg": 64.0, "captured_at": "2026-04-02T04:00:06+02:00"}
    panorama = GOOD | {"path": "b.jpg", "panorama": True, "captured_at": "2021-07-29T11:16:42"}
    photos = list(source(tmp_path, [full, panorama], suffix).candidates(BOULDER))
    assert photos == [
        Photo(
            source_id="b.jpg",
            position=Point(40.0178, -105.2802),
            heading_deg=None,
            hfov_deg=360.0,
            projection="equirectangular",
            captured_at=datetime(2021, 7, 29, 11, 16, 42, tzinfo=UTC),
            author="Ann",
            licence="CC-BY-4.0",
            link="https://example.org/a",
        ),
        Photo(
            source_id="x",
            position=Point(40.0178, -105.2802),
            heading_deg=0.0,
            hfov_deg=64.0,
            projection="perspective",
            captured_at=datetime(2026, 4, 2, 2, 0, 6, tzinfo=UTC),
            author="Ann",
            licence="CC-BY-4.0",
            link="https://example.org/a",
        ),
    ]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
@pytest.mark.parametrize("heading", [-1, -1.0, "-1"])
def test_a_heading_of_minus_one_is_unknown(tmp_path: Path, suffix: str, heading: Any) -> None:
    (photo,) = source(tmp_path, [GOOD | {"heading": heading}], suffix).candidates(BOULDER)
    assert photo.heading_deg is None


@pytest.mark.parametrize(
    ("change", "column", "said"),
    [
        ({"path": "missing.jpg"}, "path", "No such file"),
        ({"path": "../a.jpg"}, "path", "not a plain path"),
        ({"path": "/etc/passwd"}, "path", "not a plain path"),
        ({"path": "C:\\a.jpg"}, "path", "not a plain path"),
        ({"path": "sub"}, "path", "no file"),
        ({"path": None}, "path", "nothing"),
        ({"lat": 105.28, "lon": 40.01}, "lat", "swapped?"),
        ({"lat": float("nan")}, "lat", "finite"),
        ({"lon": 181.0}, "lon", "less than or equal to 180"),
        ({"lat": None}, "lat", "nothing"),
        ({"lat": 0.0, "lon": 0.0}, "", "no position"),
        ({"lat": True}, "", "lat is true"),
        ({"heading": False}, "", "heading is false"),
        ({"author": " \u202e\0"}, "author", "at least 1"),
        ({"heading": 361.0}, "heading", "360"),
        ({"heading": -2.0}, "heading", "0"),
        ({"heading": float("nan")}, "heading", "finite"),
        ({"hfov_deg": 190.0}, "", "below 180"),
        ({"projection": "cylindrical"}, "projection", "perspective"),
        ({"projection": "equirectangular", "hfov_deg": 90.0}, "", "360"),
        ({"panorama": "maybe"}, "", "true or false"),
        ({"panorama": False, "projection": "equirectangular"}, "", "panorama is False"),
        ({"captured_at": "yesterday"}, "captured_at", "yesterday"),
        ({"captured_at": 1_700_000_000}, "captured_at", "ISO 8601"),
        ({"licence": "proprietary"}, "licence", "SPDX"),
        ({"licence": "Unknown"}, "licence", "SPDX"),
        ({"licence": "all rights reserved"}, "licence", "SPDX"),
        ({"licence": ""}, "licence", "nothing"),
        ({"author": ""}, "author", "nothing"),
        ({"link": None}, "link", "nothing"),
        ({"link": "javascript:alert(1)"}, "link", "javascript"),
        ({"licenses": "CC0-1.0"}, "licenses", "unknown column"),
    ],
)
def test_a_bad_row_is_named_with_its_column(tmp_path: Path, change: dict[str, Any], column: str, said: str) -> None:
    (tmp_path / "sub").mkdir()
    found = problems(tmp_path, [GOOD, GOOD | {"id": "other"} | change])
    about = [problem for problem in found if problem.startswith(f"index.jsonl:2 {column}".rstrip())]
    assert any(said in problem for problem in about), found
    assert not any("index.jsonl:1 " in problem for problem in found)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
@pytest.mark.parametrize("said", ["nan", "None", "NULL", "NaT", "<NA>"])
def test_what_programs_write_for_no_value_is_none(tmp_path: Path, said: str, suffix: str) -> None:
    """Photos of a sequence called nan would be taken for those of one drive."""
    unsaid = GOOD | {"id": said, "sequence": said, "captured_at": said}
    (photo,) = source(tmp_path, [unsaid], suffix).candidates(BOULDER)
    assert (photo.source_id, photo.sequence, photo.captured_at) == ("a.jpg", None, None)


def test_swapped_coordinates_within_range_are_noticed_by_the_regions(tmp_path: Path) -> None:
    found = problems(tmp_path, [GOOD, GOOD | {"id": "other", "lat": 32.58, "lon": 0.31}], ".jsonl", KAMPALA)
    assert len(found) == 1
    assert "index.jsonl:2 lat, lon" in found[0]
    assert "swapped" in found[0]


def test_photos_outside_all_regions_are_no_fault(tmp_path: Path) -> None:
    assert not list(source(tmp_path, [GOOD], ".jsonl", SEOUL).candidates(SEOUL))


def test_ids_that_come_twice_are_refused(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, [GOOD, GOOD | {"path": "b.jpg"}, GOOD])
    assert found == "index.jsonl:3 id: found 'a.jpg', as in index.jsonl:1; allowed: each id once"


def test_links_may_not_lead_out_of_the_root(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    root.mkdir()
    other.mkdir()
    (other / "secret.jpg").write_bytes(b"x")
    (root / "real.jpg").write_bytes(b"y")
    (root / "file.jpg").symlink_to(other / "secret.jpg")
    (root / "folder").symlink_to(other)
    (root / "fine.jpg").symlink_to(root / "real.jpg")
    index = tmp_path / "index.jsonl"
    rows = [GOOD | {"path": path} for path in ("file.jpg", "folder/secret.jpg", "fine.jpg")]
    index.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(ConfigError) as error:
        FolderStreetSource("photos", FolderSource(type="folder", index=index, root=root), [BOULDER])
    assert [problem.where for problem in error.value.problems] == ["index.jsonl:1 path", "index.jsonl:2 path"]
    assert all("out of the root" in problem.found for problem in error.value.problems)


def test_many_problems_are_cut_short(tmp_path: Path) -> None:
    found = problems(tmp_path, [GOOD | {"id": str(i), "licence": None} for i in range(MOST_PROBLEMS + 7)])
    assert len(found) == MOST_PROBLEMS + 1
    assert "and 7 more" in found[-1]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("i.jsonl", b'{"path": \n', "broken JSON"),
        ("i.jsonl", b"[1]\n", "one JSON object"),
        ("i.jsonl", b"\xff\xfe", "UTF-8"),
        ("i.jsonl", b"", "no rows"),
        ("i.csv", b"path,lat\na.jpg\n", "cells"),
        ("i.csv", b'path,lat\n"a.jpg,1\n', "CSV"),
        ("i.csv", b"path,lat,path\na.jpg,1,b.jpg\n", "path twice"),
        ("i.csv", b"path;lat\na.jpg;1\n", "^i.csv:2 path;lat: found an unknown column"),
        ("i.csv", b"PATH,LAT\na.jpg,1\n", "^i.csv:2 PATH: found an unknown column"),
        ("i.parquet", b"PAR1 no", "Parquet"),
        ("i.xlsx", b"", "suffix"),
    ],
)
def test_files_that_are_no_index_are_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    index = tmp_path / name
    index.write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        FolderStreetSource("photos", FolderSource(type="folder", index=index, root=tmp_path), [BOULDER])


def test_the_bytes_come_as_they_are_and_a_lost_file_is_the_sites_fault(tmp_path: Path) -> None:
    photos = source(tmp_path, [GOOD])
    (photo,) = photos.near(Point(40.0178, -105.2802), 5.0)
    assert photos.read(photo) == b"JPEG a.jpg"
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(SiteError) as error:
        photos.read(photo)
    assert error.value.reason is Reason.READ_FAILED


def read_fails(photos: FolderStreetSource, said: str | None = None) -> Reason:
    (photo,) = photos.near(Point(40.0178, -105.2802), 5.0)
    with pytest.raises(SiteError, match=said) as error:
        photos.read(photo)
    return error.value.reason


@pytest.mark.parametrize("swapped", ["file", "folder", "root"])
def test_no_link_is_followed_that_came_after_the_index_was_checked(swapped: str, tmp_path: Path) -> None:
    root, secret = tmp_path / "photos", tmp_path / "secret"
    for folder in (root / "day", secret / "day"):
        folder.mkdir(parents=True)
        (folder / "a.jpg").write_bytes(b"secret" if folder.is_relative_to(secret) else b"photo!")
    photos = source(root, [GOOD | {"path": "day/a.jpg"}])
    (photo,) = photos.near(Point(40.0178, -105.2802), 5.0)
    assert photos.read(photo) == b"photo!"
    place = {"file": root / "day" / "a.jpg", "folder": root / "day", "root": root}[swapped]
    place.rename(tmp_path / "before")
    place.symlink_to(secret / place.relative_to(root))
    assert read_fails(photos) is Reason.READ_FAILED


def test_a_link_that_was_checked_leads_where_it_led_then(tmp_path: Path) -> None:
    for name in ("real.jpg", "other.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "link").symlink_to(tmp_path / "real.jpg")
    photos = source(tmp_path, [GOOD | {"path": "link"}])
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to(tmp_path / "other.jpg")
    assert photos.read(photos.near(Point(40.0178, -105.2802), 5.0)[0]) == b"real.jpg"


def test_a_file_that_grew_or_is_none_any_more_is_not_read(tmp_path: Path) -> None:
    photos = source(tmp_path, [GOOD])
    with (tmp_path / "a.jpg").open("r+b") as file:
        file.truncate(40_000_000_000)
    assert read_fails(photos, "changed since the index was read") is Reason.READ_FAILED
    (tmp_path / "a.jpg").unlink()
    os.mkfifo(tmp_path / "a.jpg")
    assert read_fails(photos, "changed since the index was read") is Reason.READ_FAILED


def test_a_file_of_any_size_is_known_by_it_before_it_is_read(tmp_path: Path) -> None:
    index = write(tmp_path, [GOOD])
    with (tmp_path / "a.jpg").open("r+b") as file:
        file.truncate(40_000_000_000)  # takes no room on the disk
    photos = FolderStreetSource("photos", FolderSource(type="folder", index=index, root=tmp_path), [BOULDER])
    assert photos.near(Point(40.0178, -105.2802), 5.0)[0].size_bytes == 40_000_000_000
    assert read_fails(photos, "40000000000 bytes") is Reason.IMAGE_TOO_LARGE


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("geom", [[1, 2]], "a column geom of type list"),
        ("geom", [7], "a column geom of type int64"),
        ("geom", [b"\x01\x01"], "no point"),
        ("heading", [{"a": 1}], "heading"),
        ("captured_at", [3.5], "ISO 8601"),
    ],
)
def test_columns_of_the_wrong_kind_are_named(column: str, values: list[Any], said: str, tmp_path: Path) -> None:
    index = write(tmp_path, [GOOD], ".parquet")
    table = pq.read_table(index)
    if column in table.column_names:
        table = table.set_column(table.column_names.index(column), column, pa.array(values))
    else:
        table = table.append_column(column, pa.array(values))
    pq.write_table(table, index)
    with pytest.raises(ConfigError, match=said) as caught:
        FolderStreetSource("photos", FolderSource(type="folder", index=index, root=tmp_path), [BOULDER])
    assert all(problem.where.partition(":")[0].endswith("index.parquet") for problem in caught.value.problems)


def test_a_column_of_dates_is_taken(tmp_path: Path) -> None:
    index = write(tmp_path, [GOOD], ".parquet")
    pq.write_table(pq.read_table(index).append_column("captured_at", pa.array([date(2026, 3, 1)])), index)
    photos = FolderStreetSource("photos", FolderSource(type="folder", index=index, root=tmp_path), [BOULDER])
    assert photos.near(Point(40.0178, -105.2802), 5.0)[0].captured_at == datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('{"path": "a.jpg", "author": "\\ud800"}', "broken JSON"),
        ("[" * 100_000, "broken JSON"),
        ('{"captured_at": "0001-01-01T00:00:00+14:00"}', "between years 1 and 9999"),
        ('{"path": "a\\u0000.jpg"}', "not a plain path"),
    ],
)
def test_lines_that_would_break_a_reader_are_named(row: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    index = tmp_path / "index.jsonl"
    line = row if row.startswith("[") else json.dumps(GOOD)[:-1] + ", " + row[1:]
    index.write_text(line)
    with pytest.raises(ConfigError, match=said) as caught:
        FolderStreetSource("photos", FolderSource(type="folder", index=index, root=tmp_path), [BOULDER])
    assert caught.value.problems[0].where.startswith("index.jsonl:1")


def test_the_fingerprint_follows_rows_and_sizes(tmp_path: Path) -> None:
    before = source(tmp_path, [GOOD]).fingerprint()
    assert source(tmp_path, [GOOD], ".csv").fingerprint() == before
    assert source(tmp_path, [GOOD | {"heading": 1.0}]).fingerprint() != before
    write(tmp_path, [GOOD])
    (tmp_path / "a.jpg").write_bytes(b"another picture")
    config = FolderSource(type="folder", index=tmp_path / "index.jsonl", root=tmp_path)
    assert FolderStreetSource("photos", config, [BOULDER]).fingerprint() != before


@pytest.fixture(scope="module")
def spirals(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Point, FolderStreetSource]]:
    """120 photos around points of the globe, each half a metre further away than the one before."""
    found = []
    for lat, lon in ((47.0, 8.5), (-16.8, 179.9999), (78.2, -15.0)):
        rows = []
        for i in range(120):
            x, y, _ = Geod(ellps="WGS84").fwd(lon, lat, 37 * i % 360, 0.5 * i)
            rows.append(GOOD | {"id": f"{i:03}", "lat": y, "lon": x})
        found.append((Point(lat, lon), source(tmp_path_factory.mktemp("spiral"), rows)))
    return found


@given(st.integers(0, 2), st.integers(0, 119), st.floats(0.001, 0.499))
def test_near_finds_all_within_the_radius_nearest_first(
    spirals: list[tuple[Point, FolderStreetSource]], which: int, last: int, more: float
) -> None:
    site, photos = spirals[which]
    near = [photo.source_id for photo in photos.near(site, 0.5 * last + more)]
    assert near == [f"{i:03}" for i in range(last + 1)]


def test_a_region_over_the_antimeridian_has_its_photos(spirals: list[tuple[Point, FolderStreetSource]]) -> None:
    for site, photos in spirals:
        region = Region(name="r", centre=(site.lat, site.lon), radius_m=1_000)
        assert len(list(photos.candidates(region))) == 120


def test_ties_go_by_id(tmp_path: Path) -> None:
    photos = source(tmp_path, [GOOD | {"id": name} for name in ("c", "a", "b")])
    assert [photo.source_id for photo in photos.near(Point(40.0178, -105.2802), 1.0)] == ["a", "b", "c"]


def test_candidates_of_a_circle_leave_its_corners_out(tmp_path: Path) -> None:
    rows = [GOOD, GOOD | {"id": "corner", "lat": 40.0178 + 0.0145, "lon": -105.2802 + 0.019}]
    assert [photo.source_id for photo in source(tmp_path, rows).candidates(BOULDER)] == ["a.jpg"]


def test_the_corpus_photos_can_be_read(tmp_path: Path, corpus: Path) -> None:
    index = tmp_path / "index.jsonl"
    rows = index_from_manifest(corpus / "MANIFEST.jsonl", "boulder_co") + index_from_manifest(
        corpus / "MANIFEST.jsonl", "seoul"
    )
    index.write_text("".join(json.dumps(row) + "\n" for row in rows))
    photos = FolderStreetSource("photos", FolderSource(type="folder", index=index, root=corpus), [BOULDER, SEOUL])
    here = list(photos.candidates(BOULDER))
    assert len(here) == 58
    assert len(list(photos.candidates(SEOUL))) == 22
    assert photos.read(here[0]).startswith(b"\xff\xd8")
    assert here[0] in photos.near(here[0].position, 1.0)
