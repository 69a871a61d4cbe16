"""The Beam graph: `sites`, `stages`. Its elements are regions, units and shards; only small values move.

It is linear and has no tags, state, output of finish_bundle or Beam sink, so that it means the same on every runner.
The result of a step is in the workspace; a step that runs twice finds its work done.
"""

import gc
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from pipeline.config.build import Build
from pipeline.engine.drawing import RegionTask, draw_all, units_to_do
from pipeline.engine.presence import attend, telling
from pipeline.engine.scheduler import Batch, scheduler_of
from pipeline.engine.shard_jobs import ShardJob
from pipeline.engine.units import UnitTask
from pipeline.errors import BuildStopped, MachineError
from pipeline.net import redact
from pipeline.registry.registry import Registry, registry_of
from pipeline.stopping import check_stop, request_stop
from pipeline.storage import Store, open_store

log = logging.getLogger(__name__)


Work = UnitTask | ShardJob
"""Task of a worker: a unit for the stages, or a shard to make."""
Element = Work | tuple[RegionTask, ...]
"""Elements that the graph starts from: units whose sites are drawn, shards, and regions to draw."""


@dataclass(frozen=True)
class DriverAt:
    """Where worker processes find the build's driver."""

    limits: str
    """Address of the shared rate limits, see `serve_limits`."""
    presence: str | None = None
    """See `Presence.at`; None where the cluster itself watches its workers."""


class _Fn(beam.DoFn):  # type: ignore[misc]  # Beam has no types
    """A step. Sources and engines are made once per worker process."""

    def __init__(self, build: Build, driver: DriverAt | None) -> None:
        self._build_json = build.model_dump_json()
        self._driver = driver
        self._store: Store | None = None
        self._registry: Registry | None = None

    def setup(self) -> None:
        """Open the workspace and the registry."""
        build = Build.model_validate_json(self._build_json)
        redact.install()
        if self._presence_at is not None:
            attend(self._presence_at)
        with telling(self._presence_at):
            self._store = open_store(build.workspace)
            self._registry = registry_of(build, self._driver.limits if self._driver is not None else None)

    @property
    def _presence_at(self) -> str | None:
        return self._driver.presence if self._driver is not None else None

    def _given(self) -> tuple[Store, Registry]:
        assert self._store is not None
        assert self._registry is not None
        return self._store, self._registry


class SampleFn(_Fn):
    """Draws the sites of regions, and hands on the units of each as soon as it is drawn."""

    def process(self, element: Element) -> Iterator[Work]:
        """Hand on a unit or a shard, or the units of regions."""
        if not isinstance(element, tuple):
            yield element
            return
        store, registry = self._given()
        try:
            with telling(self._presence_at):
                for task, file in draw_all(element, store, registry):
                    yield from units_to_do(task, file, store)
        except (MachineError, BuildStopped) as error:
            if self._driver is not None:  # another process than the driver's
                raise
            # Beam would print the traceback of what is no bug; the driver, in the same process, says it in a line.
            request_stop(error if isinstance(error, MachineError) else None)


class StagesFn(_Fn):
    """Takes units through the stages, and makes shards.

    A unit or a shard is started and its bundle goes on with the next one; the bundle ends when all of them are done.
    """

    def __init__(self, build: Build, driver: DriverAt | None, units_at_once: int) -> None:
        super().__init__(build, driver)
        self._units_at_once = units_at_once
        self._batch: Batch | None = None

    def start_bundle(self) -> None:
        """Begin a batch of units."""
        store, registry = self._given()
        scheduler = scheduler_of(registry, self._units_at_once)
        self._batch = Batch(scheduler, store, registry, in_driver=self._driver is None)

    def process(self, task: Work) -> None:
        """Start a unit or a shard."""
        assert self._batch is not None
        self._batch.start(task)

    def finish_bundle(self) -> None:
        """Wait for the units."""
        assert self._batch is not None
        with telling(self._presence_at):
            self._batch.wait()


def _attach(elements: beam.PCollection, build: Build, driver: DriverAt | None, units_at_once: int) -> beam.PCollection:
    """Apply the steps to a collection of elements; the arguments are those of `submit`."""
    drawn = elements | "sites" >> beam.ParDo(SampleFn(build, driver))
    return drawn | "stages" >> beam.ParDo(StagesFn(build, driver, units_at_once))


def run_local(
    work: Sequence[Work], regions: Sequence[RegionTask], build: Build, beam_options: Sequence[str] = ()
) -> None:
    """Run in this process, which works on `limits.workers` units of each stage at once; shards are made in others.

    The units of a region are taken up as soon as it is drawn.

    Raises:
        MachineError, BuildStopped: as a stage raised them.
    """
    # Named, because Beam's default runner may try to download a runner binary. One bundle: the scheduler has threads.
    options = ["--direct_num_workers=1", "--direct_running_mode=in_memory", *beam_options]
    elements: list[Element] = [*work]
    if regions:
        elements.append(tuple(regions))  # the last, as it goes on until all are drawn
    gc.freeze()  # to look through all that Beam and the engines hold, again and again, is a fifth of drawing's time
    try:
        run(elements, build, FnApiRunner(), options, None, build.limits.workers)
    finally:
        gc.unfreeze()
    check_stop()


def run(
    elements: Sequence[Element],
    build: Build,
    runner: Any,
    options: Sequence[str],
    driver: DriverAt | None,
    units_at_once: int,
    wait: Callable[[Any], object] = lambda result: result.wait_until_finish(),
) -> None:
    """Run the graph on a runner of Beam and wait for its end.

    Args:
        elements: As for `submit`, like the arguments that are not told here.
        build: The build.
        runner: The runner.
        options: Options of Beam.
        driver: Where worker processes find the driver.
        units_at_once: Number of units.
        wait: Waits for the end, given what the runner gave.

    Raises:
        MachineError, BuildStopped: as a stage raised them; or MachineError if the runner failed.
    """
    try:
        wait(submit(elements, build, runner, options, driver, units_at_once))
    except Exception as error:
        raise own_error(error) from error


def submit(
    elements: Sequence[Element],
    build: Build,
    runner: Any,
    options: Sequence[str],
    driver: DriverAt | None,
    units_at_once: int,
    *,
    spread: bool = False,
) -> Any:
    """Give the graph to a runner of Beam, which may return before its end.

    Args:
        elements: Units, shards, and regions to draw.
        build: The build.
        runner: The runner.
        options: Options of Beam.
        driver: Where worker processes find the driver; None if it runs the stages itself.
        units_at_once: Number of units that each stage works on at once in a process.
        spread: Whether the runner shares out what a shuffle has shuffled, and else leaves all to one worker.
    """
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)  # a failed stage is raised by `own_error`
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Beam's own: an optional package of a cloud that is not used
        pipeline = beam.Pipeline(runner=runner, options=PipelineOptions(options))
        _attach(pipeline | "start" >> beam.Create(elements, reshuffle=spread), build, driver, units_at_once)
        return pipeline.run()


def own_error(error: BaseException) -> Exception:
    """The stage's exception, unwrapped from the runner's."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MachineError | BuildStopped):
            return seen
        seen = seen.__cause__ or seen.__context__
    return MachineError(f"a stage failed unexpectedly: {last_said(error)}")


def last_said(error: BaseException) -> str:
    """The line of an exception's text that says the most: the last one, or the details of an error of gRPC in it."""
    said = str(error).strip() or repr(error)
    details: list[str] = re.findall(r'^\s*details = "(.+)"$', said, re.MULTILINE)
    return details[-1] if details else said.splitlines()[-1]
