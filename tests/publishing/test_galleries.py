"""What a revision says of splits and neighbours, beside its shards."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h3
import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.config.build import Build
from pipeline.errors import ConfigError
from pipeline.geo.overlaps import Chips, find_overlaps
from pipeline.publishing.units import FinishedUnit
from pipeline.storage import open_store
from schemas.records import ImageryRow
from tests.publishing.folders import Row, files, manifest_of, put, tree
from tools.retrieval.data.index import read_index
from tools.retrieval.data.select import Selection
from tools.retrieval.evaluate.dataset import gallery_of
from tools.verify.leakage import find_leaks
from tools.verify.verify import verify

MakeUnit = Callable[..., FinishedUnit]
MakeBuild = Callable[..., Build]
ALL = {"train": 0.5, "val": 0.15, "test_seen": 0.1, "test_unseen": 0.25}


def table(folder: Path, name: str) -> list[Row]:
    rows: list[Row] = pq.read_table(folder / f"revisions/{manifest_of(folder).digest}/{name}.parquet").to_pylist()
    return rows


def town(make_unit: MakeUnit, lat: float, lon: float, region: str, rings: int = 3, **kinds: Any) -> list[FinishedUnit]:
    """Neighbouring units of a region: cells of 0.1 km2."""
    return [make_unit(region, cell, **kinds) for cell in sorted(h3.grid_disk(h3.latlng_to_cell(lat, lon, 9), rings))]


@pytest.fixture(scope="module")
def crowded(make_unit: MakeUnit) -> list[FinishedUnit]:
    return town(make_unit, 52.3, 13.4, "north", sites=4) + town(make_unit, -33.9, 18.4, "south", rings=1, sites=2)


@pytest.fixture(scope="module")
def published(
    crowded: list[FinishedUnit], make_build: MakeBuild, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Build]:
    build = make_build(splits=ALL, unseen_regions=["south"], allow_empty=[])
    wide = build.imagery.chips.model_copy(update={"size_px": 640})
    build = build.model_copy(update={"imagery": build.imagery.model_copy(update={"chips": wide})})
    folder = tmp_path_factory.mktemp("crowded")
    put(build, crowded, folder)
    return folder, build


def test_overlaps_are_those_of_the_chips(published: tuple[Path, Build]) -> None:
    rows = table(published[0], "samples")
    ids = [row["sample_id"] for row in rows]
    lat, lon = (np.array([row[name] for row in rows]) for name in ("lat", "lon"))
    chips = Chips(lat, lon, np.full(len(rows), 192.0))
    wanted = find_overlaps(chips)
    assert len(wanted.other) > 100
    for at, row in enumerate(rows):
        shares = dict(zip((ids[other] for other in wanted.of(at)), wanted.share[wanted.start[at] :], strict=False))
        assert {o["sample_id"]: round(o["share"], 3) for o in row["overlaps"]} == {
            sample_id: pytest.approx(share, abs=1e-3) for sample_id, share in shares.items() if share > 1e-4
        }
        split_of = {r["sample_id"]: r["split"] for r in rows}
        assert {split_of[o["sample_id"]] for o in row["overlaps"]} <= {row["split"]}


def test_a_thinned_gallery_has_no_two_chips_that_share_a_quarter(published: tuple[Path, Build]) -> None:
    rows = table(published[0], "samples")
    thin = {row["sample_id"] for row in rows if row["thinned"]}
    assert {row["split"] for row in rows if row["thinned"]} == {"val", "test_seen", "test_unseen"}
    for row in rows:
        close = {o["sample_id"] for o in row["overlaps"] if o["share"] > 0.25}
        if row["thinned"]:
            assert not close & thin
        elif row["split"] != "train":
            assert close & thin  # it would not fit


def test_what_is_left_out_is_listed_with_what_it_gave_way_to(published: tuple[Path, Build]) -> None:
    folder, _ = published
    counts, rows = manifest_of(folder).counts, table(folder, "excluded")
    split_of = {row["sample_id"]: row["split"] for row in table(folder, "samples")}
    assert {reason: sum(row["reason"] == reason for row in rows) for reason in counts.excluded} == counts.excluded
    assert counts.excluded["split_embargo"] == len(rows) > 0
    for row in rows:
        assert row["sample_id"] not in split_of
        assert split_of[row["survivor"]] != row["split"]


def test_the_split_file_says_where_each_unit_is_and_what_to_leave_out(
    published: tuple[Path, Build], crowded: list[FinishedUnit]
) -> None:
    folder, _ = published
    content = json.loads((folder / f"revisions/{manifest_of(folder).digest}/splits.json").read_text())
    assert content["units"].keys() == {unit.unit for unit in crowded}
    for row in table(folder, "samples"):
        assert content["units"][row["unit"]] == row["split"]
        assert row["continent"] == content["regions"][row["region"]]["continent"]
    assert content["regions"]["south"] == {"continent": "AF", "held_out": True, "block_resolution": None}
    assert content["leave_one_continent_out"] == [
        {"left_out": "AF", "train_regions": ["north"], "test_regions": ["south"]},
        {"left_out": "EU", "train_regions": ["south"], "test_regions": ["north"]},
    ]


def test_retrieval_goes_by_what_is_stated(published: tuple[Path, Build]) -> None:
    rows = {row["sample_id"]: row for row in table(published[0], "samples")}
    where = [str(published[0])]
    index = read_index(where, Selection(splits=("test",)))
    assert set(index.split.tolist()) == {"test_seen", "test_unseen"}
    gallery = gallery_of(index, "aerial")
    assert gallery.thin is not None
    assert gallery.overlaps is not None
    assert 0 < gallery.thin.sum() < len(gallery.ids)
    for at, sample_id in enumerate(gallery.ids):
        stated = {o["sample_id"] for o in rows[sample_id]["overlaps"]} & set(gallery.ids)
        assert {gallery.ids[other] for other in gallery.overlaps.of(at)} == stated
        assert gallery.thin[at] == rows[sample_id]["thinned"]
    assert len(read_index(where, Selection(splits=("validation",)))) > 0
    assert read_index(where, Selection(splits=("train",))).thin is None


def test_what_is_published_is_sound_and_leaks_nothing(published: tuple[Path, Build]) -> None:
    store = open_store(str(published[0]))
    assert verify(store) == []
    found = find_leaks(store, manifest_of(published[0]))
    assert (found.leaks, found.unread) == ([], [])
    assert found.samples.keys() == ALL.keys()


def test_a_build_that_grows_keeps_every_sample_and_its_split(
    crowded: list[FinishedUnit], make_unit: MakeUnit, published: tuple[Path, Build], tmp_path: Path
) -> None:
    _, build = published
    inner = town(make_unit, 52.3, 13.4, "north", rings=2, sites=3)
    south = [unit for unit in crowded if unit.region == "south"]
    put(build, inner + south, tmp_path)
    before = {row["sample_id"]: row["split"] for row in table(tmp_path, "samples")}
    put(build, crowded, tmp_path)
    after = {row["sample_id"]: row["split"] for row in table(tmp_path, "samples")}
    assert len(after) > len(before) + 30
    assert {sample_id: after.get(sample_id) for sample_id in before} == before
    assert verify(open_store(str(tmp_path))) == []
    shares = manifest_of(tmp_path).counts.regions["north"]
    assert abs(shares["test_seen"] / sum(shares.values()) / (0.1 / 0.75) - 1) <= 0.2


def test_an_empty_split_is_refused_before_anything_is_written_or_allowed_by_name(
    make_unit: MakeUnit, make_build: MakeBuild, tmp_path: Path
) -> None:
    unit = make_unit("north", h3.latlng_to_cell(52.3, 13.4, 9))
    with pytest.raises(ConfigError) as error:
        put(make_build(allow_empty=["val"]), [unit], tmp_path)
    assert [problem.where for problem in error.value.problems] == ["publish.splits.test_seen"]
    assert "4 finished sites in 1 unit" in str(error.value)
    assert "publish.allow_empty" in str(error.value)
    assert files(tmp_path) == set()
    assert put(make_build(allow_empty=["val", "test_seen"]), [unit], tmp_path).counts.splits == {"train": 4}
    assert "**Empty:** `val`, `test_seen`" in (tmp_path / "README.md").read_text()


def test_a_photo_that_two_splits_would_share_stays_in_one(
    make_unit: MakeUnit, make_build: MakeBuild, tmp_path: Path
) -> None:
    def one_photo(row: ImageryRow) -> ImageryRow:
        views = [view.model_copy(update={"source_id": "the one"}) for view in row.views]
        return row.model_copy(update={"views": views}) if row.site_id.endswith("000") else row

    cells = sorted(h3.latlng_to_cell(52.2 + 0.1 * i, 13.2, 9) for i in range(3))
    build = make_build(splits={"train": 0.4, "val": 0.3, "test_seen": 0.3}, allow_empty=[])
    put(build, [make_unit("north", cell, sites=3, change=one_photo) for cell in cells], tmp_path)
    assert manifest_of(tmp_path).counts.excluded["photo_embargo"] == 2
    assert verify(open_store(str(tmp_path))) == []


def test_a_lost_split_file_is_made_up_for_by_the_samples(
    units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(make_build(), units, tmp_path)
    whole = tree(tmp_path)
    (path,) = tmp_path.glob("revisions/*/splits.json")
    path.write_text("{")
    put(make_build(), units, tmp_path)
    assert "splits.json of the earlier revision cannot be read" in caplog.text
    assert {p for p in tree(tmp_path) if p.startswith("data/")} == {p for p in whole if p.startswith("data/")}
