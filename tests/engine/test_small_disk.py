"""Revisions and take-downs on a real disk that is full, and killed there: readers see one whole dataset throughout."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.storage import TEMPORARY, open_store
from tests.command import ROOT as REPOSITORY
from tests.command import run_here
from tests.engine.disks import resize, small_disk
from tests.publishing.folders import ROOT, files, listed, manifest_of, samples, seen_by_card, seen_by_manifest
from tools.verify.verify import verify

__all__ = ["small_disk"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
STEP_BYTES = 64 * 1024
KINDS = ["build", "take-down"]

KILLED_AT = """
import os, signal, sys
from pipeline.storage import Store
kill_at, count = int(sys.argv.pop(1)), 0
def or_die(change):
    def changing(self, *arguments):
        global count
        count += 1
        if count == kill_at:
            if kill_at % 2: change(self, *arguments)   # die right after the change, or right before
            os.kill(os.getpid(), signal.SIGKILL)
        return change(self, *arguments)
    return changing
Store.adopt, Store.delete = or_die(Store.adopt), or_die(Store.delete)
from tools.cli.main import main
main()
"""


@pytest.fixture
def commands(
    small_finished: Callable[..., object], small_config: Callable[..., Path], tmp_path: Path
) -> Callable[[str, Path], list[str]]:
    """What revises a copy of the small build's dataset: no shard of it stays, or one photographer's samples go."""
    small_finished()

    def of(kind: str, dataset: Path) -> list[str]:
        shutil.copytree(tmp_path / "dataset", dataset)
        if kind == "build":
            changes = {"publish__row_group_mb": 0.01, "publish__keep_revisions": 0, "dataset": str(dataset)}
            return ["build", str(small_config(tmp_path / "revised", workspace=str(tmp_path / "workspace"), **changes))]
        down = tmp_path / "down.yaml"
        victim = samples(dataset, manifest_of(dataset))[0]
        down.write_text(f"source_ids: ['{victim.street_view.source_id}']\n")
        return ["publish", str(dataset), "--revise", str(down)]

    return of


def in_force(dataset: Path) -> tuple[object, object]:
    """What readers find in a dataset that must be sound."""
    store = open_store(str(dataset))
    assert verify(store) == []
    return seen_by_card(store), seen_by_manifest(store)


def nothing_left_over(dataset: Path) -> dict[str, str]:
    """The files that the manifest lists; there are no others, of older revisions or half-written."""
    found, archive = listed(dataset), f"revisions/{manifest_of(dataset).digest}/manifest.json"
    assert files(dataset) == {*found, archive, *ROOT}
    assert [path.name for path in (dataset / TEMPORARY).iterdir()] == ["publish.lock"]
    return found


def finished(dataset: Path, command: list[str]) -> dict[str, str]:
    """As `nothing_left_over`, after a command that comes through."""
    said = run_here(*command, environment={})
    assert said.returncode == 0, said.stderr
    in_force(dataset)
    return nothing_left_over(dataset)


@pytest.fixture
def expected(
    kind: str, commands: Callable[[str, Path], list[str]], small_disk: Path, tmp_path: Path
) -> tuple[dict[str, str], tuple[object, object]]:
    """What is listed, and what readers find, after a revision where there is room; the small disk has some now, too."""
    roomy = tmp_path / "roomy"
    kept = finished(roomy, commands(kind, roomy))
    resize(small_disk, "64m")
    return kept, in_force(roomy)


@pytest.mark.parametrize("kind", KINDS)
def test_on_a_full_disk_the_old_dataset_stays_until_there_is_room(
    kind: str,
    commands: Callable[[str, Path], list[str]],
    small_disk: Path,
    expected: tuple[dict[str, str], tuple[object, object]],
) -> None:
    kept, new = expected
    dataset = small_disk / "dataset"
    command = commands(kind, dataset)
    old, used, refused = in_force(dataset), shutil.disk_usage(small_disk).used, 0
    while True:
        resize(small_disk, str(used + (refused + 1) * STEP_BYTES))
        said = run_here(*command, environment={})
        if said.returncode == 0:
            break
        refused += 1
        assert said.returncode == 3, said.stderr
        assert "No space left on device" in said.stderr
        assert "Mend that and " in said.stderr
        assert "Traceback" not in said.stderr
        for now, before, after in zip(in_force(dataset), old, new, strict=True):
            assert now in (before, after)
    assert refused > 2
    assert in_force(dataset) == new
    assert nothing_left_over(dataset) == kept


@pytest.mark.parametrize("kind", [pytest.param("build", marks=pytest.mark.seldom), "take-down"])
def test_killed_there_it_is_one_whole_dataset_and_a_second_try_ends_it(
    kind: str,
    commands: Callable[[str, Path], list[str]],
    small_disk: Path,
    expected: tuple[dict[str, str], tuple[object, object]],
) -> None:
    kept, new = expected
    dataset = small_disk / "dataset"
    seen = []
    for kill_at in range(1, 1_000, 3):
        shutil.rmtree(dataset, ignore_errors=True)
        command = commands(kind, dataset)
        old = in_force(dataset)
        resize(small_disk, str(shutil.disk_usage(small_disk).used + 40 * STEP_BYTES))
        done = subprocess.run(
            [sys.executable, "-c", KILLED_AT, str(kill_at), *command], cwd=REPOSITORY, capture_output=True, check=False
        )
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        for now, before, after in zip(in_force(dataset), old, new, strict=True):
            assert now in (before, after)
        seen.append(listed(dataset) == kept)
        assert finished(dataset, command) == kept
    assert seen == sorted(seen)
    assert {True, False} == set(seen)
