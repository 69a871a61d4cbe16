"""The layout of a shard on disk: its Arrow schema, the footer keys that other readers need, the writer's settings."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from pipeline.publishing.units import Bounds
from schemas.arrow import arrow_schema
from schemas.licences import PARTS
from schemas.records import Image, Sample

_IMAGE_FIELDS = list(Image.model_fields)
_LOW_CARDINALITY = {
    "region", "unit", "split", "language", "captioner", "prompt_set", "model", "licence_class", "source", "author",
    "licence", "projection", "crs", "variant", "kind", "label", "attribute", "category", "script", "position", "depth",
    "shows", "from_above", "description_frame", "description_short_frame", "description_street_frame",
    "view", "reason", *(f"{part}_licence_class" for part in PARTS),
}  # fmt: skip
_SEARCHED = {
    "sample_id", "region", "unit", "split", "lat", "lon", "bbox.xmin", "bbox.ymin", "bbox.xmax", "bbox.ymax", "weight",
    "synthetic", "language", "description_tokens", "description_short_tokens", "description_street_tokens",
    "licence_class", "redistributable", *(f"{part}_licence_class" for part in PARTS),
}  # fmt: skip
"""Columns with statistics. On pictures and texts they would put whole values into the footer."""


@cache
def columns(record: type[BaseModel] = Sample) -> pa.Schema:
    """The columns of a record as they are published: every field nullable, times as text.

    `datasets` decodes a column as its footer key says only where all fields in it are nullable. What may really be null
    is said by the JSON Schema beside the shards, and checked before writing and by `geoscribe verify`. Times are ISO
    8601 in UTC (`2024-05-01T12:00:00Z`), which sorts as they do: torch has no type for times, and `datasets` fails on a
    whole row that holds one.
    """
    return pa.schema([_relaxed(field) for field in arrow_schema(record)])


def published_row(value: Any) -> Any:
    """A record's fields (`model_dump`) as values of `columns`."""
    if isinstance(value, dict):
        return {key: published_row(item) for key, item in value.items()}
    if isinstance(value, list):
        return [published_row(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value


def published(record: BaseModel) -> dict[str, Any]:
    """A record as values of `columns`: as `published_row`, which is asked for the fields that hold times alone."""
    row = record.model_dump()
    for name in _with_times(type(record)):
        row[name] = published_row(row[name])
    return row


@cache
def _with_times(record: type[BaseModel]) -> tuple[str, ...]:
    return tuple(field.name for field in arrow_schema(record) if _holds_times(field.type))


def _holds_times(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(_holds_times(field.type) for field in kind)
    return _holds_times(kind.value_type) if pa.types.is_list(kind) else bool(pa.types.is_timestamp(kind))


def shard_schema(bounds: Bounds) -> pa.Schema:
    """`columns` with the footer keys of GeoParquet and `datasets`."""
    features = {field.name: _feature(field.type) for field in columns()}
    return columns().with_metadata(
        {"geo": json.dumps(_geo(bounds)), "huggingface": json.dumps({"info": {"features": features}})}
    )


@cache
def schema_fingerprint() -> str:
    """Changes with any column's name, type or place."""
    return hashlib.sha256("\n".join(f"{path} {kind}" for path, kind in leaves(columns())).encode()).hexdigest()[:16]


def writer_options(rows: int) -> dict[str, Any]:
    """Arguments of `pyarrow.parquet.ParquetWriter` for a shard of so many rows.

    Images are JPEG or PNG, which no codec shrinks. Text is compressed by Zstandard, numbers by Snappy: a row group has
    a page of some hundred bytes of each, and setting up Zstandard takes longer than compressing it. Content-defined
    chunking lets stores that deduplicate (Xet) upload only what changed; it skips the least size of a page. The
    shard's rows must stand in the order of their units.
    """
    schema = columns()
    codecs = {path: _codec(path, kind) for path, kind in leaves(schema)}
    paths = list(codecs)
    return {
        "compression": codecs,
        "compression_level": {path: 3 for path, codec in codecs.items() if codec == "ZSTD"},
        "use_dictionary": [path for path in paths if path.rpartition(".")[2] in _LOW_CARDINALITY],
        "write_statistics": [path for path in paths if path in _SEARCHED],
        "write_page_index": True,
        "write_page_checksum": True,
        "use_content_defined_chunking": {"min_chunk_size": 640 * 2**10, "max_chunk_size": 2**20},
        "bloom_filter_options": {"sample_id": {"ndv": rows, "fpp": 0.01}},
        "sorting_columns": pq.SortingColumn.from_ordering(schema, [("unit", "ascending")]),
    }


def _codec(path: str, kind: pa.DataType) -> str:
    if path.endswith(".bytes"):
        return "NONE"
    return "ZSTD" if pa.types.is_string(kind) or pa.types.is_binary(kind) else "SNAPPY"


MAP_DERIVED = (
    "map", "map_chip", "map_licence_class", "description", "description_short", "description_tokens",
    "description_short_tokens", "sentences", "cues", "map_data_licence_class",
)  # fmt: skip
"""Columns that hold the map chip or what may be derived from map data, whose licence often is share-alike."""
_IDENTITY = (
    "sample_id", "region", "unit", "split", "lat", "lon", "geometry", "bbox", "weight", "synthetic", "language",
    "captioner", "prompt_set", "model",
)  # fmt: skip
CONFIGS: dict[str, tuple[str, ...]] = {
    "photos": tuple(
        name for name in Sample.model_fields
        if name not in MAP_DERIVED and name not in ("licence_class", "redistributable")
    ),
    "map": (*_IDENTITY, *MAP_DERIVED),
}  # fmt: skip
"""Columns of the card's configurations that show a part of each row; `default` shows all. `photos` has the views and
what is taken from them alone, `map` what takes from the map."""


def leaves(schema: pa.Schema) -> Iterator[tuple[str, pa.DataType]]:
    """Dotted Parquet path (`cues.list.element.text`) and type of the leaf columns, in order."""
    for field in schema:
        yield from _leaves(field.name, field.type)


def _relaxed(field: pa.Field) -> pa.Field:
    return pa.field(field.name, _relaxed_type(field.type))


def _relaxed_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_struct(kind):
        return pa.struct([_relaxed(field) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(pa.field("element", _relaxed_type(kind.value_type)))
    return pa.string() if pa.types.is_timestamp(kind) else kind


def _leaves(path: str, kind: pa.DataType) -> Iterator[tuple[str, pa.DataType]]:
    if pa.types.is_struct(kind):
        for field in kind:
            yield from _leaves(f"{path}.{field.name}", field.type)
    elif pa.types.is_list(kind):
        yield from _leaves(f"{path}.list.element", kind.value_type)
    else:
        yield path, kind


def _geo(bounds: Bounds) -> dict[str, Any]:
    """GeoParquet 1.1 file metadata (https://geoparquet.org/releases/v1.1.0/); OGC:CRS84 is the default CRS."""
    return {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {
            "geometry": {
                "encoding": "WKB",
                "geometry_types": ["Point"],
                "bbox": list(bounds),
                "covering": {"bbox": {corner: ["bbox", corner] for corner in ("xmin", "ymin", "xmax", "ymax")}},
            }
        },
    }


def is_image(kind: pa.DataType) -> bool:
    """Whether a column holds pictures."""
    return pa.types.is_struct(kind) and [field.name for field in kind] == _IMAGE_FIELDS


def _feature(kind: pa.DataType) -> Any:
    """A column's type in the words of `datasets.Features.from_dict`, as all its versions from 2.14 on read them.

    `to_dict` of 4.0 and later writes lists as `{"_type": "List"}`, which 2.x and 3.x do not know. All read `[...]`.
    """
    if is_image(kind):
        return {"_type": "Image"}
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    if pa.types.is_list(kind):
        return [_feature(kind.value_type)]
    return {"dtype": _DTYPES.get(kind, str(kind)), "_type": "Value"}


def card_features() -> list[dict[str, Any]]:
    """The columns in the words of a dataset card's `dataset_info.features`."""
    return [{"name": field.name, **_card_feature(field.type)} for field in columns()]


def _card_feature(kind: pa.DataType) -> dict[str, Any]:
    if is_image(kind):
        return {"dtype": "image"}
    if pa.types.is_struct(kind):
        return {"struct": [{"name": field.name, **_card_feature(field.type)} for field in kind]}
    if pa.types.is_list(kind):
        inner = _card_feature(kind.value_type)
        return {"list": inner.get("dtype") or inner.get("struct") or inner}
    return {"dtype": _DTYPES.get(kind, str(kind))}


_DTYPES = {pa.float64(): "float64", pa.float32(): "float32"}
"""Where `datasets` calls a type by another name than Arrow does."""
