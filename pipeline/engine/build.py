"""A build from start to end: check inputs, draw sites, run the stages that are out of date, publish."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from pipeline.config.build import Build
from pipeline.engine.counts import Counts
from pipeline.engine.drawing import RegionTask
from pipeline.engine.layers import DamagedLayerError, Listing, list_layers
from pipeline.engine.outcome import Busy, Outcome
from pipeline.engine.parts import Part
from pipeline.engine.prepared import Prepared, drawn, prepare
from pipeline.engine.progress import Progress, Watcher
from pipeline.engine.publication import Publication, publish_mended
from pipeline.engine.runners import Machinery, Runner, check_machinery
from pipeline.engine.scheduler import busy_of
from pipeline.engine.shard_jobs import ShardJob
from pipeline.engine.units import UnitTask, with_todo
from pipeline.engine.workspace import count_all
from pipeline.errors import ConfigError, MachineError
from pipeline.net import outages, traffic
from pipeline.publishing.owner import Publishing
from pipeline.stages import PUBLISH, STAGES
from pipeline.stopping import clear_stop

log = logging.getLogger(__name__)

_NAMES = tuple(stage.name for stage in STAGES)
ALL_STAGES = (*_NAMES, PUBLISH)
SITES = "sites"
"""Plan where no stage is wanted: the sites are drawn."""


@dataclass(frozen=True)
class _Running:
    """How stages run, and who is told."""

    how: Machinery
    report: Callable[[Progress], None]


def run_build(
    build: Build,
    *,
    runner: Runner = "local",
    scheduler: str | None = None,
    job_endpoint: str | None = None,
    worker_pools: Sequence[str] = (),
    stages: Sequence[str] = ALL_STAGES,
    limit_units: int | None = None,
    part: Part | None = None,
    retry: frozenset[str] = frozenset(),
    missing: frozenset[str] = frozenset(),
    publishing: Publishing = Publishing(),  # noqa: B008 - it is frozen
    beam_options: Sequence[str] = (),
    report: Callable[[Progress], None] = lambda _: None,
) -> Outcome:
    """Bring a workspace and its dataset up to date.

    Args:
        build: the build.
        runner: where stages run.
        scheduler: address of a Dask scheduler.
        job_endpoint: address of a job service of Beam.
        worker_pools: addresses of worker pools, as the job service reaches them.
        stages: those to run; with `sites` alone the sites are drawn and nothing else.
        limit_units: number of units that are processed at most.
        part: the share of the units to process. Nothing is published then, as other parts may not be finished.
        retry: reasons whose failed sites are retried.
        missing: views that are tried again where they are missing for one of these reasons, instead of failed sites.
        publishing: what may be done to a dataset that is there.
        beam_options: options of Beam.
        report: called with the progress, again and again.

    Raises:
        ConfigError: an input, a place or an option is wrong; nothing was done.
        OutageError: a provider, or all model servers, are out of order for longer than `limits.outage_wait_s`.
        MachineError, BuildStopped: see `pipeline.errors`. What was committed stays.
    """
    clear_stop()
    outages.forget()
    traffic.clear()
    machinery = Machinery(runner, scheduler, job_endpoint, tuple(worker_pools), tuple(beam_options))
    check_machinery(machinery, build)
    publishes = PUBLISH in stages and part is None
    ready = prepare(build, publishing=publishing if publishes else None, part=part, report=report)
    how = _Running(machinery, report)
    draws = not set(stages) <= {PUBLISH}
    if draws and (limit_units is not None or runner != "local"):
        # The limit counts units in the order of regions; for clusters see `run_dask` and `run_jobs`.
        _advance(ready, [], ready.undrawn, how)
        ready = drawn(ready)
    before = _swept_of_damage(ready, list_layers(ready.store))
    work = [task for task in _to_do(ready, before, stages, retry, missing) if part is None or part.has(*task.key)]
    work = work[:limit_units]
    regions = [
        replace(region, stages=tuple(stages), retry=retry, missing=missing, part=part)
        for region in (ready.undrawn if draws else ())
    ]
    works = bool(work or regions)
    started, busy_before = time.monotonic(), busy_of(ready.registry)
    with _keeping_work(works):
        _advance(ready, work, regions, how)
    busy = _busy(time.monotonic() - started, busy_before, busy_of(ready.registry))
    ready = drawn(ready)
    after = list_layers(ready.store) if works else before
    publication = Publication(None)
    if publishes:
        with _keeping_work(works):
            publication, after = publish_mended(
                ready,
                after,
                publishing,
                remake=lambda *unit: _remake(ready, how, *unit),
                advance=lambda jobs: _run(ready.build, jobs, [], machinery),
            )
    # Other parts may be at work on the same workspace.
    tasks = [task for task in ready.survey(after) if part is None or part.has(*task.key)]
    new = set(after) - set(before)
    made = Counter(file.layer for file in new if part is None or part.has(file.region, file.unit))
    return Outcome(
        sites=sum(task.size for task in tasks),
        counts=_counts(ready, tasks),
        made={stage: made[stage] for stage in _NAMES} | {PUBLISH: int(publication.ran)},
        published=publication.published,
        limits=build.limits,
        empty=[note.said for note in ready.notes if note.empty],
        not_drawn=[note.said for note in ready.notes if not note.empty],
        regions=len(build.regions),
        unfinished=sum(not task.finished for task in tasks),
        none_left=publishes and publication == Publication(None),
        shrinkage=publication.shrinkage,
        unfilled=publication.unfilled,
        busy=busy,
    )


def _busy(seconds: float, before: dict[str, float], after: dict[str, float]) -> Busy | None:
    stages = {name: total - before.get(name, 0.0) for name, total in after.items()}
    return Busy(seconds, stages) if any(stages.values()) else None


@contextmanager
def _keeping_work(works: bool) -> Iterator[None]:
    """Make a `ConfigError`, which says that nothing was done, a `MachineError` where something was."""
    try:
        yield
    except ConfigError as error:
        if not works:
            raise
        raise MachineError(f"finished work is kept, but the build cannot go on: {error}") from error


def _swept_of_damage(ready: Prepared, listing: Listing) -> Listing:
    """The listing without tables whose footer cannot be read. These are removed and made again.

    Damage inside a table is found when the table is read: see `pipeline.engine.work` and `publish_mended`.
    """
    _, damaged = count_all(ready.store, [file for task in ready.survey(listing) for file in task.done.values()])
    for file in damaged:
        log.warning("%s; making it again", DamagedLayerError(file))
        ready.store.delete(file.path)
    return list_layers(ready.store) if damaged else listing


def _advance(ready: Prepared, work: Sequence[UnitTask], regions: Sequence[RegionTask], how: _Running) -> None:
    if not work and not regions:
        return
    with Watcher(ready.store, work, regions, how.report):
        _run(ready.build, work, regions, how.how)


def _run(build: Build, work: Sequence[UnitTask | ShardJob], regions: Sequence[RegionTask], how: Machinery) -> None:
    # Beam takes seconds to import; a build that has nothing to do never needs it.
    from pipeline.engine.dask_cluster import run_dask
    from pipeline.engine.graph import run_local
    from pipeline.engine.job_service import run_jobs

    if how.runner == "local":
        run_local(work, regions, build, how.beam_options)
    elif how.runner == "dask":
        run_dask(work, regions, build, how.scheduler, how.beam_options)
    else:
        run_jobs(work, regions, build, how)


def _remake(ready: Prepared, how: _Running, region: str, unit: str, listing: Listing) -> None:
    """Make the tables of one unit that are missing."""
    tasks = _to_do(ready, listing, _NAMES, frozenset(), frozenset())
    _advance(ready, [task for task in tasks if task.key == (region, unit)], [], how)


def _to_do(
    ready: Prepared, listing: Listing, stages: Sequence[str], retry: frozenset[str], missing: frozenset[str]
) -> list[UnitTask]:
    """Units that need work: tables to make, or sites to retry (then later stages are made again too)."""
    tasks = [with_todo(task, stages) for task in ready.survey(listing)]
    if not retry:
        return [task for task in tasks if task.todo]
    counts, _ = count_all(ready.store, [file for task in tasks for file in task.done.values()])

    def concerns(found: Counts) -> bool:
        if not missing:
            return not retry.isdisjoint(found.failed)
        return any(not retry.isdisjoint(seen.missing) for view, seen in found.views.items() if view in missing)

    failing = {file for file, found in counts.items() if concerns(found)}
    return [replace(t, retry=retry, missing=missing) for t in tasks if t.todo or failing & set(t.done.values())]


def _counts(ready: Prepared, tasks: Sequence[UnitTask]) -> dict[str, Counts]:
    counts, _ = count_all(ready.store, [file for task in tasks for file in task.done.values()])
    return {
        stage: sum((counts[t.done[stage]] for t in tasks if t.done.get(stage) in counts), Counts(0, {}))
        for stage in _NAMES
    }


__all__ = ["ALL_STAGES", "Outcome", "Runner", "prepare", "run_build"]
