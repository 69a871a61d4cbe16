"""Take-down lists: at publish, and on published data, where nothing of what was taken down may stay."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h3
import pyarrow.parquet as pq
import pytest

from pipeline.config.build import Build
from pipeline.errors import ConfigError
from pipeline.publishing.publish import publish
from pipeline.publishing.revise import revise
from pipeline.publishing.takedown import Takedown, read_takedown
from pipeline.publishing.units import FinishedUnit
from pipeline.storage import open_store
from schemas.records import ImageryRow, Sample
from tests.publishing.failing import Failing, Killed, kill
from tests.publishing.folders import files, listed, manifest_of, samples, seen_by_card, seen_by_manifest, tree
from tools.verify.verify import verify

CELLS = [h3.latlng_to_cell(52.2 + 0.05 * n, 13.2, 9) for n in range(5)]


def authored(row: ImageryRow) -> ImageryRow:
    """Every site has a photographer of its own; the aerial chip of the first unit is a mosaic of two files."""
    views = [view.model_copy(update={"author": f"Person {row.site_id}"}) for view in row.views]
    aerial = row.aerial
    if aerial is not None and row.unit == CELLS[0]:
        aerial = aerial.model_copy(update={"source_id": f"tile-{row.unit} tile-b"})
    return row.model_copy(update={"views": views, "aerial": aerial})


@pytest.fixture(scope="module")
def units(make_unit: Callable[..., FinishedUnit]) -> list[FinishedUnit]:
    return [make_unit("north", cell, sites=4, change=authored) for cell in CELLS]


@pytest.fixture(scope="module")
def dataset(
    make_build: Callable[..., Build], units: list[FinishedUnit], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with the units published. Not to be written to."""
    folder = tmp_path_factory.mktemp("dataset")
    put(make_build(), units, folder)
    return folder


def put(
    build: Build, units: list[FinishedUnit], folder: Path, takedown: Takedown | None = None, out: Any = None
) -> list[Sample]:
    store = out or open_store(str(folder))
    publish(build, units, store, synthetic=set(), provenance={}, takedown=takedown)
    return samples(folder, manifest_of(folder))


def everything(folder: Path) -> bytes:
    """All bytes of all files, Parquet pages decompressed."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found.append(path.read_bytes())
            if path.suffix == ".parquet":
                found.append(repr(pq.read_table(path).to_pylist()).encode())
    return b"".join(found)


@pytest.fixture
def published(dataset: Path, tmp_path: Path) -> list[Sample]:
    """The samples of a copy of the dataset in the test's own folder."""
    shutil.copytree(dataset, tmp_path, dirs_exist_ok=True)
    return samples(tmp_path, manifest_of(tmp_path))


def of(sample: Sample) -> dict[str, dict[str, Any]]:
    """Lists of each kind that name this sample alone."""
    place = {"centre": (sample.lat, sample.lon), "radius_m": 1}
    return {
        "source_ids": {"source_ids": [sample.street_view.source_id]},
        "authors": {"authors": [sample.street_view.author]},
        "areas": {"areas": [place]},
        "box": {"areas": [{"bbox": [sample.lon - 1e-7, sample.lat - 1e-7, sample.lon + 1e-7, sample.lat + 1e-7]}]},
    }


@pytest.mark.parametrize("kind", ["source_ids", "authors", "areas", "box"])
@pytest.mark.parametrize("when", ["at publish", "afterwards"])
def test_what_is_listed_goes_and_the_rest_stays(
    kind: str,
    when: str,
    published: list[Sample],
    make_build: Callable[..., Build],
    units: list[FinishedUnit],
    tmp_path: Path,
) -> None:
    victim = next(sample for sample in published if sample.sample_id.endswith("003"))
    takedown = Takedown.model_validate(of(victim)[kind])
    near = {s.sample_id for s in published if s.unit == victim.unit} if kind in ("areas", "box") else set()
    before = {sample.sample_id for sample in published}
    if when == "afterwards":
        folder, gone = tmp_path, revise(open_store(str(tmp_path)), takedown).removed
    else:
        folder = tmp_path / "new"
        gone = sorted(before - {sample.sample_id for sample in put(make_build(), units, folder, takedown)})
    assert victim.sample_id in gone
    assert set(gone) <= near | {victim.sample_id}  # an aerial chip of a neighbour may reach into the area
    manifest = manifest_of(folder)
    assert manifest.removed == gone
    left = samples(folder, manifest)
    assert {sample.sample_id for sample in left} == before - set(gone)
    assert left == [s for s in left if s == next(old for old in published if old.sample_id == s.sample_id)]
    counts = manifest.counts
    assert counts.failed["taken_down"] == counts.outcomes["north"]["taken_down"] == len(gone)
    assert counts.sites == counts.published + sum(counts.failed.values()) + sum(counts.excluded.values())
    assert list(manifest.taken_down.values()) == [len(gone)]
    assert f"| `taken_down` | {len(gone)} |" in (folder / "README.md").read_text()
    assert verify(open_store(str(folder))) == []
    assert seen_by_card(open_store(str(folder))) == seen_by_manifest(open_store(str(folder)))


def test_nothing_of_it_stays_in_any_file(published: list[Sample], tmp_path: Path) -> None:
    victim = published[1]
    author, picture = victim.street_view.author.encode(), victim.street.bytes
    assert author in everything(tmp_path)
    assert picture in everything(tmp_path)
    revise(open_store(str(tmp_path)), Takedown(authors=(victim.street_view.author,)))
    left = everything(tmp_path)
    assert author not in left
    assert picture not in left
    assert published[2].street_view.author.encode() in left
    assert len([path for path in files(tmp_path) if path.startswith("revisions/")]) == len(
        manifest_of(tmp_path).files
    ) + 1  # its manifest  # fmt: skip


def test_a_file_of_a_mosaic_is_found(published: list[Sample], tmp_path: Path) -> None:
    removed = revise(open_store(str(tmp_path)), Takedown(source_ids=(f"tile-{CELLS[0]}",))).removed
    assert removed == sorted(s.sample_id for s in published if s.unit == CELLS[0] and s.aerial is not None)
    assert removed


def test_links_are_those_of_every_picture(published: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"takes down all {len(published)} samples"):
        revise(open_store(str(tmp_path)), Takedown(links=("https://example.org/1",)))


def test_an_id_that_does_not_exist_is_an_error_that_changes_nothing(published: list[Sample], tmp_path: Path) -> None:
    before = listed(tmp_path)
    mistyped = published[0].street_view.source_id + "x"
    takedown = Takedown(source_ids=(mistyped, published[1].street_view.source_id))
    with pytest.raises(ConfigError) as caught:
        revise(open_store(str(tmp_path)), takedown)
    (problem,) = caught.value.problems
    assert problem.found == repr(mistyped)
    assert published[0].street_view.source_id in problem.allowed
    assert listed(tmp_path) == before
    assert revise(open_store(str(tmp_path)), takedown, unmatched=True).removed == [published[1].sample_id]


def test_applied_again_it_changes_nothing_and_finds_no_fault(published: list[Sample], tmp_path: Path) -> None:
    takedown = Takedown(authors=(published[1].street_view.author,))
    first = revise(open_store(str(tmp_path)), takedown)
    again = revise(open_store(str(tmp_path)), takedown)
    assert (first.manifest.revision, again.manifest.revision) == (2, 2)
    assert again.removed == []
    assert list(manifest_of(tmp_path).taken_down.values()) == [1]
    more = Takedown(authors=(published[1].street_view.author, published[2].street_view.author))
    third = revise(open_store(str(tmp_path)), more)
    assert third.manifest.revision == 3
    assert third.manifest.removed == sorted([*first.removed, *third.removed])
    assert sorted(manifest_of(tmp_path).taken_down.values()) == [1, 1]


def test_shards_without_such_samples_stay_as_they_are(
    make_build: Callable[..., Build], units: list[FinishedUnit], tmp_path: Path
) -> None:
    published = put(make_build(shard_mb=0.02), units, tmp_path)
    before = {shard.path: shard.content for shard in manifest_of(tmp_path).shards}
    assert len(before) > 3
    revise(open_store(str(tmp_path)), Takedown(authors=(published[1].street_view.author,)))
    after = {shard.path: shard.content for shard in manifest_of(tmp_path).shards}
    assert len(before.keys() - after.keys()) == len(after.keys() - before.keys()) == 1


def test_the_next_build_may_not_bring_it_back(
    published: list[Sample], make_build: Callable[..., Build], units: list[FinishedUnit], tmp_path: Path
) -> None:
    takedown = Takedown(authors=(published[1].street_view.author,))
    revise(open_store(str(tmp_path)), takedown)
    with pytest.raises(ConfigError, match="all entries that were ever applied"):
        put(make_build(), units, tmp_path)
    left = put(make_build(), units, tmp_path, takedown)
    assert {s.sample_id for s in left} == {s.sample_id for s in published} - {published[1].sample_id}
    assert manifest_of(tmp_path).removed == [published[1].sample_id]


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.seldom])])
def test_killed_anywhere_readers_see_one_whole_dataset_and_a_second_try_ends_it(
    every: int, make_build: Callable[..., Build], units: list[FinishedUnit], tmp_path: Path
) -> None:
    published = put(make_build(), units[:2], tmp_path / "before")
    takedown = Takedown(authors=(published[1].street_view.author,))
    shutil.copytree(tmp_path / "before", tmp_path / "after")
    revise(open_store(str(tmp_path / "after")), takedown)
    assert published[1].street_view.author.encode() not in everything(tmp_path / "after")
    assert verify(open_store(str(tmp_path / "after"))) == []
    after, seen = tree(tmp_path / "after"), set()
    for changes in range(0, 40, every):
        folder = tmp_path / str(changes)
        shutil.copytree(tmp_path / "before", folder)
        try:
            revise(Failing(folder, changes, kill), takedown)
        except Killed:
            store = open_store(str(folder))
            assert verify(store) == []
            rows, index = seen_by_card(store)
            assert rows == index
            seen.add(sum(map(len, rows.values())) == len(published))
            revise(store, takedown)
            assert tree(folder) == after
        else:
            break
    assert seen == {True, False}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("source_id: [a]", "lists source_ids, authors, links, areas"),
        ("authors: Jane", "authors"),
        ("authors: ['']", "at least 1 character"),
        ("areas: [{centre: [91, 0], radius_m: 5}]", "less than or equal to 90"),
        ("areas: [{centre: [1, 0]}]", "either bbox, or centre and radius_m"),
        ("areas: [{bbox: [0, 2, 1, 1]}]", "west, south, east, north"),
        ("authors: [a]\nauthors: [b]", "authors twice"),
        ("[", "valid YAML"),
    ],
)
def test_a_bad_list_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_takedown(tmp_path / "list.yaml")


def test_a_list_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_takedown(tmp_path / "list.yaml")


def test_one_that_is_there_all_the_same_is_a_fault(published: list[Sample], tmp_path: Path) -> None:
    content = json.loads((tmp_path / "manifest.json").read_text())
    content["removed"] = [published[3].sample_id, "north-gone"]
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    (fault,) = verify(open_store(str(tmp_path)))
    assert str(fault) == f"manifest.json, column removed: '{published[3].sample_id}' was taken down and is there"
