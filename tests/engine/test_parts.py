"""Parts of a build: static shares of its units, for arrays of jobs without an engine. Proof on a local S3 server."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config.build import Build
from pipeline.engine.build import run_build
from pipeline.engine.layers import ALL, LayerFile, commit
from pipeline.engine.parts import Part, parse_part
from pipeline.engine.progress import Progress, Watcher
from pipeline.engine.units import UnitTask
from pipeline.errors import ConfigError
from pipeline.storage import open_store
from schemas.records import ImageryRow
from tests.command import ROOT, run_here
from tests.engine.buckets import bucket
from tests.publishing.folders import listed
from tools.verify.verify import verify

__all__ = ["bucket"]

FEW = {"sampling__max_sites": 6}


@pytest.mark.parametrize("given", ["5/4", "0/4", "1/0", "-1/2", "1", "1/2/3", "a/b", "", "1/1000000", "1 /2", "٣/٤"])
def test_parts_that_are_none(given: str, small_config: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match="--part"):
        parse_part(given)
    config = small_config()
    said = run_here("build", config, f"--part={given}", environment={})
    assert said.returncode == 2
    assert not (config.parent / "workspace").exists()


def test_every_unit_is_in_one_part() -> None:
    units = [("north", f"8a0886{i:09x}") for i in range(2_000)]
    for of in (1, 2, 3, 7, 16):
        parts = [Part(number, of) for number in range(1, of + 1)]
        shares = [sum(part.has(*unit) for unit in units) for part in parts]
        assert sum(shares) == len(units)
        assert all(sum(part.has(*unit) for part in parts) == 1 for unit in units)
        assert min(shares) > 0.6 * len(units) / of


def test_the_progress_of_a_part_counts_no_table_of_another_part(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    sites = LayerFile("sites", "north", ALL, "a" * 12, "b" * 32)
    told: list[Progress] = []
    task = UnitTask("north", "unit1", sites, 1, "mark", {}, {}, (), todo=("imagery", "cues"))
    with Watcher(store, [task], [], told.append):
        for unit in ("unit1", "unit2"):
            commit(store, "imagery", "north", unit, "c" * 12, ImageryRow, [])
    progress = {stage: (one.units_done, one.units) for (_, stage), one in told[-1].items()}
    assert progress == {"imagery": (1, 1), "cues": (0, 1)}


def test_a_part_is_not_asked_to_publish(small_config: Callable[..., Path]) -> None:
    said = run_here("build", small_config(), "--part=1/2", "--stages=captions,publish", environment={"COLUMNS": "300"})
    assert said.returncode == 2
    assert "--stages: found publish with --part; allowed: `geoscribe publish CONFIG`" in said.stderr
    said = run_here("build", small_config(), "--part=1/2", "--take-over", environment={"COLUMNS": "300"})
    assert said.returncode == 2
    assert "--part: found --take-over beside it; allowed: `geoscribe publish CONFIG --take-over`" in said.stderr


def test_drawing_sites_alone_is_told(small_config: Callable[..., Path]) -> None:
    said = run_here("build", small_config(**FEW), "--stages=sites", environment={})
    assert said.returncode == 0, said.stderr
    assert said.stdout.splitlines()[1:3] == ["sites: 12 in 2 regions", "tables made: none"]


def start(config: Path, part: int, of: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tools.cli.main", "build", str(config), "--part", f"{part}/{of}"]
    return subprocess.Popen(
        command, cwd=ROOT, env=dict(os.environ), text=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )


@pytest.mark.slow
def test_processes_on_a_bucket_two_of_them_killed_and_one_there_twice_are_as_one(
    small_build: Callable[..., Build], small_config: Callable[..., Path], bucket: str, tmp_path: Path
) -> None:
    alone = small_build(tmp_path / "alone", **FEW)
    run_build(alone)
    config = small_config(tmp_path / "s3", workspace=f"{bucket}/workspace", dataset=f"{bucket}/dataset", **FEW)
    store = open_store(f"{bucket}/workspace")
    running = {number: start(config, number, 4) for number in (1, 2, 3, 4)}
    twin = start(config, 4, 4)
    for number in (2, 3):
        # Killed in the middle: when the first tables are there.
        deadline = time.monotonic() + 120
        while not any(True for _ in store.entries("imagery")) and time.monotonic() < deadline:
            time.sleep(0.05)
        running[number].send_signal(signal.SIGKILL)
        running[number].communicate()
    for number in (2, 3):
        running[number] = start(config, number, 4)
    for number, process in [*running.items(), (4, twin)]:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, f"part {number}: {said}"
    assert not any(True for _ in open_store(f"{bucket}/dataset").entries("data"))
    published = run_here("publish", config, environment={})
    assert published.returncode == 0, published.stderr
    out = open_store(f"{bucket}/dataset")
    here = listed(Path(alone.dataset))
    assert {path: hashlib.sha256(out.read(path)).hexdigest() for path in here} == here
    assert verify(out) == []
    for number in range(1, 5):
        record = json.loads(store.read(f"run.part-{number}-of-4.json"))
        assert record["ended"] == "finished"


def test_parts_one_after_the_other_are_as_one_build(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], tmp_path: Path
) -> None:
    whole = small_finished(tmp_path / "whole")
    build = small_build(tmp_path / "parts")
    made = [run_build(build, part=Part(number, 3)) for number in (3, 1, 2)]
    assert [outcome.published for outcome in made] == [None, None, None]
    assert sum(outcome.sites for outcome in made) == 12
    assert sum(outcome.counts["captions"].total for outcome in made) == 12
    assert not any(outcome.none_left for outcome in made)
    assert all(outcome.made["imagery"] > 0 for outcome in made)
    assert run_build(build, stages=("publish",)).made == {"imagery": 0, "cues": 0, "captions": 0, "publish": 1}
    assert listed(Path(build.dataset)) == listed(Path(whole.dataset))
