"""What the runner must do for any stages: overlap waiting with computing, work in buckets, and stay offline."""

import hashlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

import pipeline.stages.cues
import pipeline.stages.imagery
from pipeline.config.build import Build
from pipeline.engine.build import run_build
from pipeline.engine.workspace import read_state
from pipeline.stages.cues import cues
from pipeline.stages.imagery import imagery
from pipeline.storage import open_store
from tools.verify.verify import verify

Span = tuple[str, str, float, float]


def test_waiting_of_one_unit_overlaps_computing_of_another(
    small_build: Callable[..., Build], monkeypatch: pytest.MonkeyPatch
) -> None:
    spans: list[Span] = []

    def timed(stage: str, work: Callable[..., Any], pause: float) -> Callable[..., Any]:
        def run(sites: Any, *rest: Any) -> Any:
            start = time.monotonic()
            rows = work(sites, *rest)
            time.sleep(pause)
            spans.append((stage, threading.current_thread().name, start, time.monotonic()))
            return rows

        return run

    monkeypatch.setattr(pipeline.stages.imagery, "imagery", timed("imagery", imagery, 0.2))
    monkeypatch.setattr(pipeline.stages.cues, "cues", timed("cues", cues, 0.2))
    run_build(small_build(limits__workers=4), stages=("imagery", "cues"))
    fetching = [span for span in spans if span[0] == "imagery"]
    reading = [span for span in spans if span[0] == "cues"]
    assert any(a[2] < b[3] and b[2] < a[3] for a in fetching for b in reading)


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
    done = subprocess.run(
        [sys.executable, "-c", script, str(small_config())], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket on a local S3 server."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    boto3.client("s3").create_bucket(Bucket="builds")
    yield "s3://builds"
    server.stop()


def test_a_build_in_a_bucket_is_the_same_as_one_in_a_folder(
    small_build: Callable[..., Build], bucket: str, tmp_path: Path
) -> None:
    local = small_build(tmp_path / "local")
    run_build(local)
    build = small_build(tmp_path / "s3", workspace=f"{bucket}/workspace", dataset=f"{bucket}/dataset")
    run_build(build, stages=("imagery", "cues"))
    first = run_build(build)
    assert first.made["imagery"] == 0
    assert first.made["captions"] > 0
    out = open_store(build.dataset)
    there = {e.path: hashlib.sha256(out.read(e.path)).hexdigest() for e in out.entries() if e.path.endswith(".parquet")}
    root = Path(local.dataset)
    here = {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in root.rglob("*.parquet")}
    assert there == here
    assert verify(out) == []
    assert not any(run_build(build).made.values())
    assert read_state(open_store(build.workspace)).damaged == []
