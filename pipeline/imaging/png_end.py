"""Whether a PNG ends before its picture does, though its stream is closed as if it were whole.

Pillow refuses a stream that is cut, but takes one with too few rows: those that are missing stay black.
"""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL.PngImagePlugin import PngImageFile

_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Of a pixel, by the colour type in the header."""
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column and row, and steps, of an interlaced picture's passes: PNG specification, section 8.2."""
_AT_ONCE = 2**22


def ends_early(png: PngImageFile, data: bytes) -> bool:
    """Whether rows of a picture are missing.

    Args:
        png: the picture, decoded. Unless its last row is nought, or it is interlaced, nothing is missing.
        data: the file.
    """
    header = next((content for kind, content in _chunks(data) if kind == b"IHDR"), b"")
    depth, colours, _, _, interlaced = struct.unpack_from(">BBBBB", header, 8)
    width, height = png.size  # not of the header again: a file may have two, and Pillow has checked this one
    if not interlaced and np.asarray(png.crop((0, height - 1, width, height))).any():
        return False
    bits = depth * _SAMPLES[colours]
    return not _unpacks_to(data, sum(_bytes(*size, bits) for size in _sizes(width, height, interlaced)))


def _sizes(width: int, height: int, interlaced: int) -> list[tuple[int, int]]:
    """Columns and rows of each pass; of the whole, if there is but one."""
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    return [(-((x - width) // dx), -((y - height) // dy)) for x, y, dx, dy in passes]


def _bytes(columns: int, rows: int, bits: int) -> int:
    """Length of a pass: each row is whole bytes, behind one that names its filter."""
    return rows * (1 + (columns * bits + 7) // 8) if columns > 0 and rows > 0 else 0


def _unpacks_to(data: bytes, length: int) -> bool:
    """Whether the picture's stream holds as many bytes."""
    unpacker = zlib.decompressobj()
    packed = b"".join(content for kind, content in _chunks(data) if kind == b"IDAT")
    while length > 0 and (more := unpacker.decompress(packed, _AT_ONCE)):
        length -= len(more)
        packed = unpacker.unconsumed_tail
    return length <= 0


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        yield kind, data[place + 8 : place + 8 + length]
        place += 12 + length
