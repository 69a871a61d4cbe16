"""Packed local files, read only as far as what comes out of them is in proportion to what is on the disk."""

import bz2
import gzip
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.errors import ConfigError, Problem

FREE_BYTES = 20_000_000
"""A file may always unpack to so much."""
MOST_RATIO = 50
"""Beyond that, to so many times its own size. Map data and JSON are packed to a 10th or 20th."""
_PIECE = 1 << 20
_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}
_BROKEN = (OSError, EOFError, zlib.error, ValueError)


def allowed_bytes(path: Path) -> int:
    """How large a file's content may be, unpacked."""
    return max(FREE_BYTES, MOST_RATIO * path.stat().st_size)


def read_unpacked(path: Path) -> bytes:
    """A file's bytes; unpacked if its name ends in `.gz` or `.bz2`.

    Raises:
        ConfigError: it cannot be read, is damaged, or unpacks to more than `allowed_bytes`.
    """
    return b"".join(unpacked(path))


def unpacked(path: Path) -> Iterator[bytes]:
    """The content of `read_unpacked` in pieces.

    Raises:
        ConfigError: as `read_unpacked`.
    """
    opener = _OPENERS.get(path.suffix.lower())
    size = 0
    try:
        most = allowed_bytes(path)
        with (opener or open)(path, "rb") as file:
            while piece := file.read(_PIECE):
                size += len(piece)
                if opener and size > most:
                    raise too_large(path, most)
                yield piece
    except _BROKEN as error:
        raise ConfigError([Problem(str(path), f"a file that cannot be read ({error})", "a whole file")]) from error


def check_unpacked(path: Path) -> None:
    """Refuse a packed file that a library is to read by itself, as `read_unpacked` does. Others are not read.

    Raises:
        ConfigError: as `read_unpacked`.
    """
    if path.suffix.lower() in _OPENERS:
        for _ in unpacked(path):
            pass
    elif path.suffix.lower() == ".pbf":
        _check_pbf(path)


def too_large(path: Path, most: int) -> ConfigError:
    """The error that a file unpacks to more than is allowed."""
    found = f"{path.stat().st_size:,} bytes that unpack to more than {most:,}"
    allowed = f"at most {MOST_RATIO} times the file's own size; unpack the file if it is sound"
    return ConfigError([Problem(str(path), found, allowed)])


def _check_pbf(path: Path) -> None:
    """Add up what the blobs of an OSM PBF say they unpack to; libosmium holds them to it.

    Format: https://wiki.openstreetmap.org/wiki/PBF_Format, "File format".
    """
    most, size = allowed_bytes(path), 0
    try:
        with path.open("rb") as file:
            while start := file.read(4):
                header = _fields(file, *struct.unpack(">I", start))
                blob_bytes = header.get(3, 0)  # BlobHeader.datasize
                size += _fields(file, blob_bytes).get(2, blob_bytes)  # Blob.raw_size
                if size > most:
                    raise too_large(path, most)
    except (OSError, struct.error, ValueError) as error:
        raise ConfigError([Problem(str(path), f"a file that cannot be read ({error})", "whole OSM PBF")]) from error


def _fields(file: BinaryIO, length: int) -> dict[int, int]:
    """The numbers of a protocol buffer's message by field; texts and bytes are skipped."""
    found: dict[int, int] = {}
    end = file.tell() + length
    while file.tell() < end:
        key, value = _varint(file), _varint(file)
        if key & 7 == 0:
            found[key >> 3] = value
        elif key & 7 == 2:
            file.seek(value, 1)
        else:
            raise ValueError("not the fields of a blob")
    return found


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 64, 7):
        byte = file.read(1)
        if not byte:
            break
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    raise ValueError("a number that has no end")
