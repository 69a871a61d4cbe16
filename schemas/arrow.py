"""Arrow schemas of records, and conversion of rows to tables and back."""

import types
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import pyarrow as pa
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from schemas.records import Float32

RecordT = TypeVar("RecordT", bound=BaseModel)

_PRIMITIVES: dict[type, pa.DataType] = {
    str: pa.string(),
    bytes: pa.binary(),
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    datetime: pa.timestamp("us", tz="UTC"),
}


@cache
def arrow_schema(record: type[BaseModel]) -> pa.Schema:
    """Schema of a table whose rows are `record`. A field that may be None is nullable."""
    return pa.schema(_fields(record))


def _fields(record: type[BaseModel]) -> list[pa.Field]:
    return [_field(name, info.rebuild_annotation()) for name, info in record.model_fields.items()]


def _field(name: str, annotation: Any) -> pa.Field:
    kind, nullable = _optional(annotation)
    return pa.field(name, _type(kind), nullable=nullable)


def _optional(annotation: Any) -> tuple[Any, bool]:
    annotation = _bare(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [a for a in get_args(annotation) if a is not type(None)]
        if len(rest) != 1 or len(rest) == len(get_args(annotation)):
            raise TypeError(f"a record's field may be one type or that type and None, not {annotation}")
        return _bare(rest[0]), True
    return annotation, False


def _bare(annotation: Any) -> Any:
    while get_origin(annotation) is Annotated and annotation != Float32:
        annotation = get_args(annotation)[0]
    return annotation


def _type(kind: Any) -> pa.DataType:
    if kind == Float32:
        return pa.float32()
    if kind in _PRIMITIVES:
        return _PRIMITIVES[kind]
    if get_origin(kind) is Literal:
        return pa.string()
    if get_origin(kind) is list:
        element, nullable = _optional(get_args(kind)[0])
        return pa.list_(pa.field("element", _type(element), nullable=nullable))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return pa.string()
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return pa.struct(_fields(kind))
    raise TypeError(f"no Arrow type for {kind}")


def to_table(record: type[RecordT], rows: Iterable[RecordT]) -> pa.Table:
    """Rows as a table with the record's schema, in the order given."""
    return pa.Table.from_pylist([row.model_dump(mode="python") for row in rows], schema=arrow_schema(record))


def from_table(record: type[RecordT], table: pa.Table) -> Sequence[RecordT]:
    """Rows of a table, validated.

    Raises:
        pydantic.ValidationError: a row does not fit the record.
    """
    return [record.model_validate(row) for row in table.to_pylist()]


def fitted(record: type[BaseModel], table: pa.Table) -> pa.Table:
    """A table of layer rows with exactly the record's schema, each column in one piece; its values are not looked at.

    As `from_table` does, it takes rows of an earlier version: a field that the table lacks gets the record's default.

    Raises:
        ValueError: a field without a default is missing, or there is one that the record does not have.
    """
    wanted = arrow_schema(record)
    table = table.combine_chunks()
    if not table.schema.equals(wanted):
        got = {name: _whole(table[name], table.schema.field(name).type) for name in table.column_names}
        columns = _fields_of(record, got.keys(), got.__getitem__, table.num_rows, record.__name__)
        return pa.Table.from_arrays(columns, schema=wanted)
    return table.replace_schema_metadata(None)


def _whole(column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    return column.chunk(0) if column.num_chunks else pa.array([], kind)


def _fields_of(
    record: type[BaseModel], there: Iterable[str], get: Callable[[str], pa.Array], rows: int, where: str
) -> list[pa.Array]:
    if unknown := sorted(set(there) - record.model_fields.keys()):
        raise ValueError(f"{where} has no field {', '.join(unknown)}")
    return [
        _fit(get(name), info.rebuild_annotation(), f"{where}.{name}")
        if name in there
        else _default(info, rows, f"{where}.{name}")
        for name, info in record.model_fields.items()
    ]


def _default(info: FieldInfo, rows: int, where: str) -> pa.Array:
    if info.is_required():
        raise ValueError(f"{where} is missing")
    kind = _type(_optional(info.rebuild_annotation())[0])
    if not rows:  # Arrow repeats no list no times
        return pa.array([], kind)
    return pa.repeat(pa.scalar(info.get_default(call_default_factory=True), kind), rows)


def _fit(array: pa.Array, annotation: Any, where: str) -> pa.Array:
    kind, _ = _optional(annotation)
    wanted = _type(kind)
    if array.type.equals(wanted):
        return array
    if isinstance(kind, type) and issubclass(kind, BaseModel) and pa.types.is_struct(array.type):
        names = [field.name for field in array.type]
        children = _fields_of(kind, names, array.field, len(array), where)
        return pa.StructArray.from_arrays(children, fields=list(wanted), mask=array.is_null())
    if get_origin(kind) is list and pa.types.is_list(array.type) and not array.null_count:
        lengths = array.value_lengths().to_numpy(zero_copy_only=False)
        offsets = pa.array([0, *lengths.cumsum().tolist()], pa.int32())
        return pa.ListArray.from_arrays(offsets, _fit(array.flatten(), get_args(kind)[0], where), type=wanted)
    return array.cast(wanted)
