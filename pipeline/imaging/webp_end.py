"""Whether the end of a lossy WebP is nought, as that of a download which had its space set aside and was then cut.

Decoders take zeros for a picture that goes on as its neighbours let expect: smears, and no error. An encoder writes
zeros at the end, too, but only for a picture that ends in a single colour.
"""

import struct

import numpy as np
from PIL.WebPImagePlugin import WebPImageFile

_LEAST_ZEROS = 64
"""Photos, as libwebp writes them, end in up to ten."""


def ends_early(webp: WebPImageFile, data: bytes) -> bool:
    """Whether the last part of a picture is made of zeros.

    Args:
        webp: the picture, decoded.
        data: the file.
    """
    if not _lossy(data).endswith(bytes(_LEAST_ZEROS)):
        return False
    last = np.asarray(webp.convert("RGB").crop((0, webp.height - 1, webp.width, webp.height)))
    return bool((last != last[:, :1]).any())


def _lossy(data: bytes) -> bytes:
    """Content of the first chunk of lossy pixels; empty if there is none."""
    place = 12
    while place + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, place)
        if kind == b"VP8 ":
            return data[place + 8 : place + 8 + length]
        place += 8 + length + length % 2
    return b""
