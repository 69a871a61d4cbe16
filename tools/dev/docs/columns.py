"""Reference of the dataset's columns, made from `schemas.records.Sample`: types, possible values and meaning."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Literal, get_args, get_origin

import pyarrow as pa
from pydantic import BaseModel

from pipeline.publishing.layout import columns
from schemas.arrow import arrow_schema
from schemas.records import Image, Sample
from tools.dev.docs.markdown import code, heading_id, table


def reference() -> str:
    """The columns, and then the fields of each struct among them, in the order in which they are met."""
    records: dict[str, type[BaseModel]] = {}

    def visit(record: type[BaseModel]) -> None:
        for info in record.model_fields.values():
            for inner in _records(info.rebuild_annotation()):
                if inner.__name__ not in records:
                    records[inner.__name__] = inner
                    visit(inner)

    visit(Sample)
    sections = [f"## {name}\n\n{_about(record)}\n\n{_fields(record)}" for name, record in records.items()]
    return "\n".join([_fields(Sample), *sections])


def _about(record: type[BaseModel]) -> str:
    return " ".join((record.__doc__ or "").split())


def _fields(record: type[BaseModel]) -> str:
    schema = arrow_schema(record)
    rows = [
        [
            code(name),
            _type(columns(record).field(name).type, info.rebuild_annotation()),
            "yes" if schema.field(name).nullable else "",
            " ".join([*(info.description or "").split(), _options(info.rebuild_annotation())]),
        ]
        for name, info in record.model_fields.items()
    ]
    return table(["Column", "Type", "Null", "Meaning"], rows)


def _type(kind: pa.DataType, annotation: Any) -> str:
    inner = next(_records(annotation), None)
    if inner is Image:
        name = f"[picture](#{heading_id('Image')})"
    elif inner is not None:
        name = f"struct [{inner.__name__}](#{heading_id(inner.__name__)})"
    else:
        return code(str(kind).replace("element: ", "").replace(" not null", ""))
    return f"list of {name}" if pa.types.is_list(kind) else name


def _options(annotation: Any) -> str:
    found = list(dict.fromkeys(_values(annotation)))
    return f"One of {', '.join(code(value) for value in found)}." if found else ""


def _values(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif isinstance(annotation, type) and issubclass(annotation, StrEnum):
        yield from (str(member) for member in annotation)
    else:
        for inner in get_args(annotation):
            yield from _values(inner)


def _records(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _records(inner)
