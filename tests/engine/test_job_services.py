"""Runners that are reached over Beam's job service: what is refused before any work, and who is lost on the way."""

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from apache_beam.runners.portability.local_job_service import LocalJobServicer

from pipeline.config.build import Build
from pipeline.engine import job_service, runners
from pipeline.engine.beam_options import check_options
from pipeline.engine.build import run_build
from pipeline.engine.presence import attend, serve_presence, telling
from pipeline.engine.runners import Machinery, check_machinery, near_workers, parallelism, pools
from pipeline.errors import BuildStopped, ConfigError, MachineError, OutageError
from pipeline.stopping import check_stop, clear_stop


@pytest.fixture(scope="module")
def beam_job_service() -> Iterator[str]:
    """Beam's own, in this process."""
    server = LocalJobServicer()
    port = server.start_grpc_server()
    yield f"localhost:{port}"
    server.stop()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"runner": "portable"}, "no --job-endpoint"),
        ({"runner": "flink"}, "no --job-endpoint"),
        ({"runner": "portable", "job_endpoint": "host"}, "--job-endpoint: found 'host'"),
        ({"runner": "portable", "job_endpoint": "http://host:8099"}, "--job-endpoint: found 'http://host:8099'"),
        ({"runner": "portable", "job_endpoint": "host:99999999"}, "--job-endpoint: found 'host:99999999'"),
        ({"runner": "portable", "job_endpoint": "h:1", "worker_pools": ("a:1", "a:1")}, "one address twice"),
        ({"runner": "portable", "job_endpoint": "h:1", "worker_pools": ("[::1",)}, r"--worker-pool: found '\[::1'"),
        ({"runner": "flink", "job_endpoint": "h:1", "worker_pools": ("a:1", "b:1")}, "--worker-pool: found 2 of them"),
        ({"runner": "local", "job_endpoint": "h:1"}, "--job-endpoint: found it with --runner local"),
        ({"runner": "dask", "worker_pools": ("h:1",)}, "--worker-pool: found it with --runner dask"),
        ({"runner": "portable", "scheduler": "tcp://h:1"}, "--scheduler: found it with --runner portable"),
        ({"beam_options": ("--scheduler_of_mine=1",)}, "found --scheduler_of_mine=1"),
        ({"beam_options": ("--runner=FlinkRunner",)}, "found --runner=FlinkRunner; allowed: --runner local, dask"),
        ({"runner": "dataflow"}, "workspace: found .*; allowed: a bucket"),
    ],
)
def test_options_that_do_not_belong_together_are_refused_before_any_work(
    small_build: Callable[..., Build], options: dict[str, Any], said: str
) -> None:
    build = small_build()
    with pytest.raises(ConfigError, match=said):
        run_build(build, **options)
    assert not Path(build.workspace).exists()


def test_a_job_endpoint_that_is_not_there_is_told_in_a_line_before_any_work(small_build: Callable[..., Build]) -> None:
    build = small_build()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and it does not listen
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(MachineError, match=f"no job service of Beam answers at {address}: ") as told:
            run_build(build, runner="portable", job_endpoint=address, worker_pools=["localhost:1"])
    assert "\n" not in str(told.value)
    assert not Path(build.workspace).exists()


def test_a_job_endpoint_that_accepts_and_hangs_is_told(
    small_build: Callable[..., Build], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "_PATIENCE_S", 0.5)
    build = small_build()
    with socket.create_server(("127.0.0.1", 0)) as server:  # the system accepts, and nobody answers
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(MachineError, match=f"no job service of Beam answers at {address}: ") as told:
            run_build(build, runner="portable", job_endpoint=address, worker_pools=["localhost:1"])
    assert "\n" not in str(told.value)
    assert not Path(build.workspace).exists()


def test_a_server_that_is_no_job_service_is_told(small_build: Callable[..., Build]) -> None:
    def answer(server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer, args=[server], daemon=True).start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(MachineError, match=f"no job service of Beam answers at {address}: "):
            run_build(small_build(), runner="portable", job_endpoint=address, worker_pools=["localhost:1"])


def test_where_the_workers_are_must_be_said_once(small_build: Callable[..., Build], beam_job_service: str) -> None:
    place: Any = {"runner": "portable", "job_endpoint": beam_job_service}
    with pytest.raises(ConfigError, match=r"found no --worker-pool; allowed: .*--environment_type=LOOPBACK"):
        run_build(small_build(), **place)
    with pytest.raises(ConfigError, match="found both --worker-pool and --environment_type"):
        run_build(small_build(), **place, worker_pools=["h:1"], beam_options=["--environment_type=LOOPBACK"])


def test_beam_s_own_job_service_is_not_flink_s(small_build: Callable[..., Build], beam_job_service: str) -> None:
    with pytest.raises(ConfigError, match="a job service that is not Flink's"):
        run_build(small_build(), runner="flink", job_endpoint=beam_job_service)


def test_dataflow_says_what_it_needs(small_build: Callable[..., Build]) -> None:
    build = small_build(workspace="gs://bucket/workspace", dataset="gs://bucket/dataset")
    with pytest.raises(ConfigError) as told:
        check_machinery(Machinery("dataflow", beam_options=("--region=europe-west4",)), build)
    assert [problem.found for problem in told.value.problems] == [
        "no --project",
        "no --temp_location",
        "no --sdk_container_image",
    ]


def test_dataflow_without_its_packages_names_the_extra(
    small_build: Callable[..., Build], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apache_beam.runners.dataflow.internal.apiclient", None)
    build = small_build(workspace="gs://bucket/workspace", dataset="gs://bucket/dataset")
    needed = ("--project=p", "--region=r", "--temp_location=gs://b/t", "--sdk_container_image=i")
    with pytest.raises(MachineError, match=r"needs the extra `dataflow`: pip install 'geoscribe\[dataflow\]'"):
        check_machinery(Machinery("dataflow", beam_options=needed), build)


def test_options_that_a_job_service_describes_are_allowed() -> None:
    with pytest.raises(ConfigError):
        check_options(["--autoWatermarkInterval=5"])
    assert check_options(["--autoWatermarkInterval=5", "--parallelism=3"], {"autoWatermarkInterval"}).parallelism == 3


def test_places_of_workers_follow_from_the_options() -> None:
    flink = Machinery("flink", job_endpoint="localhost:8099")
    assert (pools(flink), parallelism(flink), near_workers(flink)) == (["localhost:50000"], 1, "127.0.0.1")
    remote = Machinery(
        "flink", job_endpoint="localhost:8099", beam_options=("--flink_master=f:8081", "--parallelism=6")
    )
    assert (pools(remote), parallelism(remote), near_workers(remote)) == (["localhost:50000"], 6, "f")
    docker = Machinery("flink", job_endpoint="g:8099", beam_options=("--environment_type=DOCKER",))
    assert (pools(docker), near_workers(docker)) == ([None], "g")
    two = Machinery("portable", job_endpoint="localhost:8099", worker_pools=("localhost:1", "b:1"))
    assert (pools(two), parallelism(two), near_workers(two)) == (["localhost:1", "b:1"], 2, "b")


@pytest.fixture
def stop_forgotten() -> Iterator[None]:
    yield
    clear_stop()


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def stopped() -> bool:
    try:
        check_stop()
    except (BuildStopped, MachineError):
        return True
    return False


@pytest.mark.usefixtures("stop_forgotten")
@pytest.mark.parametrize("fault", [MachineError("the disk is full: ü" * 5_000), OutageError("gone"), BuildStopped()])
def test_a_worker_says_why_it_stops(fault: Exception) -> None:
    with serve_presence("127.0.0.1") as presence:
        attend(presence.at("1"))
        with pytest.raises(type(fault)), telling(presence.at("1")):
            raise fault
        wait_for(lambda: presence.fault("1") is not None)
        told = presence.fault("1")
        assert type(told) is type(fault)
        assert str(fault).startswith(str(told))
        assert presence.fault("2") is None
    assert not stopped()


@pytest.mark.usefixtures("stop_forgotten")
def test_workers_stop_with_a_driver_that_is_stopped() -> None:
    service = serve_presence("127.0.0.1")
    presence = service.__enter__()
    attend(presence.at("1"))
    wait_for(lambda: presence._jobs.get("1") is not None)
    assert not stopped()
    service.__exit__(BuildStopped, BuildStopped(), None)
    wait_for(stopped)


def hello(at: str, **changes: str) -> socket.socket:
    """A worker's connection, without a worker."""
    from pipeline.engine.presence import versions

    place, token, job = at.split("/")
    host, port = place.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)))
    said = {"token": token, "job": job, "versions": versions(), **changes}
    connection.sendall(json.dumps(said).encode() + b"\n")
    return connection


def test_a_job_is_lost_once_no_worker_is_left() -> None:
    with serve_presence("127.0.0.1") as presence:
        assert not presence.lost("1", 1_000.0, 0.0)
        first, second = hello(presence.at("1")), hello(presence.at("1"))
        wait_for(lambda: presence._jobs["1"].workers == 2)
        assert not presence.lost("1", 0.0, 0.0)
        first.close()
        wait_for(lambda: presence._jobs["1"].workers == 1)
        assert not presence.lost("1", 0.0, 0.0)
        second.close()
        wait_for(lambda: presence.lost("1", 1_000.0, 0.0))
        assert not presence.lost("1", 0.0, 1_000.0)
        wait_for(lambda: presence.lost("2", 0.0, 1_000.0))


@pytest.mark.parametrize("said", [b"", b"\n", b"{}\n", b"GET / HTTP/1.1\r\n\r\n", b"x" * 100_000])
def test_strangers_are_no_workers(said: bytes) -> None:
    with serve_presence("127.0.0.1") as presence:
        host, port = presence.at("1").split("/")[0].rsplit(":", 1)
        # More is sent than is read: the connection may be closed by now.
        with socket.create_connection((host, int(port))) as stranger, suppress(OSError):
            stranger.sendall(said)
            stranger.shutdown(socket.SHUT_WR)
            assert stranger.recv(100) == b""
        with hello(presence.at("1"), token="0" * 32) as stranger:
            assert stranger.recv(100) == b""
        assert presence._jobs == {}


def test_workers_of_another_version_are_told() -> None:
    with serve_presence("127.0.0.1") as presence, hello(presence.at("1"), versions="older"):
        wait_for(lambda: presence.fault("1") is not None)
        assert "another version of geoscribe" in str(presence.fault("1"))


def test_a_pool_that_the_job_service_does_not_reach_leaves_its_share_to_the_others(
    small_build: Callable[..., Build], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Done:
        state = "DONE"

        def wait_until_finish(self) -> None:
            """Nothing went wrong."""

    taken: list[list[Any]] = []

    def give(elements: Any, build: Build, runner: Any, options: list[str], *rest: Any, **more: Any) -> Done:
        if "--environment_config=localhost:2" in options:
            said = 'status = StatusCode.UNAVAILABLE\n\tdetails = "Connection refused"\n\tdebug = ""\n>'
            raise RuntimeError(f"Pipeline job-1 failed in state FAILED: <_InactiveRpcError of RPC:\n\t{said}")
        taken.append(list(elements))
        return Done()

    monkeypatch.setattr(job_service, "submit", give)
    how = Machinery("portable", job_endpoint="localhost:1", worker_pools=("localhost:2", "localhost:3"))
    units: Any = list(range(4))
    job_service.run_jobs(units, [], small_build(), how)
    assert sorted(taken) == [[0, 2], [1, 3]]
    assert "the job service does not reach worker pool localhost:2: Connection refused" in caplog.messages
    only = Machinery("portable", job_endpoint="localhost:1", worker_pools=("localhost:2",))
    with pytest.raises(MachineError, match="all workers were lost"):
        job_service.run_jobs(units, [], small_build(), only)


def test_what_no_pool_takes_is_an_error(small_build: Callable[..., Build], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pool that is lost leaves its share to those that are left; the last one has nobody."""
    taken: list[tuple[str | None, int]] = []

    def lose(jobs: Any, name: str, pool: str | None, elements: Any) -> None:
        taken.append((pool, len(elements)))
        if pool != keeps:
            raise job_service._LostError

    monkeypatch.setattr(job_service._Jobs, "run", lose)
    how = Machinery("portable", job_endpoint="localhost:1", worker_pools=("localhost:2", "localhost:3", "localhost:4"))
    units: Any = list(range(10))
    keeps: str | None = "localhost:4"
    job_service.run_jobs(units, [], small_build(), how)
    assert sorted(taken[:3], key=str) == [("localhost:2", 4), ("localhost:3", 3), ("localhost:4", 3)]
    assert taken[3:] == [("localhost:4", 7)]
    keeps = None
    with pytest.raises(MachineError, match="all workers were lost"):
        job_service.run_jobs(units, [], small_build(), how)
