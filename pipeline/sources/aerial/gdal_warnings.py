"""Pixels that libjpeg made up within a GeoTIFF: GDAL hands them over as if they were read, and says so in its log."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rasterio.errors import RasterioIOError

_MADE_UP = re.compile(r"JPEG.*(premature end|bad Huffman code|instead of RST)", re.IGNORECASE)
"""Of libjpeg's warnings (jerror.h), those after which pixels are not the file's own."""
_heard: ContextVar[list[str] | None] = ContextVar("_heard", default=None)


class _Listener(logging.Handler):
    """Keeps what GDAL says in the thread that reads: a chip's blocks are unpacked there."""

    def emit(self, record: logging.LogRecord) -> None:
        heard = _heard.get()
        if heard is not None and _MADE_UP.search(record.getMessage()):
            heard.append(record.getMessage())


_log = logging.getLogger("rasterio._err")
_log.setLevel(logging.WARNING)
_log.addHandler(_Listener())


@contextmanager
def refuse_made_up_pixels() -> Iterator[None]:
    """What is read within must not be of libjpeg's making.

    Raises:
        RasterioIOError: it is, at the end.
    """
    heard: list[str] = []
    token = _heard.set(heard)
    try:
        yield
    finally:
        _heard.reset(token)
    if heard:
        raise RasterioIOError(f"damaged pixels ({heard[0].partition(':')[2]})")
