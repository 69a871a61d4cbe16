"""Beam's own portable job server and worker pools, each in a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.command import ROOT

Process = subprocess.Popen[bytes]


def _start(*command: str) -> Process:
    """A process whose children find this checkout, and `python` as the one that runs the tests."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    null = subprocess.DEVNULL
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        env=environment,
        stdout=null,
        stderr=null,
        start_new_session=True,  # a pool goes with the workers that it started, as a container does
    )


def kill(process: Process) -> None:
    """Kill a process and those that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
    process.wait()


@contextmanager
def job_server(folder: Path) -> Iterator[str]:
    """Beam's job server; yields its address."""
    with job_server_process(folder) as (at, _):
        yield at


@contextmanager
def job_server_process(folder: Path) -> Iterator[tuple[str, Process]]:
    """Beam's job server; yields its address and its process."""
    port_file = folder / "port"
    process = _start(
        "apache_beam.runners.portability.local_job_service_main",
        f"--port_file={port_file}",
        f"--staging_dir={folder / 'staging'}",
    )
    try:
        end = time.monotonic() + 120
        while not port_file.exists():
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
        yield f"localhost:{port_file.read_text()}", process
    finally:
        kill(process)


@contextmanager
def worker_pool(port: int) -> Iterator[Process]:
    """A pool of Beam's SDK workers."""
    process = _start("apache_beam.runners.worker.worker_pool_main", f"--service_port={port}")
    try:
        yield process
    finally:
        kill(process)
