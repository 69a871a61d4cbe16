"""GeoTIFFs as pictures: which bands are its colours, where there is data, and what makes a file unusable."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pyproj.exceptions import CRSError, ProjError
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.windows import Window

from pipeline.config.sources import RasterLook
from pipeline.sources.aerial.collar import Bools, Collar, find_collar, grown, of_one_value, suspects
from pipeline.sources.aerial.datum import datum_accuracy_m, datum_fault, from_degrees
from pipeline.sources.aerial.layouts import RGBA, Grid

GLANCE_PX = 1024
"""Longer side at which a file is looked at as a whole."""
_TWO_VALUES = 0.995
"""An unflagged band is alpha if at least this share of its pixels is 0 or the maximum; the others are soft edges."""
_RED_GREEN_BLUE = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
_OTHER_MODELS = frozenset(
    {ColorInterp.hue, ColorInterp.saturation, ColorInterp.lightness, ColorInterp.cyan, ColorInterp.magenta,
     ColorInterp.yellow, ColorInterp.black, ColorInterp.Y, ColorInterp.Cb, ColorInterp.Cr}
)  # fmt: skip
_WORTH_A_GLANCE = 0.001
"""Minimum share of a window's pixels that may be a collar; fewer are left alone."""


@dataclass(frozen=True)
class Whole:
    """Where a file's imagery ends by a glance at all of it, beyond what it says itself."""

    alpha: int | None
    """A band that is one, though it is not called so."""
    collar: Collar | None
    """Collar of the whole file, at most `GLANCE_PX` pixels across; None also where it would take too long to look."""


def colours(raster: Any, look: RasterLook) -> list[int]:
    """The bands of red, green and blue, from 1: as stated, as the file calls them, or the first."""
    if look.bands is not None:
        return list(look.bands)
    called = [[i for i, name in enumerate(raster.colorinterp, 1) if name == colour] for colour in _RED_GREEN_BLUE]
    if all(len(bands) == 1 for bands in called):
        return [band for (band,) in called]
    return [1, 2, 3] if raster.count >= 3 else [1, 1, 1]


def glance(raster: Any, look: RasterLook) -> Whole:
    """Look at all of an open raster, coarsely."""
    step = max(1.0, max(raster.height, raster.width) / GLANCE_PX)
    shape = math.ceil(raster.height / step), math.ceil(raster.width / step)
    bands = colours(raster, look)
    values = raster.read(bands, out_shape=(3, *shape), resampling=Resampling.nearest)
    values, valid = _stated(raster, look, values, Window(0, 0, raster.width, raster.height), shape)
    band = _spare(raster, bands)
    if band is not None:
        spare = raster.read(band, out_shape=shape, resampling=Resampling.nearest)
        if _is_mask(spare):
            return Whole(band, find_collar(values, _levels(values, look), valid & (spare > 0), step=step))
    return Whole(None, find_collar(values, _levels(values, look), valid, step=step))


def read_rgba(
    raster: Any, look: RasterLook, window: Window, shape: tuple[int, int], whole: Callable[[], Whole]
) -> RGBA:
    """A window of an open raster, averaged down to `shape`.

    Args:
        raster: rasterio's dataset.
        look: How its values become a picture.
        window: In pixels of the raster.
        shape: Height and width of what comes.
        whole: What `glance` tells of the file; asked for only where the window leaves it open.
    """
    bands = colours(raster, look)
    values = raster.read(bands, window=window, out_shape=(3, *shape), resampling=Resampling.average)
    values, valid = _stated(raster, look, values, window, shape)
    levels = _levels(values, look)
    if look.mask == "auto":
        valid &= ~_unwritten(raster, bands[0], values, window)
        valid &= _of_spare_band(raster, bands, window, shape, whole)
        valid &= ~_collar(raster, values, levels, valid, window, whole)
    return np.concatenate([levels, np.where(valid, 255, 0)[None].astype(np.uint8)])


def _stated(
    raster: Any, look: RasterLook, values: NDArray[Any], window: Window, shape: tuple[int, int]
) -> tuple[NDArray[Any], Bools]:
    """Values without those that are no numbers, and where there is data by what the file and the settings say."""
    bands = colours(raster, look)
    if isinstance(look.mask, int):
        valid = raster.read(look.mask, window=window, out_shape=shape, resampling=Resampling.nearest) > 0
    else:
        # A value that means "no data" in one band is a colour as long as another band has another value.
        masks = raster.read_masks(bands, window=window, out_shape=(3, *shape), resampling=Resampling.average)
        valid = masks.any(axis=0)
    if np.issubdtype(values.dtype, np.floating):
        valid &= np.isfinite(values).all(axis=0)
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    if look.nodata is not None:
        exact = raster.read(bands, window=window, out_shape=(3, *shape), resampling=Resampling.nearest)
        void = (exact == look.nodata).all(axis=0)
        if shape != (window.height, window.width):  # beside it, the value is mixed into averages
            void = cv2.dilate(void.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        valid &= ~void
    return values, valid


def _unwritten(raster: Any, band: int, values: NDArray[Any], window: Window) -> Bools:
    """Pixels of blocks that a sparse file leaves out: GDAL gives 0 for them, where the file names no value."""
    nought = (values == 0).all(axis=0)
    if np.count_nonzero(nought) <= _WORTH_A_GLANCE * nought.size:
        return np.zeros(nought.shape, bool)
    rows, columns = (
        ((first + (places + 0.5) * length / n) // block).astype(int)
        for places, first, length, n, block in zip(
            np.nonzero(nought),
            (window.row_off, window.col_off),
            (window.height, window.width),
            nought.shape,
            raster.block_shapes[band - 1],
            strict=True,
        )
    )
    blocks, each = np.unique(np.stack([columns, rows]), axis=1, return_inverse=True)
    absent = [raster.get_tag_item(f"BLOCK_OFFSET_{x}_{y}", "TIFF", bidx=band) is None for x, y in blocks.T]
    found = np.zeros(nought.shape, bool)
    found[nought] = np.array(absent, bool)[each.ravel()]
    if nought.shape != (window.height, window.width):  # beside it, black is mixed into averages
        found = cv2.dilate(found.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    return found


def _levels(values: NDArray[Any], look: RasterLook) -> NDArray[np.uint8]:
    if look.scale is not None:
        black, white = look.scale
        values = np.clip(np.rint((values.astype(float) - black) / (white - black) * 255), 0, 255)
    return values.astype(np.uint8)


def _spare(raster: Any, bands: list[int]) -> int | None:
    """The last band, where it is no colour and the file says nowhere where there is data."""
    last = raster.count
    silent = raster.mask_flag_enums[bands[0] - 1] == [MaskFlags.all_valid]
    return last if silent and last not in bands and raster.dtypes[last - 1] in {"uint8", "uint16"} else None


def _is_mask(values: NDArray[Any]) -> bool:
    """Whether a band's values are those of an alpha band: nothing or all, and both of them."""
    top = values.max()
    both = top in {1, 255, np.iinfo(values.dtype).max} and values.min() == 0
    return bool(both and ((values == 0) | (values == top)).mean() >= _TWO_VALUES)


def _of_spare_band(
    raster: Any, bands: list[int], window: Window, shape: tuple[int, int], whole: Callable[[], Whole]
) -> Bools:
    """Where there is data by an alpha band that is not called one."""
    everywhere = np.ones(shape, bool)
    band = _spare(raster, bands)
    if band is None:
        return everywhere
    values = raster.read(band, window=window, out_shape=shape, resampling=Resampling.nearest)
    likely = values.min() == 0 and ((values == 0) | (values == values.max())).mean() >= _TWO_VALUES
    return values > 0 if likely and whole().alpha == band else everywhere


def _collar(
    raster: Any,
    values: NDArray[Any],
    levels: NDArray[np.uint8],
    valid: Bools,
    window: Window,
    whole: Callable[[], Whole],
) -> Bools:
    """The part of the file's collar that lies in a window."""
    likely = suspects(levels, valid)
    collar = whole().collar if np.count_nonzero(likely) > _WORTH_A_GLANCE * likely.size else None
    if collar is None:
        return np.zeros(valid.shape, bool)
    found = likely if collar.noisy else of_one_value(likely, values)
    rows, columns = (
        ((first + (np.arange(n) + 0.5) * length / n) / total * size).astype(int)
        for first, length, n, total, size in (
            (window.row_off, window.height, found.shape[0], raster.height, collar.mask.shape[0]),
            (window.col_off, window.width, found.shape[1], raster.width, collar.mask.shape[1]),
        )
    )
    labels = cv2.connectedComponents(found.astype(np.uint8), connectivity=4)[1]
    meeting = np.unique(labels[found & collar.mask[np.ix_(rows, columns)]])
    return grown(found & np.isin(labels, meeting), values, levels)


def grid_of(raster: Any, name: str) -> Grid:
    """Where the pixels of an open raster without faults lie."""
    crs = raster.crs.to_wkt()
    accuracy_m = datum_accuracy_m(crs, *_middle(raster, crs))
    return Grid(name, crs, raster.transform, raster.width, raster.height, accuracy_m)


def raster_faults(raster: Any, look: RasterLook) -> list[tuple[str, str]]:
    """The faults that make an open raster unusable: found, allowed."""
    faults = []
    if Path(f"{raster.name}.msk").exists():
        faults.append(("a mask file beside it", "the mask inside the file (GDAL_TIFF_INTERNAL_MASK=YES)"))
    if raster.transform.is_identity:
        faults.append(("no georeference (identity transform)", "a geotransform inside the file"))
    elif raster.transform.is_degenerate:
        faults.append((f"pixels without area: {tuple(raster.transform)[:6]}", "a transform that can be inverted"))
    if raster.crs is None:
        faults.append(("no coordinate system", "a georeferenced raster"))
    elif not faults:
        faults += _place_faults(raster, look.max_datum_error_m)
    bands = colours(raster, look)
    wanted = {*bands, look.mask} if isinstance(look.mask, int) else set(bands)
    missing = sorted(band for band in wanted if not 1 <= band <= raster.count)
    if missing:
        faults.append((f"{raster.count} bands, without {missing}", f"bands between 1 and {raster.count}"))
        return faults
    kinds = {raster.dtypes[band - 1] for band in bands}
    if any(np.dtype(kind).kind not in "uif" for kind in kinds):
        faults.append((f"pixels of type {', '.join(sorted(kinds))}", "integers or floats"))
    elif kinds != {"uint8"} and look.scale is None:
        faults.append((f"{', '.join(sorted(kinds))} pixels and no scale", "scale: [value of black, value of white]"))
    if raster.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES" and look.scale is None:  # GDAL gives a negative
        faults.append(
            ("values that fall where it is lighter (MINISWHITE)", "scale: [255, 0], or what black and white are")
        )
    short = {bits for band in bands if (bits := int(raster.tags(band, ns="IMAGE_STRUCTURE").get("NBITS", 8))) < 8}
    if short and kinds == {"uint8"} and look.scale is None:
        faults.append(
            (f"values of {min(short)} bits", f"scale: [0, {2 ** min(short) - 1}], or what black and white are")
        )
    others = sorted(
        {raster.colorinterp[band - 1].name for band in bands if raster.colorinterp[band - 1] in _OTHER_MODELS}
    )
    if others:
        faults.append((f"bands of {', '.join(others)}", "red, green and blue bands"))
    if any(raster.colorinterp[band - 1] == ColorInterp.palette for band in bands):
        faults.append(("palette colours", "red, green and blue bands (gdal_translate -expand rgb)"))
    return faults


def _place_faults(raster: Any, max_datum_error_m: float | None) -> list[tuple[str, str]]:
    crs = raster.crs.to_wkt()
    try:
        lon, lat = _middle(raster, crs)
    except (CRSError, ProjError):
        return [(f"coordinate system {crs[:80]}", "one that can be converted to WGS84")]
    if not (math.isfinite(lon) and math.isfinite(lat)):
        return [("a middle that its coordinate system has no place for", "a geotransform in the file's own system")]
    fault = datum_fault(crs, lon, lat, max_datum_error_m)
    return [] if fault is None else [fault]


def _middle(raster: Any, crs: str) -> tuple[float, float]:
    """Longitude and latitude of a raster's middle, to the tenth of a degree: an operation holds for a country."""
    x, y = raster.transform @ (raster.width / 2, raster.height / 2)
    lon, lat = from_degrees(crs).transform(x, y, direction="INVERSE")
    return round((lon + 180.0) % 360.0 - 180.0, 1), round(lat, 1)
