"""GeoParquet tables, checked to hold WGS84 geometry."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyproj import CRS
from pyproj.exceptions import CRSError

from pipeline.errors import ConfigError, Problem
from pipeline.geo.window import Box


def geometry_column(path: Path) -> str | None:
    """Name of a Parquet file's geometry column (WKB, longitude first); None if it has none.

    Follows the GeoParquet 1.1 file metadata; a file without it may have a binary column `geometry`.

    Raises:
        ConfigError: it is no Parquet file, or its geometry is in another encoding or coordinate system.
    """
    schema = _schema(path)
    try:
        meta = json.loads((schema.metadata or {}).get(b"geo", b"null"))
        column = None if meta is None else meta["columns"][meta["primary_column"]]
        name: str | None = None if meta is None else meta["primary_column"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError([Problem(str(path), f"broken GeoParquet metadata ({error!r})", "GeoParquet 1.x")]) from error
    if column is None:
        return "geometry" if "geometry" in schema.names else None
    if column.get("encoding") != "WKB":
        raise ConfigError([Problem(str(path), f"geometry in encoding {column.get('encoding')}", "encoding WKB")])
    if not is_wgs84(column.get("crs", "OGC:CRS84")):
        raise ConfigError([Problem(str(path), "coordinates in another system", "OGC:CRS84, longitude first")])
    return name


def read_rows(path: Path, boxes: Sequence[Box] | None = None) -> list[dict[str, Any]]:
    """Rows as dictionaries, without the column `bbox`.

    Args:
        path: the file.
        boxes: if given and the file has a `bbox` column, only rows that meet one of them are read; row groups that
            cannot are not touched.

    Raises:
        ConfigError: it cannot be read.
    """
    schema = _schema(path)
    where = None
    if boxes and "bbox" in schema.names and pa.types.is_struct(schema.field("bbox").type):
        for west, south, east, north in boxes:
            x0, y0, x1, y1 = (pc.field("bbox", key) for key in ("xmin", "ymin", "xmax", "ymax"))
            meets = (x0 <= east) & (x1 >= west) & (y0 <= north) & (y1 >= south)
            where = meets if where is None else where | meets
    columns = [name for name in schema.names if name != "bbox"]
    try:
        table = pq.read_table(path, columns=columns, filters=where)
        rows: list[dict[str, Any]] = table.to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    return rows


def is_wgs84(crs: Any) -> bool:
    """Whether a CRS (PROJJSON, authority code or null for unknown) is WGS84 in degrees."""
    if crs is None:
        return False
    try:
        known = CRS.from_user_input(crs)
    except CRSError:
        return False
    return any(known.equals(CRS(code), ignore_axis_order=True) for code in ("OGC:CRS84", "EPSG:4326", "EPSG:4979"))


def _schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ConfigError:
    return ConfigError([Problem(str(path), f"a file that cannot be read ({error})", "a whole Parquet file")])
