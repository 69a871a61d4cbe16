"""Draws the sites of regions, many regions at once. One that cannot be drawn is noted and holds no other one back.

A note stands in the workspace until the region has sites. It decides nothing: the next build draws the region again.
"""

import json
import logging
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import astuple, dataclass, field, replace

from pipeline.engine.layers import LayerFile, list_region
from pipeline.engine.parts import Part
from pipeline.engine.units import NotDrawnError, UnitTask, commit_drawn, survey, with_todo
from pipeline.errors import ConfigError, Problem
from pipeline.regions.ground import NothingThereError
from pipeline.registry.registry import Registry
from pipeline.stopping import check_stop
from pipeline.storage import Store

log = logging.getLogger(__name__)

FOLDER = "undrawn"


@dataclass(frozen=True)
class RegionTask:
    """A region whose sites are to be drawn: a small value that can be sent between machines."""

    region: str
    bases: dict[str, str]
    """By stage, as in `UnitTask`; under `sites` the recipe of the sites."""
    stages: tuple[str, ...] = ()
    """Stages that are wanted of its units; without any it is drawn and no more."""
    retry: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    """As in `UnitTask`."""
    part: Part | None = None
    """The share of its units that is wanted."""


@dataclass(frozen=True)
class Note:
    """Why a region has no sites."""

    region: str
    recipe: str
    empty: bool
    """Whether its sources have nothing there; otherwise they could not be asked."""
    said: str
    """In a line."""
    problems: list[Problem] = field(default_factory=list)
    """If it is empty: the same as problems of the build file, for a build that has no other region."""


def draw(task: RegionTask, store: Store, registry: Registry) -> LayerFile | None:
    """Draw and commit the sites of a region; None if they cannot be drawn, which is noted in the workspace.

    Raises:
        MachineError, BuildStopped: see `pipeline.errors`.
    """
    check_stop()
    recipe = task.bases["sites"]
    try:
        file = commit_drawn(registry.build, registry, registry.regions[task.region], store, recipe)
    except NothingThereError as error:
        found = error.problems[0].found
        log.warning("region %s has no sites: found %s", task.region, found, extra={"region": task.region})
        note = Note(task.region, recipe, True, found, error.problems)
    except (ConfigError, NotDrawnError) as error:
        log.warning("%s", error, extra={"region": task.region})
        note = Note(task.region, recipe, False, str(error))
    else:
        store.delete(_path(task.region))
        return file
    store.write(_path(task.region), json.dumps(astuple(note)).encode())
    return None


def draw_all(tasks: Sequence[RegionTask], store: Store, registry: Registry) -> Iterator[tuple[RegionTask, LayerFile]]:
    """Draw regions, `limits.regions_at_once` at a time; yields each as soon as it is drawn. Raises as `draw` does."""
    with ThreadPoolExecutor(registry.build.limits.regions_at_once, "region") as threads:
        drawing = {threads.submit(draw, task, store, registry): task for task in tasks}
        try:
            for future in as_completed(drawing):
                file = future.result()
                if file is not None:
                    yield drawing[future], file
        finally:
            for future in drawing:
                future.cancel()


def units_to_do(task: RegionTask, file: LayerFile, store: Store) -> list[UnitTask]:
    """The units of a region that has been drawn, of which there is something to do."""
    surveyed = survey(store, list_region(store, task.region), [file], {task.region: task.bases})
    units = [with_todo(unit, task.stages) for unit in surveyed if task.part is None or task.part.has(*unit.key)]
    return [replace(unit, retry=task.retry, missing=task.missing) for unit in units if unit.todo or task.retry]


def read_note(store: Store, region: str, recipe: str) -> Note:
    """The note on a region without sites; one that says that it was not drawn yet if there is none for this recipe."""
    unknown = Note(region, recipe, False, f"the sites of region {region} have not been drawn yet")
    try:
        name, made_for, empty, said, problems = json.loads(store.read(_path(region)))
        note = Note(name, made_for, empty, said, [Problem(*problem) for problem in problems])
    except (FileNotFoundError, ValueError, TypeError, RecursionError):  # a note that cannot be read says nothing
        return unknown
    return note if note.recipe == recipe else unknown


def drop_notes(store: Store, keep: Collection[str]) -> None:
    """Remove the notes on all but some regions."""
    for entry in list(store.entries(FOLDER)):
        if entry.path not in {_path(region) for region in keep}:
            store.delete(entry.path)


def _path(region: str) -> str:
    return f"{FOLDER}/{region}.json"
