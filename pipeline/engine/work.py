"""Runs the stages of a unit: read the tables below, make the table, commit it. Idempotent."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from pipeline.engine import carry
from pipeline.engine.counts import lacking
from pipeline.engine.layers import (
    DamagedLayerError,
    LayerFile,
    Made,
    commit,
    commit_sites,
    read,
    read_rows,
)
from pipeline.engine.units import UnitTask, sample_region
from pipeline.regions.sampling import digests_by_unit
from pipeline.registry.registry import Registry
from pipeline.stages import STAGES, Known, Stage, StageInput
from pipeline.storage import Store
from schemas.arrow import from_table
from schemas.reasons import REDRAWN
from schemas.records import CaptionRow, ImageryRow, LayerRow, Site

log = logging.getLogger(__name__)

_BY_LAYER = {stage.name: stage for stage in STAGES}


def do_stage(stage: Stage, task: UnitTask, store: Store, registry: Registry) -> UnitTask:
    """Bring a stage of a task up to date, if it is to do or was done; otherwise return the task unchanged."""
    if stage.name not in task.todo and stage.name not in task.done:
        return task
    found = task.done.get(stage.name)
    if found is None or found.recipe != task.recipe(stage):  # to do, or a table below was made again meanwhile
        found = task.find(stage)
        if found is None:
            return _make(stage, _without(task, stage), store, registry, None)
        task = replace(task, done={**task.done, stage.name: found})
    return _again(stage, task, store, registry) if task.retry else task


def _make(stage: Stage, task: UnitTask, store: Store, registry: Registry, again: "_Again | None") -> UnitTask:
    """Run a stage over a unit and commit the table. Damaged tables below are made first.

    If `again` is given, only its sites are processed; otherwise those that no earlier table of the unit covers.
    """
    below: dict[str, Sequence[LayerRow]] = {}
    for record in stage.reads:
        task, rows = _sound_rows(_BY_LAYER[record.layer], task, store, registry)
        below[record.layer] = carry.shown(stage, rows)
    sites = [] if stage.reads else unit_sites(task, store, registry)
    marks = carry.inputs(sites, below)
    if again is None:
        old = carry.find(stage, task, store, marks)
        again = _Again({site_id: 0 for site_id in marks if site_id not in old.rows}, old.known)
        kept = old.rows
    else:
        kept = {row.site_id: row for row in read_rows(store, task.done[stage.name], stage.record)}
    fresh = {row.site_id: row for row in _run(stage, registry, again, sites, below)} if again.draws else {}
    by_id = {site.site_id: site for site in sites}
    table = [carry.weighted(row, by_id) for i in marks if (row := fresh.get(i, kept.get(i))) is not None]
    made = Made(task.parts(stage), marks)
    file = commit(store, stage.name, task.region, task.unit, task.recipe(stage), stage.record, table, made)
    return replace(task, done={**task.done, stage.name: file})


@dataclass(frozen=True)
class _Again:
    """The sites that a stage takes up."""

    draws: Mapping[str, int]
    """By site id: how often a model was asked again."""
    known: Mapping[str, Known]
    """Rows of which only some parts are to be made."""


def _run(
    stage: Stage,
    registry: Registry,
    again: _Again,
    sites: Sequence[Site],
    below: Mapping[str, Sequence[LayerRow]],
) -> Sequence[LayerRow]:
    layers = {layer: [row for row in rows if row.site_id in again.draws] for layer, rows in below.items()}
    chosen = [site for site in sites if site.site_id in again.draws]
    return stage.run(StageInput(chosen, layers, again.draws, again.known), registry)


def _again(stage: Stage, task: UnitTask, store: Store, registry: Registry) -> UnitTask:
    """Retry sites of a table that is up to date. The old table is removed after the new one is committed."""
    old = task.done[stage.name]
    task, rows = _sound_rows(stage, task, store, registry)
    again = _lacking(task, rows) if task.missing else _failed(task, rows)
    if not again.draws:
        return task
    task = _make(stage, task, store, registry, again)
    if task.done[stage.name] != old:
        store.delete(old.path)
    return task


def _failed(task: UnitTask, rows: Sequence[LayerRow]) -> _Again:
    """The sites that failed for a reason to retry."""
    failed = [row for row in rows if row.reason is not None and row.reason in task.retry]
    return _Again({row.site_id: next_draw(row) for row in failed}, {})


def _lacking(task: UnitTask, rows: Sequence[LayerRow]) -> _Again:
    """The sites that lack a view to retry, for a reason to retry. What else is in an ok row stays."""
    draws, known = {}, {}
    for row in rows:
        views = {v for v in task.missing if isinstance(row, ImageryRow) and lacking(row, v) in task.retry}
        if views:
            draws[row.site_id] = 0
            if row.status == "ok":
                known[row.site_id] = Known(row, frozenset(views | ({"scales"} if "aerial" in views else set())))
    return _Again(draws, known)


def next_draw(row: LayerRow) -> int:
    """How often a model is to have replied anew, once the site of a row is taken up again."""
    return row.draw + (row.reason in REDRAWN) if isinstance(row, CaptionRow) else 0


def _sound_rows(stage: Stage, task: UnitTask, store: Store, registry: Registry) -> tuple[UnitTask, Sequence[LayerRow]]:
    """The rows of a finished table, which is made again if it proves damaged."""
    try:
        return task, read_rows(store, task.done[stage.name], stage.record)
    except FileNotFoundError:
        log.warning("%s is gone; making it again", task.done[stage.name].path)
    except DamagedLayerError as error:
        log.warning("%s; making it again", error)
        store.delete(error.file.path)
    task = _make(stage, _without(task, stage), store, registry, None)
    return task, read_rows(store, task.done[stage.name], stage.record)


def _without(task: UnitTask, stage: Stage) -> UnitTask:
    return replace(task, done={layer: file for layer, file in task.done.items() if layer != stage.name})


def unit_sites(task: UnitTask, store: Store, registry: Registry) -> list[Site]:
    """The sites of a unit. The region's sites are drawn again if their file is damaged."""
    try:
        rows = _region_sites(store, task.sites)
    except DamagedLayerError as error:
        log.warning("%s; sampling %s again", error, task.region)
        store.delete(error.file.path)
        fresh = sample_region(registry.build, registry, registry.regions[task.region])
        commit_sites(store, task.region, task.sites.recipe, fresh, digests_by_unit(fresh))
        rows = tuple(fresh)
    return [site for site in rows if site.unit == task.unit]


@lru_cache(maxsize=4)
def _region_sites(store: Store, file: LayerFile) -> tuple[Site, ...]:
    return tuple(from_table(Site, read(store, file)))
