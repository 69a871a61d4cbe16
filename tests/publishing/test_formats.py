"""Datasets of older formats: those in `formats/`, as the versions of their time wrote them."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import h3
import pyarrow.parquet as pq
import pytest
import yaml

from pipeline.config.build import Build
from pipeline.publishing.publish import publish
from pipeline.publishing.units import FinishedUnit
from pipeline.storage import open_store
from tests.archives import unpack
from tests.publishing.failing import Failing, Killed, kill
from tests.publishing.folders import files, manifest_of, put, seen_by_card, seen_by_manifest
from tools.compare.datasets import compare_datasets
from tools.dataset import open_dataset
from tools.report.captions import measure
from tools.report.page import render_report
from tools.verify.verify import verify

FORMATS = Path(__file__).parent / "formats"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return unpacked("format-1", tmp_path)


@pytest.fixture
def format_2(tmp_path: Path) -> Path:
    return unpacked("format-2", tmp_path)


def unpacked(name: str, folder: Path) -> Path:
    unpack(FORMATS / f"{name}.tar.xz", folder)
    return folder / name


@pytest.fixture
def units(make_unit: Callable[..., FinishedUnit]) -> list[FinishedUnit]:
    return [make_unit("north", h3.latlng_to_cell(52.2 + 0.05 * i, 13.2, 9), sites=2) for i in range(3)]


def test_format_1_is_read_with_a_word(old: Path, caplog: pytest.LogCaptureFixture) -> None:
    dataset = open_dataset(str(old))
    assert "is of an older format" in caplog.text
    ids = [row["sample_id"] for row in dataset.rows(["sample_id"])]
    assert len(ids) == dataset.manifest.counts.published == 3
    chips = [sample.aerial_chip for sample in dataset.samples(ids)]
    assert {chip and chip.captured_at for chip in chips} == {datetime(2023, 7, 1, tzinfo=UTC)}
    assert {shard.split: shard.counts.regions for shard in dataset.manifest.shards} == {
        "train": {"north": 2},
        "val": {"north": 1},
    }


def test_format_1_is_verified(old: Path) -> None:
    assert verify(open_store(str(old))) == []
    shard = old / "data/val/north-00000-of-00001.parquet"
    data = bytearray(shard.read_bytes())
    data[1000] ^= 1
    shard.write_bytes(data)
    assert {fault.file for fault in verify(open_store(str(old)))} == {"data/val/north-00000-of-00001.parquet"}


def by_old_card(folder: Path) -> list[str]:
    """Ids as a reader finds them who resolves the card's file names, patterns among them, as `datasets` does."""
    header = yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])
    found = []
    for entry in (entry for entry in header["configs"][0]["data_files"] if entry["split"] != "validation"):
        patterns = [entry["path"]] if isinstance(entry["path"], str) else entry["path"]
        for path in (path for pattern in patterns for path in sorted(folder.glob(pattern))):
            found += pq.read_table(path, columns=["sample_id"])["sample_id"].to_pylist()
    return sorted(found)


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.seldom])])
def test_format_1_is_replaced_as_any_revision_is(
    every: int, old: Path, units: list[FinishedUnit], make_build: Callable[..., Build], tmp_path: Path
) -> None:
    before = files(old)
    ids = by_old_card(old)
    put(make_build(), units, tmp_path / "fresh")
    fresh = by_old_card(tmp_path / "fresh")
    seen = set()
    for changes in range(0, 24, every):
        folder = tmp_path / str(changes)
        shutil.copytree(old, folder)
        try:
            publish(make_build(), units, Failing(folder, changes, kill), synthetic=set(), provenance={"code": "abc"})
        except Killed:
            assert by_old_card(folder) in (ids, fresh)
            assert verify(open_store(str(folder))) == []
            seen.add(by_old_card(folder) == fresh)
        else:
            break
    assert seen == {True, False}
    manifest = manifest_of(folder)
    assert (manifest.revision, manifest.older) == (1, False)
    assert before <= files(folder)  # the older revision is kept
    assert seen_by_card(open_store(str(folder))) == seen_by_manifest(open_store(str(folder)))
    assert verify(open_store(str(folder))) == []
    put(make_build(), units[1:], folder)
    assert not {path for path in before if path.startswith("data/")} & files(folder)
    assert "attribution.parquet" not in files(folder)


def test_format_2_is_read_with_its_splits(format_2: Path, caplog: pytest.LogCaptureFixture) -> None:
    dataset = open_dataset(str(format_2))
    assert "is of an older format" in caplog.text
    assert {split: len(list(dataset.rows(["sample_id"], split))) for split in ("train", "val", "test")} == {
        "train": 2,
        "val": 1,
        "test": 1,
    }
    assert list(dataset.rows(["sample_id"], "validation")) == list(dataset.rows(["sample_id"], "val"))
    ids = [row["sample_id"] for row in dataset.rows(["sample_id"])]
    assert {sample.split for sample in dataset.samples(ids)} == {"train", "val", "test"}
    assert verify(open_store(str(format_2))) == []
    assert "Regions and splits" in render_report(dataset)


def test_format_2_keeps_its_splits_when_it_is_published_again(
    format_2: Path, make_unit: Callable[..., FinishedUnit], make_build: Callable[..., Build]
) -> None:
    was = {row["sample_id"]: row["split"] for row in open_dataset(str(format_2)).rows(["sample_id", "split"])}
    counts = (2, 1, 1, 4, 4, 4)
    grown = [
        make_unit("north", h3.latlng_to_cell(52.2 + 0.05 * i, 13.2, 9), sites=count) for i, count in enumerate(counts)
    ]
    put(make_build(), grown, format_2)
    now = {row["sample_id"]: row["split"] for row in open_dataset(str(format_2)).rows(["sample_id", "split"])}
    assert len(now) == sum(counts)
    assert {sample_id: now[sample_id] for sample_id in was} == {
        sample_id: split.replace("test", "test_seen") for sample_id, split in was.items()
    }
    assert verify(open_store(str(format_2))) == []


def test_settings_are_read_by_the_names_that_they_have_now(
    units: list[FinishedUnit], make_build: Callable[..., Build], tmp_path: Path
) -> None:
    put(make_build(), units, tmp_path / "new")
    shutil.copytree(tmp_path / "new", tmp_path / "old")
    path = tmp_path / "old" / "manifest.json"
    content = json.loads(path.read_text())
    policy = content["config"]["grounding"]
    policy["least_words"] = policy.pop("min_words")
    path.write_text(json.dumps(content))
    old, new = (open_dataset(str(tmp_path / name)) for name in ("old", "new"))
    assert old.manifest.config == new.manifest.config
    assert compare_datasets(old, new).settings == {}
    assert measure(old).rows
