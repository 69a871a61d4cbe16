"""`croissant.json`: the dataset in the vocabulary of MLCommons Croissant 1.0 (https://docs.mlcommons.org/croissant/).

It stands in the dataset's root, since a reader takes the shards' paths from there. Columns that are lists (`cues`,
`sentences`, further views) are left to Parquet.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.config.build import Build
from pipeline.publishing.distractor_files import filled_columns
from pipeline.publishing.layout import columns, is_image
from pipeline.publishing.manifest import Counts, FileEntry, ShardEntry
from pipeline.publishing.tables import TABLES
from pipeline.quantity import quantity
from schemas.licences import hub_licences
from schemas.records import Sample

CROISSANT = "croissant.json"
_SPDX = "https://spdx.org/licenses/"
_KINDS: list[tuple[Any, str]] = [
    (pa.types.is_boolean, "sc:Boolean"),
    (pa.types.is_integer, "sc:Integer"),
    (pa.types.is_floating, "sc:Float"),
    (pa.types.is_string, "sc:Text"),
]
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that Croissant's specification asks for."""


@dataclass(frozen=True)
class _Rows:
    """Files of the columns of a sample, and the set of records in them."""

    files: str
    about_files: str
    records: str
    about: str
    paths: list[str]
    columns: pa.Schema


def render(
    build: Build,
    counts: Counts,
    shards: list[ShardEntry],
    tables: Mapping[str, FileEntry],
    *,
    distractors: Sequence[FileEntry] = (),
    folder: str,
    version: str,
) -> str:
    """The file's text. Same arguments, same text.

    Args:
        build: whose dataset it is.
        counts: of the dataset.
        shards: of the dataset.
        tables: length and digest of the revision's tables, by file name.
        distractors: files of them.
        folder: the revision's, with a slash at its end.
        version: of the dataset.
    """
    licences = hub_licences({licence for by_licence in counts.pictures.values() for licence in by_licence})
    terms = [_SPDX + licence if licence != "other" else folder + "attribution.parquet" for licence in licences]
    found = list(_rows([shard.path for shard in shards], [file.path for file in distractors]))
    creators = build.publish.authors or [build.publish.title]
    content = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": build.name,
        "description": f"{build.publish.title}: {quantity(counts.published, 'place')} with street views, aerial and "
        "map chips, evidence and descriptions. Author, licence and link of each picture stand in its row.",
        "version": version,
        "license": terms,
        "creator": [{"@type": "sc:Organization", "name": name} for name in creators],
        "inLanguage": sorted(counts.languages),
        "keywords": ["geo-localization", "cross-view retrieval", "street view", "aerial imagery"],
        "distribution": [
            *(
                {
                    "@type": "cr:FileSet",
                    "@id": rows.files,
                    "description": rows.about_files,
                    "encodingFormat": "application/x-parquet",
                    "includes": rows.paths,
                }
                for rows in found
            ),
            *(
                {
                    "@type": "cr:FileObject",
                    "@id": kind.name,
                    "contentUrl": folder + kind.file,
                    "contentSize": f"{tables[kind.file].bytes} B",
                    "encodingFormat": "application/x-parquet",
                    "sha256": tables[kind.file].sha256,
                }
                for kind in TABLES
            ),
        ],
        "recordSet": [
            *(
                {
                    "@type": "cr:RecordSet",
                    "@id": rows.records,
                    "description": rows.about,
                    "key": {"@id": f"{rows.records}/sample_id"},
                    "field": list(
                        _fields(rows.records, {"fileSet": {"@id": rows.files}}, rows.columns, _descriptions())
                    ),
                }
                for rows in found
            ),
            *(
                {
                    "@type": "cr:RecordSet",
                    "@id": f"table_{kind.name}",
                    "description": f"The table {kind.file}.",
                    "field": list(
                        _fields(f"table_{kind.name}", {"fileObject": {"@id": kind.name}}, columns(kind.record), {})
                    ),
                }
                for kind in TABLES
            ),
        ],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _rows(shards: list[str], distractors: list[str]) -> Iterator[_Rows]:
    yield _Rows("shards", "The shards of all splits.", "places", "A row a place, with pictures.", shards, columns())
    if distractors:
        about_files = "Places that take part in galleries alone."
        about = "A row a place without a text, with its chips."
        yield _Rows("distractor_files", about_files, "distractors", about, distractors, filled_columns())


def _descriptions() -> dict[str, str]:
    return {name: field.description or "" for name, field in Sample.model_fields.items()}


def _fields(
    records: str, source: dict[str, Any], schema: pa.Schema, about: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    for column in schema:
        field = {"@type": "cr:Field", "@id": f"{records}/{column.name}", "description": about.get(column.name, "")}
        taken = {**source, "extract": {"column": column.name}}
        kind = _kind(column.type)
        if is_image(column.type):
            yield {**field, "dataType": "sc:ImageObject", "source": taken | {"transform": {"jsonPath": "bytes"}}}
        elif kind is not None:
            yield {**field, "dataType": kind, "source": taken}
        elif pa.types.is_struct(column.type):
            inner = [
                {
                    "@type": "cr:Field",
                    "@id": f"{records}/{column.name}/{part.name}",
                    "dataType": _kind(part.type),
                    "source": taken | {"transform": {"jsonPath": part.name}},
                }
                for part in column.type
                if _kind(part.type) is not None
            ]
            if inner:
                yield {**field, "subField": inner}


def _kind(arrow: pa.DataType) -> str | None:
    return next((name for fits, name in _KINDS if fits(arrow)), None)
