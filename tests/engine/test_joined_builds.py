"""What whole builds publish, row for row the same as joining their layers record by record.

Builds of real photos are held against it in `test_corpus_builds`.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.config.build import Build
from pipeline.engine.build import run_build
from pipeline.engine.build_file import load_build
from pipeline.publishing import distractor_files, shards
from pipeline.publishing.counts import RunningCounts
from pipeline.publishing.distractors import Chosen
from pipeline.publishing.joining import LayerRows, join
from pipeline.publishing.layout import columns, published
from pipeline.publishing.units import UnitPart, UnitTables
from pipeline.storage import open_store
from schemas.records import Split
from tests.publishing import joined_records
from tests.publishing.folders import listed, manifest_of
from tests.publishing.joined_records import RecordCounts
from tests.real_places import ROOT
from tools.verify.verify import verify


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Holds each join of this process against that of records, and counts the rows."""
    rows = {"samples": 0, "distractors": 0}
    of_distractors = distractor_files._rows

    def joined(tables: UnitTables, part: UnitPart, split: Split) -> pa.Table:
        table, samples = join(tables, part, split), list(joined_records.join(tables, part, split))
        assert table.equals(pa.Table.from_pylist([published(one) for one in samples], schema=columns()))
        counts, by_records = RunningCounts(), RecordCounts()
        counts.add(table)
        for sample in samples:
            by_records.add_sample(sample)
        assert counts.counts() == by_records.counts()
        rows["samples"] += table.num_rows
        return table

    def alone(chosen: Chosen, imagery: LayerRows) -> pa.Table:
        table = of_distractors(chosen, imagery)
        by_records = joined_records.distractor_rows(replace(chosen, sites=tuple(imagery.ids)))
        assert table.equals(pa.Table.from_pylist(list(by_records), schema=columns()))
        rows["distractors"] += table.num_rows
        return table

    monkeypatch.setattr(shards, "join", joined)
    monkeypatch.setattr(distractor_files, "_rows", alone)
    return rows


def publish_again(build: Build, place: Path) -> dict[str, str]:
    """Publish a finished build to another place, in this process."""
    run_build(build.model_copy(update={"dataset": str(place)}), stages=("publish",))
    assert verify(open_store(str(place))) == []
    return listed(place)


@pytest.mark.slow
def test_a_build_of_panoramas_chips_and_distractors(
    small_finished: Callable[..., Build], held: dict[str, int], tmp_path: Path
) -> None:
    more: dict[str, Any] = {"sampling__distractors": 1.0, "imagery__chips__extra_sizes_m": [120]}
    build = small_finished(tmp_path, **more)
    was = listed(Path(build.dataset))
    shutil.rmtree(build.dataset)
    held.update(samples=0)
    assert publish_again(build, Path(build.dataset)) == was
    assert held["samples"] == manifest_of(Path(build.dataset)).counts.published
    assert held["distractors"] > 0


@pytest.mark.seldom  # it draws and reads 72 places
@pytest.mark.timeout(900)
def test_the_demo(held: dict[str, int], tmp_path: Path) -> None:
    build = load_build(ROOT / "configs" / "demo.yaml").model_copy(
        update={"workspace": str(tmp_path / "workspace"), "dataset": str(tmp_path / "dataset")}
    )
    run_build(build)
    assert publish_again(build, tmp_path / "again") == listed(tmp_path / "dataset")
    assert held["samples"] == 2 * manifest_of(Path(build.dataset)).counts.published > 40
