"""Publish finished units as a dataset: plan, shards, attribution, JSON Schema, card, and last of all the manifest.

A publish that is killed never leaves a folder that passes for a dataset. Before anything is written the marker is put
in place and the old manifest, card and shards are taken away; readers may trust only what a manifest lists. The next
publish of the same build takes over such a folder. The marker goes when the manifest stands.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import JsonValue

from pipeline.config.build import Build
from pipeline.errors import ConfigError, MachineError, Problem
from pipeline.publishing import attribution, card, manifest
from pipeline.publishing.counts import Tally
from pipeline.publishing.layout import columns, schema_fingerprint
from pipeline.publishing.manifest import FORMAT, Counts, FileEntry, Manifest, ShardEntry
from pipeline.publishing.packing import Plan, chip_diagonal_m, make_plan
from pipeline.publishing.samples import join
from pipeline.publishing.shards import SHARD_NAME, ShardPlan, content_hash, row_digest, write_shard
from pipeline.publishing.units import FinishedUnit
from pipeline.stopping import check_stop
from pipeline.storage import Store
from schemas.records import Sample, Split

VERSION = 2
"""Raised when the same tables would be published otherwise."""

MARKER = "_publishing.json"
JSON_SCHEMA = "sample.schema.json"
_DIGESTED_AT_ONCE = 8
"""Rows turned into Python values, pictures included, at a time."""


@dataclass(frozen=True)
class Published:
    """What was published."""

    counts: Counts
    shards: list[ShardEntry]


def publish(
    build: Build,
    units: Sequence[FinishedUnit],
    out: Store,
    *,
    synthetic: set[str],
    provenance: dict[str, JsonValue],
) -> Published:
    """Publish a build's finished units into a dataset folder, replacing what the build published there before.

    Args:
        build: the build; `publish`, `seed` and `imagery.chips` decide what goes where.
        units: in any order; the result does not depend on it.
        out: the dataset folder: empty, or this build's.
        synthetic: names of the sources whose pictures are drawn and not taken.
        provenance: goes into the manifest as it is (engines, fingerprints, inputs).

    Raises:
        ConfigError: the folder holds something else, or there is nothing to publish.
        MachineError: the dataset's folder cannot be written.
        FileNotFoundError: another build publishes to the folder at the same time, and cleared it.
        BuildStopped: the user stopped it; publishing again starts over.
    """
    plan = make_plan(build, units)
    _take_over(out, build.name)
    by_cell = {(unit.region, unit.unit): unit for unit in units}
    tally = Tally()
    shards = []
    for shard in plan.shards:
        # A generator, and a function of its own for a unit: so that no more than one unit is in memory at a time.
        cells = [(shard.region, unit) for unit in shard.units]
        tables = (_unit_table(build, by_cell[c], shard.split, plan.sites[c], synthetic, tally) for c in cells)
        shards.append(_write_shard(build, shard, plan, tables, out))
    counts = tally.counts(
        sites=sum(unit.rows for unit in units), failed=plan.failed, outcomes=plan.outcomes, excluded=plan.excluded
    )
    files = [
        _adopt(out, attribution.PATH, lambda path: attribution.write_attribution(path, _credited(out, shards))),
        _write(out, JSON_SCHEMA, json.dumps(Sample.model_json_schema(), indent=2) + "\n"),
        _write(out, card.PATH, card.render(build, counts, shards)),
    ]
    whole = Manifest(
        name=build.name,
        created_at=datetime.now(UTC),
        schema_fingerprint=schema_fingerprint(),
        embargo_m=chip_diagonal_m(build.imagery.chips),
        min_duplicate_distance=build.publish.min_duplicate_distance,
        counts=counts,
        shards=shards,
        files=files,
        config=manifest.shareable(build),
        packages=manifest.package_versions(),
        provenance=provenance,
    )
    _write(out, manifest.PATH, whole.model_dump_json(indent=2) + "\n")
    out.delete(MARKER)
    return Published(counts, shards)


def _take_over(out: Store, name: str) -> None:
    """Make a folder ready to be written: refuse another's, mark it, and take away what was published there before."""
    present = {entry.path for entry in out.entries()}
    owner = next((_owner(out.read(path)) for path in (manifest.PATH, MARKER) if path in present), None)
    if present and owner != name:
        found = f"{out.url}, which holds " + (f"the dataset of build {owner!r}" if owner else "files of another kind")
        raise ConfigError([Problem("dataset", found, f"an empty folder, or one that build {name!r} published into")])
    _write(out, MARKER, json.dumps({"format": FORMAT, "name": name}) + "\n")
    entrances = [manifest.PATH, card.PATH]
    shards = sorted(path for path in present if re.fullmatch(SHARD_NAME, path))
    for path in (*entrances, *shards):
        out.delete(path)


def _owner(data: bytes) -> str | None:
    """The build's name in a manifest or marker; None where it is neither."""
    try:
        content = json.loads(data)
    except ValueError:
        return None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return None
    return str(content.get("name"))


def _unit_table(
    build: Build, unit: FinishedUnit, split: Split, site_ids: list[str], synthetic: set[str], tally: Tally
) -> pa.Table:
    """The rows of one unit, counted."""
    check_stop()
    layers = unit.load()
    rows = []
    for sample in join(layers, dict.fromkeys(site_ids, split), build, synthetic):
        tally.add(sample)
        rows.append(sample.model_dump())
    tally.add_missing(layers.imagery, set(site_ids))
    return pa.Table.from_pylist(rows, schema=columns())


def _write_shard(build: Build, shard: ShardPlan, plan: Plan, tables: Iterator[pa.Table], out: Store) -> ShardEntry:
    """Write one shard and describe it."""
    digests: dict[str, bytes] = {}
    row_groups = 0

    def digested() -> Iterator[pa.Table]:
        for table in tables:
            for batch in table.to_batches(max_chunksize=_DIGESTED_AT_ONCE):
                digests.update((row["sample_id"], row_digest(row)) for row in batch.to_pylist())
            yield table

    def write(path: Path) -> None:
        nonlocal row_groups
        rows = sum(len(plan.sites[shard.region, unit]) for unit in shard.units)
        row_group_bytes = build.publish.row_group_mb * 1e6
        row_groups = write_shard(
            path, digested(), bounds=plan.bounds[shard.path], rows=rows, row_group_bytes=row_group_bytes
        )

    entry = _adopt(out, shard.path, write)
    return ShardEntry(
        **entry.model_dump(),
        split=shard.split,
        region=shard.region,
        units=len(shard.units),
        rows=len(digests),
        row_groups=row_groups,
        first_id=min(digests),
        last_id=max(digests),
        content=content_hash(digests),
    )


def _credited(out: Store, shards: list[ShardEntry]) -> Iterator[pa.Table]:
    """What credits are taken from, a table a shard."""
    for shard in shards:
        with out.reader(shard.path) as file:
            yield pq.ParquetFile(file).read(columns=attribution.COLUMNS)


def _adopt(out: Store, path: str, write: Callable[[Path], None]) -> FileEntry:
    """Have a file written to a scratch path, put it in place and describe it."""
    temporary = out.scratch()
    try:
        write(temporary)
        with temporary.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        entry = FileEntry(path=path, bytes=temporary.stat().st_size, sha256=sha256)
        out.adopt(temporary, path)
    except FileNotFoundError:
        raise  # a shard went again: another build is publishing here
    except OSError as error:
        raise MachineError(f"cannot write {path} of {out.url}: {error}. Mend that and publish again.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return entry


def _write(out: Store, path: str, text: str) -> FileEntry:
    data = text.encode()
    out.write(path, data)
    return FileEntry(path=path, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
