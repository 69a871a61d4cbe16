"""PMTiles archives (version 3): one file that holds a pyramid of tiles, on disk or read in ranges over the network.

Format: https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md. What an archive says of itself is not believed:
sizes, offsets, depths and numbers of entries are bounded before anything is read or decompressed by them.
"""

import gzip
import io
import json
import os
import re
import threading
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pmtiles.tile import (
    Compression,
    Entry,
    SpecVersionUnsupported,
    TileType,
    deserialize_directory,
    deserialize_header,
    find_tile,
    read_varint,
    zxy_to_tileid,
)

from pipeline.errors import SiteError
from pipeline.net.base import Session
from pipeline.sources.range_file import RangeFile
from schemas.reasons import Reason

_HEADER = 127
_DEPTH = 4
"""Directories from the root to a tile; the spec's own reader goes no deeper."""
_MOST_DIRECTORY = 4 * 2**20
_MOST_METADATA = 16 * 2**20
_MOST_TILE = 8 * 2**20
"""Bytes, decompressed."""
_MOST_ENTRIES = 200_000
_KEPT = 8
"""Directories kept in memory."""
_LONGEST_VARINT = re.compile(rb"[\x80-\xff]{10}")


class Parts(Protocol):
    """Where an archive's bytes come from."""

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Ranges (first byte, length); shorter at the end of the file.

        Raises:
            SiteError: they cannot be had.
        """
        ...


class _LocalFile:
    """A file on disk. Threads may share it."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """As `Parts.read_many`."""
        try:
            with self._path.open("rb") as file:
                return [os.pread(file.fileno(), length, first) for first, length in ranges]
        except OSError as error:
            raise SiteError(Reason.READ_FAILED, f"{self._path.name}: {error.strerror}") from error


@dataclass(frozen=True)
class Header:
    """The header of an archive."""

    tile_type: TileType
    tile_compression: Compression
    min_zoom: int
    max_zoom: int
    bounds: tuple[float, float, float, float]
    """West, south, east, north in degrees."""
    root: tuple[int, int]
    """First byte and length, likewise the other sections."""
    metadata: tuple[int, int]
    leaves: tuple[int, int]
    tiles: tuple[int, int]
    internal_compression: Compression


class Archive:
    """An archive, read when it is first asked for something. Threads may share it."""

    def __init__(self, name: str, parts: Parts) -> None:
        self.name = name
        self._parts = parts
        self._lock = threading.Lock()
        self._header: Header | None = None
        self._directories: OrderedDict[tuple[int, int], list[Entry]] = OrderedDict()

    @property
    def header(self) -> Header:
        """Tile type, zooms and bounds.

        Raises:
            SiteError: READ_FAILED where it is no PMTiles archive, or is damaged; or a reason of the network.
        """
        if self._header is None:
            self._header = self._read_header()
        return self._header

    @property
    def metadata(self) -> dict[str, Any]:
        """The archive's own description (name, attribution, vector layers), as JSON gives it.

        Raises:
            SiteError: as `header`.
        """
        header = self.header
        data = self._section(header.metadata, _MOST_METADATA, header.internal_compression, "metadata")
        try:
            found = json.loads(data, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise self._damaged(f"its metadata is no JSON: {error}") from error
        if not isinstance(found, dict):
            raise self._damaged("its metadata is no JSON object")
        return found

    def tile(self, z: int, x: int, y: int) -> bytes | None:
        """A tile's bytes, decompressed; None where the archive has none.

        Raises:
            SiteError: as `header`.
        """
        return self.tiles(z, [(x, y)])[0]

    def tiles(self, z: int, places: Sequence[tuple[int, int]]) -> list[bytes | None]:
        """Tiles (x, y) of one zoom, read at once; None where the archive has none.

        Raises:
            SiteError: as `header`.
        """
        found = {(x, y): self._place(z, x, y) for x, y in places}
        there = [(place, f"tile {z}/{x}/{y}") for (x, y), place in found.items() if place is not None]
        bodies = self._sections(there, _MOST_TILE, self.header.tile_compression)
        tiles = dict(zip((where for where, _ in there), bodies, strict=True))
        return [tiles[place] if (place := found[x, y]) is not None else None for x, y in places]

    def first_tile(self) -> bytes | None:
        """The archive's first tile, to see what its tiles are like; None where it has none at all.

        Raises:
            SiteError: as `header`.
        """
        header = self.header
        where = header.root
        for _ in range(_DEPTH):
            directory = self._directory(where)
            if not directory:
                return None
            if directory[0].run_length > 0:
                place = self._within(header.tiles, directory[0], "the first tile")
                return self._section(place, _MOST_TILE, header.tile_compression, "the first tile")
            where = self._within(header.leaves, directory[0], "a leaf directory")
        raise self._damaged(f"its directories are more than {_DEPTH} deep")

    def _place(self, z: int, x: int, y: int) -> tuple[int, int] | None:
        """First byte and length of a tile."""
        header = self.header
        if not (header.min_zoom <= z <= header.max_zoom and 0 <= x < 2**z and 0 <= y < 2**z):
            return None
        wanted = zxy_to_tileid(z, x, y)
        where = header.root
        for _ in range(_DEPTH):
            entry = find_tile(self._directory(where), wanted)
            if entry is None:
                return None
            if entry.run_length > 0:
                return self._within(header.tiles, entry, f"tile {z}/{x}/{y}")
            where = self._within(header.leaves, entry, "a leaf directory")
        raise self._damaged(f"its directories are more than {_DEPTH} deep")

    def _read_header(self) -> Header:
        (data,) = self._parts.read_many([(0, _HEADER)])
        if len(data) < _HEADER or not data.startswith(b"PMTiles"):
            raise self._damaged("it is no PMTiles archive")
        try:
            told = deserialize_header(data)
        except SpecVersionUnsupported as error:
            raise self._damaged(f"it is of version {data[7]}; 3 is read") from error
        except ValueError as error:
            raise self._damaged(f"its header: {error}") from error
        west, south, east, north = (
            told[f"{end}_{axis}_e7"] / 1e7  # type: ignore[literal-required]  # keys in two parts, for the order
            for end, axis in (("min", "lon"), ("min", "lat"), ("max", "lon"), ("max", "lat"))
        )
        if told["min_zoom"] > told["max_zoom"] or told["max_zoom"] > 30:
            raise self._damaged(f"its zooms are {told['min_zoom']} to {told['max_zoom']}")
        return Header(
            tile_type=told["tile_type"],
            tile_compression=told["tile_compression"],
            min_zoom=told["min_zoom"],
            max_zoom=told["max_zoom"],
            bounds=(west, south, east, north),
            root=(told["root_offset"], told["root_length"]),
            metadata=(told["metadata_offset"], told["metadata_length"]),
            leaves=(told["leaf_directory_offset"], told["leaf_directory_length"]),
            tiles=(told["tile_data_offset"], told["tile_data_length"]),
            internal_compression=told["internal_compression"],
        )

    def _directory(self, where: tuple[int, int]) -> list[Entry]:
        with self._lock:
            if where in self._directories:
                self._directories.move_to_end(where)
                return self._directories[where]
        plain = self._section(where, _MOST_DIRECTORY, self.header.internal_compression, "a directory")
        # The library's parser would be busy for hours with numbers of a million digits, or with millions of entries.
        if _LONGEST_VARINT.search(plain):
            raise self._damaged("a directory holds a number of more than 64 bits")
        try:
            if (number := read_varint(io.BytesIO(plain))) > _MOST_ENTRIES:
                raise self._damaged(f"a directory has {number} entries; at most {_MOST_ENTRIES} are read")
            entries = deserialize_directory(gzip.compress(plain, 0))  # it reads gzip alone
        except EOFError as error:
            raise self._damaged("a directory is cut short") from error
        with self._lock:
            self._directories[where] = entries
            while len(self._directories) > _KEPT:
                self._directories.popitem(last=False)
        return entries

    def _within(self, section: tuple[int, int], entry: Entry, what: str) -> tuple[int, int]:
        first, length = section
        if not 0 <= entry.offset <= entry.offset + entry.length <= length or entry.length == 0:
            raise self._damaged(f"{what} lies outside its section")
        return first + entry.offset, entry.length

    def _section(self, where: tuple[int, int], most: int, compression: Compression, what: str) -> bytes:
        return self._sections([(where, what)], most, compression)[0]

    def _sections(
        self, wanted: Sequence[tuple[tuple[int, int], str]], most: int, compression: Compression
    ) -> list[bytes]:
        """Parts of the archive by place and what they are, unpacked."""
        for (first, length), what in wanted:
            if length > most or first >= 2**63:
                raise self._damaged(f"{what} is {length} bytes at {first}; at most {most} are read")
        parts = self._parts.read_many([where for where, _ in wanted]) if wanted else []
        unpacked = []
        for data, ((_, length), what) in zip(parts, wanted, strict=True):
            if len(data) < length:
                raise self._damaged(f"{what} is cut short")
            unpacked.append(self._unpack(data, most, compression, what))
        return unpacked

    def _unpack(self, data: bytes, most: int, compression: Compression, what: str) -> bytes:
        if compression == Compression.NONE:
            return data
        if compression != Compression.GZIP:
            raise self._damaged(f"{what} is compressed by {compression.name.lower()}; gzip and none are read")
        try:
            unpacker = zlib.decompressobj(wbits=31)
            plain = unpacker.decompress(data, most + 1)
        except zlib.error as error:
            raise self._damaged(f"{what} is damaged: {error}") from error
        if len(plain) > most:
            raise self._damaged(f"{what} unpacks to more than {most} bytes")
        if not unpacker.eof:
            raise self._damaged(f"{what} is cut short")
        return plain

    def _damaged(self, found: str) -> SiteError:
        return SiteError(Reason.READ_FAILED, f"{self.name}: {found}")


def open_archive(archive: str, session: Session | None) -> Archive:
    """An archive on disk, or at an address where there is a session to fetch it by. Reads nothing yet.

    Args:
        archive: Path or address.
        session: What fetches; None for a file.
    """
    if session is None:
        return Archive(Path(archive).name, _LocalFile(archive))
    return Archive(archive.partition("?")[0], RangeFile(session, archive))


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")
