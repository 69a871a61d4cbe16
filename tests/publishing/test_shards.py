import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Features
from hypothesis import given
from hypothesis import strategies as st

from pipeline.publishing.layout import card_features, columns, leaves, shard_schema, writer_options
from pipeline.publishing.shards import Load, content_hash, pack, row_digest, write_shard

SIZES = st.lists(st.floats(1, 3e7), min_size=1, max_size=200)


@given(SIZES, st.floats(1e6, 4e8))
def test_packing_keeps_units_whole_in_order_and_even(sizes: list[float], shard_bytes: float) -> None:
    size = {f"{i:015x}": value for i, value in enumerate(sizes)}
    shards = pack([Load("north", unit, "train", size[unit]) for unit in reversed(size)], shard_bytes)
    assert [unit for shard in shards for unit in shard.units] == sorted(size)
    even = sum(sizes) / max(1, round(sum(sizes) / shard_bytes))
    assert all(sum(size[unit] for unit in shard.units) <= even + max(sizes) for shard in shards)
    assert [shard.path for shard in shards] == [
        f"data/train/north-{i:05d}-of-{len(shards):05d}.parquet" for i in range(len(shards))
    ]


def test_shards_never_mix_regions_or_splits() -> None:
    loads = [
        Load("b", "1", "val", 5.0),
        Load("a", "2", "train", 5.0),
        Load("a", "1", "val", 5.0),
        Load("b", "3", "val", 5.0),
    ]
    assert [(shard.split, shard.region, shard.units) for shard in pack(loads, 1e9)] == [
        ("train", "a", ["2"]),
        ("val", "a", ["1"]),
        ("val", "b", ["1", "3"]),
    ]


def test_footer_features_are_what_datasets_makes_of_the_schema() -> None:
    schema = shard_schema((0.0, 0.0, 1.0, 1.0))
    features = Features.from_arrow_schema(schema)
    assert features.to_dict() == json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert features["street"].dtype == features["other_views"].feature["image"].dtype == "PIL.Image.Image"
    assert features._to_yaml_list() == card_features()


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


def test_row_groups_go_by_bytes_whatever_the_pieces(tmp_path: Path) -> None:
    table = rows(100, 10_000)
    pieces = [table.slice(0, 7), table.slice(7, 0), table.slice(7, 60), table.slice(67)]
    for name, tables in (("one", [table]), ("several", pieces)):
        write_shard(tmp_path / name, tables, bounds=(0.0, 0.0, 1.0, 1.0), rows=100, row_group_bytes=205_000)
    one, several = (pq.ParquetFile(tmp_path / name) for name in ("one", "several"))
    groups = [one.metadata.row_group(i).num_rows for i in range(one.num_row_groups)]
    assert groups == [several.metadata.row_group(i).num_rows for i in range(several.num_row_groups)]
    assert len(groups) == 6
    assert all(abs(rows - 205_000 / 10_000) <= 2.5 for rows in groups[:-1])  # nulls of the other columns take some, too
    assert one.read() == several.read() == table.replace_schema_metadata(one.schema_arrow.metadata)


def test_a_row_larger_than_a_row_group_has_its_own(tmp_path: Path) -> None:
    assert (
        write_shard(tmp_path / "x", [rows(3, 10_000)], bounds=(0.0, 0.0, 1.0, 1.0), rows=3, row_group_bytes=10.0) == 3
    )


def test_settings_stand_in_the_file(tmp_path: Path) -> None:
    write_shard(tmp_path / "x", [rows(50, 10_000)], bounds=(1.0, 2.0, 3.0, 4.0), rows=50, row_group_bytes=1e7)
    metadata = pq.read_metadata(tmp_path / "x")
    group = metadata.row_group(0)
    leaf = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert leaf["street.bytes"].compression == "UNCOMPRESSED"
    assert leaf["description"].compression == "ZSTD"
    assert not leaf["street.bytes"].is_stats_set
    assert not leaf["description"].is_stats_set
    assert leaf["bbox.xmin"].is_stats_set
    assert leaf["sample_id"].has_offset_index
    assert leaf["region"].has_dictionary_page
    assert not leaf["sample_id"].has_dictionary_page
    assert [column.column_index for column in group.sorting_columns] == [2, 0]
    assert json.loads(metadata.metadata[b"geo"])["columns"]["geometry"]["bbox"] == [1.0, 2.0, 3.0, 4.0]
    plain = writer_options(50) | {"bloom_filter_options": None}
    with pq.ParquetWriter(tmp_path / "plain", columns(), **plain) as writer:
        writer.write_table(rows(50, 10_000))
    assert (tmp_path / "x").stat().st_size > (tmp_path / "plain").stat().st_size  # the bloom filter is there


def test_digest_depends_on_content_alone() -> None:
    first, second = rows(2, 10).to_pylist()
    assert row_digest(first) == row_digest(dict(reversed(first.items())))
    assert row_digest(first) != row_digest(first | {"street": second["street"]})
    digests = {"a": row_digest(first), "b": row_digest(second)}
    assert content_hash(digests) == content_hash(dict(reversed(digests.items())))
    assert content_hash(digests) != content_hash({"a": digests["b"], "b": digests["a"]})
