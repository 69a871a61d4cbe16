"""Row groups of about one size in bytes, which readers can take whole."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def row_groups(tables: Iterable[pa.Table], most_bytes: float) -> Iterator[pa.Table]:
    """Cut and join tables so that each piece has at most `most_bytes`, and one row at the least."""
    pending: list[pa.Table] = []
    size = 0
    for table in tables:
        ends = np.cumsum(row_bytes(table))
        start, before = 0, 0
        while start < table.num_rows:
            fitting = int(np.searchsorted(ends, before + most_bytes - size, side="right"))
            fitting = max(fitting, start if size else start + 1)
            pending.append(table.slice(start, fitting - start))
            size += int(ends[fitting - 1]) - before if fitting > start else 0
            if fitting < table.num_rows:
                yield pa.concat_tables(pending)
                pending, size = [], 0
            start, before = fitting, int(ends[fitting - 1]) if fitting else 0
    if size:
        yield pa.concat_tables(pending)


def rows_within(table: pa.Table, most_bytes: int) -> int:
    """How many rows, whichever they are, take at most so many bytes; one at the least."""
    rows: int = table.num_rows
    if table.nbytes <= most_bytes:
        return max(rows, 1)
    return max(1, most_bytes // int(row_bytes(table).max()))


def row_bytes(table: pa.Table) -> NDArray[np.int64]:
    """Bytes that each row takes in memory, without what marks nulls."""
    total = np.zeros(table.num_rows, np.int64)
    for column in table.columns:
        start = 0
        for chunk in column.chunks:
            total[start : start + len(chunk)] += _sizes(chunk)
            start += len(chunk)
    return total


def _sizes(array: pa.Array) -> NDArray[np.int64]:
    kind = array.type
    if pa.types.is_struct(kind):
        of_fields: NDArray[np.int64] = np.sum([_sizes(child) for child in array.flatten()], axis=0, dtype=np.int64)
        return of_fields
    if pa.types.is_list(kind):
        lengths = pc.fill_null(array.value_lengths(), 0).to_numpy()
        before = np.concatenate([[0], np.cumsum(_sizes(array.flatten()))])
        ends = np.cumsum(lengths)
        sizes: NDArray[np.int64] = before[ends] - before[ends - lengths] + 4
        return sizes
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        long: NDArray[np.int64] = pc.fill_null(pc.binary_length(array), 0).to_numpy().astype(np.int64) + 4
        return long
    return np.full(len(array), max(kind.bit_width // 8, 1), np.int64)
