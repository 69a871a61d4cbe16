"""Shards as elements of the graph: made on the runner, in processes beside the driver, and told by receipts."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.config.build import Build
from pipeline.engine import build as engine
from pipeline.engine import shard_jobs
from pipeline.engine.build import run_build
from pipeline.engine.layers import LayerFile, read
from pipeline.engine.shard_jobs import FOLDER, ShardJob, do_job
from pipeline.errors import MachineError
from pipeline.storage import open_store
from tests.command import ROOT
from tests.engine.job_services import job_server, worker_pool
from tests.publishing.folders import files, listed
from tests.standin_builds.builds import free_port
from tools.verify.verify import verify

PUBLISH = ("publish",)


@pytest.fixture
def unpublished(
    small_finished: Callable[..., Build], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Build, dict[str, str]]:
    """A build whose dataset is gone, and what was in it; however small, its shards go to the runner."""
    build = small_finished(tmp_path)
    was = listed(Path(build.dataset))
    shutil.rmtree(build.dataset)
    monkeypatch.setattr(shard_jobs, "WORTH_BYTES", 0.0)
    return build, was


def here(monkeypatch: pytest.MonkeyPatch, spoil: Callable[[list[ShardJob], Build], None] | None = None) -> list[int]:
    """Have jobs done in this process instead of on a runner, then spoil something; returns how many at each publish."""
    counts: list[int] = []

    def do(build: Build, jobs: Sequence[Any], regions: Any, how: Any) -> None:
        own = [job for job in jobs if isinstance(job, ShardJob)]
        if len(own) < len(jobs):
            run(build, jobs, regions, how)
            return
        for job in own:
            do_job(job, open_store(build.workspace), open_store(build.dataset))
        counts.append(len(own))
        if spoil is not None and len(counts) == 1:
            spoil(own, build)

    run = engine._run
    monkeypatch.setattr(engine, "_run", do)
    return counts


def receipts(build: Build) -> set[str]:
    return {path for path in files(Path(build.workspace)) if path.startswith(FOLDER)}


def test_shards_of_jobs_are_those_of_one_process(
    unpublished: tuple[Build, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    build, was = unpublished
    stale = Path(build.workspace) / FOLDER / "0123456789abcdef.json"  # of a publish that was killed
    stale.parent.mkdir()
    stale.write_text("{}")
    counts = here(monkeypatch)
    outcome = run_build(build, stages=PUBLISH)
    assert outcome.published is not None
    assert counts == [outcome.published.made] == [len(outcome.published.shards)]
    assert listed(Path(build.dataset)) == was
    assert receipts(build) == set()


def test_a_few_bytes_are_no_work_for_a_runner(
    unpublished: tuple[Build, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    build, was = unpublished
    monkeypatch.setattr(shard_jobs, "WORTH_BYTES", 1e9)
    counts = here(monkeypatch)
    run_build(build, stages=PUBLISH)
    assert counts == []
    assert listed(Path(build.dataset)) == was


def lose(jobs: list[ShardJob], build: Build) -> None:
    (Path(build.workspace) / jobs[0].receipt).unlink()


def cut(jobs: list[ShardJob], build: Build) -> None:
    receipt = Path(build.workspace) / jobs[0].receipt
    receipt.write_bytes(receipt.read_bytes()[:50])


def make_nonsense(jobs: list[ShardJob], build: Build) -> None:
    (Path(build.workspace) / jobs[0].receipt).write_text(json.dumps({"made": {"path": "../../etc/passwd"}}))


@pytest.mark.parametrize("spoil", [lose, cut, make_nonsense])
def test_a_shard_whose_receipt_is_lost_says_the_same_itself(
    unpublished: tuple[Build, dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[list[ShardJob], Build], None],
) -> None:
    build, was = unpublished
    here(monkeypatch, spoil)
    run_build(build, stages=PUBLISH)
    assert listed(Path(build.dataset)) == was


def test_a_job_that_was_not_done_is_told(
    unpublished: tuple[Build, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    build, _ = unpublished

    def lose_all(jobs: list[ShardJob], build: Build) -> None:
        lose(jobs, build)
        for shard in Path(build.dataset).glob(f"data/*/*-{jobs[0].task.recipe}-*"):
            shard.unlink()

    counts = here(monkeypatch, lose_all)
    with pytest.raises(MachineError, match=r"1 of .* shards of .* were not made"):
        run_build(build, stages=PUBLISH)
    assert not (Path(build.dataset) / "manifest.json").exists()
    run_build(build, stages=PUBLISH)  # the one that is missing, alone
    assert len(counts) == 1
    assert verify(open_store(build.dataset)) == []


def test_a_damaged_table_is_made_again_and_only_its_shard_with_it(
    unpublished: tuple[Build, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    build, was = unpublished
    damaged: list[LayerFile] = []

    def spoilt(store: Any, file: LayerFile) -> Any:
        if not damaged:
            damaged.append(file)
            path = Path(build.workspace) / file.path
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(bytes(data))
        return read(store, file)

    monkeypatch.setattr(shard_jobs, "read", spoilt)
    counts = here(monkeypatch)
    outcome = run_build(build)
    assert outcome.published is not None
    assert outcome.made["imagery"] == 0  # it came out the same: the listing before and after are equal
    assert outcome.published.made == 1
    assert counts == [len(outcome.published.shards)]
    assert listed(Path(build.dataset)) == was


SCRIPT = """
import pipeline.engine.shard_jobs as jobs
jobs.WORTH_BYTES = 0.0
from tools.cli.main import main
main()
"""


def start(build: Build, *options: str, before: Callable[[], None] | None = None) -> "subprocess.Popen[str]":
    config = Path(build.workspace).parent / "build.yaml"
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "build", str(config), *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,  # noqa: PLW1509 - no thread of this process matters to the child
    )


def full_at(size: int) -> Callable[[], None]:
    """No file may grow beyond so many bytes: what a disk says that is full, to every process of the publish."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.slow
def test_a_disk_that_fills_while_processes_publish_leaves_the_old_revision_whole(
    small_finished: Callable[..., Build], small_config: Callable[..., Path], tmp_path: Path
) -> None:
    build = small_finished(tmp_path)
    was = listed(Path(build.dataset))
    small_config(publish__row_group_mb=0.02)  # every shard is another
    largest = max((Path(build.dataset) / path).stat().st_size for path in was if path.endswith(".parquet"))
    process = start(build, before=full_at(largest * 2 // 3))
    _, said = process.communicate()
    assert process.returncode == 3, said
    assert f"stopped: cannot write a shard of {build.dataset}: " in said
    assert "Traceback" not in said
    assert listed(Path(build.dataset)) == was
    assert verify(open_store(build.dataset)) == []
    assert list((Path(build.dataset) / ".tmp").glob("[!.]*[!k]")) == []  # but the lock
    process = start(build)
    out, said = process.communicate()
    assert process.returncode == 0, out + said
    assert not set(listed(Path(build.dataset))) & {path for path in was if path.startswith("data/")}
    assert verify(open_store(build.dataset)) == []
    assert receipts(build) == set()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder in which nobody may make or rename a file, root neither, until the end of the block."""
    if subprocess.run(["chattr", "+i", folder], check=False, capture_output=True).returncode:
        pytest.skip("making a folder read-only for root needs root and a file system that can")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", folder], check=True)


@pytest.mark.slow
@pytest.mark.seldom
def test_a_folder_that_becomes_read_only_while_processes_publish_leaves_the_old_revision_whole(
    small_finished: Callable[..., Build], small_config: Callable[..., Path], tmp_path: Path
) -> None:
    build = small_finished(tmp_path)
    was = listed(Path(build.dataset))
    small_config(publish__row_group_mb=0.02)  # every shard is another
    process = start(build)
    child_of(process)
    with read_only(Path(build.dataset) / "data" / "train"):
        _, said = process.communicate()
    assert process.returncode == 3, said
    assert f"stopped: cannot write to {build.dataset}: " in said
    assert "Traceback" not in said
    assert listed(Path(build.dataset)) == was
    assert verify(open_store(build.dataset)) == []
    process = start(build)
    out, said = process.communicate()
    assert process.returncode == 0, out + said
    assert verify(open_store(build.dataset)) == []


def child_of(process: "subprocess.Popen[str]") -> psutil.Process:
    """A process that makes shards."""
    parent = psutil.Process(process.pid)
    while True:
        assert process.poll() is None, process.communicate()
        for child in parent.children():
            if "spawn_main" in " ".join(child.cmdline()):
                return child
        time.sleep(0.02)


@pytest.mark.slow
def test_processes_that_make_shards_are_killed_and_end_with_a_killed_driver(
    small_finished: Callable[..., Build], tmp_path: Path
) -> None:
    build = small_finished(tmp_path)
    was = listed(Path(build.dataset))
    shutil.rmtree(build.dataset)
    process = start(build)
    os.kill(child_of(process).pid, signal.SIGKILL)
    _, said = process.communicate()
    assert process.returncode == 3, said
    assert "stopped: a process that made shards was killed" in said
    assert "Traceback" not in said
    process = start(build)
    orphan = child_of(process)
    process.kill()
    process.communicate()
    orphan.wait(60)
    process = start(build)
    out, said = process.communicate()
    assert process.returncode == 0, out + said
    assert listed(Path(build.dataset)) == was


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["dask", pytest.param("portable", marks=pytest.mark.seldom)])
def test_shards_are_made_on_the_build_s_runner(
    runner: str, small_finished: Callable[..., Build], tmp_path: Path
) -> None:
    build = small_finished(tmp_path)
    was = listed(Path(build.dataset))
    shutil.rmtree(build.dataset)
    if runner == "dask":
        process = start(build, "--runner", "dask")
        out, said = process.communicate()
    else:
        port = free_port()
        with job_server(tmp_path) as at, worker_pool(port):
            process = start(build, "--runner", "portable", "--job-endpoint", at, f"--worker-pool=localhost:{port}")
            out, said = process.communicate()
    assert process.returncode == 0, out + said
    assert listed(Path(build.dataset)) == was
    assert receipts(build) == set()
