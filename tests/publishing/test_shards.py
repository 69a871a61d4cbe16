import hashlib
import json
import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Features
from pydantic import BaseModel

from pipeline.publishing import joining, shards
from pipeline.publishing.grouping import Group
from pipeline.publishing.layout import card_features, columns, leaves, published_row, shard_schema, writer_options
from pipeline.publishing.row_groups import row_bytes, row_groups
from pipeline.publishing.shards import ShardTask, make_shard, read_entry
from pipeline.publishing.units import FinishedUnit, UnitPart
from schemas.arrow import fitted
from tools.verify.content import ShardHash, content_hash, row_digest


def test_footer_features_are_what_datasets_makes_of_the_schema() -> None:
    said = json.loads(shard_schema((0.0, 0.0, 1.0, 1.0)).metadata[b"huggingface"])["info"]["features"]
    features = Features.from_dict(said)
    assert features.arrow_schema.equals(columns())
    assert features["street"].dtype == features["other_views"].feature["image"].dtype == "PIL.Image.Image"
    assert features._to_yaml_list() == card_features()
    assert "List" not in json.dumps(said)  # versions before 4.0 do not know it


def test_times_are_text_that_sorts_as_they_do() -> None:
    paris = timezone(timedelta(hours=2))
    times = [datetime(2024, 5, 1, 12, tzinfo=UTC), datetime(2024, 5, 1, 13, 59, tzinfo=paris), None]
    row = published_row({"captured_at": times[0], "views": [{"captured_at": time} for time in times], "image": b"x"})
    assert row == {
        "captured_at": "2024-05-01T12:00:00Z",
        "views": [{"captured_at": text} for text in ("2024-05-01T12:00:00Z", "2024-05-01T11:59:00Z", None)],
        "image": b"x",
    }
    assert not any(pa.types.is_timestamp(kind) for _, kind in leaves(columns()))


def test_leaf_paths_are_those_of_parquet(tmp_path: Path) -> None:
    pq.write_table(columns().empty_table(), tmp_path / "empty.parquet")
    schema = pq.read_metadata(tmp_path / "empty.parquet").schema
    assert [path for path, _ in leaves(columns())] == [schema.column(i).path for i in range(len(schema))]


def rows(count: int, picture_bytes: int) -> pa.Table:
    blank = dict.fromkeys(columns().names)
    return pa.Table.from_pylist(
        [
            blank
            | {"sample_id": f"{i:04d}", "unit": "8a", "street": {"bytes": bytes([i]) * picture_bytes, "path": "a"}}
            for i in range(count)
        ],
        schema=columns(),
    )


def test_row_groups_go_by_bytes_whatever_the_pieces() -> None:
    table = rows(100, 10_000)
    pieces = [table.slice(0, 7), table.slice(7, 0), table.slice(7, 60), table.slice(67)]
    one, several = (list(row_groups(tables, 205_000)) for tables in ([table], pieces))
    assert [group.num_rows for group in one] == [group.num_rows for group in several]
    assert len(one) == 6
    assert all(abs(group.num_rows - 205_000 / 10_000) <= 2.5 for group in one[:-1])  # nulls of other columns, too
    assert pa.concat_tables(one) == pa.concat_tables(several) == table


def test_a_row_larger_than_a_row_group_has_its_own() -> None:
    assert [group.num_rows for group in row_groups([rows(3, 10_000)], 10.0)] == [1, 1, 1]


def task_of(unit: FinishedUnit, **changes: Any) -> ShardTask:
    table = unit.load().imagery
    lon, lat = table["lon"].to_pylist(), table["lat"].to_pylist()
    bounds = min(lon), min(lat), max(lon), max(lat)
    part = UnitPart(unit.region, unit.unit, unit.content, tuple(table["site_id"].to_pylist()), bounds, None, ())
    return ShardTask(Group("train", "north", (replace(part, **changes),)), 20_000.0)


def test_a_shard_is_made_from_its_task_and_tables_alone(units: list[FinishedUnit], tmp_path: Path) -> None:
    unit = units[1]
    task = task_of(unit)
    for name in ("a", "b"):
        make_shard(pickle.loads(pickle.dumps(task)), [unit.load()], tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    sha256 = hashlib.sha256((tmp_path / "a").read_bytes()).hexdigest()
    with (tmp_path / "a").open("rb") as file:
        entry = read_entry(file, task.path(sha256))
        assert entry is not None
        assert entry.path == f"data/train/north-{task.recipe}-{sha256[:16]}.parquet"
        assert (entry.sha256, entry.rows, entry.counts.regions) == (sha256, 5, {"north": 5})
        assert (entry.first_id, entry.last_id) == (task.group.parts[0].sites[0], task.group.parts[0].sites[-1])
        assert entry.row_groups > 1
        assert read_entry(file, task.path("0" * 64)) is None  # not what its name promises


def test_a_unit_of_many_bytes_is_joined_piece_by_piece(
    units: list[FinishedUnit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column of Arrow's in one piece has less than 2 GiB; the table of such a unit is in several."""
    task, tables = task_of(units[1]), units[1].load()
    make_shard(task, [tables], tmp_path / "whole")
    monkeypatch.setattr(joining, "MOST_BYTES", int(row_bytes(tables.imagery).max() * 2.5))
    sites = task.group.parts[0].sites
    assert list(joining.runs(tables.imagery, reversed(sites))) == [sites[:2], sites[2:4], sites[4:]]
    taken: list[int] = []

    def noted(record: type[BaseModel], table: pa.Table) -> pa.Table:
        taken.append(table.num_rows)
        return fitted(record, table)

    monkeypatch.setattr(joining, "fitted", noted)
    rows_of = range(tables.imagery.num_rows)
    cut = replace(tables, imagery=pa.concat_tables([tables.imagery.slice(row, 1) for row in rows_of]))
    make_shard(task, [cut], tmp_path / "cut")
    assert taken[::3] == [2, 2, 1]
    assert pq.read_table(tmp_path / "cut").equals(pq.read_table(tmp_path / "whole"))
    entries = []
    for name in ("whole", "cut"):
        with (tmp_path / name).open("rb") as file:
            entries.append(read_entry(file, task.path(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())))
    assert entries[0] is not None
    assert entries[1] is not None
    assert (entries[0].content, entries[0].counts) == (entries[1].content, entries[1].counts)


def test_what_decides_a_shard_is_in_its_recipe(units: list[FinishedUnit]) -> None:
    task = task_of(units[1])
    sites = task.group.parts[0].sites
    others = [
        task_of(units[1], content="other"),
        task_of(units[1], sites=sites[:-1]),
        task_of(units[1], map_licence="ODbL-1.0"),
        task_of(units[1], synthetic=("photos",)),
        replace(task, row_group_bytes=1.0),
        replace(task, group=replace(task.group, split="val")),
    ]
    assert len({task.recipe, *(other.recipe for other in others)}) == len(others) + 1
    assert task_of(units[1]).recipe == task.recipe


def test_settings_stand_in_the_file(units: list[FinishedUnit], tmp_path: Path) -> None:
    make_shard(task_of(units[1]), [units[1].load()], tmp_path / "x")
    metadata = pq.read_metadata(tmp_path / "x")
    group = metadata.row_group(0)
    leaf = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert leaf["street.bytes"].compression == "UNCOMPRESSED"
    assert leaf["description"].compression == "ZSTD"
    assert leaf["lat"].compression == "SNAPPY"
    assert not leaf["street.bytes"].is_stats_set
    assert not leaf["description"].is_stats_set
    assert leaf["bbox.xmin"].is_stats_set
    assert leaf["sample_id"].has_offset_index
    assert leaf["region"].has_dictionary_page
    assert not leaf["sample_id"].has_dictionary_page
    assert [column.column_index for column in group.sorting_columns] == [2]
    table = pq.read_table(tmp_path / "x")
    west, south, east, north = json.loads(table.schema.metadata[b"geo"])["columns"]["geometry"]["bbox"]
    assert (west, east) == (min(table["lon"].to_pylist()), max(table["lon"].to_pylist()))
    assert (south, north) == (min(table["lat"].to_pylist()), max(table["lat"].to_pylist()))


def test_a_shard_has_a_bloom_filter_of_its_ids(tmp_path: Path) -> None:
    sizes = []
    for options in (writer_options(50), writer_options(50) | {"bloom_filter_options": None}):
        with pq.ParquetWriter(tmp_path / "x", columns(), **options) as writer:
            writer.write_table(rows(50, 10_000))
        sizes.append((tmp_path / "x").stat().st_size)
    assert sizes[0] > sizes[1]


def test_the_older_hash_depends_on_content_alone() -> None:
    first, second = rows(2, 10).to_pylist()
    assert row_digest(first) == row_digest(dict(reversed(first.items())))
    assert row_digest(first) != row_digest(first | {"street": second["street"]})
    digests = {"a": row_digest(first), "b": row_digest(second)}
    assert content_hash(digests) == content_hash(dict(reversed(digests.items())))
    assert content_hash(digests) != content_hash({"a": digests["b"], "b": digests["a"]})


def test_rows_are_hashed_as_the_version_did_that_wrote_the_shard() -> None:
    table = pa.table(
        {
            "a": pa.array(["ab", None, "c"]),
            "b": pa.array([[1.5], [], [2.0, 3.0]]),
            "c": pa.array([{"x": b"12"}, None, {"x": b""}]),
        }
    )
    said = "columns-1:0718beb192fbf410827b1fab96749c889fecd582b30e74a9f346885e7435dc1e"
    for wanted in (said, said.replace("columns-1", "columns-2")):
        found = ShardHash(wanted)
        found.add(table, table.to_pylist())
        assert (found.hexdigest() == wanted) == (wanted == said)


def test_rows_counts_and_hash_are_the_same_however_many_units_are_looked_at_at_once(
    units: list[FinishedUnit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (task_of(unit) for unit in units[1:3])
    task = replace(one, group=replace(one.group, parts=(*one.group.parts, *other.group.parts)))
    for name, least in (("one", 1), ("all", 2**30)):
        monkeypatch.setattr(shards, "_GATHERED", least)
        make_shard(task, [unit.load() for unit in units[1:3]], tmp_path / name)
    by_one, together = (pq.ParquetFile(tmp_path / name) for name in ("one", "all"))
    assert by_one.read().to_pylist() == together.read().to_pylist()
    assert by_one.metadata.metadata[b"geoscribe"] == together.metadata.metadata[b"geoscribe"]
