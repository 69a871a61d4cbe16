"""Pictures kept apart while a unit's rows are Python values: a token stands for each, and its bytes are copied once."""

import hashlib
from collections.abc import Callable

import pyarrow as pa

LEAF = "bytes"
"""Name of the columns that hold encoded pictures, in tables of layers and in shards."""
_TOKEN = 8


class PictureBytes:
    """The pictures of some tables by token."""

    def __init__(self) -> None:
        self._pictures: list[pa.BinaryScalar] = []
        self._digests: dict[bytes, str] = {}

    def apart(self, table: pa.Table) -> pa.Table:
        """The table with tokens in place of its pictures, which are kept here."""
        return with_pictures(table, self._tokens)

    def back(self, table: pa.Table) -> pa.Table:
        """A table made of such tables, with the pictures in place of their tokens."""
        return with_pictures(table, self._bytes)

    def sha256(self, token: bytes) -> str | None:
        """Hexadecimal SHA-256 of a picture; None for what is no token."""
        if len(token) != _TOKEN:
            return None
        if token not in self._digests:
            self._digests[token] = hashlib.sha256(self._of(token)).hexdigest()
        return self._digests[token]

    def _tokens(self, pictures: pa.Array) -> pa.Array:
        tokens = []
        for picture in pictures:
            tokens.append(len(self._pictures).to_bytes(_TOKEN) if picture.is_valid else None)
            self._pictures.append(picture)
        return pa.array(tokens, pa.binary())

    def _bytes(self, tokens: pa.Array) -> pa.Array:
        return pa.array([None if token is None else self._of(token) for token in tokens.to_pylist()], pa.binary())

    def _of(self, token: bytes) -> memoryview:
        picture = self._pictures[int.from_bytes(token)].as_buffer()
        return memoryview(picture if picture is not None else b"")


def with_pictures(table: pa.Table, change: Callable[[pa.Array], pa.Array]) -> pa.Table:
    """A table in which each array of encoded pictures, however deep, is changed. All else is shared, not copied."""
    columns = [
        pa.chunked_array([_mapped(chunk, "", change) for chunk in column.chunks], column.type)
        if _holds_pictures("", column.type)
        else column
        for column in table.columns
    ]
    return pa.table(columns, schema=table.schema)


def _mapped(array: pa.Array, name: str, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    kind = array.type
    if not _holds_pictures(name, kind):
        return array
    if pa.types.is_struct(kind):
        fields = list(kind)
        children = [_mapped(array.field(i), field.name, change) for i, field in enumerate(fields)]
        return pa.StructArray.from_arrays(children, fields=fields, mask=array.is_null())
    if pa.types.is_list(kind):
        if array.offset:  # a mask needs offsets of its own
            array = pa.concat_arrays([array])
        values = _mapped(array.values, kind.value_field.name, change)
        return pa.ListArray.from_arrays(array.offsets, values, type=kind, mask=array.is_null())
    return change(array)


def _holds_pictures(name: str, kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(_holds_pictures(field.name, field.type) for field in kind)
    if pa.types.is_list(kind):
        return _holds_pictures(kind.value_field.name, kind.value_type)
    return name == LEAF and pa.types.is_binary(kind)
