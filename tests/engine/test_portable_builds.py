"""Builds on Beam's own portable job server, with worker pools in processes of their own."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pipeline.config.build import Build
from pipeline.engine.layers import list_layers
from pipeline.storage import open_store
from tests.engine.job_services import job_server, job_server_process, kill, worker_pool
from tests.publishing.folders import listed
from tests.standin_builds.builds import free_port
from tools.verify.verify import verify

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def start(
    config: Path, job_endpoint: str, *options: str, program: Sequence[str] = ("-m", "tools.cli.main")
) -> "subprocess.Popen[str]":
    command = [sys.executable, *program, "build", str(config)]
    return subprocess.Popen(
        [*command, "--runner", "portable", "--job-endpoint", job_endpoint, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_a_table(config: Path, process: "subprocess.Popen[str]") -> None:
    store = open_store(str(config.parent / "workspace"))
    while not any(file.layer == "imagery" for file in list_layers(store)):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def test_two_pools_one_of_them_killed_publish_what_the_local_runner_does(
    small_config: Callable[..., Path], small_finished: Callable[..., Build], tmp_path: Path
) -> None:
    local, config = small_finished(tmp_path / "local"), small_config(tmp_path / "portable")
    ports = free_port(), free_port()
    pools = [f"--worker-pool=localhost:{port}" for port in ports]
    with job_server(tmp_path) as at, worker_pool(ports[0]) as victim, worker_pool(ports[1]):
        process = start(config, at, *pools)
        wait_for_a_table(config, process)
        kill(victim)
        out, said = process.communicate()
    assert process.returncode == 0, out + said
    assert f"lost: worker pool localhost:{ports[0]}; the others take over its work" in said
    assert listed(config.parent / "dataset") == listed(Path(local.dataset))
    assert verify(open_store(str(config.parent / "dataset"))) == []


@pytest.mark.seldom
def test_lost_workers_and_their_faults_are_told_in_a_line_and_the_build_goes_on_from_there(
    small_config: Callable[..., Path], small_finished: Callable[..., Build], tmp_path: Path
) -> None:
    local, config = small_finished(tmp_path / "local"), small_config(tmp_path / "portable")
    workspace, port = config.parent / "workspace", free_port()
    with job_server(tmp_path) as at:
        with worker_pool(port) as victim:
            process = start(config, at, f"--worker-pool=localhost:{port}")
            wait_for_a_table(config, process)
            kill(victim)
            _, said = process.communicate()
        assert process.returncode == 3, said
        assert "stopped: all workers were lost" in said
        assert "Traceback" not in said
        done = set(list_layers(open_store(str(workspace))))
        shutil.rmtree(workspace / "captions", ignore_errors=True)
        (workspace / "captions").write_text("in the way")  # as a full disk
        with worker_pool(port):
            process = start(config, at, f"--worker-pool=localhost:{port}")
            _, said = process.communicate()
        assert process.returncode == 3, said
        assert "stopped: cannot write to" in said
        assert "Traceback" not in said
        (workspace / "captions").unlink()
        process = start(config, at, "--", "--environment_type=LOOPBACK")
        out, said = process.communicate()
    assert process.returncode == 0, out + said
    kept = {file for file in done if file.layer != "captions"}
    assert kept
    assert set(list_layers(open_store(str(workspace)))) >= kept
    assert listed(config.parent / "dataset") == listed(Path(local.dataset))


def test_a_killed_job_server_is_told_in_a_line(small_config: Callable[..., Path], tmp_path: Path) -> None:
    config, port = small_config(tmp_path / "portable", sampling__max_sites=30, sampling__spacing_m=20), free_port()
    with worker_pool(port):
        with job_server(tmp_path) as at:
            process = start(config, at, f"--worker-pool=localhost:{port}")
            wait_for_a_table(config, process)
        _, said = process.communicate()
    assert process.returncode == 3, said
    assert f"stopped: the job service at {at} was lost" in said
    assert "Traceback" not in said


IMPATIENT = (
    "from pipeline.engine import job_service; from tools.cli.main import main; job_service.ANSWER_S = 5.0; main()"
)


def test_a_frozen_job_server_is_told_in_a_line(small_config: Callable[..., Path], tmp_path: Path) -> None:
    """Its connections stay open, and Beam would wait for its answer without end."""
    config, port = small_config(tmp_path / "portable", sampling__max_sites=30, sampling__spacing_m=20), free_port()
    with worker_pool(port), job_server_process(tmp_path) as (at, server):
        process = start(config, at, f"--worker-pool=localhost:{port}", program=("-c", IMPATIENT))
        wait_for_a_table(config, process)
        os.killpg(server.pid, signal.SIGSTOP)
        _, said = process.communicate(timeout=300)
    assert process.returncode == 3, said
    assert f"stopped: the job service at {at} has not answered for 5 s" in said
    assert "Traceback" not in said
