"""Packing of whole units into evenly sized shards, and the writing of one shard in bounded memory."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.publishing.layout import Bounds, shard_schema, writer_options
from schemas.records import Split

SHARD_NAME = r"data/(?P<split>train|val|test)/(?P<region>[a-z0-9-]+)-(?P<shard>\d{5})-of-(?P<of>\d{5})\.parquet"
"""Pattern of a shard's path."""


@dataclass(frozen=True)
class Load:
    """A unit to pack."""

    region: str
    unit: str
    split: Split
    size: float
    """Bytes that its published samples will take, nearly."""


@dataclass(frozen=True)
class ShardPlan:
    """A shard to write."""

    path: str
    split: Split
    region: str
    units: list[str]
    """H3 cells in ascending order, which keeps neighbours together."""


def pack(loads: Sequence[Load], shard_bytes: float) -> list[ShardPlan]:
    """Shards of about equal size, at most about `shard_bytes`, in the order of split and region.

    Units stay whole: a unit larger than a shard makes a shard of its own.
    """
    plans = []
    ordered = sorted(loads, key=lambda load: (load.split, load.region, load.unit))
    for (split, region), group in groupby(ordered, key=lambda load: (load.split, load.region)):
        shards = list(_even(list(group), shard_bytes))
        for number, units in enumerate(shards):
            path = f"data/{split}/{region}-{number:05d}-of-{len(shards):05d}.parquet"
            plans.append(ShardPlan(path, split, region, units))
    return plans


def _even(loads: list[Load], shard_bytes: float) -> Iterator[list[str]]:
    """Cut a row of units where the running size, at a unit's middle, passes a multiple of the even share."""
    total = sum(load.size for load in loads)
    share = total / max(1, round(total / shard_bytes)) or 1.0
    numbered = []
    before = 0.0
    for load in loads:
        numbered.append((int((before + load.size / 2) // share), load.unit))
        before += load.size
    for _, members in groupby(numbered, key=lambda pair: pair[0]):
        yield [unit for _, unit in members]


def write_shard(path: Path, tables: Iterable[pa.Table], *, bounds: Bounds, rows: int, row_group_bytes: float) -> int:
    """Write tables, which stand in the order of the shard's rows, as one Parquet file; returns its row groups.

    Holds no more than one row group and one of the tables at a time. Same tables, same bytes.
    """
    written = 0
    with pq.ParquetWriter(path, shard_schema(bounds), **writer_options(rows)) as writer:
        for group in _row_groups(tables, row_group_bytes):
            writer.write_table(group, row_group_size=group.num_rows)
            written += 1
    return written


def _row_groups(tables: Iterable[pa.Table], row_group_bytes: float) -> Iterator[pa.Table]:
    """Cut and join tables so that each piece has about `row_group_bytes`, and one row at the least."""
    pending: list[pa.Table] = []
    size = 0
    for table in tables:
        start = 0
        for row in range(table.num_rows):
            row_size = table.slice(row, 1).nbytes
            if size and size + row_size > row_group_bytes:
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
