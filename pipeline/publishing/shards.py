"""One shard: made from the tables of its units and nothing else, wherever that is done, and known again by its name."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from pipeline.digest import digest
from pipeline.publishing.counts import RunningCounts
from pipeline.publishing.grouping import Group
from pipeline.publishing.layout import columns, published, schema_fingerprint, shard_schema, writer_options
from pipeline.publishing.manifest import FileEntry, ShardContent, ShardEntry
from pipeline.publishing.samples import join
from pipeline.publishing.units import Bounds, UnitTables
from pipeline.stopping import check_stop
from schemas.records import AnySplit, Sample

VERSION = 4
"""Raised when the same tables would make another shard."""
SHARD_NAME = r"data/(?P<split>[a-z_]+)/(?P<name>[a-z0-9-]+)-(?P<recipe>[0-9a-f]{16})-(?P<content>[0-9a-f]{16})\.parquet"
"""Pattern of a shard's path. `content` begins the file's own SHA-256."""
_CONTENT_KEY = b"geoscribe"
"""Footer key of a shard's `ShardContent`, as JSON."""
_DIGESTED_AT_ONCE = 8
"""Rows turned into Python values, pictures included, at a time."""
_BLOCK = 8 * 2**20


@dataclass(frozen=True)
class ShardTask:
    """A shard to make: with the tables of its units, all that decides its bytes."""

    group: Group
    row_group_bytes: float

    @cached_property
    def recipe(self) -> str:
        """Digest of what the shard is made from, the units' tables included."""
        return digest(VERSION, schema_fingerprint(), asdict(self), length=16)

    def path(self, sha256: str) -> str:
        """Where the shard belongs, given the SHA-256 of its bytes."""
        return f"data/{self.group.split}/{self.group.name}-{self.recipe}-{sha256[:16]}.parquet"


def make_shard(task: ShardTask, tables: Iterable[UnitTables], path: Path) -> None:
    """Write a shard as a local file. Same task and tables, same bytes.

    Args:
        task: what to make.
        tables: the layers of each of the task's units, in its order. No more than one unit and one row group are in
            memory at a time.
        path: where to; the file is whole when this returns.
    """
    parts = task.group.parts
    running = RunningCounts()

    def samples() -> Iterator[list[Sample]]:
        for part, layers in zip(parts, tables, strict=True):
            yield list(join(layers, part, task.group.split))

    rows = sum(len(part.sites) for part in parts)
    west, south, east, north = zip(*(part.bounds for part in parts), strict=True)
    bounds = (min(west), min(south), max(east), max(north))
    write_shard(path, samples(), task.group.split, bounds, rows, task.row_group_bytes, running)


def write_shard(
    path: Path,
    samples: Iterable[Sequence[Sample]],
    split: AnySplit,
    bounds: Bounds,
    rows: int,
    row_group_bytes: float,
    running: RunningCounts,
) -> None:
    """Write samples as a shard, a local file.

    Args:
        path: where to; the file is whole when this returns.
        samples: some at a time, in the order of their units.
        split: that they all are in.
        bounds: of their places.
        rows: how many they are.
        row_group_bytes: most of a row group.
        running: counts of the samples; others may be in them already.
    """
    digests: dict[str, bytes] = {}
    units: set[str] = set()

    def tables() -> Iterator[pa.Table]:
        for some in samples:
            check_stop()
            for sample in some:
                running.add(sample)
                units.add(f"{sample.region} {sample.unit}")
            table = pa.Table.from_pylist([published(sample) for sample in some], schema=columns())
            for batch in table.to_batches(max_chunksize=_DIGESTED_AT_ONCE):
                for row in batch.to_pylist():  # not `some`: what is read back counts, such as numbers of four bytes
                    digests[row["sample_id"]] = row_digest(row)
            yield table

    with pq.ParquetWriter(path, shard_schema(bounds), **writer_options(rows)) as writer:
        for row_group in row_groups(tables(), row_group_bytes):
            writer.write_table(row_group, row_group_size=row_group.num_rows)
        content = ShardContent(
            split=split,
            units=len(units),
            rows=len(digests),
            first_id=min(digests),
            last_id=max(digests),
            content=content_hash(digests),
            counts=running.counts(),
        )
        writer.add_key_value_metadata({_CONTENT_KEY: content.model_dump_json()})


def read_entry(file: BinaryIO, path: str, known: FileEntry | None = None) -> ShardEntry | None:
    """A shard's entry in the manifest, from the shard itself; None where its bytes are not those its name promises.

    Reads the whole file, unless `known` says its length and SHA-256.
    """
    name = re.fullmatch(SHARD_NAME, path)
    entry = known.model_copy(update={"path": path}) if known is not None else file_entry(file, path)
    if name is None or not entry.sha256.startswith(name["content"]):
        return None
    try:
        metadata = pq.read_metadata(file)
        content = ShardContent.model_validate_json((metadata.metadata or {}).get(_CONTENT_KEY, b""))
    except (OSError, pa.ArrowException, ValidationError):
        return None
    return ShardEntry(
        **entry.model_dump(),
        **content.model_dump(),
        row_groups=metadata.num_row_groups,
        recipe=name["recipe"],
    )


def file_entry(file: BinaryIO, path: str) -> FileEntry:
    """Length and SHA-256 of a file, which is left at its start."""
    size, sha256 = 0, hashlib.sha256()
    file.seek(0)
    while block := file.read(_BLOCK):
        size += len(block)
        sha256.update(block)
    file.seek(0)
    return FileEntry(path=path, bytes=size, sha256=sha256.hexdigest())


def row_groups(tables: Iterable[pa.Table], most_bytes: float) -> Iterator[pa.Table]:
    """Cut and join tables so that each piece has at most `most_bytes`, and one row at the least."""
    pending: list[pa.Table] = []
    size = 0
    for table in tables:
        start = 0
        for row in range(table.num_rows):
            row_size = table.slice(row, 1).nbytes
            if size and size + row_size > most_bytes:
                yield pa.concat_tables([*pending, table.slice(start, row - start)])
                pending, start, size = [], row, 0
            size += row_size
        pending.append(table.slice(start))
    if size:
        yield pa.concat_tables(pending)


def row_digest(row: dict[str, Any]) -> bytes:
    """SHA-256 of a row's content, whatever library or version wrote it: canonical JSON, pictures by their own hash."""
    text = json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).digest()


def content_hash(digests: dict[str, bytes]) -> str:
    """Hash of a shard's rows, given each row's digest by its sample_id: independent of their order and encoding."""
    return hashlib.sha256(b"".join(digests[sample_id] for sample_id in sorted(digests))).hexdigest()


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"no canonical form for {type(value).__name__}")
