"""A build from start to end: check inputs, draw sites, run the stages that are out of date, publish."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import pyarrow as pa
from pydantic import JsonValue

from pipeline.config.build import Build
from pipeline.digest import digest
from pipeline.engine.layers import Counts, DamagedLayerError, LayerFile, Listing, list_layers, read, read_columns
from pipeline.engine.progress import Progress, Watcher
from pipeline.engine.ready import check_ready
from pipeline.engine.units import (
    NotDrawnError,
    UnitTask,
    ensure_sites,
    ground_of,
    stage_bases,
    survey,
    with_todo,
)
from pipeline.engine.workspace import claim, count_all
from pipeline.errors import ConfigError, MachineError, Problem
from pipeline.publishing import revisions
from pipeline.publishing.decisions import Decisions, read_decisions
from pipeline.publishing.manifest import shareable
from pipeline.publishing.publish import VERSION as PUBLISH_VERSION
from pipeline.publishing.publish import Published, publish
from pipeline.publishing.units import INDEX_COLUMNS, FinishedUnit, UnitTables, unit_index
from pipeline.regions.ground import NothingThereError
from pipeline.regions.sampling import asked_over_network
from pipeline.registry.toolbox import Toolbox, region_sources, toolbox
from pipeline.stages import STAGES
from pipeline.stopping import check_stop, clear_stop
from pipeline.storage import Store, open_store

log = logging.getLogger(__name__)

_MENDS = 5
"""Attempts at publishing before the build gives up."""
_OTHER_BUILD_S = 5.0

_NAMES = tuple(stage.name for stage in STAGES)
ALL_STAGES = (*_NAMES, "publish")
Runner = Literal["local", "dask"]


@dataclass(frozen=True)
class Outcome:
    """The result of a build."""

    sites: int
    counts: dict[str, Counts]
    """Counts by stage, over all units that are up to date."""
    made: dict[str, int]
    """Number of tables made, by stage; for `publish`, 1 if it ran and 0 if the dataset was up to date."""
    published: Published | None
    """None if publishing was not requested, or if every site of the finished units failed."""
    allowed_failed_share: float
    empty: list[str] = field(default_factory=list)
    """Why regions have no sites, a line each."""
    none_left: bool = False
    """Whether every site failed, so that there was nothing to publish."""

    @property
    def total(self) -> Counts:
        """Over all stages."""
        return sum(self.counts.values(), Counts(0, {}))

    @property
    def failed(self) -> dict[str, int]:
        """Failed sites by reason, over all stages."""
        return self.total.failed

    @property
    def failed_share(self) -> float:
        """Share of failed sites."""
        return sum(self.failed.values()) / self.sites if self.sites else 0.0

    @property
    def too_many_failed(self) -> bool:
        """Whether more sites failed than the configuration allows, or so many that none was left to publish."""
        return self.failed_share > self.allowed_failed_share or self.none_left


@dataclass(frozen=True)
class Prepared:
    """A build whose inputs are checked and whose sites are committed."""

    build: Build
    store: Store
    out: Store
    tools: Toolbox
    sites: list[LayerFile]
    bases: dict[str, dict[str, str]]
    empty: list[str]
    """Why regions have no sites, one line per region."""
    decisions: Decisions | None = None
    """What people decided about an earlier revision."""

    def survey(self, listing: Listing) -> list[UnitTask]:
        """The state of all units according to a listing."""
        return survey(self.store, listing, self.sites, self.bases)


def prepare(build: Build) -> Prepared:
    """Check all that can be checked before any work, claim the workspace, and draw the sites.

    A region without anything in a source on the network is left out; the next build tries it again.

    Raises:
        ConfigError: an input or a place to write cannot be used, or no region has a site.
        MachineError: an engine is not installed.
    """
    tools = toolbox(build)
    check_ready(build, tools)
    decisions = read_decisions(build.publish.decisions, build.name)
    bases = {region.name: stage_bases(build, tools, region) for region in build.regions}
    store, out = open_store(build.workspace), open_store(build.dataset, where="dataset")
    claim(store, build, bases)
    store.sweep()
    listing = list_layers(store, "sites")
    sites, empty = _all_sites(build, tools, store, listing, bases)
    return Prepared(build, store, out, tools, sites, bases, empty, decisions)


def _all_sites(
    build: Build, tools: Toolbox, store: Store, listing: Listing, bases: dict[str, dict[str, str]]
) -> tuple[list[LayerFile], list[str]]:
    """The sites of all regions, and why some regions have none (`NothingThereError`).

    Regions whose sites can be drawn without a network come first, so that their errors are reported before any request
    is made.

    Raises:
        ConfigError: naming every region without sites because of a local error, or all regions if none has sites.
        MachineError: naming every region whose source could not be reached. The sites of the others are committed.
    """
    asking = {r.name: bool(asked_over_network(ground_of(build, tools, r))) for r in build.regions}
    sites: dict[str, LayerFile] = {}
    problems: list[Problem] = []
    empty: list[Problem] = []
    not_drawn: list[str] = []
    for over_network in (False, True):
        for region in (r for r in build.regions if asking[r.name] is over_network):
            check_stop()
            try:
                sites[region.name] = ensure_sites(build, tools, region, store, listing, bases[region.name]["sites"])
            except NothingThereError as error:
                empty += error.problems
                log.warning("region %s has no sites: found %s", region.name, error.problems[0].found)
            except ConfigError as error:
                problems += error.problems
            except NotDrawnError as error:
                not_drawn.append(str(error))
        if problems:
            raise ConfigError(list(dict.fromkeys([*problems, *empty])))
    if not_drawn:
        raise MachineError("\n".join(not_drawn))
    if not sites:
        raise ConfigError(empty)
    return [sites[r.name] for r in build.regions if r.name in sites], [problem.found for problem in empty]


def run_build(
    build: Build,
    *,
    runner: Runner = "local",
    scheduler: str | None = None,
    stages: Sequence[str] = ALL_STAGES,
    limit_units: int | None = None,
    retry: frozenset[str] = frozenset(),
    beam_options: Sequence[str] = (),
    report: Callable[[Progress], None] = lambda _: None,
) -> Outcome:
    """Bring a workspace and its dataset up to date.

    `stages` restricts the stages that run, `limit_units` the number of units that are processed; `retry` names the
    reasons whose failed sites are retried.

    Raises:
        ConfigError, MachineError, BuildStopped: see `pipeline.errors`. What was committed stays.
    """
    clear_stop()
    ready = prepare(build)
    before = _swept_of_damage(ready, list_layers(ready.store))
    work = _to_do(ready, before, stages, retry)[:limit_units]
    _advance(ready, work, runner, scheduler, beam_options, report)
    after = list_layers(ready.store) if work else before
    dataset, publish_ran = None, False
    if "publish" in stages:
        dataset, publish_ran, after = _publish_mended(ready, after, runner, scheduler, beam_options, report)
    made = Counter(file.layer for file in set(after) - set(before))
    tasks = ready.survey(after)
    return Outcome(
        sites=sum(task.size for task in tasks),
        counts=_counts(ready, tasks),
        made={stage: made[stage] for stage in _NAMES} | {"publish": int(publish_ran)},
        published=dataset,
        allowed_failed_share=build.limits.allowed_failed_share,
        empty=ready.empty,
        none_left="publish" in stages and dataset is None,
    )


def _swept_of_damage(ready: Prepared, listing: Listing) -> Listing:
    """The listing without tables whose footer cannot be read. These are removed and made again.

    Damage inside a table is found when the table is read: see `pipeline.engine.work` and `_publish_mended`.
    """
    _, damaged = count_all(ready.store, [file for task in ready.survey(listing) for file in task.done.values()])
    for file in damaged:
        log.warning("%s; making it again", DamagedLayerError(file))
        ready.store.delete(file.path)
    return list_layers(ready.store) if damaged else listing


def _advance(
    ready: Prepared,
    work: Sequence[UnitTask],
    runner: Runner,
    scheduler: str | None,
    beam_options: Sequence[str],
    report: Callable[[Progress], None],
) -> None:
    if not work:
        return
    # Beam takes seconds to import; a build that has nothing to do never needs it.
    from pipeline.engine.graph import run_dask, run_local

    with Watcher(ready.store, work, report):
        if runner == "local":
            run_local(work, ready.build, beam_options)
        else:
            run_dask(work, ready.build, scheduler, beam_options)


def _publish_mended(
    ready: Prepared,
    listing: Listing,
    runner: Runner,
    scheduler: str | None,
    beam_options: Sequence[str],
    report: Callable[[Progress], None],
) -> tuple[Published | None, bool, Listing]:
    """Publish. A table that proves damaged is removed and made again, and publishing starts over."""
    for _ in range(_MENDS):
        try:
            return *_publish(ready, listing), listing
        except DamagedLayerError as error:
            log.warning("%s; making it again", error)
            ready.store.delete(error.file.path)
            there = list_layers(ready.store)
            unit = (error.file.region, error.file.unit)
            again = [task for task in _to_do(ready, there, _NAMES, frozenset()) if (task.region, task.unit) == unit]
            _advance(ready, again, runner, scheduler, beam_options, report)
        except (FileNotFoundError, revisions.OvertakenError) as error:
            log.warning("%s: another build is at work on %s or %s", error, ready.store.url, ready.out.url)
            time.sleep(_OTHER_BUILD_S)
        listing = list_layers(ready.store)
    raise MachineError(
        f"{ready.out.url} could not be published in {_MENDS} attempts: tables in {ready.store.url} are damaged as soon "
        "as they are written (check the disk), or another build keeps working on the same places"
    )


def _to_do(ready: Prepared, listing: Listing, stages: Sequence[str], retry: frozenset[str]) -> list[UnitTask]:
    """Units that need work: tables to make, or failed sites to retry (then later stages are made again too)."""
    tasks = [with_todo(task, stages) for task in ready.survey(listing)]
    if not retry:
        return [task for task in tasks if task.todo]
    counts, _ = count_all(ready.store, [file for task in tasks for file in task.done.values()])
    failing = {file for file, found in counts.items() if retry & set(found.failed)}
    return [replace(t, retry=retry) for t in tasks if t.todo or failing & set(t.done.values())]


def _publish(ready: Prepared, listing: Listing) -> tuple[Published | None, bool]:
    """Publish all finished units, unless the dataset is up to date or every site of theirs failed."""
    check_stop()
    tasks = [task for task in ready.survey(listing) if _is_finished(task)]
    fingerprint = publish_fingerprint(ready.build, tasks, ready.decisions)
    there = revisions.look(ready.out).sound
    if there is not None and there.provenance.get("fingerprint") == fingerprint:
        with ready.out.locked("publish") as held:
            if held is not False:  # what a publish left that was killed at its very end
                revisions.tidy(ready.out, ready.build.publish.keep_revisions, alone=held is True)
        return Published(there.counts, there.shards), False
    if tasks and not _any_site_ok(ready, tasks):
        return None, False
    units = [_finished(ready.store, task, listing.sizes[task.done[STAGES[0].name]]) for task in tasks]
    provenance: dict[str, JsonValue] = {
        "fingerprint": fingerprint,
        "ocr": ready.tools.ocr.name,
        "segmenter": ready.tools.segmenter.name,
        "models": [dict(model.credit()) for model in ready.tools.segmenter.models],
        "anonymiser": ready.tools.blurrer.name if ready.tools.blurrer else None,
        "captioner": ready.tools.captioner.name,
        "sources": {r.name: dict(region_sources(ready.tools, r)) for r in ready.build.regions},
    }
    synthetic = ready.tools.synthetic_sources()
    published = publish(
        ready.build, units, ready.out, synthetic=synthetic, provenance=provenance, decisions=ready.decisions
    )
    return published, True


def _is_finished(task: UnitTask) -> bool:
    return all(stage in task.done for stage in _NAMES)


def _any_site_ok(ready: Prepared, finished: Sequence[UnitTask]) -> bool:
    """Whether any site came through all stages. Damaged tables may hold one: publishing has them made again."""
    counts, damaged = count_all(ready.store, [task.done[_NAMES[-1]] for task in finished])
    return bool(damaged) or any(found.ok for found in counts.values())


def publish_fingerprint(build: Build, tasks: Sequence[UnitTask], decisions: Decisions | None = None) -> str:
    """Digest of what a dataset is made from: settings (in card and manifest), tables of units, people's decisions."""
    contents = [[task.region, task.unit, *(task.done[stage].content for stage in _NAMES)] for task in tasks]
    return digest(PUBLISH_VERSION, shareable(build), contents, *([decisions] if decisions else []), length=32)


def _finished(store: Store, task: UnitTask, size: int) -> FinishedUnit:
    def load() -> UnitTables:
        return UnitTables(**{stage: read(store, task.done[stage]) for stage in _NAMES})

    def load_index() -> pa.Table:
        return unit_index(UnitTables(**{s: read_columns(store, task.done[s], INDEX_COLUMNS[s]) for s in _NAMES}))

    content = digest([task.done[stage].content for stage in _NAMES], length=16)
    return FinishedUnit(task.region, task.unit, content, size, task.size, load, load_index)


def _counts(ready: Prepared, tasks: Sequence[UnitTask]) -> dict[str, Counts]:
    counts, _ = count_all(ready.store, [file for task in tasks for file in task.done.values()])
    return {
        stage: sum((counts[t.done[stage]] for t in tasks if t.done.get(stage) in counts), Counts(0, {}))
        for stage in _NAMES
    }


__all__ = ["ALL_STAGES", "Outcome", "Runner", "prepare", "run_build"]
