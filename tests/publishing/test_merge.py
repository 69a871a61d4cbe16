"""Datasets of different builds made into one: all of both, sound, without what is alike or leaks, and told whose."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h3
import pyarrow.parquet as pq
import pytest

from pipeline.config.build import Build
from pipeline.errors import MachineError
from pipeline.publishing.manifest import Manifest
from pipeline.publishing.units import FinishedUnit
from pipeline.storage import open_store
from schemas.records import ImageryRow, Sample
from tests.command import run_here
from tests.publishing.folders import SMALL, manifest_of, put, samples, seen_by_card, seen_by_manifest, tree
from tests.publishing.test_distractors import chips_alone, distractors
from tools.dataset import open_dataset
from tools.merging.merge import Merged, merge
from tools.verify.leakage import find_leaks
from tools.verify.verify import verify

MakeUnit = Callable[..., FinishedUnit]
MakeBuild = Callable[..., Build]
CELL = h3.latlng_to_cell(52.2, 13.2, 9)


@pytest.fixture
def publish(make_build: MakeBuild, tmp_path: Path) -> Callable[..., Path]:
    """Publishes units as the dataset of a build of one region: `publish("a", "north", units)`."""

    def published(name: str, region: str, units: list[FinishedUnit], **settings: Any) -> Path:
        build = make_build(**SMALL, **settings)
        areas = {"north": build.regions[0], "south": build.regions[1]}
        area = areas.get(region, build.regions[0]).model_copy(update={"name": region})
        put(build.model_copy(update={"name": name, "regions": [area]}), units, tmp_path / name)
        return tmp_path / name

    return published


def merged(out: Path, *folders: Path, keep: bool = True, name: str = "both") -> Merged:
    done = merge([open_dataset(str(folder)) for folder in folders], open_store(str(out)), name, keep_splits=keep)
    store = open_store(str(out))
    assert verify(store) == []
    assert seen_by_card(store) == seen_by_manifest(store)
    return done


def rows(folder: Path) -> dict[str, Sample]:
    return {sample.sample_id: sample for sample in samples(folder, manifest_of(folder))}


def test_all_of_both_is_there_as_it_was_and_told_whose(
    units: list[FinishedUnit], publish: Callable[..., Path], tmp_path: Path
) -> None:
    a = publish("a", "north", [unit for unit in units if unit.region == "north"])
    b = publish("b", "south", [unit for unit in units if unit.region == "south"])
    done = merged(tmp_path / "out", a, b)
    assert rows(tmp_path / "out") == rows(a) | rows(b)
    found, before = manifest_of(tmp_path / "out"), (manifest_of(a), manifest_of(b))
    assert done.left_out == {}
    assert done.copied == len(found.shards) == sum(len(one.shards) for one in before)
    assert found.counts.sites == sum(one.counts.sites for one in before) == 43
    assert found.counts.failed == {"no_street_view": 3}
    assert found.counts.regions == before[0].counts.regions | before[1].counts.regions
    assert [region["name"] for region in found.config["regions"]] == ["north", "south"]  # type: ignore[index, union-attr, call-overload]
    told: Any = found.provenance["merged"]
    assert [(one["name"], one["digest"], one["provenance"]) for one in told] == [
        (one.name, one.digest, {"code": "abc"}) for one in before
    ]
    splits = json.loads((tmp_path / "out" / f"revisions/{found.digest}/splits.json").read_text())
    assert set(splits["units"]) == {unit.unit for unit in units if unit.rows}


def test_the_settings_name_each_region_s_own_sources(
    make_unit: MakeUnit, make_build: MakeBuild, publish: Callable[..., Path], tmp_path: Path
) -> None:
    a = publish("a", "north", [make_unit("north", CELL, sites=2)])
    b = publish("b", "south", [make_unit("south", h3.latlng_to_cell(-34.2, 18.3, 9))])
    config: Any = manifest_of(b).config
    config["sources"]["street"]["photos"]["seed"] = 7
    del config["sources"]["aerial"]["ortho"]
    config["captioner"]["prompt_set"] = "composer-de-1"
    changed(b, lambda manifest: manifest.model_copy(update={"config": config}))
    told: Any = merge(
        [open_dataset(str(one)) for one in (a, b)], open_store(str(tmp_path / "out")), "both", keep_splits=True
    ).manifest.config
    assert sorted(told["sources"]["street"]) == ["b-photos", "photos"]
    assert [(region["street"], region["aerial"], region["map"]) for region in told["regions"]] == [
        ("photos", "ortho", "osm"),
        ("b-photos", None, "osm"),
    ]
    prompt_sets = [region["captioner"]["prompt_set"] for region in told["regions"]]
    assert prompt_sets == ["composer-en-1", "composer-de-1"]


def test_splits_are_drawn_anew_for_all_together(
    units: list[FinishedUnit], publish: Callable[..., Path], tmp_path: Path
) -> None:
    shares = {"splits": {"train": 0.5, "val": 0.0, "test_seen": 0.5}}
    a = publish("a", "north", [unit for unit in units if unit.region == "north"], **shares)
    b = publish("b", "south", [unit for unit in units if unit.region == "south"])
    assert set(manifest_of(b).counts.splits) <= {"train", "val", "test_seen"}
    done = merged(tmp_path / "out", a, b, keep=False)
    found, before = rows(tmp_path / "out"), rows(a) | rows(b)
    assert found.keys() == before.keys()
    assert set(done.manifest.counts.splits) == {"train", "test_seen"}
    assert set(done.manifest.counts.regions["south"]) == {"train", "test_seen"}, "by the first one's shares"
    unsplit = {"split": "train"}
    assert {k: s.model_copy(update=unsplit) for k, s in found.items()} == {
        k: s.model_copy(update=unsplit) for k, s in before.items()
    }


def test_what_is_alike_is_there_once_the_first_named_dataset_s(
    make_unit: MakeUnit, publish: Callable[..., Path], tmp_path: Path
) -> None:
    far = h3.latlng_to_cell(-34.2, 18.3, 9)
    a = publish("a", "north", [make_unit("north", CELL, sites=2)])
    first = min(rows(a).values(), key=lambda sample: sample.sample_id)

    def same(row: ImageryRow) -> ImageryRow:
        views = [view.model_copy(update={"phash": first.street_view.phash}) for view in row.views]
        return row.model_copy(update={"views": views}) if row.site_id.endswith("000") else row

    b = publish("b", "south", [make_unit("south", far, sites=3, change=same)])
    for order, loser in (((a, b), "south"), ((b, a), "north")):
        out = tmp_path / f"without-{loser}"
        done = merged(out, *order)
        assert done.left_out == {"near_duplicate": 1}
        assert len(rows(out)) == 4
        excluded = pq.read_table(out / f"revisions/{done.manifest.digest}/excluded.parquet").to_pylist()
        assert [(row["region"], row["reason"]) for row in excluded] == [(loser, "near_duplicate")]
        assert excluded[0]["survivor"] in rows(out)


def test_a_unit_that_two_datasets_have_in_different_splits_keeps_the_first_one_s(
    make_unit: MakeUnit, publish: Callable[..., Path], tmp_path: Path
) -> None:
    near = next(cell for cell in h3.grid_ring(CELL, 1))
    a = publish("a", "north", [make_unit("north", CELL, sites=2)], splits={"train": 1.0, "val": 0, "test_seen": 0})
    units = [make_unit("east", cell, sites=4) for cell in (CELL, near)]
    b = publish("b", "east", units, splits={"train": 0, "val": 1.0, "test_seen": 0})
    done = merged(tmp_path / "out", a, b)
    found, before = rows(tmp_path / "out"), rows(a) | rows(b)
    assert all(before[key].split == sample.split for key, sample in found.items()), "nothing changed its split"
    assert not any(sample.unit == CELL and sample.region == "east" for sample in found.values())
    assert done.left_out["split_embargo"] >= 4
    assert done.manifest.counts.excluded["split_embargo"] == done.left_out["split_embargo"]


@pytest.mark.parametrize("keep", [True, False], ids=["splits kept", "drawn anew"])
def test_distractors_come_along_in_the_split_of_the_samples_around(
    make_unit: MakeUnit, publish: Callable[..., Path], tmp_path: Path, keep: bool
) -> None:
    far = h3.latlng_to_cell(-34.2, 18.3, 9)
    towns = {
        region: [make_unit(region, cell, sites=12, change=chips_alone) for cell in sorted(h3.grid_disk(home, 1))]
        for region, home in (("north", CELL), ("south", far))
    }
    folders = [publish(f"of-{region}", region, units) for region, units in towns.items()]
    before = {row["sample_id"]: row["split"] for folder in folders for row in distractors(folder)}
    done = merged(tmp_path / "out", *folders, keep=keep)
    found = {row["sample_id"]: row["split"] for row in distractors(tmp_path / "out")}
    leakage = find_leaks(open_store(str(tmp_path / "out")), done.manifest)
    assert (leakage.leaks, leakage.unread) == ([], [])
    left_out = {split: count for split, count in done.manifest.counts.distractors.items() if split != "left_out"}
    assert left_out == Counter(found.values())
    assert set(found) <= set(before)
    assert len(found) > len(before) / 2
    if keep:
        assert found == before


def test_a_take_down_and_its_ids_stay_known(make_unit: MakeUnit, publish: Callable[..., Path], tmp_path: Path) -> None:
    a = publish("a", "north", [make_unit("north", CELL, sites=3)])
    b = publish("b", "south", [make_unit("south", h3.latlng_to_cell(-34.2, 18.3, 9))])
    victim = rows(a)[min(rows(a))]
    down = tmp_path / "down.yaml"
    down.write_text(f"source_ids: ['{victim.street_view.source_id}']")
    assert run_here("publish", a, "--revise", down, environment={}).returncode == 0
    done = merged(tmp_path / "out", a, b)
    assert done.manifest.removed == [victim.sample_id]
    assert done.manifest.taken_down == manifest_of(a).taken_down


def test_what_cannot_be_merged_is_refused_in_a_line(
    make_unit: MakeUnit, make_build: MakeBuild, publish: Callable[..., Path], tmp_path: Path
) -> None:
    a = publish("a", "north", [make_unit("north", CELL, sites=2)])
    copy = tmp_path / "copy"
    shutil.copytree(a, copy)
    renamed = publish("c", "north", [make_unit("north", CELL, sites=3)])
    other = h3.latlng_to_cell(-34.2, 18.3, 9)
    moved = publish("d", "north", [make_unit("north", other)])
    elsewhere(moved, "north", [18.0, -34.5, 19.0, -33.5])
    old = publish("e", "south", [make_unit("south", other)])
    changed(old, lambda manifest: manifest.model_copy(update={"format": "geoscribe-dataset-2"}))
    large = publish("f", "south", [make_unit("south", other)])
    changed(large, lambda m: m.model_copy(update={"config": m.config | {"imagery": {"chips": {"size_px": 128}}}}))
    turned = publish("g", "south", [make_unit("south", other)])
    imagery: Any = manifest_of(turned).config["imagery"]
    chips = {"chips": imagery["chips"] | {"orientation": "heading-up"}}
    changed(turned, lambda m: m.model_copy(update={"config": m.config | {"imagery": chips}}))
    banned = publish("h", "south", [make_unit("south", other)])
    changed(banned, lambda manifest: manifest.model_copy(update={"removed": [min(rows(a))]}))
    for folders, said in (
        ((a,), "two datasets or more"),
        ((a, copy), "2 datasets of the build 'a'"),
        ((a, a), "2 datasets of the build 'a'"),
        ((a, renamed), "2 samples of c that a has too"),
        ((a, moved), "'north' of a and of d, which are different areas"),
        ((a, old), "geoscribe-dataset-2"),
        ((a, large), "chips of 64 px"),
        ((a, turned), "heading-up"),
        ((a, banned), "1 samples of a that h took down"),
    ):
        refused = run_here("merge", tmp_path / "out", *folders, environment={"COLUMNS": "300"})
        assert refused.returncode == 2, said
        assert said in refused.stderr
        assert not (tmp_path / "out" / "manifest.json").exists()
    b = publish("b", "south", [make_unit("south", other)])
    assert "--name" in run_here("merge", tmp_path / "out", a, b, "--name", "A b", environment={}).stderr
    for there in (copy, a):
        before = tree(there)
        assert "which holds files" in run_here("merge", there, a, b, environment={}).stderr
        assert tree(there) == before
    made = run_here("merge", tmp_path / "out", a, b, environment={})
    assert made.returncode == 0, made.stderr
    assert "a: 2 samples" in made.stdout
    assert manifest_of(tmp_path / "out").name == "a-b"


def test_a_damaged_shard_is_no_part_of_a_merged_dataset(
    make_unit: MakeUnit, publish: Callable[..., Path], tmp_path: Path
) -> None:
    a = publish("a", "north", [make_unit("north", CELL, sites=2)])
    b = publish("b", "south", [make_unit("south", h3.latlng_to_cell(-34.2, 18.3, 9))])
    shard = next((b / "data").rglob("*.parquet"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    with pytest.raises(MachineError, match=r"damaged|cannot be read"):
        merge([open_dataset(str(one)) for one in (a, b)], open_store(str(tmp_path / "out")), "both", keep_splits=True)
    assert not (tmp_path / "out" / "manifest.json").exists()


def changed(folder: Path, how: Callable[[Manifest], Manifest]) -> None:
    (folder / "manifest.json").write_text(how(manifest_of(folder)).model_dump_json())


def elsewhere(folder: Path, region: str, bbox: list[float]) -> None:
    config: Any = manifest_of(folder).config
    config["regions"] = [area | {"bbox": bbox} if area["name"] == region else area for area in config["regions"]]
    changed(folder, lambda manifest: manifest.model_copy(update={"config": config}))
