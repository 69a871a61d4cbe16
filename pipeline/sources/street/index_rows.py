"""The raw rows of an index of street photos, by the file's format: JSON Lines, CSV, GeoParquet."""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from pipeline.boundary import reading
from pipeline.errors import Problem
from pipeline.geo.wkb import read_wkb
from pipeline.sources.geoparquet import check_srids, geometry_column, read_rows

Rows = Iterator[tuple[str, dict[str, Any] | Problem]]
"""Where each row stands in the file, and its fields or what is wrong with it."""


def _jsonl(index: Path) -> Rows:
    for number, line in enumerate(_text(index).split("\n"), 1):
        where = f"{index.name}:{number}"
        if not line.strip():
            continue
        try:
            row = from_json(line)
        except ValueError as error:
            yield where, Problem(where, f"broken JSON ({error})", "one JSON object a line")
            continue
        yield where, row if isinstance(row, dict) else Problem(where, repr(row)[:80], "one JSON object a line")


def _csv(index: Path) -> Rows:
    reader = csv.DictReader(io.StringIO(_text(index), newline=""), strict=True)
    try:
        columns = reader.fieldnames or []
        twice = sorted({name for name in columns if columns.count(name) > 1})
        if twice:
            yield index.name, Problem(f"{index.name}:1", f"{', '.join(twice)} twice", "each column once")
            return
        for row in reader:
            where = f"{index.name}:{reader.line_num}"
            if None in row or None in row.values():
                yield where, Problem(where, "more or fewer cells than the header", "one cell a column")
            else:
                yield where, row
    except csv.Error as error:
        where = f"{index.name}:{reader.line_num}"
        yield where, Problem(where, f"broken CSV ({error})", "comma-separated values with a header")


def _parquet(index: Path) -> Rows:
    column = geometry_column(index)
    for number, row in enumerate(read_rows(index), 1):
        where = f"{index.name}:{number}"
        if column is None:
            yield where, row
            continue
        with reading(index, "a whole Parquet file"):
            geometries = read_wkb([row.pop(column)])
            check_srids(index, geometries)
            point = geometries[0]
        if point is None or point.geom_type != "Point" or point.is_empty:
            yield where, Problem(f"{where} {column}", "no point", "a WKB point")
        elif "lat" in row or "lon" in row:
            yield where, Problem(where, f"a position in {column} and in lat, lon", "one of the two")
        else:
            yield where, row | {"lon": point.x, "lat": point.y}


def _text(index: Path) -> str:
    with reading(index, "UTF-8 text"):
        return index.read_text(encoding="utf-8-sig")


READERS: dict[str, Callable[[Path], Rows]] = {".jsonl": _jsonl, ".csv": _csv, ".parquet": _parquet}
"""By the suffix of the file's name."""
