"""Columns of lists and records, taken apart and put together by places: pictures stay in Arrow's memory."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Places = NDArray[np.int64]
"""Places in an array; -1 stands for null."""


def one_piece(column: pa.ChunkedArray) -> pa.Array:
    """The column of a table whose chunks are combined."""
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


def taken(array: pa.Array, at: Places) -> pa.Array:
    """The values at some places; the array itself, not a copy, where they are all of its own in order."""
    if len(at) == len(array) and (at == np.arange(len(at))).all():
        return array
    return array.take(pa.array(at, mask=at < 0))


@dataclass(frozen=True)
class Elements:
    """Elements of lists of records, in the order of the rows that they are of."""

    values: pa.StructArray
    """All elements of the column, wanted or not."""
    at: Places
    """Places of the wanted ones in `values`."""
    row: Places
    """The row of each."""

    def column(self, name: str) -> pa.Array:
        """A field of each."""
        return taken(self.values.field(name), self.at)

    def where(self, mask: NDArray[np.bool_]) -> "Elements":
        """Those where the mask is true."""
        return Elements(self.values, self.at[mask], self.row[mask])

    def having(self, name: str, value: str) -> "Elements":
        """Those whose field of text has a value."""
        return self.where(numpy_of(pc.fill_null(pc.equal(self.column(name), value), False)))

    def first(self, rows: int) -> Places:
        """Places in `values` of the first one of each of so many rows."""
        found, which = np.unique(self.row, return_index=True)
        at = np.full(rows, -1, np.int64)
        at[found] = self.at[which]
        return at

    def rest(self) -> "Elements":
        """All but the first one of each row."""
        mask = np.ones(len(self.row), np.bool_)
        mask[np.unique(self.row, return_index=True)[1]] = False
        return self.where(mask)

    def numbers(self, rows: int) -> Places:
        """The place of each in its row, from 0."""
        starts: Places = np.searchsorted(self.row, np.arange(rows + 1))
        return np.arange(len(self.row)) - starts[self.row]


def elements(lists: pa.ListArray, rows: Places) -> Elements:
    """The elements of the lists in some rows; no list is null."""
    offsets = lists.offsets.to_numpy().astype(np.int64)
    starts, lengths = offsets[rows], offsets[rows + 1] - offsets[rows]
    row = np.repeat(np.arange(len(rows)), lengths)
    before = np.cumsum(lengths) - lengths
    return Elements(lists.values, starts[row] + np.arange(len(row)) - before[row], row)


def list_of(values: pa.Array, row: Places, rows: int, kind: pa.ListType) -> pa.ListArray:
    """Lists for so many rows, of values in the order of their rows."""
    offsets = np.searchsorted(row, np.arange(rows + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=kind)


def struct_of(kind: pa.StructType, fields: Mapping[str, pa.Array], there: NDArray[np.bool_]) -> pa.StructArray:
    """Records of these fields, null where they are not `there`."""
    return pa.StructArray.from_arrays(
        [published(fields[field.name], field.type) for field in kind], fields=list(kind), mask=pa.array(~there)
    )


def published(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Values of a layer in the type of a shard's column: times as text (see `pipeline.publishing.layout.columns`)."""
    if pa.types.is_timestamp(array.type):
        text = pc.strftime(array.cast(pa.timestamp("us")), "%Y-%m-%dT%H:%M:%SZ")
        return pc.replace_substring(text, ".000000Z", "Z")
    return array if array.type.equals(kind) else array.cast(kind)


def numpy_of(array: pa.Array) -> NDArray[np.bool_]:
    """Truth values without a null."""
    found: NDArray[np.bool_] = array.to_numpy(zero_copy_only=False)
    return found
