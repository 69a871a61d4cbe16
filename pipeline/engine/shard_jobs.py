"""Shards of a revision as elements of the graph: each is made from the tables of its units, wherever that is done.

The graph hands nothing on. So what came of a job is a receipt in the workspace, which the driver reads and removes. A
receipt that is lost costs time and no more: the shard itself says the same.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass

from pydantic import ValidationError

from pipeline.engine.layers import DamagedLayerError, LayerFile, read
from pipeline.errors import MachineError
from pipeline.publishing.manifest import ShardEntry
from pipeline.publishing.publish import place_shard, shards_there
from pipeline.publishing.shards import ShardTask
from pipeline.publishing.units import UnitPart, UnitTables
from pipeline.stages import STAGES
from pipeline.storage import Store

log = logging.getLogger(__name__)

FOLDER = "receipts"
WORTH_BYTES = 256e6
"""Fewer bytes of shards are made by the driver alone: until other processes have started, it is done."""
Unit = tuple[str, str]
"""Region and H3 cell."""


@dataclass(frozen=True)
class ShardJob:
    """A shard to make: a small value that can be sent between machines."""

    task: ShardTask
    files: tuple[tuple[LayerFile, ...], ...]
    """For each of its units: the tables, in the order of the stages."""

    @property
    def receipt(self) -> str:
        """Path of its receipt in the workspace."""
        return f"{FOLDER}/{self.task.recipe}.json"


def do_job(job: ShardJob, store: Store, out: Store) -> None:
    """Make a shard and put it in its place, and write the receipt.

    Raises:
        MachineError, BuildStopped: as `place_shard` does.
    """
    try:
        entry = _place(job, store, out)
        told: dict[str, object] = {"made": entry.model_dump(mode="json")}
    except DamagedLayerError as error:
        told = {"damaged": astuple(error.file)}
    except FileNotFoundError as error:
        told = {"gone": str(error)}
    store.write(job.receipt, json.dumps(told).encode())


def make_shards(
    tasks: Sequence[ShardTask],
    files: Mapping[Unit, tuple[LayerFile, ...]],
    sizes: Mapping[Unit, int],
    advance: Callable[[Sequence[ShardJob]], None],
    store: Store,
    out: Store,
) -> list[ShardEntry]:
    """Make shards: many of them on the build's runner, a few here.

    Args:
        tasks: what to make.
        files: tables of each unit, in the order of the stages.
        sizes: bytes of each unit.
        advance: runs jobs on the runner.
        store: the workspace.
        out: the dataset.

    Raises:
        DamagedLayerError, FileNotFoundError: a table is damaged, or another build superseded it. Other shards are made.
        MachineError, BuildStopped: as `do_job` and the runner do.
    """
    units = {task.recipe: [(part.region, part.unit) for part in task.group.parts] for task in tasks}
    jobs = [ShardJob(task, tuple(files[unit] for unit in units[task.recipe])) for task in tasks]
    if len(jobs) < 2 or sum(sizes[unit] for of in units.values() for unit in of) < WORTH_BYTES:
        return [_place(job, store, out) for job in jobs]
    remove_receipts(store)  # of a publish that was killed: what they tell of may be gone
    try:
        advance(jobs)
        return _entries(jobs, store, out)
    finally:
        remove_receipts(store)


def receipts(store: Store) -> list[str]:
    """Paths of the receipts in a workspace: of a publish at work, or of one that was killed."""
    return sorted(entry.path for entry in store.entries(FOLDER))


def remove_receipts(store: Store) -> None:
    """Remove all receipts; a publish beside this one then reads its shards."""
    for path in receipts(store):
        store.delete(path)


def _place(job: ShardJob, store: Store, out: Store) -> ShardEntry:
    files = {(part.region, part.unit): of for part, of in zip(job.task.group.parts, job.files, strict=True)}

    def load(part: UnitPart) -> UnitTables:
        tables = zip(STAGES, files[part.region, part.unit], strict=True)
        return UnitTables(**{stage.name: read(store, file) for stage, file in tables})

    return place_shard(job.task, load, out)


def _entries(jobs: Sequence[ShardJob], store: Store, out: Store) -> list[ShardEntry]:
    found, lost = {}, set()
    for job in jobs:
        entry = _receipt(job, store)
        if entry is not None:
            found[job.task.recipe] = entry
        else:
            lost.add(job.task.recipe)
    if lost:
        found |= shards_there(out, lost)
    missing = len(jobs) - len(found)
    if missing:
        raise MachineError(f"{missing} of {len(jobs)} shards of {out.url} were not made. Publish again.")
    return [found[job.task.recipe] for job in jobs]


def _receipt(job: ShardJob, store: Store) -> ShardEntry | None:
    """The content of a job's receipt; None where there is none that can be read."""
    try:
        told = json.loads(store.read(job.receipt))
        if "damaged" in told:
            raise DamagedLayerError(LayerFile(*told["damaged"]))
        if "gone" not in told:
            return ShardEntry.model_validate(told["made"])
    except (FileNotFoundError, ValueError, KeyError, TypeError, ValidationError) as error:
        log.info("no receipt of shard %s: %s", job.task.recipe, error)
        return None
    raise FileNotFoundError(told["gone"])
