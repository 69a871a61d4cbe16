"""Compares the rows of two sets of tables by id, column by column."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from pipeline.publishing.layout import is_image

_WIDTH = 8
"""Bytes of a value's digest."""


@dataclass(frozen=True)
class RowDigests:
    """Digests of a row's values, a few bytes a column: a million rows of fifty columns are half a gigabyte."""

    row: str
    split: str | None
    """Split of a published sample."""
    values: bytes
    """A digest a column, in the order that the columns were asked for."""


@dataclass
class RowChanges:
    """How two sets of rows differ."""

    same: int = 0
    added: list[str] = field(default_factory=list)
    """Ids of the rows that only the second one has."""
    removed: list[str] = field(default_factory=list)
    """Ids of the rows that only the first one has."""
    changed: dict[str, list[str]] = field(default_factory=dict)
    """By column, ids of the rows that both have with another value."""
    moved: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """By split before and after, ids of the samples that changed their split."""

    @property
    def differ(self) -> bool:
        """Whether any row differs."""
        return bool(self.added or self.removed or self.changed)

    @property
    def changed_rows(self) -> int:
        """Number of rows that both have with other values."""
        return len({row for rows in self.changed.values() for row in rows})


def digests(table: pa.Table, key: str, columns: Sequence[str]) -> Iterator[RowDigests]:
    """The digests of a table's rows. `key` is the column of their ids."""
    ids = table[key].to_pylist()
    splits = table["split"].to_pylist() if "split" in table.column_names else [None] * len(ids)
    null = [_mark(repr(None).encode())] * len(ids)  # a table of an older format lacks columns
    by_column = [list(_values(table[name])) if name in table.column_names else null for name in columns]
    for i, row in enumerate(ids):
        yield RowDigests(row, splits[i], b"".join(marks[i] for marks in by_column))


def compare(
    before: Iterable[RowDigests], after: Iterable[RowDigests], columns: Sequence[str], same: int = 0
) -> RowChanges:
    """Compare two sets of rows, of which the first is held in memory.

    Args:
        before: of the first set.
        after: of the second one.
        columns: what both were digested by.
        same: number of rows that are known to be the same, and are in neither.
    """
    changes = RowChanges(same=same)
    old = {digests.row: digests for digests in before}
    for new in after:
        was = old.pop(new.row, None)
        if was is None:
            changes.added.append(new.row)
            continue
        if was.split != new.split:
            changes.moved.setdefault((str(was.split), str(new.split)), []).append(new.row)
        if was.values == new.values:
            changes.same += 1
            continue
        for i, name in enumerate(columns):
            part = slice(i * _WIDTH, (i + 1) * _WIDTH)
            if was.values[part] != new.values[part]:
                changes.changed.setdefault(name, []).append(new.row)
    changes.removed = sorted(old)
    changes.added.sort()
    return changes


def _values(column: pa.ChunkedArray) -> Iterator[bytes]:
    if is_image(column.type):  # nearly all bytes of a dataset: their text would be four times as long
        for chunk in column.chunks:
            for path, data in zip(chunk.field("path").to_pylist(), chunk.field("bytes").to_pylist(), strict=True):
                yield _mark(repr(path).encode(), data if data is not None else b"null")
        return
    for value in column.to_pylist():
        yield _mark(repr(value).encode())


def _mark(*parts: bytes) -> bytes:
    made = hashlib.blake2b(digest_size=_WIDTH)
    for part in parts:
        made.update(len(part).to_bytes(8, "big"))
        made.update(part)
    return made.digest()
