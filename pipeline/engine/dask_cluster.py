"""Runs the graph on a Dask cluster: a running one, or processes on this machine."""

import logging
from collections.abc import Sequence
from math import ceil
from typing import Any
from urllib.parse import urlsplit

from pipeline.config.build import Build
from pipeline.engine.drawing import RegionTask
from pipeline.engine.graph import DriverAt, Element, Work, run
from pipeline.engine.sharing import dealt, with_shared_room
from pipeline.engine.units import UnitTask
from pipeline.errors import MachineError
from pipeline.net.client import cache_folder
from pipeline.net.rate_limit_service import serve_limits
from pipeline.registry.registry import registry_of


def run_dask(
    work: Sequence[Work],
    regions: Sequence[RegionTask],
    build: Build,
    scheduler: str | None = None,
    beam_options: Sequence[str] = (),
) -> None:
    """Run on a Dask cluster: the one at `scheduler` (`tcp://host:8786`), or processes on this machine.

    Units of a region that is drawn stay with the process that drew it: Dask shares out what a graph starts from, and
    nothing after that. So let regions be drawn without stages, and then run their units.

    Raises:
        MachineError: Dask is not installed, the cluster was lost, or a stage stopped.
    """
    try:
        from apache_beam.runners.dask.dask_runner import DaskRunner
        from distributed import LocalCluster
    except ImportError as error:
        raise MachineError("the Dask runner needs the extra `dask`: pip install 'geoscribe[dask]'") from error
    logging.getLogger("distributed").setLevel(logging.WARNING)
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # tracebacks of what `_wait` says in a line
    logging.getLogger("distributed.nanny").setLevel(logging.ERROR)  # ends slow workers at the end, and says so
    counts, workers = cache_folder(build.network), build.limits.workers
    elements: list[Element] = [*work, *filter(None, dealt(regions, workers))]

    def run_at(address: str, given: Build, limits_at: str, units_at_once: int) -> None:
        # One element a partition: Beam's default of 128 would put a small build into one task.
        options = [f"--dask_client_address={address}", "--dask_partition_size=1", *beam_options]
        run(elements, given, DaskRunner(), options, DriverAt(limits_at), units_at_once, wait=_wait)

    if scheduler is not None:
        near = urlsplit(scheduler).hostname or "127.0.0.1"
        with serve_limits(counts, near) as limits_at:
            run_at(scheduler, build, limits_at, workers)
        return
    shared = with_shared_room(build, workers)
    threads = _units_to_fill(registry_of(shared).captioner.room, [one for one in work if isinstance(one, UnitTask)])
    with (
        LocalCluster(n_workers=workers, threads_per_worker=threads, dashboard_address=None) as cluster,
        serve_limits(counts) as limits_at,
    ):
        run_at(cluster.scheduler_address, shared, limits_at, units_at_once=1)


def _wait(result: Any) -> None:
    """Wait for the end of a graph on Dask.

    A client that loses its scheduler counts all as ended, so each future is looked at. Beam leaves its client open:
    then it says with a traceback that the cluster ended before it.
    """
    from distributed.client import FutureCancelledError
    from distributed.comm import CommClosedError

    try:
        result.wait_until_finish()
        ended = all(future.status == "finished" for future in result.futures)
    except (FutureCancelledError, CommClosedError):
        ended = False
    finally:
        result.client.close()
    if not ended:
        raise MachineError("the Dask cluster was lost. Finished work is kept; start the cluster and the build again")


def _units_to_fill(room: int | None, units: Sequence[UnitTask]) -> int:
    """Number of units that a process has under way so that their dialogues fill a room of so many sites."""
    if room is None or not units:
        return 1
    mean = sum(unit.size for unit in units) / len(units)
    return 2 + ceil(2 * room / mean)  # two more in the stages before
