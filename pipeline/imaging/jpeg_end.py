"""Whether a JPEG ends before its picture does, though it is closed as if it were whole.

Programs that save a cut download may close it so. libjpeg then makes up the rest, in grey, and Pillow does not tell.
"""

import hashlib
import io

import numpy as np
from PIL.JpegImagePlugin import JpegImageFile

from pipeline.imaging.jpeg_scans import end_of_picture
from pipeline.imaging.types import Pixels

_GREY = 128
_MORE = hashlib.shake_128(b"more").digest(4_096).replace(b"\xff", b"\0")
"""Data without markers. A decoder that has all that it needs skips it; any other takes it for the picture."""
_EIGHTH = 8


def ends_early(jpeg: JpegImageFile, data: bytes) -> bool:
    """Whether the last part of a picture is made up.

    Args:
        jpeg: the picture, decoded, at whatever scale. Unless its last row is grey, nothing is missing.
        data: the file.
    """
    last = np.asarray(jpeg.crop((0, jpeg.height - 1, jpeg.width, jpeg.height)))
    end = end_of_picture(data) if (last == _GREY).all() else None
    if end is None:
        return False
    try:
        return not np.array_equal(_small(data), _small(data[:end] + _MORE + data[end:]))
    except OSError:  # it took what is no part of it for a part of it
        return True


def _small(data: bytes) -> Pixels:
    """The picture at an eighth of its size."""
    with JpegImageFile(io.BytesIO(data)) as image:
        image.draft(None, (image.width // _EIGHTH, image.height // _EIGHTH))
        return np.asarray(image)
