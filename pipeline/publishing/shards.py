"""One shard: made from the tables of its units and nothing else, wherever that is done, and known again by its name."""

import hashlib
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from io import BufferedIOBase
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from pipeline.digest import digest
from pipeline.errors import MachineError
from pipeline.publishing.content import ContentHash
from pipeline.publishing.counts import RunningCounts
from pipeline.publishing.grouping import Group
from pipeline.publishing.joining import join, runs
from pipeline.publishing.layout import schema_fingerprint, shard_schema, writer_options
from pipeline.publishing.manifest import FileEntry, ShardContent, ShardEntry
from pipeline.publishing.row_groups import row_groups
from pipeline.publishing.units import Bounds, UnitTables
from pipeline.stopping import check_stop
from pipeline.storage import Store
from schemas.records import AnySplit

VERSION = 6
"""Raised when the same tables would make another shard."""
SHARD_NAME = r"data/(?P<split>[a-z_]+)/(?P<name>[a-z0-9-]+)-(?P<recipe>[0-9a-f]{16})-(?P<content>[0-9a-f]{16})\.parquet"
"""Pattern of a shard's path. `content` begins the file's own SHA-256."""
_CONTENT_KEY = b"geoscribe"
"""Footer key of a shard's `ShardContent`, as JSON."""
_BLOCK = 8 * 2**20
_GATHERED = 8 * 2**20
"""Bytes of rows that are looked at at once, if no more: copied for it, so that a column is in one piece."""


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


@contextmanager
def scratch_of(out: Store, what: str) -> Iterator[Path]:
    """A local file to be written and adopted as `what` of a dataset; it is gone at the end.

    Raises:
        MachineError: it cannot be written or put in its place.
        FileNotFoundError: a table went, as another build superseded it.
    """
    temporary = out.scratch()
    try:
        yield temporary
    except FileNotFoundError:
        raise
    except OSError as error:
        raise MachineError(f"cannot write {what} of {out.url}: {error}. Mend that and publish again.") from error
    finally:
        temporary.unlink(missing_ok=True)


def make_shard(task: ShardTask, tables: Iterable[UnitTables], path: Path) -> None:
    """Write a shard as a local file. Same task and tables, same bytes.

    Args:
        task: what to make.
        tables: the layers of each of the task's units, in its order. No more than one unit, some small ones before it
            and one row group are in memory at a time.
        path: where to; the file is whole when this returns.
    """
    parts = task.group.parts
    rows = (
        join(layers, replace(part, sites=sites), task.group.split)
        for part, layers in zip(parts, tables, strict=True)
        for sites in runs(layers.imagery, part.sites)
    )
    west, south, east, north = zip(*(part.bounds for part in parts), strict=True)
    bounds = (min(west), min(south), max(east), max(north))
    write_shard(path, rows, task.group.split, bounds, sum(len(part.sites) for part in parts), task.row_group_bytes)


def write_shard(
    path: Path, tables: Iterable[pa.Table], split: AnySplit, bounds: Bounds, rows: int, row_group_bytes: float
) -> None:
    """Write rows as a shard, a local file.

    Args:
        path: where to; the file is whole when this returns.
        tables: some rows at a time, with the columns of a shard, in the order of their units.
        split: that they all are in.
        bounds: of their places.
        rows: how many they are.
        row_group_bytes: most of a row group.
    """
    counts, content = RunningCounts(), ContentHash()
    ids: list[str] = []
    units: set[tuple[str, str]] = set()

    def told() -> Iterator[pa.Table]:
        for table in _gathered(tables):
            check_stop()
            counts.add(table)
            content.add(table)
            least = pc.min_max(table["sample_id"]).as_py()
            ids.extend(value for value in least.values() if value is not None)
            pairs = table.select(["region", "unit"]).group_by(["region", "unit"]).aggregate([]).to_pylist()
            units.update((pair["region"], pair["unit"]) for pair in pairs)
            yield table

    with pq.ParquetWriter(path, shard_schema(bounds), **writer_options(rows)) as writer:
        for row_group in row_groups(told(), row_group_bytes):
            writer.write_table(row_group, row_group_size=row_group.num_rows)
        whole = ShardContent(
            split=split,
            units=len(units),
            rows=counts.rows,
            first_id=min(ids),
            last_id=max(ids),
            content=content.hexdigest(),
            counts=counts.counts(),
        )
        writer.add_key_value_metadata({_CONTENT_KEY: whole.model_dump_json()})


def _gathered(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Tables, small ones joined: to look at hundreds of columns takes a while, however few the rows."""
    pending: list[pa.Table] = []
    size = 0
    for table in tables:
        pending.append(table)
        size += table.nbytes
        if size >= _GATHERED:
            yield _joined(pending)
            pending, size = [], 0
    if pending:
        yield _joined(pending)


def _joined(tables: list[pa.Table]) -> pa.Table:
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables).combine_chunks()


def read_entry(file: BufferedIOBase, path: str, known: FileEntry | None = None) -> ShardEntry | None:
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


def file_entry(file: BufferedIOBase, path: str) -> FileEntry:
    """Length and SHA-256 of a file, which is left at its start."""
    size, sha256 = 0, hashlib.sha256()
    block = memoryview(bytearray(_BLOCK))  # one for all: the system clears a new one's pages each time
    file.seek(0)
    while count := file.readinto(block):
        size += count
        sha256.update(block[:count])
    file.seek(0)
    return FileEntry(path=path, bytes=size, sha256=sha256.hexdigest())


def copy_file(source: Store, entry: FileEntry, to: Path) -> None:
    """Copy a file of a dataset to a local one.

    Raises:
        MachineError: its bytes are not those that the manifest lists.
        OSError: it cannot be read or written.
    """
    with source.reader(entry.path) as file, to.open("wb") as target:
        shutil.copyfileobj(file, target, _BLOCK)
    with to.open("rb") as written:
        if file_entry(written, entry.path).sha256 != entry.sha256:
            raise MachineError(f"{source.url}/{entry.path} is damaged. See `geoscribe verify`.")
