"""Strategies of files that are nearly valid inside their packing: GeoParquet, vector tiles, OSM PBF, PMTiles."""

import copy
import gzip
import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from tests.fuzz.mutations import (
    ODD,
    Bytes,
    spoilt,
)

RANDOM = st.randoms(use_true_random=False)


_GEO: Any = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}}


def geoparquet(rows: list[dict[str, Any]]) -> bytes:
    """A GeoParquet file of rows."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows).replace_schema_metadata({"geo": json.dumps(_GEO)}), sink)
    found: bytes = sink.getvalue().to_pybytes()
    return found


def nearly_parquet(tables: Sequence[list[dict[str, Any]]]) -> Bytes:
    """GeoParquet files of rows, with some values, columns and bytes changed."""

    def made(chance: Any, number: int) -> bytes:
        rows = [dict(row) for row in chance.choice(list(tables))]
        columns = {key: [row.get(key) for row in rows] for row in rows for key in row}
        for _ in range(number):
            key = chance.choice(sorted(columns))
            action = chance.randrange(6)
            if action == 0:
                columns[key] = [copy.deepcopy(chance.choice(ODD))] * len(rows)
            elif action == 1:
                columns[key] = [spoilt(chance, value, 1) if _plain(value) else value for value in columns[key]]
            elif action == 2 and len(columns) > 1:
                del columns[key]
            elif action == 3:
                columns[key] = columns[chance.choice(sorted(columns))]
            elif action == 4 and isinstance(columns[key][0], bytes):
                columns[key] = [_changed(chance, value or b"") for value in columns[key]]
            else:
                columns[chance.choice(["x", "bbox", "geometry", "id", "names", "heading"])] = columns[key]
        geo = spoilt(chance, _GEO, 1) if chance.random() < 0.2 else _GEO
        arrays = {}
        for name, values in columns.items():
            with suppress(pa.ArrowException, OverflowError, UnicodeError, TypeError, ValueError):
                arrays[name] = pa.array(values)
        sink = pa.BufferOutputStream()
        table = pa.table(arrays).replace_schema_metadata({"geo": json.dumps(geo)} if "geometry" in arrays else None)
        with suppress(pa.ArrowException):
            pq.write_table(table, sink, compression=chance.choice(["snappy", "none", "zstd"]))
        data = sink.getvalue().to_pybytes()
        return _changed(chance, data) if data and chance.random() < 0.4 else data

    return st.builds(made, RANDOM, st.integers(0, 4))


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float | list | dict)


def _changed(chance: Any, data: bytes) -> bytes:
    """Bytes with one or two places changed."""
    changed = bytearray(data)
    for _ in range(chance.choice([1, 2])):
        place = chance.randrange(len(changed) + 1)
        changed[place : place + chance.choice([0, 1, 4])] = chance.choice([b"\xff" * 4, b"\0" * 4, b"\x7f", b""])
    return bytes(changed)


def nearly_tile(sound: Any) -> Bytes:
    """Vector tiles with changed commands, attributes and fields."""

    def made(chance: Any, number: int) -> bytes:
        tile = copy.deepcopy(sound)
        for _ in range(number):
            if not tile.layers:
                break
            layer = chance.choice(tile.layers)
            action = chance.randrange(9)
            odd = chance.choice([0, 1, 2, 7, 9, 15, 26, 2**20, 2**31, 2**32 - 1, chance.randrange(9_000)])
            feature = chance.choice(layer.features) if layer.features else layer.features.add()
            if action == 0 and feature.geometry:
                feature.geometry[chance.randrange(len(feature.geometry))] = odd
            elif action == 1:
                feature.geometry.append(odd)
            elif action == 2 and feature.geometry:
                del feature.geometry[chance.randrange(len(feature.geometry))]
            elif action == 3:
                feature.tags.extend([odd] * chance.choice([1, 2]))
            elif action == 4:
                feature.type = chance.randrange(4)
            elif action == 5:
                layer.extent = odd
            elif action == 6:
                layer.ClearField(chance.choice(["version", "name", "extent", "keys", "values", "features"]))
            elif action == 7:
                layer.features.extend([feature] * chance.choice([1, 200]))
            elif layer.values:
                value = chance.choice(layer.values)
                value.Clear()
                with suppress(ValueError, TypeError, OverflowError):
                    field = chance.choice(["string_value", "int_value", "uint_value", "double_value", "bool_value"])
                    setattr(value, field, chance.choice(ODD))
        data: bytes = tile.SerializePartialToString()
        return data

    return st.builds(made, RANDOM, st.integers(1, 5))


def nearly_pbf(sound: bytes) -> Bytes:
    """OSM PBF files whose blocks are changed inside their sound packing."""
    blobs = list(_blobs(sound))

    def made(chance: Any) -> bytes:
        changed = list(blobs)
        place = chance.randrange(len(changed))
        kind, raw = changed[place]
        changed[place] = kind, _changed(chance, raw)
        return b"".join(_blob(kind, raw) for kind, raw in changed)

    return st.builds(made, RANDOM)


def _blobs(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and unpacked content of each blob; the file was written by osmium, fields in order."""
    place = 0
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        header = _message(data[place + 4 : place + 4 + length])
        start = place + 4 + length
        blob = _message(data[start : start + header[3]])
        yield header[1], blob[1] if 1 in blob else zlib.decompress(blob[3])
        place = start + header[3]


def _message(data: bytes) -> dict[int, Any]:
    """The fields of a protocol buffer's message that are numbers or bytes."""
    found: dict[int, Any] = {}
    place = 0
    while place < len(data):
        key, place = _number(data, place)
        value, place = _number(data, place)
        if key & 7 == 2:
            found[key >> 3] = data[place : place + value]
            place += value
        else:
            found[key >> 3] = value
    return found


def _number(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[place] & 127) << shift
        place, shift = place + 1, shift + 7
        if data[place - 1] < 128:
            return value, place


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def _blob(kind: bytes, raw: bytes) -> bytes:
    packed = zlib.compress(raw)
    blob = b"\x10" + _varint(len(raw)) + b"\x1a" + _varint(len(packed)) + packed
    header = b"\x0a" + _varint(len(kind)) + kind + b"\x18" + _varint(len(blob))
    return struct.pack(">I", len(header)) + header + blob


def nearly_archive(sound: bytes) -> Bytes:
    """PMTiles archives with changed headers, or changed directories and metadata inside their sound packing."""

    def made(chance: Any) -> bytes:
        data = bytearray(sound)
        action = chance.randrange(3)
        if action == 0:
            place = 7 + chance.randrange(120)
            data[place : place + 1] = bytes([chance.choice([0, 1, 2, 3, 4, 5, 127, 255])])
            return bytes(data)
        # The root directory and the metadata: where they lie stands in the header, 8 bytes each.
        at = 8 if action == 1 else 24
        first, length = struct.unpack_from("<QQ", data, at)
        inner = gzip.decompress(bytes(data[first : first + length]))
        changed = gzip.compress(_changed(chance, inner), mtime=0)
        struct.pack_into("<QQ", data, at, len(data), len(changed))
        return bytes(data) + changed

    return st.builds(made, RANDOM)
