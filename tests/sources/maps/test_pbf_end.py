"""A PBF that ends between two blobs is refused where its content shows that it goes on; sound ones never are."""

import struct
from pathlib import Path

import osmium
import pytest

from pipeline.errors import ConfigError
from pipeline.sources.maps.pbf_end import missing_end
from pipeline.sources.maps.read_osm import read_osm

WAY_NODES = 10


def write(path: Path, nodes: int, *, ways: bool = True, tags: dict[str, str] | None = None) -> Path:
    """Nodes in rows, each row a road."""
    with osmium.SimpleWriter(str(path)) as writer:
        for number in range(1, nodes + 1):
            place = (8.5 + number % WAY_NODES * 1e-5, 47.3 + number * 1e-6)
            writer.add_node(osmium.osm.mutable.Node(id=number, location=place, tags=tags or {}, version=1))
        for first in range(1, nodes, WAY_NODES) if ways else ():
            refs = list(range(first, min(first + WAY_NODES, nodes + 1)))
            road = osmium.osm.mutable.Way(id=first, nodes=refs, tags={"highway": "service"}, version=1)
            writer.add_way(road)
    return path


def without_last_blob(path: Path) -> Path:
    data, starts, place = path.read_bytes(), [], 0
    while place < len(data):
        starts.append(place)
        (length,) = struct.unpack_from(">I", data, place)
        header = data[place + 4 : place + 4 + length]
        size = shift = 0
        for byte in header[header.rindex(b"\x18", 0, 12) + 1 :]:  # datasize, behind the type of seven or nine letters
            size |= (byte & 127) << shift
            shift += 7
        place += 4 + length + size
    path.write_bytes(data[: starts[-1]])
    return path


def test_a_file_that_ends_before_its_ways_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "map.osm.pbf", 16_000)
    assert len(list(read_osm(path).elements)) == 1_600
    without_last_blob(path)
    assert osmium.FileProcessor(str(path)).header is not None, "to osmium it is whole"
    with pytest.raises(ConfigError, match=r"map\.osm\.pbf.*cut off \(16,000 nodes without tags"):
        read_osm(path)


@pytest.mark.parametrize(
    ("nodes", "ways", "tags"),
    [
        (16_000, True, {}),
        (15_999, False, {}),  # ways may have been filtered out
        (16_000, False, {"natural": "tree"}),
        (7, True, {}),
    ],
)
def test_sound_files_are_read(tmp_path: Path, nodes: int, ways: bool, tags: dict[str, str]) -> None:
    assert missing_end(write(tmp_path / "map.osm.pbf", nodes, ways=ways, tags=tags)) is None


@pytest.mark.parametrize("name", ["Helsinki.osm.pbf", "test.osm.pbf"])
def test_real_extracts_whose_ways_leave_them_are_read(corpus: Path, name: str) -> None:
    assert missing_end(corpus / "osm" / name) is None


@pytest.mark.parametrize("tags", [{"highway": "service"}, {"building": "yes"}])
def test_a_node_that_lies_nowhere_on_earth_names_the_file(tmp_path: Path, tags: dict[str, str]) -> None:
    path = tmp_path / "map.osm.pbf"
    with osmium.SimpleWriter(str(path)) as writer:
        for number, lat in enumerate((47.0, 47.1, 97.2), 1):
            writer.add_node(osmium.osm.mutable.Node(id=number, location=(8.0 + number / 10, lat), version=1))
        writer.add_way(osmium.osm.mutable.Way(id=1, nodes=[1, 2, 3, 1], tags=tags, version=1))
    with pytest.raises(ConfigError, match=r"map\.osm\.pbf.*a node of w1 at 97\.2, 8\.3"):
        list(read_osm(path).elements)


@pytest.mark.parametrize("head", [b"\0" * 4, b"\x7f\xff\xff\xff", b"\x00\x01\x00\x01"], ids=["none", "vast", "long"])
def test_a_header_of_no_possible_length_is_not_read(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "map.osm.pbf"
    path.write_bytes(head * 40_000)
    with pytest.raises(ValueError, match=r"a blob's header of \d+ bytes"):
        missing_end(path)
    with pytest.raises(ConfigError, match=r"map\.osm\.pbf"):
        read_osm(path)
