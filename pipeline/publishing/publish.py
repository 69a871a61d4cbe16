"""Publish finished units as a revision of a dataset: plan, shards, tables, card, and last of all the manifest.

Shards of the revision before that would come out the same are taken as they are, and so are whole ones that a killed
publish left: see `ShardTask.recipe`. How a revision is put in force is told in `pipeline.publishing.revisions`.
"""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from pydantic import JsonValue

from pipeline.config.build import Build
from pipeline.digest import digest
from pipeline.errors import MachineError
from pipeline.publishing import card, counts, manifest, revisions
from pipeline.publishing.decisions import Decisions
from pipeline.publishing.layout import schema_fingerprint
from pipeline.publishing.manifest import Counts, FileEntry, Manifest, ShardEntry
from pipeline.publishing.packing import chip_diagonal_m, make_plan
from pipeline.publishing.revisions import Standing
from pipeline.publishing.shards import SHARD_NAME, ShardTask, file_entry, make_shard, read_entry
from pipeline.publishing.tables import TABLES, write_table
from pipeline.publishing.units import FinishedUnit, UnitPart, UnitTables
from pipeline.storage import Store
from schemas.records import Sample

VERSION = 3
"""Raised when the same tables would be published otherwise."""

JSON_SCHEMA = "sample.schema.json"
_PLACEHOLDER = revisions.folder("0" * 16)
"""Stands for the revision's folder, which is named by what the card says beside this."""


@dataclass(frozen=True)
class Published:
    """What was published."""

    counts: Counts
    shards: list[ShardEntry]
    made: int = 0
    """Shards that had to be made; the others were there."""


def publish(
    build: Build,
    units: Sequence[FinishedUnit],
    out: Store,
    *,
    synthetic: set[str],
    provenance: dict[str, JsonValue],
    decisions: Decisions | None = None,
) -> Published:
    """Publish a build's finished units as the revision in force of a dataset.

    Args:
        build: the build; `publish`, `seed` and `imagery.chips` decide what goes where.
        units: in any order; the result does not depend on it.
        out: the dataset's place: empty, or this build's. While another process publishes to a folder, this one waits.
        synthetic: names of the sources whose pictures are drawn and not taken.
        provenance: goes into the manifest as it is (engines, fingerprints, inputs); the card lists its `models`.
        decisions: what people decided about an earlier revision.

    Raises:
        ConfigError: the place holds something else, or there is nothing to publish.
        MachineError: the dataset's place cannot be written.
        OvertakenError: another process published to the bucket at the same time; publishing again mends it.
        BuildStopped: the user stopped it; publishing again goes on from there.
    """
    plan = make_plan(build, units, synthetic, decisions)
    if decisions is not None:
        figures: dict[str, JsonValue] = dict(decisions.figures)
        provenance |= {"audit": {"of_revision": decisions.revision, **plan.decided, "figures": figures}}
    loads = {(unit.region, unit.unit): unit.load for unit in units}
    with revisions.publishing_alone(out) as alone:
        out.sweep(*((0.0,) if alone else ()))
        standing = revisions.look(out)
        revisions.take_over(out, standing, build.name)
        there = _reusable(out, standing, {task.recipe for task in plan.shards})
        shards = [
            there.get(task.recipe) or place_shard(task, lambda part: loads[part.region, part.unit](), out)
            for task in plan.shards
        ]
        shards.sort(key=lambda shard: shard.path)
        found = counts.total(
            shards,
            sites=sum(unit.rows for unit in units),
            failed=plan.failed,
            outcomes=plan.outcomes,
            excluded=plan.excluded,
        )
        revision, text = _revision(build, found, shards, provenance, out, standing.current)
        if standing.sound is None or standing.sound.digest != revision.digest:
            revisions.put_in_force(out, revision, text, standing)
        revisions.tidy(out, build.publish.keep_revisions, alone=alone)
    return Published(found, shards, sum(shard.recipe not in there for shard in shards))


def place_shard(task: ShardTask, load: Callable[[UnitPart], UnitTables], out: Store) -> ShardEntry:
    """Make a shard and put it where it belongs, on any machine that reaches both the tables and the dataset.

    Raises:
        MachineError: it cannot be written.
    """
    temporary = out.scratch()
    try:
        make_shard(task, map(load, task.group.parts), temporary)
        with temporary.open("rb") as file:
            path = task.path(file_entry(file, "").sha256)
            entry = read_entry(file, path)
        if entry is None:
            raise MachineError(f"a shard of {out.url} could not be read back as it was written; check the disk")
        out.adopt_new(temporary, path)
    except FileNotFoundError:
        raise  # a table went: another build superseded it
    except OSError as error:
        raise MachineError(f"cannot write a shard of {out.url}: {error}. Mend that and publish again.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return entry


def _reusable(out: Store, standing: Standing, wanted: set[str]) -> dict[str, ShardEntry]:
    """Shards that need not be made, by recipe: of the revisions that are there, or left by a killed publish."""
    found: dict[str, ShardEntry] = {}
    for revision in filter(None, (standing.current, *standing.archived.values())):
        for shard in revision.shards:
            entry = standing.entries.get(shard.path)
            if shard.recipe in wanted and entry is not None and entry.size == shard.bytes:
                found.setdefault(shard.recipe, shard)
    for path in sorted(standing.entries):
        name = re.fullmatch(SHARD_NAME, path)
        if name is not None and name["recipe"] in wanted - found.keys():
            with out.reader(path) as file:
                left = read_entry(file, path)
            if left is not None:
                found[left.recipe] = left
            else:  # in the way of the sound one, which may have its name
                out.delete(path)
    return found


def _revision(
    build: Build,
    found: Counts,
    shards: list[ShardEntry],
    provenance: dict[str, JsonValue],
    out: Store,
    before: Manifest | None,
) -> tuple[Manifest, str]:
    """The manifest and the card of a revision, whose other files are put in place."""
    settings = {
        "name": build.name,
        "schema_fingerprint": schema_fingerprint(),
        "embargo_m": chip_diagonal_m(build.imagery.chips),
        "min_duplicate_distance": build.publish.min_duplicate_distance,
        "config": manifest.shareable(build),
        "packages": manifest.package_versions(),
        "provenance": provenance,
    }
    scratch = {kind.file: out.scratch() for kind in TABLES} | {JSON_SCHEMA: out.scratch()}
    try:
        for kind in TABLES:
            write_table(kind, scratch[kind.file], shards, out, before)
        scratch[JSON_SCHEMA].write_text(_json_schema(), encoding="utf-8")
        entries = {name: _entry(path) for name, path in scratch.items()}
        text = card.render(
            build,
            found,
            shards,
            folder=_PLACEHOLDER,
            models=provenance.get("models"),
            audit=provenance.get("audit"),
        )
        name = digest(settings, found, shards, sorted(entries.items()), text, length=16)
        folder = revisions.folder(name)
        text = text.replace(_PLACEHOLDER, folder)
        out.create(folder + manifest.CARD, text.encode())
        for file, path in scratch.items():
            out.adopt_new(path, folder + file)
    except FileNotFoundError:
        raise  # a shard went: another process publishes to the bucket
    except OSError as error:
        raise MachineError(f"cannot write a table of {out.url}: {error}. Mend that and publish again.") from error
    finally:
        for path in scratch.values():
            path.unlink(missing_ok=True)
    data = text.encode()
    files = [FileEntry(path=folder + manifest.CARD, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())]
    files += [entry.model_copy(update={"path": folder + file}) for file, entry in entries.items()]
    again = before is not None and before.digest == name  # the revision that is in force, mended
    revision = Manifest(
        revision=before.revision + (not again) if before is not None else 1,
        digest=name,
        previous=None if before is None else before.previous if again else before.digest,
        created_at=datetime.now(UTC),
        counts=found,
        shards=shards,
        files=files,
        **settings,
    )
    return revision, text


@cache
def _json_schema() -> str:
    return json.dumps(Sample.model_json_schema(), indent=2) + "\n"


def _entry(path: Path) -> FileEntry:
    with path.open("rb") as file:
        return file_entry(file, "")
