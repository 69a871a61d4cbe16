"""`geoscribe diff`: what differs between two datasets, and between two builds."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.build import Build
from pipeline.engine.build import run_build
from pipeline.engine.build_file import load_build
from pipeline.publishing.owner import Publishing
from tests.command import run_here
from tests.engine.conftest import write_small
from tools.compare.rows import compare, digests
from tools.dataset import open_dataset

WIDE = {"COLUMNS": "200"}
Rows = dict[str, tuple[str, int]]


def diff(before: str | Path, after: str | Path) -> tuple[int, dict[str, Any]]:
    result = run_here("diff", before, after, "--json", environment=WIDE)
    return result.returncode, json.loads(result.stdout)


def table(rows: Rows) -> pa.Table:
    return pa.table(
        {
            "sample_id": list(rows),
            "split": [split for split, _ in rows.values()],
            "picture": [{"bytes": bytes([value]), "path": "p"} for _, value in rows.values()],
        }
    )


some_rows = st.dictionaries(
    st.sampled_from("abcdef"), st.tuples(st.sampled_from(["train", "val"]), st.integers(0, 2)), max_size=6
)


@given(before=some_rows, after=some_rows)
def test_rows_are_told_apart_by_id_and_column(before: Rows, after: Rows) -> None:
    columns = ["split", "picture"]
    found = compare(digests(table(before), "sample_id", columns), digests(table(after), "sample_id", columns), columns)
    both = before.keys() & after.keys()
    assert found.added == sorted(after.keys() - before.keys())
    assert found.removed == sorted(before.keys() - after.keys())
    assert found.same == sum(before[row] == after[row] for row in both)
    assert found.differ == (before != after)
    for i, column in enumerate(columns):
        assert set(found.changed.get(column, [])) == {row for row in both if before[row][i] != after[row][i]}
    assert {row: pair for pair, rows in found.moved.items() for row in rows} == {
        row: (before[row][0], after[row][0]) for row in both if before[row][0] != after[row][0]
    }


def test_a_copy_is_the_same(small_finished: Callable[..., Build], tmp_path: Path) -> None:
    build = small_finished()
    for place in ("dataset", "workspace"):
        shutil.copytree(tmp_path / place, tmp_path / "copy" / place)
        code, said = diff(tmp_path / place, tmp_path / "copy" / place)
        assert (code, said["same"]) == (0, True)
    assert "are the same" in run_here("diff", build.dataset, tmp_path / "copy/dataset", environment=WIDE).stdout


def ids_of(dataset: str) -> set[str]:
    return {row["sample_id"] for row in open_dataset(dataset).rows(["sample_id"])}


def test_a_build_that_lost_a_region_and_changed_is_told_by_row_column_count_and_setting(
    small_finished: Callable[..., Build], tmp_path: Path
) -> None:
    build = small_finished()
    other = load_build(
        write_small(
            tmp_path / "other",
            {
                "regions": [{"name": "north", "centre": [59.33, 18.06], "radius_m": 260}],
                "imagery__jpeg_quality": 70,
                "publish__title": "Another",
            },
        )
    )
    run_build(other, publishing=Publishing())
    code, said = diff(build.dataset, other.dataset)
    assert (code, said["same"]) == (1, False)
    rows = said["rows"]
    before, after = (ids_of(dataset) for dataset in (build.dataset, other.dataset))
    south = {sample for sample in before if sample.startswith("south")}
    assert south
    assert set(rows["removed"]) == before - after >= south
    assert set(rows["added"]) == after - before, "one region's splits leave out other sites than two regions' splits"
    assert rows["same"] == 0, "another JPEG quality is another picture"
    assert set(rows["changed"]["street"]) == before & after
    assert "cues" not in rows["changed"]
    assert said["settings"]["imagery.jpeg_quality"] == {"before": 88, "after": 70}
    assert said["settings"]["regions.south"]["after"] is None
    assert said["counts"]["regions"]["south"]["after"] is None
    assert diff(other.dataset, build.dataset)[1]["rows"]["added"] == rows["removed"]
    code, layers = diff(build.workspace, tmp_path / "other" / "build.yaml")
    assert code == 1
    assert len(layers["stages"]["imagery"]["changed"]["views"]) == 6
    assert len(layers["stages"]["cues"]["removed"]) == 6
    assert layers["counts"]["south"] == {
        "before": {stage: {"ok": 6} for stage in ("imagery", "cues", "captions")},
        "after": None,
    }
    text = run_here("diff", build.dataset, other.dataset, environment=WIDE).stdout
    counts = [len(rows["changed"]["street"]), len(rows["added"]), len(rows["removed"])]
    assert "rows: 0 same, {} changed, {} added, {} removed".format(*counts) in text
    assert "setting publish.title: 'A geoscribe dataset' -> 'Another'" in text


def test_a_moved_split_is_told(small_finished: Callable[..., Build], tmp_path: Path) -> None:
    build = small_finished()
    other = small_finished(tmp_path / "other", publish__splits={"train": 0.5, "val": 0.0, "test_seen": 0.5})
    code, said = diff(build.dataset, other.dataset)
    assert code == 1
    moved = {row for one in said["splits_moved"] for row in one["samples"]}
    assert moved
    assert moved == set(said["rows"]["changed"]["split"])
    assert {(one["from"], one["to"]) for one in said["splits_moved"]} <= {
        ("train", "test_seen"),
        ("val", "test_seen"),
        ("test_seen", "train"),
        ("val", "train"),
    }


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("dataset", "workspace", "(a dataset) and "),
        ("nothing", "dataset", "A: found"),
        ("dataset", ".", "without manifest.json or build.json"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    small_finished: Callable[..., Build], tmp_path: Path, before: str, after: str, said: str
) -> None:
    small_finished()
    result = run_here("diff", tmp_path / before, tmp_path / after, environment=WIDE)
    assert result.returncode == 2
    assert said in result.stderr
