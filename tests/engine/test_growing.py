"""A build that grows does only what is new: rows that would come out the same are carried over, one by one."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from PIL import Image

import pipeline.stages.captions
import pipeline.stages.cues
import pipeline.stages.imagery
from pipeline.config.build import Build
from pipeline.engine.build import run_build
from pipeline.engine.layers import list_layers, read_rows
from pipeline.engine.workspace import collect_garbage
from pipeline.errors import SiteError
from pipeline.sources.world import WorldAerialSource, WorldStreetSource
from pipeline.stages import STAGES
from pipeline.stages.captions import captions
from pipeline.stages.cues import cues
from pipeline.stages.imagery import imagery
from pipeline.storage import open_store
from schemas.reasons import Reason
from schemas.records import ImageryRow, LayerRow
from tests.publishing.folders import manifest_of
from tools.dataset import open_dataset

Asked = dict[str, list[str]]


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """The sites that each stage is given, by stage."""
    asked: Asked = {"imagery": [], "cues": [], "captions": []}
    whole: dict[str, Callable[..., Any]] = {"imagery": imagery, "cues": cues, "captions": captions}

    def watching(stage: str) -> Callable[..., Any]:
        def run(sites: Any, *rest: Any) -> Any:
            asked[stage] += [site.site_id for site in sites]
            return whole[stage](sites, *rest)

        return run

    with monkeypatch.context() as patch:
        for name in whole:
            patch.setattr(getattr(pipeline.stages, name), name, watching(name))
        yield asked


def rows(build: Build, stage: str) -> dict[str, LayerRow]:
    """The rows of a layer that are up to date, by site."""
    store = open_store(build.workspace)
    collect_garbage(store)
    record = next(one.record for one in STAGES if one.name == stage)
    files = [file for file in list_layers(store) if file.layer == stage]
    return {row.site_id: row for file in files for row in read_rows(store, file, record)}


def unweighted(row: LayerRow) -> LayerRow:
    """A site stands for fewer places where there are more sites."""
    return row.model_copy(update={"weight": 0.0}) if isinstance(row, ImageryRow) else row


COARSE = {"sampling__unit_resolution": 8}
"""Units that hold several sites, so that new sites come into units that are there."""


def test_more_sites_are_all_that_is_processed(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = small_finished(**COARSE)
    before = {stage.name: rows(few, stage.name) for stage in STAGES}
    many = small_build(**COARSE, sampling__max_sites=9)
    with watched(monkeypatch) as asked:
        outcome = run_build(many)
    assert outcome.sites == 18
    assert outcome.made["imagery"] > 0
    for stage in STAGES:
        after = rows(many, stage.name)
        assert {i: unweighted(after[i]) for i in before[stage.name]} == {
            i: unweighted(row) for i, row in before[stage.name].items()
        }
        assert sorted(asked[stage.name]) == sorted(after.keys() - before[stage.name].keys())


def test_a_new_region_leaves_the_others_alone(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], monkeypatch: pytest.MonkeyPatch
) -> None:
    regions = [{"name": "north", "centre": [59.33, 18.06], "radius_m": 260}]
    one = small_finished(regions=regions)
    there = {row["sample_id"] for row in open_dataset(one.dataset).rows(["sample_id"])}
    with watched(monkeypatch) as asked:
        two = small_build()
        run_build(two)
    assert there
    assert not there & set(asked["imagery"])
    assert set(open_dataset(two.dataset).manifest.counts.regions) == {"north", "south"}


def test_a_new_view_is_all_that_is_fetched_and_no_description_is_written_again(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = small_finished(**COARSE)
    before = {stage.name: rows(plain, stage.name) for stage in STAGES}
    world = {"type": "world", "seed": 3}
    flown = small_build(**COARSE, sources__drone={"kite": world}, imagery__chips__drone_gsd_m=0.3)
    reads: list[object] = []
    monkeypatch.setattr("pipeline.sources.world.WorldStreetSource.near", lambda *args: reads.append(args))
    with watched(monkeypatch) as asked:
        run_build(flown)
    assert reads == []
    assert (asked["cues"], asked["captions"]) == ([], [])
    assert rows(flown, "captions") == before["captions"]
    for site_id, row in rows(flown, "imagery").items():
        assert isinstance(row, ImageryRow)
        assert row.drone is not None
        assert Image.open(io.BytesIO(row.drone.image.bytes)).size == (128, 128)
        assert row.model_copy(update={"drone": None}) == before["imagery"][site_id]


@pytest.mark.parametrize("reason", [Reason.NO_STREET_VIEW, Reason.UNREACHABLE])
def test_a_new_drone_source_asks_for_no_photos_where_there_were_none(
    reason: Reason, small_build: Callable[..., Build], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def near(*args: object) -> list[Any]:
        asked.append(args)
        raise SiteError(reason, "nothing")

    monkeypatch.setattr(WorldStreetSource, "near", near)
    plain = small_build()
    assert run_build(plain, stages=("imagery",)).failed == {reason: 12}
    before = rows(plain, "imagery")
    asked.clear()
    flown = small_build(sources__drone={"kite": {"type": "world", "seed": 3}})
    assert run_build(flown, stages=("imagery",)).made["imagery"] > 0
    assert bool(asked) == (reason is Reason.UNREACHABLE)  # which may have passed
    assert rows(flown, "imagery") == before


def test_a_changed_aerial_source_leaves_the_photos_as_they_are(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = small_finished(**COARSE)
    before = rows(first, "imagery")
    reads: list[object] = []
    monkeypatch.setattr("pipeline.sources.world.WorldStreetSource.near", lambda *args: reads.append(args))
    monkeypatch.setattr(WorldAerialSource, "fingerprint", lambda self: f"{self.name}, of another year")
    run_build(small_build(**COARSE))
    assert reads == []
    after = rows(small_build(**COARSE), "imagery")
    assert {i: (row.views, row.facts) for i, row in after.items() if isinstance(row, ImageryRow)} == {
        i: (row.views, row.facts) for i, row in before.items() if isinstance(row, ImageryRow)
    }


def test_a_damaged_table_is_no_source_of_rows(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], tmp_path: Any
) -> None:
    few = small_finished(**COARSE)
    for path in (tmp_path / "workspace" / "captions").rglob("*.parquet"):
        data = bytearray(path.read_bytes())
        data[100] ^= 1
        path.write_bytes(data)
    many = small_build(**COARSE, sampling__max_sites=9)
    outcome = run_build(many)
    assert outcome.failed == {}
    assert manifest_of(tmp_path / "dataset").counts.sites == 18
    assert few.name == many.name
