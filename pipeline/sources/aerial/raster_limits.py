"""What a GeoTIFF may ask of the machine, on disk or at an address, and what rasterio raises where one is damaged."""

from typing import Any

from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.windows import Window

from pipeline.errors import SiteError
from schemas.reasons import Reason

RASTER_FAULTS = (RasterioError, CPLE_BaseError, OSError, ValueError)
"""What rasterio raises on damaged files, found by fuzzing; not all of it is a `RasterioError`."""
_MOST_BLOCK = 4096 * 4096
"""Pixels. GDAL unpacks a block (a tile or strip) as a whole."""
_MOST_WINDOW = 64 * 2**20
"""Pixels that a chip may be averaged from, after the file's overviews."""


def block_faults(raster: Any) -> list[tuple[str, str]]:
    """What is wrong with the blocks of an open raster: found, allowed. A few bytes can stand for an endless one."""
    height, width = max(raster.block_shapes, key=lambda block: block[0] * block[1])
    if height * width <= _MOST_BLOCK:
        return []
    return [
        (f"blocks of {width} x {height} pixels", f"at most {_MOST_BLOCK} pixels a block (tiles, or shorter strips)")
    ]


def check_window(raster: Any, name: str, window: Window, shape: tuple[int, int]) -> None:
    """Refuse to average a chip from far more pixels than it has, where the file has no overview near its scale.

    Raises:
        SiteError: READ_FAILED.
    """
    shrink = min(window.height / shape[0], window.width / shape[1])
    factor = max((overview for overview in raster.overviews(1) if overview <= shrink * 1.01), default=1)
    if window.width * window.height / factor**2 > _MOST_WINDOW:
        found = f"a chip of {shape[1]} x {shape[0]} pixels takes {window.width} x {window.height} of it"
        raise SiteError(Reason.READ_FAILED, f"{name}: {found}, and it has no overview near that scale")
