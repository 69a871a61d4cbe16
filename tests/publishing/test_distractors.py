"""Distractors: chips without a text, in the split of their neighbourhood, near to nothing, in galleries alone."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import NoneType

import datasets
import h3
import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config.build import Build
from pipeline.errors import ConfigError, MachineError
from pipeline.geo.overlaps import Chips, find_overlaps
from pipeline.publishing.distractor_files import filled_columns
from pipeline.publishing.distractors import split_of_file
from pipeline.publishing.embargo import embargoed
from pipeline.publishing.revise import revise
from pipeline.publishing.selection import read_sites
from pipeline.publishing.takedown import Takedown
from pipeline.publishing.units import FinishedUnit
from pipeline.storage import open_store
from schemas.reasons import Reason
from schemas.records import ImageryRow
from tests.publishing.conftest import failed
from tests.publishing.folders import Row, files, manifest_of, put, samples, tree
from tools.compare.datasets import compare_datasets
from tools.dataset import open_dataset
from tools.retrieval.data.index import read_index
from tools.retrieval.data.rows import RowReader
from tools.retrieval.data.select import Selection
from tools.retrieval.evaluate.dataset import gallery_of
from tools.subset import Selection as Part
from tools.subset import subset
from tools.verify.leakage import find_leaks
from tools.verify.verify import verify

SHARES = {"train": 0.6, "val": 0.2, "test_seen": 0.2, "test_unseen": 0.0}


def chips_alone(row: ImageryRow) -> ImageryRow:
    """Half of the sites of every unit are distractors, each with a chip by someone else."""
    if int(row.site_id[-3:]) < 6:
        return row
    aerial = row.aerial and row.aerial.model_copy(update={"author": f"Flyer {row.site_id}"})
    return row.model_copy(update={"status": "chips_only", "views": [], "facts": [], "aerial": aerial, "weight": 0.0})


@pytest.fixture(scope="module")
def units(make_unit: Callable[..., FinishedUnit]) -> list[FinishedUnit]:
    """A town of neighbouring units, one of which has distractors alone."""
    cells = sorted(h3.grid_disk(h3.latlng_to_cell(52.3, 13.4, 9), 2))
    town = [make_unit("north", cell, sites=12, change=chips_alone) for cell in cells[1:]]
    return [*town, make_unit("north", cells[0], sites=4, change=lambda row: chips_alone(
        row.model_copy(update={"site_id": row.site_id[:-3] + "9" + row.site_id[-2:]})))]  # fmt: skip


@pytest.fixture(scope="module")
def build(make_build: Callable[..., Build]) -> Build:
    return make_build(splits=SHARES, allow_empty=[])


@pytest.fixture(scope="module")
def folder(units: list[FinishedUnit], build: Build, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("distractors")
    put(build, units, folder)
    return folder


def credit_rows(folder: Path) -> list[Row]:
    path = next(entry.path for entry in manifest_of(folder).files if entry.path.endswith("/attribution.parquet"))
    return list(pq.read_table(folder / path).to_pylist())


def distractors(folder: Path) -> list[Row]:
    paths = [entry.path for entry in manifest_of(folder).files if split_of_file(entry.path)]
    return [row for path in paths for row in pq.read_table(folder / path).to_pylist()]


def test_they_are_counted_apart_and_no_sample_is_other_for_them(
    units: list[FinishedUnit], build: Build, folder: Path, tmp_path: Path
) -> None:
    rows, counts = distractors(folder), manifest_of(folder).counts
    assert {row["split"] for row in rows} == {"train", "val", "test_seen"}
    by_split = {split: sum(row["split"] == split for row in rows) for split in ("test_seen", "train", "val")}
    assert counts.distractors == by_split | {"left_out": 18 * 6 + 4 - len(rows)}
    assert counts.sites == counts.published + sum(counts.excluded.values()) + sum(counts.failed.values()) == 18 * 6
    assert {row["sample_id"] for row in rows}.isdisjoint(one.sample_id for one in samples(folder, manifest_of(folder)))
    assert any(row["unit"] == units[-1].unit for row in rows)
    put(build, list(reversed(units)), tmp_path)
    assert tree(tmp_path) == tree(folder)


def test_one_that_failed_is_no_site_that_failed(make_unit: Callable[..., FinishedUnit]) -> None:
    def without_chips(row: ImageryRow) -> ImageryRow:
        apart = chips_alone(row)
        return failed(apart, Reason.NO_REFERENCE) if apart.status == "chips_only" else apart

    unit = make_unit("north", h3.latlng_to_cell(52.3, 13.4, 9), sites=12, change=without_chips)
    sites, candidates, outcomes, _ = read_sites([unit])
    assert (len(sites.ids), len(candidates.ids)) == (6, 0)
    assert outcomes == {"north": {"finished": 6}}


def test_they_are_credited_and_told_from_samples(folder: Path, tmp_path: Path) -> None:
    rows = credit_rows(folder)
    given = {(row["sample_id"], row["role"], row["author"]) for row in rows if row["distractor"]}
    assert given == {
        (row["sample_id"], role, row[chip]["author"])
        for row in distractors(folder)
        for role, chip in (("aerial", "aerial_chip"), ("map", "map_chip"))
        if row[chip]
    }
    of_samples = {row["sample_id"] for row in rows if not row["distractor"]}
    assert of_samples == {one.sample_id for one in samples(folder, manifest_of(folder))}
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (path,) = tmp_path.glob("revisions/*/attribution.parquet")
    left = next(row for row in rows if row["distractor"])
    pq.write_table(pa.Table.from_pylist([row for row in rows if row != left], schema=pq.read_schema(path)), path)
    said = f"does not credit the pictures of distractor {left['sample_id']!r} as its row does"
    assert said in {fault.what for fault in verify(open_store(str(tmp_path)))}


def test_mlcroissant_reads_them(folder: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    rows = {row["sample_id"]: row for row in distractors(folder)}
    told = pq.read_schema(folder / next(file.path for file in manifest_of(folder).files if split_of_file(file.path)))
    untold = set(told.names) - set(filled_columns().names)
    assert not [name for row in rows.values() for name in untold if row[name] not in (None, 0, [])]
    for row in mlcroissant.Dataset(jsonld=str(folder / "croissant.json")).records("distractors"):
        there = rows.pop(row["distractors/sample_id"].decode())
        assert (row["distractors/lat"], row["distractors/lon"]) == (there["lat"], there["lon"])
        assert row["distractors/split"].decode() == there["split"]
        for view in ("aerial", "map"):
            assert isinstance(row[f"distractors/{view}"], PIL.Image.Image if there[view] else NoneType)
            author = row[f"distractors/{view}_chip"][f"distractors/{view}_chip/author"]
            assert (author and author.decode()) == (there[view] and there[f"{view}_chip"]["author"])
    assert not rows


def test_they_are_near_to_no_sample_and_to_no_other_split(build: Build, folder: Path) -> None:
    rows, there = distractors(folder), samples(folder, manifest_of(folder))
    places = [(row["lat"], row["lon"], row["split"]) for row in rows]
    lat, lon, split = zip(*places, *((one.lat, one.lon, one.split) for one in there), strict=True)
    everywhere = np.array(lat), np.array(lon)
    assert not (embargoed(*everywhere, np.array(split), manifest_of(folder).embargo_m) >= 0).any()
    side_m = build.imagery.chips.size_px * build.imagery.chips.gsd_m
    close = find_overlaps(Chips(*everywhere, np.full(len(lat), side_m)), 0.25)
    assert not any(len(close.of(row)) for row in range(len(rows)))
    leakage = find_leaks(open_store(str(folder)), manifest_of(folder))
    assert (leakage.leaks, leakage.unread) == ([], [])
    assert leakage.samples.total() == len(rows) + len(there)
    assert verify(open_store(str(folder))) == []


def test_they_make_galleries_harder_and_are_not_trained_on(folder: Path) -> None:
    rows = [row for row in distractors(folder) if row["split"] == "test_seen" and row["aerial_chip"]]
    selection = Selection(splits=("test",))
    plain, whole = (read_index([str(folder)], selection, textless=textless) for textless in (False, True))
    assert {*whole.ids.tolist()} - {*plain.ids.tolist()} == {row["sample_id"] for row in rows}
    gallery = gallery_of(whole, "aerial")
    assert set(gallery.queries) == set(plain.ids.tolist())
    assert gallery.distractors.sum() == len(rows)
    of = dict(zip(whole.ids.tolist(), range(len(whole)), strict=True))
    chosen = np.array([of[row["sample_id"]] for row in rows])
    ((read),) = RowReader(whole, ["sample_id", "aerial"]).read([chosen])
    assert [(row["sample_id"], row["aerial"]["bytes"]) for row in read] == [
        (row["sample_id"], row["aerial"]["bytes"]) for row in rows
    ]


def test_they_are_taken_down_as_samples_are(
    folder: Path, units: list[FinishedUnit], build: Build, tmp_path: Path
) -> None:
    put(build, units, tmp_path)
    row = next(row for row in distractors(tmp_path) if row["aerial_chip"])
    author = row["aerial_chip"]["author"]
    done = revise(open_store(str(tmp_path)), Takedown(authors=(author,)))
    assert done.removed == [row["sample_id"]]
    left = distractors(tmp_path)
    assert {one["sample_id"] for one in credit_rows(tmp_path) if one["distractor"]} == {
        one["sample_id"] for one in left
    }
    assert row["sample_id"] not in {one["sample_id"] for one in left}
    assert len(left) == len(distractors(folder)) - 1
    changes = compare_datasets(open_dataset(str(folder)), open_dataset(str(tmp_path)))
    assert not changes.rows.differ
    assert changes.counts["distractors"] == {
        row["split"]: ((n := manifest_of(folder).counts.distractors[row["split"]]), n - 1)
    }
    assert verify(open_store(str(tmp_path))) == []
    assert author.encode() not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    with pytest.raises(ConfigError, match="Nobody"):
        revise(open_store(str(tmp_path)), Takedown(authors=("Nobody",)))


def test_a_file_of_them_that_did_not_change_is_not_written_again(
    units: list[FinishedUnit], build: Build, make_build: Callable[..., Build], tmp_path: Path
) -> None:
    def on_disk() -> dict[str, tuple[int, int]]:
        found = {path: (tmp_path / path).stat() for path in files(tmp_path) if split_of_file(path)}
        return {path: (said.st_ino, said.st_mtime_ns) for path, said in found.items()}

    put(build, units, tmp_path)
    first = on_disk()
    assert len(first) == 3
    put(make_build(splits=SHARES, allow_empty=[], title="Another title"), units, tmp_path)
    assert manifest_of(tmp_path).revision == 2
    assert on_disk() == first
    row = next(row for row in distractors(tmp_path) if row["split"] == "val")
    revise(open_store(str(tmp_path)), Takedown(source_ids=(row["map_chip"]["source_id"],)))
    kept = {path: touched for path, touched in first.items() if split_of_file(path) != "val"}
    now = on_disk()
    assert len(now) == 3
    assert now.items() >= kept.items()
    assert not now.items() & (first.items() - kept.items())
    assert verify(open_store(str(tmp_path))) == []


def test_a_file_of_them_that_went_is_made_again(units: list[FinishedUnit], build: Build, tmp_path: Path) -> None:
    put(build, units, tmp_path)
    before = tree(tmp_path)
    gone = next(path for path in before if split_of_file(path))
    (tmp_path / gone).unlink()
    put(build, units, tmp_path)
    assert tree(tmp_path) == before


def test_a_subset_has_those_of_its_splits(folder: Path, tmp_path: Path) -> None:
    out = open_store(str(tmp_path / "some"))
    subset(open_dataset(str(folder)), out, Part(splits=("val",)))
    assert {row["split"] for row in distractors(tmp_path / "some")} == {"val"}
    assert verify(out) == []
    free = open_store(str(tmp_path / "free"))
    subset(open_dataset(str(folder)), free, Part(parts=("street", "aerial")))
    assert not distractors(tmp_path / "free")
    whole = open_store(str(tmp_path / "whole"))
    subset(open_dataset(str(folder)), whole, Part(parts=("map_data", "map", "drone", "aerial", "street")))
    assert len(distractors(tmp_path / "whole")) == len(distractors(folder))


@pytest.mark.parametrize("what", ["is damaged", "cannot be read"])
def test_a_damaged_file_of_them_is_not_passed_on_as_sound(folder: Path, tmp_path: Path, what: str) -> None:
    """Neither where a file is taken as it is nor where it is written anew."""
    shutil.copytree(folder, tmp_path / "whole")
    dataset = open_dataset(str(tmp_path / "whole"))
    one = next(row for row in distractors(folder) if row["split"] == "train" and row["aerial"])
    path = next(p for p in tree(folder) if split_of_file(p) == "train")
    data = bytearray((folder / path).read_bytes())
    data[data.index(one["aerial"]["bytes"]) + 100] ^= 1
    (tmp_path / "whole" / path).write_bytes(data)
    west = min(row["lon"] for row in distractors(folder) if row["split"] == "train")
    box = (-180.0 if what == "is damaged" else west + 1e-6, -90.0, 180.0, 90.0)
    with pytest.raises(MachineError, match=f"{path} {what}"):
        subset(dataset, open_store(str(tmp_path / "out")), Part(splits=("train",), box=box))


def test_one_that_was_taken_down_and_is_there_is_found(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "said")
    content = json.loads((tmp_path / "said" / "manifest.json").read_text())
    content["removed"] = [distractors(folder)[0]["sample_id"]]
    (tmp_path / "said" / "manifest.json").write_text(json.dumps(content))
    found = verify(open_store(str(tmp_path / "said")))
    assert [(fault.row, fault.column) for fault in found if "was taken down and is there" in fault.what] == [
        (0, "sample_id")
    ]


def test_the_card_counts_them_by_split(folder: Path) -> None:
    counts, card = manifest_of(folder).counts, (folder / "README.md").read_text()
    header = next(line for line in card.splitlines() if line.startswith("| region |"))
    assert header == "| region | train | val | test\\_seen |"
    row = " | ".join(str(counts.distractors[split]) for split in ("train", "val", "test_seen"))
    assert f"\n| distractors | {row} |\n\n" in card
    assert f" {counts.distractors['left_out']} were left out: too near" in card


def test_the_library_datasets_opens_them_by_split(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    found = datasets.load_dataset(str(folder), "distractors", cache_dir=str(tmp_path))
    counts = manifest_of(folder).counts.distractors
    assert len(found.pop("validation")) == counts["val"]
    assert {split: len(rows) for split, rows in found.items()} == {s: n for s, n in counts.items() if s != "left_out"}
    row = next(row for row in found["train"] if row["aerial"] is not None)
    assert row["aerial"].size == (64, 64)
    assert (row["description"], row["street"], row["weight"]) == (None, None, 0)
