from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.engine import layers
from pipeline.engine.counts import Counts
from pipeline.engine.details import Details
from pipeline.engine.layers import (
    DamagedLayerError,
    LayerFile,
    commit,
    commit_sites,
    list_layers,
    read_counts,
    read_rows,
    read_units,
)
from pipeline.storage import Store, open_store
from schemas.reasons import Reason
from schemas.records import CueRow, Site

ROWS = [
    CueRow(site_id="a", status="ok", reason=None, detail=None, cues=[]),
    CueRow(site_id="b", status="failed", reason=Reason.NO_CUES, detail="nothing there", cues=[]),
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path))


def put(store: Store, recipe: str = "abc", rows: list[CueRow] = ROWS) -> LayerFile:
    return commit(store, "cues", "north", "891", recipe, CueRow, rows)


def test_a_table_is_found_by_its_name_alone(store: Store) -> None:
    file = put(store)
    listing = list_layers(store)
    assert list(listing) == [file]
    assert listing.of_unit("north", "891") == (file,)
    assert read_rows(store, file, CueRow) == ROWS
    assert read_counts(store, file) == Counts(1, {"no_cues": 1}, {"no_cues": Details((("nothing there", 1),))})


def test_the_same_rows_give_the_same_file(store: Store) -> None:
    first = put(store)
    before = (Path(store.url) / first.path).stat().st_mtime_ns
    assert put(store) == first
    assert (Path(store.url) / first.path).stat().st_mtime_ns == before
    assert put(store, rows=ROWS[:1]).content != first.content
    assert put(store, recipe="abd").content == first.content


def test_an_empty_table_keeps_its_schema(store: Store) -> None:
    assert read_rows(store, put(store, rows=[]), CueRow) == []


def test_a_table_of_many_bytes_is_read_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrow writes 2 GiB of pictures into one row group, and cannot read them."""
    whole = put(store)
    monkeypatch.setattr(layers, "_GROUP_BYTES", 10)
    cut = put(store, recipe="abd")
    paths = [Path(store.url) / file.path for file in (whole, cut)]
    assert [pq.read_metadata(path).num_row_groups for path in paths] == [1, 2]
    assert read_rows(store, cut, CueRow) == ROWS
    assert read_counts(store, cut) == read_counts(store, whole)


@pytest.fixture(params=[2, layers.FORMAT])
def named(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, store: Store) -> LayerFile:
    """A table with a name of an earlier format, and of this one."""
    with monkeypatch.context() as patch:
        if request.param == 2:
            as_format_2(patch)
        return put(store)


def as_format_2(patch: pytest.MonkeyPatch) -> None:
    """Have tables written as format 2 was."""
    patch.setattr(layers, "FORMAT", 2)
    patch.setattr(layers, "_DIGITS", 16)


def test_the_name_of_every_format_is_that_of_the_bytes(store: Store, named: LayerFile) -> None:
    assert read_rows(store, named, CueRow) == ROWS
    assert list(list_layers(store)) == [named]
    other = replace(named, content=named.content[::-1])
    (Path(store.url) / named.path).rename(Path(store.url) / other.path)
    with pytest.raises(DamagedLayerError, match=other.path):
        read_rows(store, other, CueRow)


@pytest.mark.parametrize("at", [0, 4, 100, -200, -9, -5, -1])
def test_a_flipped_byte_anywhere_is_noticed_and_named(store: Store, named: LayerFile, at: int) -> None:
    file = named
    path = Path(store.url) / file.path
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(DamagedLayerError, match=file.path):
        read_rows(store, file, CueRow)


@pytest.mark.parametrize("keep", [0, 3, 500])
def test_a_truncated_file_is_noticed_without_reading_its_rows(store: Store, keep: int) -> None:
    file = put(store)
    path = Path(store.url) / file.path
    path.write_bytes(path.read_bytes()[:keep])
    for look in (lambda: read_rows(store, file, CueRow), lambda: read_counts(store, file)):
        with pytest.raises(DamagedLayerError, match=file.path):
            look()


def test_strange_files_are_no_layers(store: Store) -> None:
    for path in ("cues/north/notes.txt", "cues/north/891.parquet", "cues/x.1.2.parquet", "other/north/891.a.b.parquet"):
        store.write(path, b"")
    assert list(list_layers(store)) == []


def test_a_region_keeps_the_digest_of_each_units_sites(store: Store) -> None:
    sites = [Site(site_id=f"s{n}", region="north", unit=f"u{n % 2}", lat=1, lon=2, weight=1) for n in range(5)]
    file = commit_sites(store, "north", "abc", sites, {"u0": "aa", "u1": "bb"})
    assert read_units(store, file) == {"u0": (3, "aa"), "u1": (2, "bb")}
    assert list_layers(store).sites("north", "abc") == file
