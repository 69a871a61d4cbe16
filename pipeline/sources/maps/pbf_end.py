"""Tells an OSM PBF that was cut off between two of its blobs, which every reader takes for whole.

The format (https://wiki.openstreetmap.org/wiki/PBF_Format) does not say how many blobs a file has. But writers fill
each blob to 8,000 objects before they begin the next, and nodes without tags are there for the ways behind them. So a
file whose last blob is full to the object, and that has more such nodes than its ways refer to, lacks its end. Either
alone is found in sound files.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FULL = 8_000
"""Objects: the limit of libosmium and Osmosis."""
_MOST_BYTES = 32 * 2**20
"""Of a blob, by the format."""
_MOST_HEADER_BYTES = 64 * 2**10
"""The same of what stands before one."""
_MESSAGES = {
    "BlobHeader": ("optional string type = 1", "optional int32 datasize = 3"),
    "Blob": ("optional bytes raw = 1", "optional bytes zlib_data = 3"),
    "Node": ("repeated uint32 keys = 2",),
    "DenseNodes": ("repeated sint64 id = 1", "repeated int32 keys_vals = 10"),
    "Way": ("repeated sint64 refs = 8",),
    "Relation": ("repeated sint64 memids = 9",),
    "PrimitiveGroup": (
        "repeated Node nodes = 1",
        "repeated DenseNodes dense = 2",
        "repeated Way ways = 3",
        "repeated Relation relations = 4",
    ),
    "PrimitiveBlock": ("repeated PrimitiveGroup primitivegroup = 2",),
}
"""The fields that are looked at."""


def missing_end(path: Path) -> str | None:
    """How a file shows that its end is missing; None where it does not.

    Raises:
        ValueError, OSError, struct.error, zlib.error, google.protobuf.message.DecodeError: it is damaged otherwise.
    """
    with path.open("rb") as file:
        blobs = list(_data_blobs(file))
        if not blobs or _counts(file, *blobs[-1])[0] != _FULL:
            return None
        _, bare, references = np.sum([_counts(file, *blob) for blob in blobs], axis=0)
    if bare <= references:
        return None
    return f"{bare:,} nodes without tags, and ways of {references:,} nodes in all"


def _data_blobs(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """First byte and length of each blob of objects."""
    while start := file.read(4):
        (length,) = struct.unpack(">I", start)
        if not 0 < length <= _MOST_HEADER_BYTES:
            raise ValueError(f"a blob's header of {length} bytes")
        header = _CLASSES["BlobHeader"].FromString(file.read(length))
        if header.datasize < 0:
            raise ValueError("a blob of negative length")
        place = file.tell(), header.datasize
        if header.type == "OSMData":
            yield place
        file.seek(sum(place))


def _counts(file: BinaryIO, first: int, length: int) -> tuple[int, int, int]:
    """Objects in a blob, nodes without tags, and references to nodes; none of a blob in a rare packing."""
    file.seek(first)
    blob = _CLASSES["Blob"].FromString(file.read(min(length, _MOST_BYTES)))
    block = _CLASSES["PrimitiveBlock"].FromString(blob.raw or _unpacked(blob.zlib_data))
    objects = bare = references = 0
    for group in block.primitivegroup:
        nodes = sum(len(dense.id) for dense in group.dense)
        objects += nodes + len(group.nodes) + len(group.ways) + len(group.relations)
        bare += nodes - sum(_tagged(dense.keys_vals) for dense in group.dense)
        bare += sum(not node.keys for node in group.nodes)
        references += sum(len(way.refs) for way in group.ways)
        references += sum(len(relation.memids) for relation in group.relations)
    return objects, bare, references


def _unpacked(packed: bytes) -> bytes:
    return zlib.decompressobj().decompress(packed, _MOST_BYTES) if packed else b""


def _tagged(keys_vals: Sequence[int]) -> int:
    """How many nodes have tags: their keys and values stand in a row, with a 0 behind those of each node."""
    ends = np.array(keys_vals, np.int64) == 0
    return int((ends & ~np.append(True, ends[:-1])).sum())


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="osmpbf.proto", package="osmpbf")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for text in fields:
            label, kind, field, _, number = text.split()
            added = message.field.add(name=field, number=int(number))
            added.label = descriptor_pb2.FieldDescriptorProto.Label.Value(f"LABEL_{label.upper()}")
            if kind in _MESSAGES:
                added.type, added.type_name = added.TYPE_MESSAGE, f".osmpbf.{kind}"
            else:
                added.type = descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {n: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"osmpbf.{n}")) for n in _MESSAGES}


_CLASSES = _classes()
