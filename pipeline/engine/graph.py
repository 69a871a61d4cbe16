"""The Beam graph: linear, with units as elements, and only unit tasks move through it.

It has no tags, state, output of finish_bundle or Beam sink, so that it means the same on every runner. The result of a
step is in the workspace; a step that runs twice finds its work done.
"""

import logging
import warnings
from collections.abc import Sequence
from math import ceil
from typing import Any
from urllib.parse import urlsplit

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from pipeline.config.build import Build
from pipeline.config.captioning import Dialogue
from pipeline.engine.scheduler import Batch, scheduler_of
from pipeline.engine.units import UnitTask
from pipeline.errors import BuildStopped, MachineError
from pipeline.net import redact
from pipeline.net.client import cache_folder
from pipeline.net.rate_limit_service import serve_limits
from pipeline.registry.toolbox import Toolbox, toolbox
from pipeline.stopping import check_stop
from pipeline.storage import Store, open_store

log = logging.getLogger(__name__)


class StagesFn(beam.DoFn):  # type: ignore[misc]  # Beam has no types
    """Takes unit tasks through the stages. Sources and engines are made once per worker process.

    A unit is started and its bundle goes on with the next one; the bundle ends when all its units are done.
    """

    def __init__(self, build: Build, limits_at: str | None, units_at_once: int) -> None:
        self._build_json = build.model_dump_json()
        self._limits_at = limits_at
        self._units_at_once = units_at_once
        self._store: Store | None = None
        self._tools: Toolbox | None = None
        self._batch: Batch | None = None

    def setup(self) -> None:
        """Open the workspace and the toolbox."""
        build = Build.model_validate_json(self._build_json)
        redact.install()
        self._store = open_store(build.workspace)
        self._tools = toolbox(build, self._limits_at)

    def start_bundle(self) -> None:
        """Begin a batch of units."""
        assert self._store is not None
        assert self._tools is not None
        scheduler = scheduler_of(self._tools, self._units_at_once)
        self._batch = Batch(scheduler, self._store, self._tools, in_driver=self._limits_at is None)

    def process(self, task: UnitTask) -> None:
        """Start a unit."""
        assert self._batch is not None
        self._batch.start(task)

    def finish_bundle(self) -> None:
        """Wait for the units."""
        assert self._batch is not None
        self._batch.wait()


def run_local(tasks: Sequence[UnitTask], build: Build, beam_options: Sequence[str] = ()) -> None:
    """Run in this process, which works on `limits.workers` units of each stage at once.

    Raises:
        MachineError, BuildStopped: as a stage raised them.
    """
    # Named, because Beam's default runner may try to download a runner binary. One bundle: the scheduler has threads.
    options = ["--direct_num_workers=1", "--direct_running_mode=in_memory", *beam_options]
    _run(tasks, StagesFn(build, None, build.limits.workers), FnApiRunner(), options)
    check_stop()


def run_dask(
    tasks: Sequence[UnitTask], build: Build, scheduler: str | None = None, beam_options: Sequence[str] = ()
) -> None:
    """Run on a Dask cluster: the one at `scheduler` (`tcp://host:8786`), or processes on this machine.

    Raises:
        MachineError: Dask is not installed, or a stage stopped.
    """
    try:
        from apache_beam.runners.dask.dask_runner import DaskRunner
        from distributed import LocalCluster
    except ImportError as error:
        raise MachineError("the Dask runner needs the extra `dask`: pip install 'geoscribe[dask]'") from error
    # One unit a partition: Beam's default of 128 would put a small build into one task.
    options = ["--dask_partition_size=1", *beam_options]
    counts, workers = cache_folder(build.network), build.limits.workers
    if scheduler is not None:
        near = urlsplit(scheduler).hostname or "127.0.0.1"
        with serve_limits(counts, near) as limits_at:
            options = [f"--dask_client_address={scheduler}", *options]
            _run(tasks, StagesFn(build, limits_at, workers), DaskRunner(), options)
        return
    shared = _with_shared_room(build, workers)
    threads = _units_to_fill(toolbox(shared).captioner.room, tasks)
    with (
        LocalCluster(n_workers=workers, threads_per_worker=threads, dashboard_address=None) as cluster,
        serve_limits(counts) as limits_at,
    ):
        options = [f"--dask_client_address={cluster.scheduler_address}", *options]
        _run(tasks, StagesFn(shared, limits_at, units_at_once=1), DaskRunner(), options)


def _with_shared_room(build: Build, processes: int) -> Build:
    """The build for each of some processes, which together send a model server no more than `at_once` requests."""
    if not isinstance(build.captioner, Dialogue):
        return build
    each = build.captioner.model_copy(update={"at_once": ceil(build.captioner.at_once / processes)})
    if each.verifier is not None:
        verifier = each.verifier.model_copy(update={"at_once": ceil(each.verifier.at_once / processes)})
        each = each.model_copy(update={"verifier": verifier})
    return build.model_copy(update={"captioner": each})


def _units_to_fill(room: int | None, tasks: Sequence[UnitTask]) -> int:
    """Number of units that a process has under way so that their dialogues fill a room of so many sites."""
    if room is None or not tasks:
        return 1
    mean = sum(task.size for task in tasks) / len(tasks)
    return 2 + ceil(2 * room / mean)  # two more in the stages before


def _run(tasks: Sequence[UnitTask], stages: StagesFn, runner: Any, options: list[str]) -> None:
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)  # a failed stage is raised by `_own`
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Beam's own: an optional package of a cloud that is not used
        pipeline = beam.Pipeline(runner=runner, options=PipelineOptions(options))
        pipeline | "units" >> beam.Create(tasks, reshuffle=False) | "stages" >> beam.ParDo(stages)
        try:
            pipeline.run().wait_until_finish()
        except Exception as error:
            raise _own(error) from error


def _own(error: BaseException) -> Exception:
    """The stage's exception, unwrapped from the runner's."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MachineError | BuildStopped):
            return seen
        seen = seen.__cause__ or seen.__context__
    last = (str(error).strip() or repr(error)).splitlines()[-1]
    return MachineError(f"a stage failed in a way it should not: {last}")
