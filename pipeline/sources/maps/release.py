"""A release of Overture Maps: GeoParquet by theme and type, in a folder or a bucket, read where a region lies.

The layout is `theme=.../type=.../*.parquet` with a struct column `bbox` that row groups are sorted by
(https://docs.overturemaps.org/getting-data/), so that a city is read without most of the planet being touched.
"""

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import reduce
from operator import or_
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow import fs

from pipeline.cartography.features import as_utc
from pipeline.errors import MachineError, SiteError
from pipeline.geo.window import Box
from schemas.reasons import Reason

_COMMON = ("id", "geometry", "bbox", "names", "subtype", "class")
TYPES: dict[str, tuple[str, tuple[str, ...]]] = {
    "place": ("places", ("categories", "taxonomy", "basic_category", "confidence", "operating_status")),
    "segment": ("transportation", ("subclass", "road_flags", "rail_flags", "level_rules")),
    "building": ("buildings", ("height", "num_floors", "is_underground", "level")),
    "infrastructure": ("base", ("level", "source_tags")),
    "land": ("base", ()),
    "land_use": ("base", ("level", "source_tags")),
    "water": ("base", ("level", "source_tags")),
}
"""The types that are read, their themes, and the columns that they have beside the common ones."""
_DATE = re.compile(r"(?<![0-9])([0-9]{4}-[0-9]{2}-[0-9]{2})(?![0-9])")
_MOST_ROWS = 20_000_000
"""Maximum number of rows of one type around one region; the buildings of the largest cities are a few million."""
_FILES_AT_ONCE = 8


class Release:
    """A release, opened when it is first read. Threads may share it."""

    def __init__(self, where: str, bucket: fs.FileSystem | None) -> None:
        """Open nothing yet.

        Args:
            where: folder, or bucket and prefix without the scheme.
            bucket: the file system of the bucket (`pipeline.sources.maps.bucket`); None for a folder.
        """
        self.where = where.rstrip("/")
        self._in_bucket = bucket is not None
        self._system = fs.LocalFileSystem() if bucket is None else bucket

    @property
    def shown(self) -> str:
        """As messages name it."""
        return f"s3://{self.where}" if self._in_bucket else self.where

    @property
    def date(self) -> datetime | None:
        """The date that stands in the path, as in `release/2026-10-21.0`."""
        found = _DATE.search(PurePosixPath(self.where).as_posix())
        return as_utc(found[1]) if found else None

    def types(self) -> list[str]:
        """Which of `TYPES` are there.

        Raises:
            SiteError: the bucket cannot be reached.
            MachineError: it may not be read, or there is no release at the path; says what is there instead.
        """
        with _explained(self.shown):
            there = {kind: self._system.get_file_info(self._folder(kind)).type for kind in TYPES}
            found = [kind for kind, what in there.items() if what is fs.FileType.Directory]
            if found:
                return found
            beside = self._listed(self.where) or self._listed(str(PurePosixPath(self.where).parent))
        raise MachineError(
            f"{self.shown} holds no Overture release (folders theme=places/type=place and the like); "
            f"found there or beside it: {', '.join(beside) or 'nothing'}; correct `release` in the map source's section"
        )

    def read(self, kind: str, boxes: Sequence[Box]) -> pa.Table:
        """The rows of a type that meet one of the boxes, with the columns that are used; `names` without its rules.

        Rows beside them that have no sound `bbox` come, too: of those the geometry tells.

        Raises:
            SiteError: the bucket cannot be reached, a file is broken, or there is more than any region holds.
            MachineError: it may not be read.
        """
        with _explained(self.shown):
            data = ds.dataset(self._folder(kind), filesystem=self._system, format="parquet")
            _check_columns(data.schema, f"{self.shown}, {kind}")
            data = data.replace_schema(_all_columns(data))
            columns = {name: pc.field(name) for name in (*_COMMON, *TYPES[kind][1]) if name in data.schema.names}
            columns |= {side: pc.field("bbox", side) for side in ("xmin", "ymin", "xmax", "ymax")}
            del columns["bbox"]
            if columns.pop("names", None) is not None:
                columns |= {"name": pc.field("names", "primary"), "common": pc.field("names", "common")}
            meets, unset, unsound = _meets(boxes), _unset(), _unsound()
            with ThreadPoolExecutor(_FILES_AT_ONCE, "release") as threads:
                files = list(threads.map(lambda file: file.subset(meets | unset, data.schema), data.get_fragments()))
                rows = sum(group.num_rows for file in files for group in file.row_groups)
                if rows > _MOST_ROWS:
                    found = f"{self.shown}: {rows:,} rows of {kind} around one region; at most {_MOST_ROWS:,} are read"
                    raise SiteError(Reason.ANSWER_TOO_LARGE, found)
                near = [file for file in files if file.row_groups]
                wanted = meets | unset | unsound
                tables = list(threads.map(lambda file: _rows(file, data.schema, columns, wanted), near))
            empty = data.scanner(columns=columns).projected_schema.empty_table()
            return pa.concat_tables([empty, *tables])

    def _folder(self, kind: str) -> str:
        return f"{self.where}/theme={TYPES[kind][0]}/type={kind}"

    def _listed(self, folder: str) -> list[str]:
        infos = self._system.get_file_info(fs.FileSelector(folder, allow_not_found=True))
        return sorted(info.base_name for info in infos)[-12:]


def _all_columns(data: ds.Dataset) -> pa.Schema:
    """The columns of all files: Arrow takes those of the first, so that a status in a later one would be lost."""
    fields = {field.name: field for field in data.schema}
    with ThreadPoolExecutor(_FILES_AT_ONCE, "release") as threads:
        for schema in threads.map(lambda file: file.physical_schema, data.get_fragments()):
            fields = {field.name: field for field in schema} | fields
    return pa.schema(list(fields.values()))


def _meets(boxes: Sequence[Box]) -> pc.Expression:
    x0, y0, x1, y1 = (pc.field("bbox", side) for side in ("xmin", "ymin", "xmax", "ymax"))
    found = None
    for west, south, east, north in boxes:
        meets = (x0 <= east) & (x1 >= west) & (y0 <= north) & (y1 >= south)
        found = meets if found is None else found | meets
    return found


def _unset() -> pc.Expression:
    """Whether a side is null. Statistics say how many are, so this makes no row group worth a look that has none."""
    return reduce(or_, (pc.field("bbox", side).is_null() for side in ("xmin", "ymin", "xmax", "ymax")))


def _unsound() -> pc.Expression:
    """Whether sides are NaN, or the wrong way round. Statistics tell neither."""
    x0, y0, x1, y1 = (pc.field("bbox", side) for side in ("xmin", "ymin", "xmax", "ymax"))
    return ~((x0 <= x1) & (y0 <= y1))


def _check_columns(schema: pa.Schema, where: str) -> None:
    """Refuse a table without what all tables of a release have.

    Raises:
        SiteError: BAD_ANSWER.
    """
    kinds = {name: schema.field(name).type for name in ("id", "geometry", "bbox") if schema.names.count(name) == 1}
    sides = kinds.get("bbox", pa.null())
    bounded = pa.types.is_struct(sides) and all(
        sides.get_field_index(side) >= 0 and pa.types.is_floating(sides.field(side).type)
        for side in ("xmin", "ymin", "xmax", "ymax")
    )
    shape = kinds.get("geometry", pa.null())
    shaped = pa.types.is_binary(shape) or pa.types.is_large_binary(shape)
    if not bounded or not shaped or "id" not in kinds:
        found = ", ".join(f"{name} of type {kind}" for name, kind in kinds.items()) or "none of them"
        raise SiteError(Reason.BAD_ANSWER, f"{where}: columns id, geometry (WKB) and bbox are needed; found {found}")


def _rows(file: Any, schema: pa.Schema, columns: dict[str, Any], wanted: Any) -> pa.Table:
    """The wanted rows of a file whose row groups are chosen."""
    return file.to_table(schema=schema, columns=columns, filter=wanted, use_threads=False)


@contextmanager
def _explained(where: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowKeyError, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise SiteError(Reason.BAD_ANSWER, f"{where} is not as Overture's releases are: {error}") from error
    except OSError as error:
        raise SiteError(Reason.READ_FAILED, f"{where}: {error}") from error
