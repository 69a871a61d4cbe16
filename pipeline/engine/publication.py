"""Publishing what a workspace has finished, again and again until no table proves damaged."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pydantic import JsonValue

from pipeline.config.build import Build
from pipeline.digest import digest
from pipeline.engine.layers import DamagedLayerError, Listing, list_layers, read, read_columns
from pipeline.engine.prepared import Prepared
from pipeline.engine.shard_jobs import ShardJob, make_shards
from pipeline.engine.units import UnitTask
from pipeline.engine.workspace import count_all
from pipeline.errors import MachineError
from pipeline.publishing import revisions
from pipeline.publishing.decisions import Decisions
from pipeline.publishing.manifest import shareable
from pipeline.publishing.owner import Publishing, Shrinkage, WouldShrinkError, shrinkage
from pipeline.publishing.publish import VERSION as PUBLISH_VERSION
from pipeline.publishing.publish import Published, publish
from pipeline.publishing.selection import UnfilledSplitsError
from pipeline.publishing.takedown import Takedown, takedown_of
from pipeline.publishing.takedown_match import LAYER_COLUMNS
from pipeline.publishing.units import INDEX_COLUMNS, FinishedUnit, UnitTables, unit_index
from pipeline.registry.registry import region_sources
from pipeline.stages import STAGES
from pipeline.stopping import check_stop
from pipeline.storage import Store

log = logging.getLogger(__name__)

_MENDS = 5
"""Attempts at publishing before the build gives up."""
_OTHER_BUILD_S = 5.0
_NAMES = tuple(stage.name for stage in STAGES)


@dataclass(frozen=True)
class Publication:
    """The result of publishing."""

    published: Published | None
    """None if every site of the finished units failed, the dataset would have shrunk, or splits would be empty."""
    ran: bool = False
    """Whether a revision was made; False if the dataset was up to date."""
    shrinkage: Shrinkage | None = None
    """Losses that the dataset would have had: it was left as it is."""
    unfilled: tuple[str, ...] = ()
    """Splits that what is finished of the build does not fill, where units or regions are left to do."""


def publish_mended(
    ready: Prepared,
    listing: Listing,
    publishing: Publishing,
    remake: Callable[[str, str, Listing], None],
    advance: Callable[[Sequence[ShardJob]], None],
) -> tuple[Publication, Listing]:
    """Publish all finished units. A table that proves damaged is removed and made again, and publishing starts over.

    Args:
        ready: the build.
        listing: of its workspace.
        publishing: what may be done to a dataset that is there.
        remake: makes the tables of a region's unit that a listing lacks.
        advance: makes shards on the build's runner.

    Returns:
        What came of it, and the listing at the end.

    Raises:
        MachineError: it could not be published in several attempts.
    """
    for _ in range(_MENDS):
        try:
            return _publish(ready, listing, publishing, advance), listing
        except WouldShrinkError as error:
            return Publication(None, shrinkage=error.shrinkage), listing
        except UnfilledSplitsError as error:
            if all(task.finished for task in ready.survey(listing)) and all(note.empty for note in ready.notes):
                raise
            unfilled = tuple(problem.where.removeprefix("publish.splits.") for problem in error.problems)
            return Publication(None, unfilled=unfilled), listing
        except DamagedLayerError as error:
            log.warning("%s; making it again", error)
            ready.store.delete(error.file.path)
            remake(error.file.region, error.file.unit, list_layers(ready.store))
        except (FileNotFoundError, revisions.OvertakenError) as error:
            log.warning("%s: another build is at work on %s or %s", error, ready.store.url, ready.out.url)
            time.sleep(_OTHER_BUILD_S)
        listing = list_layers(ready.store)
    raise MachineError(
        f"{ready.out.url} could not be published in {_MENDS} attempts: tables in {ready.store.url} are damaged as soon "
        "as they are written (check the disk), or another build keeps working on the same places"
    )


def _publish(
    ready: Prepared, listing: Listing, publishing: Publishing, advance: Callable[[Sequence[ShardJob]], None]
) -> Publication:
    """Publish all finished units, unless the dataset is up to date or every site of theirs failed."""
    check_stop()
    tasks = [task for task in ready.survey(listing) if task.finished]
    listed = takedown_of(ready.build)
    fingerprint = publish_fingerprint(ready.build, tasks, listed, ready.decisions)
    standing = revisions.look(ready.out)
    there = standing.sound
    same = there is not None and there.provenance.get("fingerprint") == fingerprint
    if there is not None and same and there.workspace == ready.workspace_id:
        with ready.out.locked("publish") as held:
            if held is not False:  # what a publish left that was killed at its very end
                revisions.tidy(ready.out, ready.build.publish.keep_revisions, alone=held is True)
        return Publication(Published(there.counts, there.shards))
    ok = _sites_ok(ready, tasks)
    if ok is not None:
        if tasks and not any(ok.values()):
            return Publication(None)
        withdraws = bool(listed.entries()) or ready.decisions is not None  # then only `publish` knows what is lost
        if not publishing.allow_shrink and not withdraws and (lost := shrinkage(standing.current, ok)) is not None:
            raise WouldShrinkError(lost)  # before splits are drawn, which so few sites may not fill
    units = [_finished(ready.store, task, listing.sizes[task.done[STAGES[0].name]]) for task in tasks]
    files = {task.key: tuple(task.done[stage] for stage in _NAMES) for task in tasks}
    sizes = {(unit.region, unit.unit): unit.size for unit in units}
    provenance: dict[str, JsonValue] = {
        "fingerprint": fingerprint,
        "ocr": ", ".join(sorted({ready.registry.ocr_of(region.name).name for region in ready.build.regions})),
        "segmenter": ready.registry.segmenter.name,
        "models": [dict(model.credit()) for model in ready.registry.segmenter.models],
        "anonymiser": ready.registry.blurrer.name if ready.registry.blurrer else None,
        "captioner": ready.registry.captioner.name,
        "sources": {r.name: dict(region_sources(ready.registry, r)) for r in ready.build.regions},
    }
    published = publish(
        ready.build,
        units,
        ready.out,
        synthetic=ready.registry.synthetic_sources(),
        provenance=provenance,
        workspace=ready.workspace_id,
        publishing=publishing,
        takedown=listed,
        decisions=ready.decisions,
        make=lambda wanted: make_shards(wanted, files, sizes, advance, ready.store, ready.out),
    )
    return Publication(published, ran=True)


def _sites_ok(ready: Prepared, finished: Sequence[UnitTask]) -> dict[str, int] | None:
    """The sites that came through all stages, by region; more are never published. None where a table is damaged."""
    counts, damaged = count_all(ready.store, [task.done[_NAMES[-1]] for task in finished])
    ok: Counter[str] = Counter()
    for file, found in counts.items():
        ok[file.region] += found.ok
    return None if damaged else dict(ok)


def publish_fingerprint(
    build: Build, tasks: Sequence[UnitTask], listed: Takedown, decisions: Decisions | None = None
) -> str:
    """Digest of what a dataset is made from: settings (in card and manifest), take-downs, decisions, units' tables."""
    entries = sorted(entry.digest for entry in listed.entries())
    contents = [[task.region, task.unit, *(task.done[stage].content for stage in _NAMES)] for task in tasks]
    return digest(PUBLISH_VERSION, shareable(build), entries, contents, *([decisions] if decisions else []), length=32)


def _finished(store: Store, task: UnitTask, size: int) -> FinishedUnit:
    def load() -> UnitTables:
        return UnitTables(**{stage: read(store, task.done[stage]) for stage in _NAMES})

    def load_index() -> pa.Table:
        return unit_index(UnitTables(**{s: read_columns(store, task.done[s], INDEX_COLUMNS[s]) for s in _NAMES}))

    def load_credits() -> pa.Table:
        return read_columns(store, task.done[STAGES[0].name], LAYER_COLUMNS)

    content = digest([task.done[stage].content for stage in _NAMES], length=16)
    return FinishedUnit(task.region, task.unit, content, size, task.size, load, load_index, load_credits)
