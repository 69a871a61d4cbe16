"""Where the stages run: a runner and its places, checked before any work. What is not there is told in one line."""

import argparse
import importlib
import socket
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from pipeline.config.build import Build
from pipeline.engine.beam_options import WHERE, check_options, option_name
from pipeline.errors import ConfigError, MachineError, Problem

Runner = Literal["local", "dask", "portable", "flink", "dataflow"]
JOB_SERVICES: tuple[Runner, ...] = ("portable", "flink")
"""Runners that are reached over Beam's job service."""
FLINK_POOL = "localhost:50000"
"""Where each task manager of Flink has a worker pool beside it, by Beam's own convention."""

_PORT = 8786
_PATIENCE_S = 10.0
_DATAFLOW_NEEDS = ("project", "region", "temp_location", "sdk_container_image")


@dataclass(frozen=True)
class Machinery:
    """A runner and its places."""

    runner: Runner = "local"
    scheduler: str | None = None
    """Address of a running Dask scheduler, `tcp://host:8786`."""
    job_endpoint: str | None = None
    """Address of a job service of Beam, `host:port`."""
    worker_pools: tuple[str, ...] = ()
    """Addresses of worker pools, `host:port`, as the job service reaches them."""
    beam_options: tuple[str, ...] = ()


def check_machinery(how: Machinery, build: Build) -> None:
    """Refuse options that do not belong together, places that are none, and places where nothing answers.

    Raises:
        ConfigError: an option is wrong.
        MachineError: nothing answers at a place, or the runner is not installed.
    """
    problems = list(_misplaced(how))
    if how.runner in JOB_SERVICES:
        problems += _addresses(how)
    if how.runner == "dataflow":
        places = {"workspace": build.workspace, "dataset": build.dataset}
        problems += [
            Problem(key, place, "a bucket that Dataflow's workers reach: gs://...")
            for key, place in places.items()
            if "://" not in place
        ]
    if problems:
        raise ConfigError(problems)
    if how.scheduler is not None:
        _check_scheduler(how.scheduler)
    described = _described(how.job_endpoint) if how.job_endpoint is not None else set()
    if how.runner == "flink" and "flink_master" not in described:
        found = f"{how.job_endpoint}, a job service that is not Flink's"
        raise ConfigError([Problem("--job-endpoint", found, "with --runner flink: Beam's job server for Flink")])
    if not how.beam_options and how.runner in ("local", "dask"):
        return  # Beam takes seconds to import
    known = check_options(how.beam_options, described)
    problems = list(_unfit(how, known))
    if problems:
        raise ConfigError(problems)
    if how.runner == "dataflow":
        _check_dataflow()


def parallelism(how: Machinery) -> int:
    """Number of worker processes that a job service starts, as far as its options say."""
    return max(1, len(how.worker_pools), _known(how).parallelism if how.runner == "flink" else 1)


def pools(how: Machinery) -> list[str | None]:
    """Worker pools that have a job each; None for a job whose workers its options or its cluster find."""
    if how.runner == "flink" and not how.worker_pools and _known(how).environment_type is None:
        return [FLINK_POOL]
    return [*how.worker_pools] or [None]


def in_driver(how: Machinery) -> bool:
    """Whether the workers are threads of the driver's process, which a job service calls back."""
    return bool(_known(how).environment_type == "LOOPBACK")


def watched(how: Machinery) -> bool:
    """Whether the driver has to notice lost workers: Flink and Dataflow start them again, or end the job."""
    return how.runner == "portable" and not in_driver(how)


def near_workers(how: Machinery) -> str:
    """A host that the workers of a job service are near; this machine if no place is known to be on another."""
    if how.runner == "dataflow":
        return "dataflow.googleapis.com"
    master = _known(how).flink_master if how.runner == "flink" else ""
    hosts = [_host(place) for place in (*how.worker_pools, master, how.job_endpoint or "")]
    return next((host for host in hosts if host not in (None, "localhost", "127.0.0.1", "::1")), None) or "127.0.0.1"


def _known(how: Machinery) -> argparse.Namespace:
    return check_options(how.beam_options, {option_name(one) for one in how.beam_options})


def _host(place: str) -> str | None:
    try:
        return urlsplit(place if "://" in place else f"//{place}").hostname
    except ValueError:  # such as [auto], Flink's default
        return None


def _misplaced(how: Machinery) -> list[Problem]:
    """Options of other runners."""
    problems = []
    if how.scheduler is not None and how.runner != "dask":
        problems.append(Problem("--scheduler", f"it with --runner {how.runner}", "with --runner dask"))
    if how.runner in JOB_SERVICES:
        return problems
    for option, given in (("--job-endpoint", how.job_endpoint), ("--worker-pool", how.worker_pools)):
        if given:
            problems.append(Problem(option, f"it with --runner {how.runner}", "with --runner portable or flink"))
    return problems


def _addresses(how: Machinery) -> list[Problem]:
    problems = []
    if how.job_endpoint is None:
        problems.append(
            Problem(f"--runner {how.runner}", "no --job-endpoint", "--job-endpoint HOST:PORT of a job service of Beam")
        )
    for option, places in (("--job-endpoint", [how.job_endpoint or ""]), ("--worker-pool", how.worker_pools)):
        problems += [
            Problem(option, repr(place), "an address such as host:8099")
            for place in places
            if place and not _is_address(place)
        ]
    if len(set(how.worker_pools)) < len(how.worker_pools):
        problems.append(Problem("--worker-pool", "one address twice", "pools with addresses of their own"))
    if how.runner == "flink" and len(how.worker_pools) > 1:
        allowed = f"one address, as each task manager sees the pool beside it ({FLINK_POOL} if left out)"
        problems.append(Problem("--worker-pool", f"{len(how.worker_pools)} of them", allowed))
    return problems


def _unfit(how: Machinery, known: argparse.Namespace) -> list[Problem]:
    """Options of Beam that are missing, or do not fit the others."""
    problems = []
    there = known.environment_type is not None
    if (there and how.worker_pools) or (how.runner == "portable" and not there and not how.worker_pools):
        found = "both --worker-pool and --environment_type" if there else "no --worker-pool"
        allowed = "--worker-pool HOST:PORT, or after -- one of --environment_type=LOOPBACK, DOCKER, PROCESS"
        problems.append(Problem(f"--runner {how.runner}", found, allowed))
    if how.runner == "dataflow":
        problems += [
            Problem(WHERE, f"no --{name}", "--runner dataflow needs --" + ", --".join(_DATAFLOW_NEEDS))
            for name in _DATAFLOW_NEEDS
            if not getattr(known, name, None)
        ]
    return problems


def _is_address(place: str) -> bool:
    try:
        parts = urlsplit(f"//{place}")
        return bool(parts.hostname) and parts.port is not None and parts.netloc == place and "@" not in place
    except ValueError:
        return False


def _described(endpoint: str) -> set[str]:
    """Names of the options that a job service has of its own.

    Raises:
        MachineError: no job service of Beam answers there.
    """
    import grpc
    from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

    with grpc.insecure_channel(endpoint) as channel:
        service = beam_job_api_pb2_grpc.JobServiceStub(channel)
        try:
            request = beam_job_api_pb2.DescribePipelineOptionsRequest()
            answer = service.DescribePipelineOptions(request, timeout=_PATIENCE_S)
        except grpc.RpcError as error:
            said = error.details() if isinstance(error, grpc.Call) else str(error)
            raise MachineError(
                f"no job service of Beam answers at {endpoint}: {str(said).splitlines()[0]}. Start one: see "
                "docs/operations.md, On a cluster"
            ) from error
    return {option.name for option in answer.options}


def _check_scheduler(address: str) -> None:
    """Refuse what is no address of a Dask scheduler, and one where nothing listens: Dask tries for long to reach it."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or _PORT
    except ValueError:
        parts, host, port = urlsplit(""), None, 0
    if parts.scheme not in ("tcp", "tls") or not host:
        raise ConfigError([Problem("--scheduler", repr(address), "an address such as tcp://host:8786")])
    try:
        socket.create_connection((host, port), _PATIENCE_S).close()
    except OSError as error:
        raise MachineError(
            f"no Dask scheduler answers at {address}: {error}. Start one (`dask scheduler`), and workers (`dask worker "
            f"{address}`)"
        ) from error


def _check_dataflow() -> None:
    try:
        importlib.import_module("apache_beam.runners.dataflow.internal.apiclient")
    except ImportError as error:
        raise MachineError(
            "the Dataflow runner needs the extra `dataflow`: pip install 'geoscribe[dataflow]'"
        ) from error
