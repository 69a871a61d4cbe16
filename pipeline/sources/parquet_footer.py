"""Reads the columns in the footer of a Parquet file without Arrow.

Arrow's own access to a column's metadata ends the process where that is damaged (its C++ exception is caught by
nobody), so hostile files are looked at here first. Only what is needed is kept of the Thrift structures of
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift, in Thrift's compact protocol.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MOST_BYTES = 100_000_000
_DEEPEST = 16
_BYTE_ARRAY, _FLOAT, _DOUBLE = 6, 4, 5
_DELTA_BYTE_ARRAY = 7
_STOP, _TRUE, _FALSE, _BYTE, _DOUBLE_FIELD, _BINARY, _LIST, _SET, _STRUCT = 0, 1, 2, 3, 7, 8, 9, 10, 12


@dataclass(frozen=True)
class Chunk:
    """A column in one row group."""

    path: str
    """As `names.common.key_value.key`."""
    text: bool
    """Whether its values are texts or bytes of any length."""
    deltas: bool
    """Whether some may be stored as what they add to the one before."""
    values: int
    """Nulls, and the elements of lists, included."""
    unpacked_bytes: int
    bounds: tuple[float, float] | None
    """Least and greatest value of a column of floats, where they are told."""


def read_footer(path: Path) -> list[list[Chunk]]:
    """The columns of each row group.

    Raises:
        ValueError: it is no Parquet file, or its footer is damaged.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - 8, 0))
        length, magic = struct.unpack("<I4s", file.read(8).rjust(8, b"\0"))
        if magic != b"PAR1" or length > min(size - 12, _MOST_BYTES):
            raise ValueError("no Parquet file, or its footer is cut short")
        file.seek(size - 8 - length)
        footer = _Thrift(file.read(length)).structure(0)
    return [[_chunk(column) for column in _list(group, 1)] for group in _list(footer, 4) if isinstance(group, dict)]


def _chunk(column: Any) -> Chunk:
    meta = column.get(3) if isinstance(column, dict) else None
    meta = meta if isinstance(meta, dict) else {}
    kind, values, size = meta.get(1), meta.get(5), meta.get(6)
    if not (isinstance(values, int) and isinstance(size, int) and values >= 0 and size >= 0):
        raise ValueError("a column without its sizes")
    names = [name.decode("utf-8", "replace") for name in _list(meta, 3) if isinstance(name, bytes)]
    deltas = _DELTA_BYTE_ARRAY in _list(meta, 2)
    return Chunk(".".join(names), kind == _BYTE_ARRAY, deltas, values, size, _bounds(kind, meta.get(12)))


def _bounds(kind: Any, statistics: Any) -> tuple[float, float] | None:
    form = {_FLOAT: "<f", _DOUBLE: "<d"}.get(kind)
    if form is None or not isinstance(statistics, dict):
        return None
    ends = statistics.get(6, statistics.get(2)), statistics.get(5, statistics.get(1))
    told = [end for end in ends if isinstance(end, bytes) and len(end) == struct.calcsize(form)]
    if len(told) < 2:
        return None
    least, greatest = (float(struct.unpack(form, end)[0]) for end in told)
    return (least, greatest) if least <= greatest else None


def _list(structure: dict[int, Any], field: int) -> list[Any]:
    found = structure.get(field)
    if found is not None and not isinstance(found, list):
        raise ValueError("a field of the wrong type")
    return found or []


class _Thrift:
    """Reads the compact protocol: structures as dictionaries by field number."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def structure(self, depth: int) -> dict[int, Any]:
        """A structure from here on."""
        if depth > _DEEPEST:
            raise ValueError("structures too deep")
        found: dict[int, Any] = {}
        field = 0
        while (head := self._byte()) != _STOP:
            field = field + (head >> 4) if head >> 4 else self._zigzag()
            found[field] = self._value(head & 15, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        if depth > _DEEPEST:
            raise ValueError("lists too deep")
        if kind in {_TRUE, _FALSE}:
            return kind == _TRUE
        if _BYTE < kind < _DOUBLE_FIELD:
            return self._zigzag()
        if kind in {_BYTE, _DOUBLE_FIELD, _BINARY}:
            return self._bytes({_BYTE: 1, _DOUBLE_FIELD: 8}.get(kind) or self._varint())
        if kind in {_LIST, _SET}:
            head = self._byte()
            return self._list(head >> 4 if head >> 4 < 15 else self._varint(), head & 15, depth)
        if kind != _STRUCT:
            raise ValueError("a field of an unknown type")  # or a map, of which the format has none
        return self.structure(depth + 1)

    def _list(self, count: int, kind: int, depth: int) -> list[Any]:
        if count > len(self._data) - self._place:  # each element takes a byte at least
            raise ValueError("it ends too early")
        if kind in {_TRUE, _FALSE}:
            return [self._byte() == _TRUE for _ in range(count)]
        return [self._value(kind, depth + 1) for _ in range(count)]

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, length: int) -> bytes:
        found = self._data[self._place : self._place + length]
        if len(found) < length:
            raise ValueError("it ends too early")
        self._place += length
        return found

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("a number that has no end")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
