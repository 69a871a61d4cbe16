"""PMTiles archives: every tile is found, on disk and over the network, and damaged or hostile ones only fail."""

import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pmtiles.tile import Compression, Entry, TileType, serialize_directory, serialize_header, tileid_to_zxy
from pytest_httpserver import HTTPServer

from pipeline.errors import SiteError
from pipeline.net.base import Provider
from pipeline.sources.archive import Archive, open_archive
from schemas.reasons import Reason
from tests.examples import examples
from tests.sources.aerial.range_serving import client, serve, write_archive

INFO = {
    "tile_type": TileType.PNG,
    "tile_compression": Compression.NONE,
    "internal_compression": Compression.GZIP,
    "clustered": True,
    "min_zoom": 0,
    "max_zoom": 9,
}


def assemble(directory: bytes, *, leaves: bytes = b"", tiles: bytes = b"tile", **info: Any) -> bytes:
    """An archive made by hand, as a writer would not write it."""
    head: dict[str, Any] = dict(INFO)
    at = 127
    metadata = gzip.compress(json.dumps({}).encode())
    for name, part in (("root", directory), ("metadata", metadata), ("leaf_directory", leaves), ("tile_data", tiles)):
        head |= {f"{name}_offset": at, f"{name}_length": len(part)}
        at += len(part)
    header: Any = {**head, **info}
    return bytes(serialize_header(header)) + directory + metadata + leaves + tiles


def damaged(path: Path, data: bytes) -> Archive:
    path.write_bytes(data)
    return open_archive(str(path), None)


@given(st.dictionaries(st.integers(0, 80_000), st.binary(min_size=1, max_size=20), min_size=1, max_size=200))
@examples(30)
def test_every_tile_is_found_and_no_other(tmp_path_factory: pytest.TempPathFactory, tiles: dict[int, bytes]) -> None:
    archive = open_archive(str(write_archive(tmp_path_factory.mktemp("a") / "a.pmtiles", tiles)), None)
    for tile_id in {*tiles, *range(50), 79_999}:
        assert archive.tile(*tileid_to_zxy(tile_id)) == tiles.get(tile_id)
    assert archive.first_tile() == tiles[min(tiles)]


def test_many_tiles_lie_in_leaf_directories(tmp_path: Path) -> None:
    sizes = np.random.Generator(np.random.Philox(key=1)).integers(1, 999, 60_000)
    tiles = {2 * i: bytes([i % 251]) * int(size) for i, size in enumerate(sizes)}
    archive = open_archive(str(write_archive(tmp_path / "a.pmtiles", tiles)), None)
    assert archive.header.leaves[1] > 0
    for tile_id in (0, 2, 3, 40_000, 40_001, 119_998, 119_999):
        assert archive.tile(*tileid_to_zxy(tile_id)) == tiles.get(tile_id)
    places = [tileid_to_zxy(tile_id)[1:] for tile_id in range(50_000, 50_020)]
    assert archive.tiles(8, places) == [tiles.get(tile_id) for tile_id in range(50_000, 50_020)]


def test_header_and_metadata(tmp_path: Path) -> None:
    archive = open_archive(str(write_archive(tmp_path / "a.pmtiles", {5: b"x", 99: b"y"})), None)
    header = archive.header
    assert (header.tile_type, header.min_zoom, header.max_zoom) == (TileType.PNG, 2, 4)
    assert header.bounds == (-10.0, -5.0, 10.0, 5.0)
    assert archive.metadata["attribution"] == "nobody"
    assert archive.tile(0, 0, 0) is None
    assert archive.tile(10, 0, 0) is None
    assert archive.tile(3, 8, 0) is None
    assert archive.tile(3, -1, 0) is None


def test_compressed_tiles_are_unpacked_within_a_bound(tmp_path: Path) -> None:
    tiles = {0: gzip.compress(b"roads"), 1: gzip.compress(bytes(40_000_000))}
    archive = open_archive(str(write_archive(tmp_path / "a.pmtiles", tiles, tile_compression=Compression.GZIP)), None)
    assert archive.tile(0, 0, 0) == b"roads"
    with pytest.raises(SiteError, match="unpacks to more than"):
        archive.tile(1, 0, 0)


def test_over_the_network_in_few_requests(tmp_path: Path, httpserver: HTTPServer) -> None:
    tiles = {i: os.urandom(900) for i in range(3000)}
    served = serve(httpserver)
    url = served.add("/files/a.pmtiles", write_archive(tmp_path / "a.pmtiles", tiles))
    session = client(tmp_path / "cache").session(Provider("files", (f"http://{served.host}",), 1_000, 8))
    archive = open_archive(url, session)
    assert served.asked == []
    assert archive.tile(*tileid_to_zxy(2_000)) == tiles[2_000]
    assert len(served.asked) <= 2
    assert archive.tile(*tileid_to_zxy(2_001)) == tiles[2_001]
    assert len(served.asked) <= 3


def test_what_is_no_archive(tmp_path: Path) -> None:
    whole = write_archive(tmp_path / "a.pmtiles", {0: b"x"}).read_bytes()
    cases = [
        b"",
        b"PMTiles",
        b"\x89PNG" + bytes(200),
        whole[:7] + b"\x02" + whole[8:],
        whole[:97] + b"\xff" + whole[98:],
    ]
    for data in cases:
        with pytest.raises(SiteError) as caught:
            _ = damaged(tmp_path / "b.pmtiles", data).header
        assert caught.value.reason is Reason.READ_FAILED
    with pytest.raises(SiteError, match=r"none\.pmtiles"):
        _ = open_archive(str(tmp_path / "none.pmtiles"), None).header


def asks(archive: Archive) -> list[Callable[[], object]]:
    return [lambda: archive.tile(0, 0, 0), archive.first_tile]


def varint(number: int) -> bytes:
    out = io.BytesIO()
    while number > 127:
        out.write(bytes([number & 127 | 128]))
        number >>= 7
    out.write(bytes([number]))
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (assemble(serialize_directory([Entry(0, 0, 9, 0)]), leaves=b"12345678"), "outside its section"),
        (assemble(serialize_directory([Entry(0, 3, 9, 1)])), "outside its section"),
        (assemble(serialize_directory([Entry(0, 2**62, 9, 1)])), "outside its section"),
        (assemble(gzip.compress(bytes(50_000_000))), "unpacks to more than"),
        (assemble(gzip.compress(varint(10**9) + b"\x01" * 99)), "1000000000 entries"),
        (assemble(gzip.compress(varint(9) + b"\x01" * 9)), "cut short"),
        (assemble(gzip.compress(b"\xff" * 1_000_000)), "more than 64 bits"),
        (assemble(b"no gzip"), "damaged"),
        (assemble(b""), "cut short"),
        (assemble(gzip.compress(b"\x00")[:-5]), "cut short"),
        (assemble(serialize_directory([Entry(0, 0, 4, 1)]), root_length=2**60), "at most"),
        (assemble(serialize_directory([Entry(0, 0, 4, 1)]), root_offset=2**64 - 5), "at most"),
        (assemble(serialize_directory([Entry(0, 0, 4, 1)]), tile_data_offset=9_999), "cut short"),
        (assemble(b"x", internal_compression=Compression.BROTLI), "brotli"),
        (assemble(b"x", min_zoom=200, max_zoom=220), "zooms"),
    ],
)
def test_hostile_archives_fail_soon(tmp_path: Path, data: bytes, match: str) -> None:
    archive = damaged(tmp_path / "a.pmtiles", data)
    for ask in asks(archive):
        with pytest.raises(SiteError, match=match) as caught:
            ask()
        assert caught.value.reason is Reason.READ_FAILED


def test_a_leaf_that_leads_to_itself_ends(tmp_path: Path) -> None:
    leaf = b""
    for _ in range(3):  # until its own length stands in it
        leaf = serialize_directory([Entry(0, 0, len(leaf), 0)])
    archive = damaged(tmp_path / "a.pmtiles", assemble(leaf, leaves=leaf))
    for ask in asks(archive):
        with pytest.raises(SiteError, match="more than 4 deep"):
            ask()


@given(st.data())
@examples(150)
def test_flipped_bytes_never_do_more_than_fail(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("a")
    whole = bytearray(write_archive(folder / "a.pmtiles", {i: bytes([i]) * 9 for i in range(30)}).read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    archive = damaged(folder / "b.pmtiles", bytes(whole))
    reasons = set()
    for ask in (lambda: archive.tile(2, 1, 1), lambda: archive.metadata, archive.first_tile):
        try:
            ask()
        except SiteError as error:
            reasons.add(error.reason)
    assert reasons <= {Reason.READ_FAILED}
