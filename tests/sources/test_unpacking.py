"""Packed files are read as far as what comes out of them fits their size."""

import bz2
import gzip
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.sources.unpacking import FREE_BYTES, check_unpacked, read_unpacked

PACKERS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "bz2": bz2.compress}


@pytest.mark.parametrize("suffix", PACKERS)
def test_what_fits_is_read(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"map.json.{suffix}"
    path.write_bytes(PACKERS[suffix](b"[1, 2]"))
    assert read_unpacked(path) == b"[1, 2]"
    check_unpacked(path)


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_bomb_is_refused_before_it_is_in_memory(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"map.json.{suffix}"
    path.write_bytes(PACKERS[suffix](b" " * (FREE_BYTES + 1)))
    for read in (read_unpacked, check_unpacked):
        with pytest.raises(ConfigError, match=r"unpack to more than 20,000,000") as caught:
            read(path)
        assert caught.value.problems[0].where == str(path)


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("damage", [lambda data: data[:-4], lambda data: b"x" + data[1:], lambda _: b"\x1f\x8b"])
def test_a_damaged_file_is_named(damage: Callable[[bytes], bytes], suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"map.osm.{suffix}"
    path.write_bytes(damage(PACKERS[suffix](b"<osm/>" * 1_000)))
    with pytest.raises(ConfigError, match="cannot be read"):
        check_unpacked(path)


def varint(number: int) -> bytes:
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def pbf_blob(content: bytes, raw_size: int, *, size_first: bool) -> bytes:
    """One blob of an OSM PBF, with its header."""
    packed = zlib.compress(content)
    size, data = b"\x10" + varint(raw_size), b"\x1a" + varint(len(packed)) + packed
    blob = size + data if size_first else data + size
    header = b"\x0a\x07OSMData\x18" + varint(len(blob))
    return struct.pack(">I", len(header)) + header + blob


@pytest.mark.parametrize("size_first", [True, False])
def test_the_blobs_of_a_pbf_are_added_up(size_first: bool, tmp_path: Path) -> None:
    path = tmp_path / "map.osm.pbf"
    content = b"\0" * 1_000_000
    path.write_bytes(pbf_blob(content, len(content), size_first=size_first) * 19)
    check_unpacked(path)
    path.write_bytes(pbf_blob(content, len(content), size_first=size_first) * 21)
    with pytest.raises(ConfigError, match="unpack to more than"):
        check_unpacked(path)


@pytest.mark.parametrize("data", [b"\0\0", b"\0\0\0\xff" + b"\x0f" * 300, b"\0\0\0\x04" + b"\xff" * 12])
def test_what_is_no_pbf_is_named(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "map.osm.pbf"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match="cannot be read"):
        check_unpacked(path)
