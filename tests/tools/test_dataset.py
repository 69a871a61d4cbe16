import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import ConfigError, MachineError
from schemas.records import AnySplit, Sample
from tests.tools.conftest import publish
from tools.dataset import open_dataset


def test_samples_come_in_the_order_asked_for(small_dataset: str, make_sample: Callable[..., Sample]) -> None:
    found = open_dataset(small_dataset).samples(["village-000007", "town-000000", "village-000007"])
    assert [sample.sample_id for sample in found] == ["village-000007", "town-000000", "village-000007"]
    assert found[1] == make_sample(0)


def test_rows_hold_the_columns_asked_for_of_one_split_or_all(small_dataset: str) -> None:
    dataset = open_dataset(small_dataset)
    assert sum(1 for _ in dataset.rows(["sample_id"])) == 10
    rows = list(dataset.rows(["sample_id", "street_view.licence"], split="val"))
    assert [row["sample_id"] for row in rows] == ["town-000006", "village-000007"]
    assert rows[0]["street_view"] == {"licence": "CC-BY-4.0"}
    assert [row["sample_id"] for row in dataset.rows(["sample_id"], split="test")] == ["town-000008", "village-000009"]


def test_test_stands_for_all_splits_that_are_tested_on(make_sample: Callable[..., Sample], tmp_path: Path) -> None:
    splits: tuple[AnySplit, ...] = ("train", "val", "test_seen", "test_unseen")
    samples = [make_sample(i, split=split, sample_id=f"town-{i}") for i, split in enumerate(splits)]
    dataset = open_dataset(publish(tmp_path, samples, sites=4, failed={}))
    assert [sample.sample_id for sample in dataset.stream("test")] == ["town-2", "town-3"]
    assert [sample.sample_id for sample in dataset.stream("validation")] == ["town-1"]


def test_an_unknown_id_is_answered_with_the_nearest_ones(small_dataset: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_dataset(small_dataset).samples(["town-000000", "twn-000004", "nowhere"])
    assert [problem.found for problem in caught.value.problems] == ["'twn-000004'", "'nowhere'"]
    assert "such as town-000004" in caught.value.problems[0].allowed


def test_looking_at_a_dataset_leaves_no_trace(small_dataset: str) -> None:
    before = sorted(Path(small_dataset).rglob("*"))
    open_dataset(small_dataset).samples(["town-000000"])
    assert sorted(Path(small_dataset).rglob("*")) == before


def test_a_place_that_is_no_dataset_is_refused_and_not_made_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no folder"):
        open_dataset(str(tmp_path / "typo"))
    assert not (tmp_path / "typo").exists()
    with pytest.raises(ConfigError, match=r"without a manifest\.json"):
        open_dataset(str(tmp_path))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "geoscribe-dataset-1"}', '{"format": "other"}'])
def test_a_broken_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be read"):
        open_dataset(str(tmp_path))


def test_a_manifest_cannot_point_outside_its_folder(small_dataset: str, tmp_path: Path) -> None:
    manifest = json.loads((Path(small_dataset) / "manifest.json").read_text(encoding="utf-8"))
    manifest["shards"][0]["path"] = "data/train/../../../other.parquet"
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ConfigError, match="a path like"):
        open_dataset(str(tmp_path))


@pytest.mark.parametrize("damage", ["gone", "cut", "flipped"])
def test_a_damaged_shard_is_told_by_name(small_dataset: str, tmp_path: Path, damage: str) -> None:
    copy = tmp_path / "dataset"
    shutil.copytree(small_dataset, copy)
    (shard,) = copy.glob("data/test/town-*.parquet")
    data = bytearray(shard.read_bytes())
    if damage == "gone":
        shard.unlink()
    elif damage == "cut":
        shard.write_bytes(data[:-100])
    else:
        data[60:80] = bytes(20)
        shard.write_bytes(data)
    with pytest.raises(MachineError, match=shard.name):
        open_dataset(str(copy)).samples(["town-000008"])


def test_a_shard_of_other_columns_is_told_by_name(small_dataset: str, tmp_path: Path) -> None:
    copy = tmp_path / "dataset"
    shutil.copytree(small_dataset, copy)
    (shard,) = copy.glob("data/test/town-*.parquet")
    pq.write_table(pa.table({"sample_id": ["a"], "price": [3.5]}), shard)
    with pytest.raises(MachineError, match=rf"{shard.name}: no column lat"):
        list(open_dataset(str(copy)).rows(["sample_id", "lat"]))
