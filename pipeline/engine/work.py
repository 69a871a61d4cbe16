"""Runs the stages of a unit: read the tables below, make the table, commit it. Idempotent."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from pipeline.engine.layers import (
    DamagedLayerError,
    LayerFile,
    commit,
    commit_sites,
    read,
    read_rows,
)
from pipeline.engine.units import UnitTask, sample_region
from pipeline.regions.sampling import digests_by_unit
from pipeline.registry.toolbox import Toolbox
from pipeline.stages import STAGES, Stage, StageInput
from pipeline.storage import Store
from schemas.arrow import from_table
from schemas.reasons import REDRAWN
from schemas.records import CaptionRow, LayerRow, Site

log = logging.getLogger(__name__)

_BY_LAYER = {stage.name: stage for stage in STAGES}


def do_stage(stage: Stage, task: UnitTask, store: Store, tools: Toolbox) -> UnitTask:
    """Bring a stage of a task up to date, if it is to do or was done; otherwise return the task unchanged."""
    if stage.name not in task.todo and stage.name not in task.done:
        return task
    found = task.done.get(stage.name)
    if found is None or found.recipe != task.recipe(stage):  # to do, or a table below was made again meanwhile
        found = task.find(stage)
        if found is None:
            return _make(stage, _without(task, stage), store, tools, only=None)
        task = replace(task, done={**task.done, stage.name: found})
    return _again(stage, task, store, tools) if task.retry else task


def _make(stage: Stage, task: UnitTask, store: Store, tools: Toolbox, only: Mapping[str, int] | None) -> UnitTask:
    """Run a stage over a unit and commit the table. Damaged tables below are made first.

    If `only` is given, only those sites are processed; its values say how often a model was asked again.
    """
    below: dict[str, Sequence[LayerRow]] = {}
    for record in stage.reads:
        task, rows = _sound_rows(_BY_LAYER[record.layer], task, store, tools)
        below[record.layer] = [row for row in rows if only is None or row.site_id in only]
    sites = [] if stage.reads else unit_sites(task, store, tools)
    given = StageInput([site for site in sites if only is None or site.site_id in only], below, only or {})
    rows = stage.run(given, tools)
    if only is not None:
        fresh = {row.site_id: row for row in rows}
        kept = read_rows(store, task.done[stage.name], stage.record)
        rows = [fresh.get(row.site_id, row) for row in kept]
    file = commit(store, stage.name, task.region, task.unit, task.recipe(stage), stage.record, rows)
    return replace(task, done={**task.done, stage.name: file})


def _again(stage: Stage, task: UnitTask, store: Store, tools: Toolbox) -> UnitTask:
    """Retry the sites that failed for a reason to retry. The old table is removed after the new one is committed."""
    old = task.done[stage.name]
    task, rows = _sound_rows(stage, task, store, tools)
    failed = {row.site_id: next_draw(row) for row in rows if row.reason is not None and row.reason in task.retry}
    if not failed:
        return task
    task = _make(stage, task, store, tools, only=failed)
    if task.done[stage.name] != old:
        store.delete(old.path)
    return task


def next_draw(row: LayerRow) -> int:
    """How often a model is to have replied anew, once the site of a row is taken up again."""
    return row.draw + (row.reason in REDRAWN) if isinstance(row, CaptionRow) else 0


def _sound_rows(stage: Stage, task: UnitTask, store: Store, tools: Toolbox) -> tuple[UnitTask, Sequence[LayerRow]]:
    """The rows of a finished table, which is made again if it proves damaged."""
    try:
        return task, read_rows(store, task.done[stage.name], stage.record)
    except FileNotFoundError:
        log.warning("%s is gone; making it again", task.done[stage.name].path)
    except DamagedLayerError as error:
        log.warning("%s; making it again", error)
        store.delete(error.file.path)
    task = _make(stage, _without(task, stage), store, tools, only=None)
    return task, read_rows(store, task.done[stage.name], stage.record)


def _without(task: UnitTask, stage: Stage) -> UnitTask:
    return replace(task, done={layer: file for layer, file in task.done.items() if layer != stage.name})


def unit_sites(task: UnitTask, store: Store, tools: Toolbox) -> list[Site]:
    """The sites of a unit. The region's sites are drawn again if their file is damaged."""
    try:
        rows = _region_sites(store, task.sites)
    except DamagedLayerError as error:
        log.warning("%s; sampling %s again", error, task.region)
        store.delete(error.file.path)
        fresh = sample_region(tools.build, tools, tools.regions[task.region])
        commit_sites(store, task.region, task.sites.recipe, fresh, digests_by_unit(fresh))
        rows = tuple(fresh)
    return [site for site in rows if site.unit == task.unit]


@lru_cache(maxsize=4)
def _region_sites(store: Store, file: LayerFile) -> tuple[Site, ...]:
    return tuple(from_table(Site, read(store, file)))
