"""The Beam graph: `sites`, `stages`. Its elements are regions and units, and only small values move through it.

It is linear and has no tags, state, output of finish_bundle or Beam sink, so that it means the same on every runner.
The result of a step is in the workspace; a step that runs twice finds its work done.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any
from urllib.parse import urlsplit

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from pipeline.config.build import Build
from pipeline.config.captioning import Dialogue
from pipeline.engine.drawing import RegionTask, draw_all, units_to_do
from pipeline.engine.scheduler import Batch, scheduler_of
from pipeline.engine.units import UnitTask
from pipeline.errors import BuildStopped, MachineError
from pipeline.net import redact
from pipeline.net.client import cache_folder
from pipeline.net.rate_limit_service import serve_limits
from pipeline.registry.toolbox import Toolbox, toolbox
from pipeline.stopping import check_stop, request_stop
from pipeline.storage import Store, open_store

log = logging.getLogger(__name__)


Element = UnitTask | tuple[RegionTask, ...]
"""What the graph starts from: units whose sites are drawn, and regions to draw."""


class _Fn(beam.DoFn):  # type: ignore[misc]  # Beam has no types
    """A step. Sources and engines are made once per worker process."""

    def __init__(self, build: Build, limits_at: str | None) -> None:
        self._build_json = build.model_dump_json()
        self._limits_at = limits_at
        self._store: Store | None = None
        self._tools: Toolbox | None = None

    def setup(self) -> None:
        """Open the workspace and the toolbox."""
        build = Build.model_validate_json(self._build_json)
        redact.install()
        self._store = open_store(build.workspace)
        self._tools = toolbox(build, self._limits_at)

    def _given(self) -> tuple[Store, Toolbox]:
        assert self._store is not None
        assert self._tools is not None
        return self._store, self._tools


class SampleFn(_Fn):
    """Draws the sites of regions, and hands on the units of each as soon as it is drawn."""

    def process(self, element: Element) -> Iterator[UnitTask]:
        """Hand on a unit, or the units of regions."""
        if isinstance(element, UnitTask):
            yield element
            return
        store, tools = self._given()
        try:
            for task, file in draw_all(element, store, tools):
                yield from units_to_do(task, file, store)
        except (MachineError, BuildStopped) as error:
            if self._limits_at is not None:  # another process than the driver's
                raise
            # Beam would print the traceback of what is no bug; the driver, in the same process, says it in a line.
            request_stop(error if isinstance(error, MachineError) else None)


class StagesFn(_Fn):
    """Takes units through the stages.

    A unit is started and its bundle goes on with the next one; the bundle ends when all its units are done.
    """

    def __init__(self, build: Build, limits_at: str | None, units_at_once: int) -> None:
        super().__init__(build, limits_at)
        self._units_at_once = units_at_once
        self._batch: Batch | None = None

    def start_bundle(self) -> None:
        """Begin a batch of units."""
        store, tools = self._given()
        scheduler = scheduler_of(tools, self._units_at_once)
        self._batch = Batch(scheduler, store, tools, in_driver=self._limits_at is None)

    def process(self, task: UnitTask) -> None:
        """Start a unit."""
        assert self._batch is not None
        self._batch.start(task)

    def finish_bundle(self) -> None:
        """Wait for the units."""
        assert self._batch is not None
        self._batch.wait()


def _attach(elements: beam.PCollection, build: Build, limits_at: str | None, units_at_once: int) -> beam.PCollection:
    """Apply the steps to a collection of elements.

    Args:
        elements: `Element`s.
        build: The build.
        limits_at: Address at which worker processes find the build's shared rate limits; None if the driver runs the
            stages itself.
        units_at_once: Number of units that each stage works on at once in a process.
    """
    drawn = elements | "sites" >> beam.ParDo(SampleFn(build, limits_at))
    return drawn | "stages" >> beam.ParDo(StagesFn(build, limits_at, units_at_once))


def run_local(
    units: Sequence[UnitTask], regions: Sequence[RegionTask], build: Build, beam_options: Sequence[str] = ()
) -> None:
    """Run in this process, which works on `limits.workers` units of each stage at once.

    The units of a region are taken up as soon as it is drawn.

    Raises:
        MachineError, BuildStopped: as a stage raised them.
    """
    # Named, because Beam's default runner may try to download a runner binary. One bundle: the scheduler has threads.
    options = ["--direct_num_workers=1", "--direct_running_mode=in_memory", *beam_options]
    elements: list[Element] = [
        *units,
        *([tuple(regions)] if regions else []),
    ]  # last, as its process goes on until all are drawn
    _run(elements, build, FnApiRunner(), options, None, build.limits.workers)
    check_stop()


def run_dask(
    units: Sequence[UnitTask],
    regions: Sequence[RegionTask],
    build: Build,
    scheduler: str | None = None,
    beam_options: Sequence[str] = (),
) -> None:
    """Run on a Dask cluster: the one at `scheduler` (`tcp://host:8786`), or processes on this machine.

    Units of a region that is drawn stay with the process that drew it: Dask shares out what a graph starts from, and
    nothing after that. So let regions be drawn without stages, and then run their units.

    Raises:
        MachineError: Dask is not installed, or a stage stopped.
    """
    try:
        from apache_beam.runners.dask.dask_runner import DaskRunner
        from distributed import LocalCluster
    except ImportError as error:
        raise MachineError("the Dask runner needs the extra `dask`: pip install 'geoscribe[dask]'") from error
    # One element a partition: Beam's default of 128 would put a small build into one task.
    options = ["--dask_partition_size=1", *beam_options]
    counts, workers = cache_folder(build.network), build.limits.workers
    shares = [tuple(regions[i::workers]) for i in range(workers)]
    elements: list[Element] = [*units, *(share for share in shares if share)]
    if scheduler is not None:
        near = urlsplit(scheduler).hostname or "127.0.0.1"
        with serve_limits(counts, near) as limits_at:
            options = [f"--dask_client_address={scheduler}", *options]
            _run(elements, build, DaskRunner(), options, limits_at, workers)
        return
    shared = _with_shared_room(build, workers)
    threads = _units_to_fill(toolbox(shared).captioner.room, units)
    with (
        LocalCluster(n_workers=workers, threads_per_worker=threads, dashboard_address=None) as cluster,
        serve_limits(counts) as limits_at,
    ):
        options = [f"--dask_client_address={cluster.scheduler_address}", *options]
        _run(elements, shared, DaskRunner(), options, limits_at, units_at_once=1)


def _with_shared_room(build: Build, processes: int) -> Build:
    """The build for each of some processes, which together send a model server no more than `at_once` requests."""
    if not isinstance(build.captioner, Dialogue):
        return build
    each = build.captioner.model_copy(update={"at_once": ceil(build.captioner.at_once / processes)})
    if each.verifier is not None:
        verifier = each.verifier.model_copy(update={"at_once": ceil(each.verifier.at_once / processes)})
        each = each.model_copy(update={"verifier": verifier})
    return build.model_copy(update={"captioner": each})


def _units_to_fill(room: int | None, units: Sequence[UnitTask]) -> int:
    """Number of units that a process has under way so that their dialogues fill a room of so many sites."""
    if room is None or not units:
        return 1
    mean = sum(unit.size for unit in units) / len(units)
    return 2 + ceil(2 * room / mean)  # two more in the stages before


def _run(
    elements: Sequence[Element],
    build: Build,
    runner: Any,
    options: list[str],
    limits_at: str | None,
    units_at_once: int,
) -> None:
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)  # a failed stage is raised by `_own`
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Beam's own: an optional package of a cloud that is not used
        pipeline = beam.Pipeline(runner=runner, options=PipelineOptions(options))
        _attach(pipeline | "start" >> beam.Create(elements, reshuffle=False), build, limits_at, units_at_once)
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
