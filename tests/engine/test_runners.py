"""What the runner must do for any stages: overlap waiting with computing, work in buckets, and stay offline."""

import hashlib
import itertools
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pipeline.stages.cues
import pipeline.stages.imagery
from pipeline.config.build import Build
from pipeline.engine.build import run_build
from pipeline.engine.workspace import read_state
from pipeline.errors import ConfigError, MachineError
from pipeline.stages.cues import cues
from pipeline.stages.imagery import imagery
from pipeline.storage import open_store
from tests.engine.buckets import bucket
from tests.publishing.folders import listed
from tools.verify.verify import verify

__all__ = ["bucket"]

HANGING_S = 120.0
"""A unit that is held up for longer waits for what never comes."""


def test_waiting_of_one_unit_overlaps_computing_of_another(
    small_build: Callable[..., Build], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_up, reads = itertools.count(), threading.Event()
    overlapped = []

    def fetching(sites: Any, *rest: Any) -> Any:
        """The first unit goes through; another is fetched for as long as it takes until the first is read."""
        if next(taken_up) == 1:
            overlapped.append(reads.wait(HANGING_S))
        return imagery(sites, *rest)

    def reading(sites: Any, *rest: Any) -> Any:
        reads.set()
        return cues(sites, *rest)

    monkeypatch.setattr(pipeline.stages.imagery, "imagery", fetching)
    monkeypatch.setattr(pipeline.stages.cues, "cues", reading)
    run_build(small_build(limits__workers=4, sampling__max_sites=3), stages=("imagery", "cues"))
    assert overlapped == [True]


def test_the_local_runner_needs_no_network_and_no_runner_binary(small_config: Callable[..., Path]) -> None:
    script = """
import socket, sys
from pathlib import Path
connect = socket.socket.connect
def only_here(self, address):
    assert address[0] in ("127.0.0.1", "localhost"), f"a connection to {address}"
    return connect(self, address)
socket.socket.connect = only_here
from pipeline.engine.build import run_build
from pipeline.engine.build_file import load_build
run_build(load_build(Path(sys.argv[1])), limit_units=1)
assert "apache_beam.runners.portability.prism_runner" not in sys.modules
"""
    config = small_config(sampling__max_sites=2)
    done = subprocess.run([sys.executable, "-c", script, str(config)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_build_in_a_bucket_is_the_same_as_one_in_a_folder(
    small_build: Callable[..., Build], small_finished: Callable[..., Build], bucket: str, tmp_path: Path
) -> None:
    few = {"sampling__max_sites": 4}  # sites a region
    local = small_finished(tmp_path / "local", **few)
    build = small_build(tmp_path / "s3", workspace=f"{bucket}/workspace", dataset=f"{bucket}/dataset", **few)
    run_build(build, stages=("imagery", "cues"))
    first = run_build(build)
    assert first.made["imagery"] == 0
    assert first.made["captions"] > 0
    out = open_store(build.dataset)
    here = listed(Path(local.dataset))
    assert {path: hashlib.sha256(out.read(path)).hexdigest() for path in here} == here
    assert verify(out) == []
    assert not any(run_build(build).made.values())
    assert read_state(open_store(build.workspace)).damaged == []


@pytest.mark.parametrize("address", ["host:8786", "http://host:8786", "tcp://", "tcp://host:99999999", "tcp://[::1"])
def test_what_is_no_address_of_a_scheduler_is_refused_before_any_work(
    small_build: Callable[..., Build], address: str
) -> None:
    build = small_build()
    with pytest.raises(ConfigError, match="--scheduler: found "):
        run_build(build, runner="dask", scheduler=address)
    assert not Path(build.workspace).exists()


def test_a_dead_scheduler_is_told_in_a_line_before_any_work(small_build: Callable[..., Build]) -> None:
    build = small_build()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and it does not listen
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(MachineError, match=f"no Dask scheduler answers at {address}: .*`dask scheduler`") as told:
            run_build(build, runner="dask", scheduler=address)
    assert "\n" not in str(told.value)
    assert not Path(build.workspace).exists()
