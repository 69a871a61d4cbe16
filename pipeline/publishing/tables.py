"""The small tables of a revision, which say of all its shards what can be said without pictures."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.publishing import attribution, gallery, index
from pipeline.publishing.layout import columns, published
from pipeline.publishing.manifest import Manifest, ShardEntry
from pipeline.storage import Store
from schemas.records import Record

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TableKind:
    """A table that a revision has beside its shards, with a row group a shard, in the manifest's order of shards.

    Distractors, where they are in it, come after all shards.
    """

    name: str
    record: type[Record]
    reads: tuple[str, ...]
    """The columns of a shard that it is taken from."""
    rows: Callable[[str, list[dict[str, Any]]], Iterable[dict[str, Any]]]
    """Its rows for a shard, given the shard's path and what is read of it."""
    added: tuple[str, ...] = ()
    """Its last columns, which do not follow from the shard alone: `write_table` is told how to add them."""

    @property
    def file(self) -> str:
        """Its file's name in the revision's folder."""
        return f"{self.name}.parquet"


def _credits(_: str, samples: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for sample in samples:
        yield from attribution.credits_of(sample)


SAMPLES = TableKind("samples", index.IndexRow, index.COLUMNS, index.index_rows, gallery.ADDED)
ATTRIBUTION = TableKind("attribution", attribution.Attribution, attribution.COLUMNS, _credits)
TABLES = (SAMPLES, ATTRIBUTION)
EXCLUDED = "excluded.parquet"
"""A table of finished sites that are not published (`pipeline.publishing.exclusions`)."""
_OPTIONS: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}


def write_records(record: type[Record], rows: Sequence[Record], path: Path) -> None:
    """Write a table of records as a local file."""
    table = pa.Table.from_pylist([published(row) for row in rows], schema=columns(record))
    pq.write_table(table, path, **_OPTIONS)


Complete = Callable[[Iterable[pa.Table]], Iterable[pa.Table]]
"""Gives the tables that are written, of those that are taken from the shards, one a shard: with the columns
`TableKind.added`, or with further tables after them."""


def write_table(
    kind: TableKind,
    path: Path,
    shards: Iterable[ShardEntry],
    out: Store,
    before: Manifest | None,
    complete: Complete,
) -> None:
    """Write a table of shards that are in place, as a local file.

    What the revision `before` says of a shard that is in both is copied from its table, without reading the shard. One
    shard's rows are in memory at a time, unless `complete` needs them all.
    """
    schema = columns(kind.record)
    with ExitStack() as stack:
        known = _Known(kind, out, before, stack)
        tables: Iterable[pa.Table] = (_rows(kind, shard, out, known) for shard in shards)
        writer = stack.enter_context(pq.ParquetWriter(path, schema, **_OPTIONS))
        for rows in complete(tables):
            writer.write_table(rows.cast(schema), row_group_size=rows.num_rows)


def with_distractors(out: Store, paths: Sequence[str]) -> Complete:
    """Add the credits of distractors, in files of a dataset, to the table of credits, after those of the samples."""

    def found() -> Iterator[pa.Table]:
        for path in paths:
            with out.reader(path) as data, pq.ParquetFile(data) as file:
                for group in range(file.num_row_groups):
                    rows = file.read_row_group(group, columns=list(attribution.COLUMNS)).to_pylist()
                    told = [credit for row in rows for credit in attribution.credits_of(row, distractor=True)]
                    yield pa.Table.from_pylist(told, schema=columns(attribution.Attribution))

    return lambda tables: chain(tables, found())


def _rows(kind: TableKind, shard: ShardEntry, out: Store, known: "_Known") -> pa.Table:
    """A shard's rows, without the columns that are added."""
    rows = known.rows(shard.path)
    if rows is None:
        with out.reader(shard.path) as file:
            found = pq.ParquetFile(file).read(columns=list(kind.reads)).to_pylist()
        own = pa.schema([field for field in columns(kind.record) if field.name not in kind.added])
        rows = pa.Table.from_pylist(list(kind.rows(shard.path, found)), schema=own)
    return rows


class _Known:
    """The row groups of an earlier revision's table, by shard."""

    def __init__(self, kind: TableKind, out: Store, before: Manifest | None, stack: ExitStack) -> None:
        self._file: pq.ParquetFile | None = None
        self._added = kind.added
        self._groups: dict[str, int] = {}
        files = before.files if before is not None else []
        path = next((file.path for file in files if file.path.endswith(f"/{kind.file}")), None)
        if before is None or path is None:
            return
        try:
            file = pq.ParquetFile(stack.enter_context(out.reader(path)), page_checksum_verification=True)
        except (OSError, pa.ArrowException) as error:
            log.warning("%s of the earlier revision cannot be read (%s); reading the shards", path, error)
            return
        if file.num_row_groups >= len(before.shards) and file.schema_arrow.equals(columns(kind.record)):
            self._file = file
            self._groups = {shard.path: number for number, shard in enumerate(before.shards)}

    def rows(self, shard: str) -> pa.Table | None:
        """The table's rows of a shard; None where they cannot be had."""
        if self._file is None or shard not in self._groups:
            return None
        try:
            return self._file.read_row_group(self._groups[shard]).drop_columns(list(self._added))
        except (OSError, pa.ArrowException) as error:
            log.warning("rows of %s in the earlier revision cannot be read (%s); reading the shard", shard, error)
            return None
