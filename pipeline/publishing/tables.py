"""The small tables of a revision, which say of all its shards what can be said without pictures."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.publishing import attribution, index
from pipeline.publishing.layout import columns
from pipeline.publishing.manifest import Manifest, ShardEntry
from pipeline.storage import Store
from schemas.records import Record

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TableKind:
    """A table that a revision has beside its shards, with a row group a shard, in the manifest's order of shards."""

    name: str
    record: type[Record]
    reads: tuple[str, ...]
    """The columns of a shard that it is taken from."""
    rows: Callable[[str, list[dict[str, Any]]], Iterable[dict[str, Any]]]
    """Its rows for a shard, given the shard's path and what is read of it."""

    @property
    def file(self) -> str:
        """Its file's name in the revision's folder."""
        return f"{self.name}.parquet"


def _credits(_: str, samples: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for sample in samples:
        yield from attribution.credits_of(sample)


SAMPLES = TableKind("samples", index.IndexRow, index.COLUMNS, index.index_rows)
ATTRIBUTION = TableKind("attribution", attribution.Attribution, attribution.COLUMNS, _credits)
TABLES = (SAMPLES, ATTRIBUTION)


def write_table(kind: TableKind, path: Path, shards: Iterable[ShardEntry], out: Store, before: Manifest | None) -> None:
    """Write a table of shards that are in place, as a local file; one shard's rows are in memory at a time.

    What the revision `before` says of a shard that is in both is copied from its table, without reading the shard.
    """
    schema = columns(kind.record)
    with ExitStack() as stack:
        known = _Known(kind, out, before, stack)
        options: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}
        writer = stack.enter_context(pq.ParquetWriter(path, schema, **options))
        for shard in shards:
            rows = known.rows(shard.path)
            if rows is None:
                with out.reader(shard.path) as file:
                    found = pq.ParquetFile(file).read(columns=list(kind.reads)).to_pylist()
                rows = pa.Table.from_pylist(list(kind.rows(shard.path, found)), schema=schema)
            writer.write_table(rows, row_group_size=rows.num_rows)


class _Known:
    """The row groups of an earlier revision's table, by shard."""

    def __init__(self, kind: TableKind, out: Store, before: Manifest | None, stack: ExitStack) -> None:
        self._file: pq.ParquetFile | None = None
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
        if file.num_row_groups == len(before.shards) and file.schema_arrow.equals(columns(kind.record)):
            self._file = file
            self._groups = {shard.path: number for number, shard in enumerate(before.shards)}

    def rows(self, shard: str) -> pa.Table | None:
        """What the table says of a shard; None where that cannot be had."""
        if self._file is None or shard not in self._groups:
            return None
        try:
            return self._file.read_row_group(self._groups[shard])
        except (OSError, pa.ArrowException) as error:
            log.warning("rows of %s in the earlier revision cannot be read (%s); reading the shard", shard, error)
            return None
