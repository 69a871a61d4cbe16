"""Limits for GeoTIFFs, on disk or at an address, and the exceptions of rasterio for damaged ones."""

import math
from typing import Any

from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.windows import Window

from pipeline.errors import SiteError
from schemas.reasons import Reason

RASTER_FAULTS = (RasterioError, CPLE_BaseError, OSError, ValueError)
"""Exceptions of rasterio on damaged files, found by fuzzing; not all of it is a `RasterioError`."""
_MOST_BLOCK = 4096 * 4096
"""Pixels. GDAL unpacks a block (a tile or strip) as a whole."""
MOST_WINDOW = 64 * 2**20
"""Pixels that a chip may be averaged from, after the file's overviews."""
_LEAST_PIXEL, _MOST_PIXEL = 1e-9, 1e6
"""Sides, in metres or degrees."""
_MOST_OBLONG = 100
_FARTHEST = 1e9


def limit_faults(raster: Any) -> list[tuple[str, str]]:
    """The parts of an open raster that take endless work: found, allowed. A few bytes of a header can say anything."""
    faults = []
    height, width = max(raster.block_shapes, key=lambda block: block[0] * block[1])
    if height * width > _MOST_BLOCK:
        faults.append((f"blocks of {width} x {height} pixels", f"at most {_MOST_BLOCK} pixels a block (use tiles)"))
    place = raster.transform
    sides = math.hypot(place.a, place.d), math.hypot(place.b, place.e)
    least, most = min(sides), max(sides)
    # Not of NaN either. A degree is some 100 km. Sides of 0 are told elsewhere.
    if least != 0 and not (_LEAST_PIXEL <= least <= most <= min(_MOST_PIXEL, least * _MOST_OBLONG)):
        faults.append((f"pixels of {sides[0]:g} x {sides[1]:g}", "pixels of a picture of the ground"))
    if not max(abs(place.c), abs(place.f)) <= _FARTHEST:
        faults.append((f"a corner at {place.c:g}, {place.f:g}", "a place on earth"))
    return faults


def pixels_read(raster: Any, window: Window, shape: tuple[int, int]) -> float:
    """How many pixels a window takes, averaged down to `shape` from the overview that is nearest to its scale."""
    shrink = min(window.height / shape[0], window.width / shape[1])
    factor = max((overview for overview in raster.overviews(1) if overview <= shrink * 1.01), default=1)
    return float(window.width * window.height / factor**2)


def check_window(raster: Any, name: str, window: Window, shape: tuple[int, int]) -> None:
    """Refuse to average a chip from far more pixels than it has, where the file has no overview near its scale.

    Raises:
        SiteError: READ_FAILED.
    """
    if pixels_read(raster, window, shape) > MOST_WINDOW:
        found = f"a chip of {shape[1]} x {shape[0]} pixels takes {window.width} x {window.height} of it"
        raise SiteError(Reason.READ_FAILED, f"{name}: {found}, and it has no overview near that scale")
