"""GeoParquet tables, checked to hold WGS84 geometry, and to unpack to no more than fits their size.

A few hundred bytes of Parquet can stand for gigabytes: a text that is stored once may be named in a million rows. So
texts are counted before rows are made of them.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

from pipeline.boundary import reading
from pipeline.errors import ConfigError, Problem
from pipeline.geo.window import Box
from pipeline.sources.parquet_footer import Chunk, read_footer
from pipeline.sources.unpacking import allowed_bytes, too_large

_SOUND = "a whole Parquet file"
_LON_LAT = "OGC:CRS84, longitude first"
_SRIDS = frozenset({-1, 0, 4326, 4979})
"""Of WGS 84, of nothing said (0), and of no geometry (-1)."""
_FREE_VALUES = 2_000_000
"""Values that a table may always have, nulls included."""
_VALUES_PER_BYTE = 20
"""Beyond that, for each byte of the file. Wide tables of map features are mostly nulls, some 5 a byte."""
_ROWS_AT_ONCE = 4_096
_LEAST_ROWS_AT_ONCE = 16
_BYTES_AT_ONCE = 256_000_000
"""Maximum size of one column, should each row have all the text that the file holds."""


def geometry_column(path: Path) -> str | None:
    """Name of a Parquet file's geometry column (WKB, longitude first); None if it has none.

    Follows the GeoParquet 1.1 file metadata; a file without it may have a binary column `geometry`, of which GeoArrow's
    metadata may tell the coordinate system.

    Raises:
        ConfigError: it is no Parquet file, or its geometry is in another encoding or coordinate system.
    """
    with reading(path, _SOUND):
        schema = pq.read_schema(path)
    try:
        meta = json.loads((schema.metadata or {}).get(b"geo", b"null"))
        name = "geometry" if meta is None else meta["primary_column"]
        column = {"encoding": "WKB"} | _geoarrow(schema, name) if meta is None else dict(meta["columns"][name])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError([Problem(str(path), f"broken GeoParquet metadata ({error!r})", "GeoParquet 1.x")]) from error
    if meta is None and name not in schema.names:
        return None
    if column.get("encoding") != "WKB":
        raise ConfigError([Problem(str(path), f"geometry in encoding {column.get('encoding')}", "encoding WKB")])
    if not is_wgs84(column.get("crs", "OGC:CRS84")):
        raise ConfigError([Problem(str(path), f"coordinates in {_named(column['crs'])}", _LON_LAT)])
    kind = schema.field(name).type if schema.names.count(name) == 1 else None
    if kind is None or not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        raise ConfigError([Problem(str(path), f"a column {name} of type {kind}", "one binary column, with WKB")])
    return str(name)


def read_rows(path: Path, boxes: Sequence[Box] | None = None) -> list[dict[str, Any]]:
    """Rows as dictionaries, without the column `bbox`.

    Args:
        path: the file.
        boxes: if given and the file has a `bbox` column, only rows that meet one of them are read; row groups that
            cannot are not touched.

    Raises:
        ConfigError: it cannot be read, or unpacks to more than its size allows.
    """
    with reading(path, _SOUND):
        footer = read_footer(path)
        texts = [chunk for group in footer for chunk in group if chunk.text]
        # Arrow cannot keep texts below lists and structs, or stored as what they add to the one before: of such few
        # rows are read at a time.
        others = {chunk.path for chunk in texts if "." in chunk.path or chunk.deltas}
        longest = max((chunk.unpacked_bytes for chunk in texts if chunk.path in others), default=1)
        at_once = max(_LEAST_ROWS_AT_ONCE, min(_ROWS_AT_ONCE, _BYTES_AT_ONCE // max(longest, 1)))
        file = pq.ParquetFile(path, read_dictionary=sorted({chunk.path for chunk in texts} - others))
        bounded = bool(boxes) and _has_bounds(file.schema_arrow)
        groups = [i for i, group in enumerate(footer) if not bounded or _may_meet(group, boxes or ())]
        _check_size(path, [footer[i] for i in groups])
        columns = [name for name in file.schema_arrow.names if name != "bbox"]
        rows: list[dict[str, Any]] = []
        left = most = allowed_bytes(path)
        for batch in file.iter_batches(at_once, groups, columns=[*columns, "bbox"] if bounded else columns):
            if bounded:
                batch = batch.filter(_meet(batch.column("bbox"), boxes or ()))  # noqa: PLW2901
            left -= sum(_text_bytes(batch.column(name)) for name in columns)
            if left < 0:
                raise too_large(path, most)
            rows += batch.select(columns).to_pylist()
        return rows


def check_srids(path: Path, geometries: NDArray[np.object_]) -> None:
    """Refuse WKB in the form of PostGIS that names another coordinate system than the file may have.

    Raises:
        ConfigError: naming the system.
    """
    others = sorted(set(shapely.get_srid(geometries).tolist()) - _SRIDS)
    if others:
        raise ConfigError([Problem(str(path), f"geometry with SRID {', '.join(map(str, others[:5]))}", _LON_LAT)])


def is_wgs84(crs: Any) -> bool:
    """Whether a CRS (PROJJSON, authority code or null for unknown) is WGS84 in degrees."""
    if crs is None:
        return False
    try:
        known = CRS.from_user_input(crs)
    except (CRSError, TypeError, ValueError, RecursionError):
        return False
    return any(known.equals(CRS(code), ignore_axis_order=True) for code in ("OGC:CRS84", "EPSG:4326", "EPSG:4979"))


def _geoarrow(schema: pa.Schema, name: str) -> dict[str, Any]:
    """The coordinate system of a column by GeoArrow's extension metadata, which Arrow keeps in the file; or nothing."""
    told = (schema.field(name).metadata or {}) if schema.names.count(name) == 1 else {}
    crs = json.loads(told.get(b"ARROW:extension:metadata") or b"{}").get("crs")
    return {} if crs is None else {"crs": crs}


def _named(crs: Any) -> str:
    """A coordinate system, for a message: its name or code where it has one."""
    known = crs if isinstance(crs, dict) else {}
    identity = known.get("id")
    name = known.get("name") or (identity.get("code") if isinstance(identity, dict) else None) or crs
    return f"system {name}"[:200] if name else "an unnamed system"


def _check_size(path: Path, groups: Sequence[Sequence[Chunk]]) -> None:
    size, most = path.stat().st_size, allowed_bytes(path)
    values = sum(chunk.values for group in groups for chunk in group)
    if values > max(_FREE_VALUES, _VALUES_PER_BYTE * size):
        found = f"{size:,} bytes that stand for {values:,} values"
        raise ConfigError([Problem(str(path), found, f"at most {_VALUES_PER_BYTE} for each byte")])
    if sum(chunk.unpacked_bytes for group in groups for chunk in group) > most:
        raise too_large(path, most)


def _has_bounds(schema: pa.Schema) -> bool:
    """Whether there is a column `bbox` as GeoParquet's covering has it."""
    if schema.names.count("bbox") != 1 or not pa.types.is_struct(schema.field("bbox").type):
        return False
    kind = schema.field("bbox").type
    sides = [kind.field(side).type for side in ("xmin", "ymin", "xmax", "ymax") if kind.get_field_index(side) >= 0]
    return len(sides) == 4 and all(map(pa.types.is_floating, sides))


def _may_meet(group: Sequence[Chunk], boxes: Sequence[Box]) -> bool:
    """Whether a row group's statistics leave it open that a row meets a box."""
    ends = {chunk.path.removeprefix("bbox."): chunk.bounds for chunk in group if chunk.path.startswith("bbox.")}
    x0, y0, x1, y1 = (ends.get(side) for side in ("xmin", "ymin", "xmax", "ymax"))
    if x0 is None or y0 is None or x1 is None or y1 is None:
        return True
    return any(
        x0[0] <= east and x1[1] >= west and y0[0] <= north and y1[1] >= south for west, south, east, north in boxes
    )


def _meet(bounds: Any, boxes: Sequence[Box]) -> Any:
    """Which rows meet one of the boxes, or have no bounds or none that are numbers: of those the geometry tells."""
    x0, y0, x1, y1 = (pc.struct_field(bounds, side) for side in ("xmin", "ymin", "xmax", "ymax"))
    found = pa.array(np.zeros(len(bounds), bool))
    for west, south, east, north in boxes:
        across = pc.or_(pc.greater(x0, east), pc.less(x1, west))
        beyond = pc.or_(across, pc.or_(pc.greater(y0, north), pc.less(y1, south)))
        found = pc.or_(found, pc.invert(pc.fill_null(beyond, fill_value=False)))
    return found


def _text_bytes(column: Any) -> int:
    """Bytes of all texts in a column and below it, each as often as it is named."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        lengths = pc.binary_length(column.dictionary)
        return int(pc.sum(pc.cast(lengths.take(column.indices), pa.int64())).as_py() or 0)
    if pa.types.is_map(kind):
        return _text_bytes(column.keys) + _text_bytes(column.items)
    if pa.types.is_struct(kind):
        return sum(_text_bytes(part) for part in column.flatten())
    if pa.types.is_nested(kind):
        return _text_bytes(column.flatten())
    try:
        return int(pc.sum(pc.cast(pc.binary_length(column), pa.int64())).as_py() or 0)
    except pa.ArrowNotImplementedError:  # neither texts nor bytes
        return 0
