"""The state of a workspace, read from the listing."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

from pipeline.captioning.dialogue import replies
from pipeline.config.build import Build
from pipeline.engine.counts import Counts
from pipeline.engine.definition import Definition, definition
from pipeline.engine.drawing import Note, drop_notes, read_note
from pipeline.engine.layers import DamagedLayerError, LayerFile, Listing, list_layers, read_counts, read_units
from pipeline.engine.shard_jobs import remove_receipts
from pipeline.engine.units import UnitTask, survey
from pipeline.stages import STAGES
from pipeline.storage import Store

_READERS = 8
"""Threads that read footers: enough to hide a bucket's latency."""
_SLICE = 64


@dataclass(frozen=True)
class StageState:
    """State of one stage of one region."""

    region: str
    stage: str
    units: int
    """Number of units of the region."""
    done: int
    """Number of units whose table is up to date."""
    counts: Counts
    """Sites of those tables."""


@dataclass(frozen=True)
class State:
    """State of a whole build."""

    definition: Definition
    stages: list[StageState]
    sites: dict[str, int]
    """Sites files by region."""
    tasks: list[UnitTask]
    counts: dict[LayerFile, Counts]
    """Counts of every file that is up to date."""
    stale: list[LayerFile]
    """Files left behind by an earlier build file or a retry, in whose place others are; `geoscribe gc` removes them."""
    damaged: list[LayerFile]
    """Files whose footer cannot be read; the next build makes them again."""
    notes: list[Note]
    """Why regions have no sites."""


def read_state(store: Store) -> State:
    """The state of a workspace relative to the build last started on it."""
    defined = definition(store)
    listing = list_layers(store)
    sites, damaged_sites = committed_sites(store, listing, defined)
    tasks = survey(store, listing, sites, defined.bases)
    wanted = {file for task in tasks for file in task.done.values()}
    with_sites = {file.region for file in (*sites, *damaged_sites)}
    without = [r.name for r in defined.build.regions if r.name not in with_sites]
    counts, damaged = count_all(store, sorted(wanted))
    return State(
        definition=defined,
        stages=_by_region(tasks, counts),
        sites=_sites(tasks),
        tasks=tasks,
        counts=counts,
        stale=_superseded(set(listing) - wanted - {*sites, *damaged_sites}, tasks, defined.build),
        damaged=[*damaged_sites, *damaged],
        notes=[read_note(store, name, defined.bases[name]["sites"]) for name in without],
    )


def _superseded(others: Iterable[LayerFile], tasks: Iterable[UnitTask], build: Build) -> list[LayerFile]:
    """Of the files that are not up to date, those whose rows no table that is still to be made may carry over."""
    undrawn = {region.name for region in build.regions} - {task.region for task in tasks}
    to_make = {(*task.key, stage.name) for task in tasks for stage in STAGES if stage.name not in task.done}
    return sorted(
        file for file in others if file.region not in undrawn and (file.region, file.unit, file.layer) not in to_make
    )


def committed_sites(store: Store, listing: Listing, defined: Definition) -> tuple[list[LayerFile], list[LayerFile]]:
    """Each region's sites file, in the build's order; and the damaged ones."""
    sound, damaged = [], []
    for region in defined.build.regions:
        file = listing.sites(region.name, defined.bases[region.name]["sites"])
        if file is None:
            continue
        try:
            read_units(store, file)
            sound.append(file)
        except DamagedLayerError:
            damaged.append(file)
    return sound, damaged


def count_all(store: Store, files: Sequence[LayerFile]) -> tuple[dict[LayerFile, Counts], list[LayerFile]]:
    """Counts of each file from its footer, and the files whose footer is damaged."""

    def count(file: LayerFile) -> Counts | None:
        try:
            return read_counts(store, file)
        except (DamagedLayerError, FileNotFoundError):
            return None

    def count_some(some: Sequence[LayerFile]) -> list[Counts | None]:
        return [count(file) for file in some]

    # In slices: handing over each file by itself would take longer than reading it.
    slices = [files[i : i + _SLICE] for i in range(0, len(files), _SLICE)]
    with ThreadPoolExecutor(_READERS) as pool:
        results = dict(zip(files, chain.from_iterable(pool.map(count_some, slices)), strict=True))
    return {f: c for f, c in results.items() if c is not None}, [f for f, c in results.items() if c is None]


def _sites(tasks: Iterable[UnitTask]) -> dict[str, int]:
    sites: dict[str, int] = defaultdict(int)
    for task in tasks:
        sites[task.region] += task.size
    return dict(sites)


def _by_region(tasks: Sequence[UnitTask], counts: dict[LayerFile, Counts]) -> list[StageState]:
    groups: dict[str, list[UnitTask]] = defaultdict(list)
    for task in tasks:
        groups[task.region].append(task)
    states = []
    for region, units in groups.items():
        for stage in STAGES:
            files = [task.done[stage.name] for task in units if stage.name in task.done]
            summed = sum((counts[file] for file in files if file in counts), Counts(0, {}))
            states.append(StageState(region, stage.name, len(units), sum(f in counts for f in files), summed))
    return states


def left_out(files: Iterable[LayerFile], build: Build) -> dict[str, int]:
    """The number of files by region, of regions that the build no longer has."""
    regions = {region.name for region in build.regions}
    return dict(sorted(Counter(file.region for file in files if file.region not in regions).items()))


def garbage(store: Store) -> list[tuple[LayerFile, int]]:
    """The files that `collect_garbage` would remove, with their bytes."""
    sizes = list_layers(store).sizes
    return [(file, sizes.get(file, 0)) for file in read_state(store).stale]


def collect_garbage(store: Store) -> list[LayerFile]:
    """Remove the files in `State.stale` and leftovers of killed runs. Must not run while a build runs."""
    state = read_state(store)
    for file in state.stale:
        store.delete(file.path)
    remove_receipts(store)
    drop_notes(store, keep={note.region for note in state.notes})
    store.sweep()
    return state.stale


def stored_replies(store: Store) -> list[str]:
    """Paths of the stored model replies."""
    return [entry.path for entry in store.entries(replies.FOLDER)]


def discard_replies(store: Store) -> int:
    """Remove the stored model replies; returns the number of files. To get them again costs again."""
    kept = stored_replies(store)
    for path in kept:
        store.delete(path)
    return len(kept)
