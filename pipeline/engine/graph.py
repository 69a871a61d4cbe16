"""The Beam graph: linear, with units as elements, and only unit tasks move through it.

It has no tags, state, finish_bundle or Beam sink, and shuffles only its input, so that it means the same on every
runner. The result of a step is in the workspace; a step that runs twice finds its work done.
"""

import logging
import warnings
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from pipeline.config.build import Build
from pipeline.engine.units import UnitTask
from pipeline.engine.work import do_stage
from pipeline.errors import BuildStopped, MachineError
from pipeline.net import redact
from pipeline.net.client import cache_folder
from pipeline.net.rate_limit_service import serve_limits
from pipeline.registry.toolbox import Toolbox, toolbox
from pipeline.stages import STAGES, Stage
from pipeline.stopping import check_stop, request_stop
from pipeline.storage import Store, open_store

log = logging.getLogger(__name__)


class StageFn(beam.DoFn):  # type: ignore[misc]  # Beam has no types
    """Runs one stage on unit tasks. Sources and engines are made once per worker process."""

    def __init__(self, stage: Stage, build_json: str, limits_at: str | None) -> None:
        self._stage = stage
        self._limits_at = limits_at
        self._build_json = build_json
        self._store: Store | None = None
        self._tools: Toolbox | None = None

    def setup(self) -> None:
        """Open the workspace and the toolbox."""
        build = Build.model_validate_json(self._build_json)
        redact.install()
        self._store = open_store(build.workspace)
        self._tools = toolbox(build, self._limits_at)

    def process(self, task: UnitTask) -> Iterable[UnitTask]:
        """Pass the task on with the stage done; drop it if the build is being stopped."""
        assert self._store is not None
        assert self._tools is not None
        try:
            check_stop()
            done = do_stage(self._stage, task, self._store, self._tools)
        except (MachineError, BuildStopped) as error:
            if self._limits_at is not None:  # another process than the driver's
                raise
            # Beam would print the traceback of what is no bug; the driver, in the same process, says it in a line.
            request_stop(error if isinstance(error, MachineError) else None)
            return
        yield done


def attach(tasks: beam.PCollection, build: Build, limits_at: str | None = None) -> beam.PCollection:
    """Apply all stages, in order, to a collection of unit tasks.

    Args:
        tasks: `UnitTask`s.
        build: The build.
        limits_at: Address at which worker processes find the build's shared rate limits; None if the driver runs the
            stages itself.
    """
    build_json = build.model_dump_json()
    for stage in STAGES:
        tasks |= stage.name >> beam.ParDo(StageFn(stage, build_json, limits_at))
    return tasks


def run_local(tasks: Sequence[UnitTask], build: Build, beam_options: Sequence[str] = ()) -> None:
    """Run on this machine, with units in threads of this process: waiting and computing overlap.

    Raises:
        MachineError, BuildStopped: as a stage raised them.
    """
    # Named, because Beam's default runner may try to download a runner binary.
    options = [f"--direct_num_workers={build.limits.workers}", "--direct_running_mode=multi_threading", *beam_options]
    _run(tasks, build, FnApiRunner(), options, limits_at=None)
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
    counts = cache_folder(build.network)
    if scheduler is not None:
        near = urlsplit(scheduler).hostname or "127.0.0.1"
        with serve_limits(counts, near) as limits_at:
            options = [f"--dask_client_address={scheduler}", *options]
            _run(tasks, build, DaskRunner(), options, limits_at)
        return
    with (
        LocalCluster(n_workers=build.limits.workers, threads_per_worker=1, dashboard_address=None) as cluster,
        serve_limits(counts) as limits_at,
    ):
        options = [f"--dask_client_address={cluster.scheduler_address}", *options]
        _run(tasks, build, DaskRunner(), options, limits_at)


def _run(tasks: Sequence[UnitTask], build: Build, runner: Any, options: list[str], limits_at: str | None) -> None:
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)  # a failed stage is raised by `_own`
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Beam's own: an optional package of a cloud that is not used
        pipeline = beam.Pipeline(runner=runner, options=PipelineOptions(options))
        # The local runner needs the reshuffle to share the tasks out among its threads; on Dask it would do nothing.
        attach(pipeline | "units" >> beam.Create(tasks, reshuffle=limits_at is None), build, limits_at)
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
