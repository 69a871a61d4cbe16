"""Builds that are killed with SIGKILL at random moments, and builds that lose a Dask worker."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.engine.layers import LAYERS, list_layers
from pipeline.engine.workspace import read_state
from pipeline.storage import TEMPORARY, open_store
from tests.publishing.folders import listed, manifest_of, seen_by_card, seen_by_manifest
from tools.verify.verify import verify

pytestmark = pytest.mark.slow

BUILD = [sys.executable, "-m", "tools.cli.main", "build"]


def shards(dataset: str) -> dict[str, str]:
    return listed(Path(dataset))


def finish(config: Path, *options: str) -> None:
    result = subprocess.run([*BUILD, str(config), *options], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.seldom)])
def test_killed_again_and_again_and_finished_is_as_if_undisturbed(
    times: int, small_config: Callable[..., Path], tmp_path: Path
) -> None:
    undisturbed = small_config(tmp_path / "undisturbed")
    started = time.monotonic()
    finish(undisturbed)
    whole = time.monotonic() - started
    config = small_config(tmp_path / "killed")
    moments = random.Random(11)
    kills, seen = 0, 0
    while kills < times:
        process = subprocess.Popen([*BUILD, str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=moments.uniform(0.3 * whole, whole))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
        else:
            # It got through: begin anew, so that every stage is met by some kill.
            assert process.returncode == 0
            subprocess.run(["rm", "-rf", config.parent / "workspace", config.parent / "dataset"], check=True)
        seen = max(seen, len(list(list_layers(open_store(str(config.parent / "workspace"))))))
    assert seen > len(LAYERS)
    finish(config)
    assert shards(str(config.parent / "dataset")) == shards(str(undisturbed.parent / "dataset"))
    assert verify(open_store(str(config.parent / "dataset"))) == []


CRASH_AT = """
import os, signal, sys
from pathlib import Path
from pipeline.storage import Store
crash_at, count = int(sys.argv[2]), 0
def or_die(change):
    def changing(self, *arguments):
        global count
        count += 1
        if count == crash_at:
            if crash_at % 2: change(self, *arguments)   # die right after the change, or right before
            os.kill(os.getpid(), signal.SIGKILL)
        return change(self, *arguments)
    return changing
Store.adopt, Store.delete = or_die(Store.adopt), or_die(Store.delete)
from pipeline.engine.build import run_build
from pipeline.engine.build_file import load_build
run_build(load_build(Path(sys.argv[1])))
"""


def crashes(config: Path, prepare: Callable[[], None], every: int) -> Iterator[int]:
    """Kill builds at every n-th change, each after preparing; one that comes through is the last."""
    for step in range(1, 1_000, every):
        prepare()
        command = [sys.executable, "-c", CRASH_AT, str(config), str(step)]
        result = subprocess.run(command, capture_output=True, check=False)
        if result.returncode == 0:
            return
        assert result.returncode == -signal.SIGKILL, result.stderr.decode()
        yield step


ONE_REGION = [{"name": "one", "centre": [10.0, 20.0], "radius_m": 200}]


@pytest.mark.seldom  # as a revision
@pytest.mark.timeout(900)
def test_a_crash_at_each_step_of_a_first_publish_is_made_good(
    small_config: Callable[..., Path], tmp_path: Path
) -> None:
    config = small_config(tmp_path / "crashed", regions=ONE_REGION)
    finish(config)
    dataset = config.parent / "dataset"
    expected = shards(str(dataset))
    last = 0
    for step in crashes(config, lambda: shutil.rmtree(dataset), 1):
        assert not (dataset / "manifest.json").exists() or verify(open_store(str(dataset))) == []
        if step % 4 == 0:
            finish(config)
            assert shards(str(dataset)) == expected
            assert verify(open_store(str(dataset))) == []
        last = step
    assert last > 8


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.seldom)])
@pytest.mark.timeout(1500)
def test_a_crash_at_each_step_of_a_revision_leaves_one_whole_dataset(
    every: int, small_config: Callable[..., Path], tmp_path: Path
) -> None:
    """Rows are put otherwise into row groups, so every shard is another."""
    folder, kept = tmp_path / "crashed", tmp_path / "kept"
    finish(small_config(folder, regions=ONE_REGION))
    dataset, store = folder / "dataset", open_store(str(folder / "dataset"))
    shutil.copytree(dataset, kept)
    old = shards(str(dataset))
    config = small_config(folder, regions=ONE_REGION, publish__row_group_mb=0.02, publish__keep_revisions=0)
    finish(config)
    new = shards(str(dataset))
    assert not new.keys() & old.keys()

    def from_the_old() -> None:
        shutil.rmtree(dataset)
        shutil.copytree(kept, dataset)

    seen = []
    for step in crashes(config, from_the_old, every):
        assert shards(str(dataset)) in (old, new)
        by_card, by_manifest = seen_by_card(store), seen_by_manifest(store)
        assert by_card == by_manifest  # the same samples in either
        assert verify(store) == []
        seen.append(shards(str(dataset)) == new)
        if step % 5 == 0:
            finish(config)
            assert shards(str(dataset)) == new
            assert {path.name for path in (dataset / "revisions").iterdir()} == {manifest_of(dataset).digest}
    assert seen == sorted(seen)
    assert {True, False} == set(seen)


def test_ctrl_c_stops_and_says_how_to_go_on(small_config: Callable[..., Path]) -> None:
    config = small_config(sampling__max_sites=60, sampling__spacing_m=15, imagery__long_side_px=1024)
    options = ["--runner", "local", "--limit-units", "50"]
    process = subprocess.Popen(
        [*BUILD, str(config), *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    store = open_store(str(config.parent / "workspace"))
    while not any(file.layer == "imagery" for file in list_layers(store)):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 3
    assert any(stage.done < stage.units for stage in read_state(store).stages)  # it did not go on to the end
    assert f"To resume: geoscribe build {config} --runner local --limit-units 50\n" in said  # the whole command
    assert "Traceback" not in said
    assert list((config.parent / "workspace" / TEMPORARY).iterdir()) == []


@pytest.mark.seldom
def test_two_builds_at_once_end_in_one_sound_dataset(small_config: Callable[..., Path], tmp_path: Path) -> None:
    alone, shared = small_config(tmp_path / "alone"), small_config(tmp_path / "shared")
    finish(alone)
    both = [subprocess.Popen([*BUILD, str(shared)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)]
    for process in both:
        said, _ = process.communicate()
        assert process.returncode == 0, said.decode()
    assert shards(str(shared.parent / "dataset")) == shards(str(alone.parent / "dataset"))
    assert verify(open_store(str(shared.parent / "dataset"))) == []


@pytest.mark.seldom  # the killed worker's build is compared as well
def test_dask_publishes_the_same_bytes_as_the_local_runner(small_config: Callable[..., Path], tmp_path: Path) -> None:
    local, dask = small_config(tmp_path / "local"), small_config(tmp_path / "dask")
    finish(local)
    finish(dask, "--runner", "dask")
    assert shards(str(dask.parent / "dataset")) == shards(str(local.parent / "dataset"))
    assert verify(open_store(str(dask.parent / "dataset"))) == []


@pytest.mark.seldom
def test_a_fault_on_a_dask_worker_stops_the_build_with_its_message(small_config: Callable[..., Path]) -> None:
    config = small_config()
    subprocess.run([*BUILD, str(config), "--stages", "imagery"], check=True, capture_output=True)
    store = open_store(str(config.parent / "workspace"))
    victim = next(file for file in list_layers(store) if file.layer == "imagery")
    # A folder where the table of cues must go: writing it fails in the worker as a full disk would.
    (config.parent / "workspace" / "cues").write_text("in the way")
    result = subprocess.run([*BUILD, str(config), "--runner", "dask"], capture_output=True, text=True, check=False)
    assert result.returncode == 3, result.stdout + result.stderr
    assert "stopped: cannot write to" in result.stderr
    assert victim in set(list_layers(store))


@pytest.mark.timeout(600)
def test_a_killed_dask_worker_loses_nothing(small_config: Callable[..., Path], tmp_path: Path) -> None:
    from distributed import Client, LocalCluster

    config, local = small_config(tmp_path / "dask"), small_config(tmp_path / "local")
    finish(local)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        process = subprocess.Popen(
            [*BUILD, str(config), "--runner", "dask", "--scheduler", cluster.scheduler_address],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        store = open_store(str(config.parent / "workspace"))
        while not any(file.layer == "imagery" for file in list_layers(store)):
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.05)
        victim = next(iter(client.run(os.getpid).values()))
        os.kill(victim, signal.SIGKILL)
        said, _ = process.communicate()
        assert process.returncode == 0, said
    assert shards(str(config.parent / "dataset")) == shards(str(local.parent / "dataset"))


@pytest.mark.timeout(600)
def test_a_killed_dask_scheduler_is_told_in_a_line_and_nothing_is_published(small_config: Callable[..., Path]) -> None:
    """Dask's client counts what it lost sight of as ended: a build that believed it would publish what is there."""
    from tests.standin_builds.builds import free_port

    config, address = small_config(sampling__max_sites=30, sampling__spacing_m=20), f"tcp://127.0.0.1:{free_port()}"
    dask = [sys.executable, "-m", "dask"]

    def start(*command: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [*dask, *command, "--no-dashboard"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    scheduler = start("scheduler", "--port", address.rpartition(":")[2])
    worker = start("worker", address, "--nthreads", "1")
    try:
        store = open_store(str(config.parent / "workspace"))
        wait_until_listening(address)
        process = subprocess.Popen(
            [*BUILD, str(config), "--runner", "dask", "--scheduler", address],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not any(file.layer == "imagery" for file in list_layers(store)):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        scheduler.kill()
        _, said = process.communicate()
    finally:
        for one in (worker, scheduler):
            one.kill()
            one.wait()
    assert process.returncode == 3, said
    assert "stopped: the Dask cluster was lost. Finished work is kept" in said
    assert "Traceback" not in said
    assert not (config.parent / "dataset" / "manifest.json").exists()


def wait_until_listening(address: str) -> None:
    """Wait for what was started to listen at `tcp://host:port`."""
    host, _, port = address.removeprefix("tcp://").partition(":")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(address)
