"""A hash of a shard's rows that does not depend on how they are encoded, cut or compressed, or by which library.

Each leaf column has three streams: which values are there, how long they are, and their bytes. The hash is that of the
SHA-256 of all streams in the order of the columns. So a picture is hashed where it lies, and no row becomes an object.
"""

import hashlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SCHEME = "columns-1:"
"""Begins such a hash. What versions before it wrote is a bare number, which `tools.verify.content` knows."""


class ContentHash:
    """The hash of tables with one schema, one after the other."""

    def __init__(self) -> None:
        self._streams: dict[str, hashlib._Hash] = {}

    def add(self, table: pa.Table) -> None:
        """Add rows. However they are cut into tables and chunks, the hash is the same."""
        for name, column in zip(table.column_names, table.columns, strict=True):
            for chunk in column.chunks:
                for stream, data in _streams(name, chunk):
                    if stream not in self._streams:
                        self._streams[stream] = hashlib.sha256(stream.encode())
                    self._streams[stream].update(data)

    def hexdigest(self) -> str:
        """The hash, with its scheme."""
        whole = b"".join(stream.digest() for stream in self._streams.values())
        return SCHEME + hashlib.sha256(whole).hexdigest()


def _streams(path: str, array: pa.Array) -> Iterator[tuple[str, bytes | memoryview | pa.Buffer]]:
    kind = array.type
    yield f"{path} there", _bytes(array.is_valid())
    if array.null_count:
        array = array.drop_null()
    if pa.types.is_struct(kind):
        for field, child in zip(kind, array.flatten(), strict=True):
            yield from _streams(f"{path}.{field.name}", child)
    elif pa.types.is_list(kind):
        yield f"{path} length", _bytes(array.value_lengths())
        yield from _streams(f"{path}.element", array.flatten())
    elif pa.types.is_string(kind) or pa.types.is_binary(kind):
        yield f"{path} length", _bytes(pc.binary_length(array))
        yield f"{path} bytes", _text(array)
    else:
        yield f"{path} {kind}", _bytes(array)


def _text(array: pa.Array) -> bytes | pa.Buffer:
    """The bytes of all values of an array without nulls."""
    _, offsets, data = array.buffers()
    if not len(array) or data is None:
        return b""
    ends = np.frombuffer(offsets, np.int32, len(array) + 1, array.offset * 4)
    return data.slice(int(ends[0]), int(ends[-1] - ends[0]))


def _bytes(array: pa.Array) -> memoryview:
    """The values of an array of numbers without nulls, little-endian; a truth value is a byte."""
    values = array.to_numpy(zero_copy_only=False)
    return np.ascontiguousarray(values, values.dtype.newbyteorder("<")).view(np.uint8).data
