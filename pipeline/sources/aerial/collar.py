"""Collars: the black or white beyond the edge of imagery, where nothing marks it as no data.

A collar is one colour, black or white, over whole squares of pixels; it reaches in from the picture's border and ends
abruptly. Shadows, water and snow are near black or white as well, but hardly ever the same to the level over a square,
and where they are (clipped shadows, overexposed snow and roofs), the levels around them lead up to it, or they lie
somewhere in the middle. A collar that lossy compression has sprinkled with noise of a few levels is told by its
straight edges besides.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]

_EXTREME = 4
"""Levels, of 255, from black or white; JPEG's black is often 1 or 2."""
_SQUARE_PX = 9
"""Larger than the 8 x 8 blocks of JPEG."""
_COARSE_SQUARE_PX = 3
"""Where one pixel stands for several."""
_NEAR_PX = (8, 12)
_FAR_PX = (16, 24)
"""Two rings around an area, by their distance from it. JPEG's ringing ends before the first."""
_GROWTH_PX = 12
_GROWTH_LEVELS = 6
"""A collar is grown up to its edge through pixels of so many levels from black or white."""
_ABRUPT_LEVELS = 8
_ABRUPT_SHARE = 0.7
"""How much of the way from an area's colour to that of the far ring the near one has gone: all beside a collar, half of
it on a slope."""
_LEAST_SHARE = 0.002
_LEAST_NOISY_SHARE = 0.02
_STRAIGHT = 1.15
"""How much longer an outline may be than a polygon of few corners; one of pixels along a line is, by up to 1.08."""
_MOST_CORNERS = 16
_LEAST_PX = 64
_LEAST_OF_BORDER = 0.1


@dataclass(frozen=True)
class Collar:
    """Collars of a whole picture."""

    mask: Bools
    """Without their last pixels towards the edge; see `grown`."""
    noisy: bool
    """Whether they are not of one value each."""


def suspects(levels: NDArray[np.uint8], valid: Bools, *, coarse: bool = False) -> Bools:
    """Pixels of squares that are black or white all over.

    Args:
        levels: red, green, blue x height x width.
        valid: where there is data for all that is said; nothing else is looked at.
        coarse: whether pixels were left out in between.
    """
    red, green, blue = levels
    lightest, darkest = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    extreme = valid & ((lightest <= _EXTREME) | (darkest >= 255 - _EXTREME))
    if np.count_nonzero(extreme) < _LEAST_PX:  # of nearly all imagery
        return np.zeros(valid.shape, bool)
    square = _square(coarse=coarse)
    centres = cv2.erode(extreme.astype(np.uint8), square, borderType=cv2.BORDER_REPLICATE)
    return cv2.dilate(centres, square).astype(bool)


def of_one_value(found: Bools, raw: NDArray[np.generic], *, coarse: bool = False) -> Bools:
    """The pixels of `suspects` whose squares are of one value in each band.

    Args:
        found: what `suspects` gave.
        raw: bands x height x width, as the file has them.
        coarse: as there.
    """
    square = _square(coarse=coarse)
    centres = cv2.erode(found.astype(np.uint8), square, borderType=cv2.BORDER_REPLICATE).astype(bool)
    for band in raw if centres.any() else ():
        values = band if band.dtype in (np.uint8, np.uint16, np.int16, np.float32) else band.astype(np.float64)
        low, high = cv2.erode(values, square), cv2.dilate(values, square)
        slack = 1e-6 * np.abs(high) if band.dtype.kind == "f" else 0  # what averaging leaves of one value
        centres &= high.astype(np.float64) - low <= slack
    return cv2.dilate(centres.astype(np.uint8), square).astype(bool)


def _square(*, coarse: bool) -> NDArray[np.uint8]:
    side = _COARSE_SQUARE_PX if coarse else _SQUARE_PX
    return np.ones((side, side), np.uint8)


def find_collar(
    raw: NDArray[np.generic], levels: NDArray[np.uint8], valid: Bools, *, step: float = 1.0
) -> Collar | None:
    """The collars of a whole picture, if it has any.

    Args:
        raw: bands x height x width, as the file has them.
        levels: the same as 8-bit red, green, blue.
        valid: elsewhere there is no data anyway, and a collar may lie beside it.
        step: how many of the picture's own pixels one of these stands for, in a row.
    """
    eight_bit = raw.dtype == np.uint8
    coarse = step >= _SQUARE_PX / _COARSE_SQUARE_PX
    likely = suspects(levels, valid, coarse=coarse)
    if np.count_nonzero(likely) < _LEAST_SHARE * likely.size:
        return None
    for noisy in (False, True) if eight_bit else (False,):
        flat = likely if noisy else of_one_value(likely, raw, coarse=coarse)
        found = np.zeros(valid.shape, bool)
        for part, blank, dark in _parts(flat, levels, valid, _LEAST_NOISY_SHARE if noisy else _LEAST_SHARE):
            # More bits have noise everywhere: there one value over a square can only be a filling.
            abrupt = not eight_bit or _ends_abruptly(part, levels, valid & ~blank, step, dark=dark)
            if _reaches_in(blank) and abrupt and (not noisy or _is_straight(part)):
                found |= part
        if found.any():
            return Collar(found, noisy)
    return None


def _parts(
    flat: Bools, levels: NDArray[np.uint8], valid: Bools, least_share: float
) -> Iterator[tuple[Bools, Bools, bool]]:
    """Connected areas that are large enough; the same with what is no data beside them; whether they are dark."""
    for dark in (True, False):
        mine = flat & ((levels[0] < 128) == dark)
        if not mine.any():
            continue
        labels = cv2.connectedComponents((mine | ~valid).astype(np.uint8), connectivity=4)[1]
        sizes = np.bincount(labels[mine], minlength=1)
        for label in np.flatnonzero(sizes >= max(_LEAST_PX, least_share * mine.size)):
            blank = labels == label
            yield blank & mine, blank, dark


def grown(collar: Bools, raw: NDArray[np.generic], levels: NDArray[np.uint8]) -> Bools:
    """A collar up to its edge, through the pixels beside it that are nearly of its colour.

    They are of 8-bit pictures only: where there are more bits, JPEG has spoilt none.
    """
    if raw.dtype != np.uint8 or not collar.any():
        return collar
    near = np.where(levels[0] < 128, levels.max(axis=0) <= _GROWTH_LEVELS, levels.min(axis=0) >= 255 - _GROWTH_LEVELS)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    result = collar.astype(np.uint8)
    for _ in range(_GROWTH_PX):
        result = cv2.dilate(result, cross) & near.astype(np.uint8) | collar
    return result.astype(bool)


def clear_collars(rgba: NDArray[np.uint8]) -> None:
    """Make the collars of a whole picture (4 x height x width) transparent, in place."""
    colours = rgba[:3]
    collar = find_collar(colours, colours, rgba[3] > 0)
    if collar is not None:
        rgba[3][grown(collar.mask, colours, colours)] = 0


def _reaches_in(blank: Bools) -> bool:
    """Whether an area reaches in from the border: it holds a corner, or a good part of the border."""
    border = np.concatenate([blank[0], blank[-1], blank[1:-1, 0], blank[1:-1, -1]])
    corner = blank[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    return bool(corner or border.mean() >= _LEAST_OF_BORDER)


def _ends_abruptly(part: Bools, levels: NDArray[np.uint8], others: Bools, step: float, *, dark: bool) -> bool:
    """Whether what lies around an area is at once of quite another colour, or nothing does."""
    away = levels.max(axis=0) if dark else 255 - levels.min(axis=0)
    medians = []
    edge = 0
    for first, last in (_NEAR_PX, _FAR_PX):
        inner = max(edge, 1, round(first / step))
        edge = inner + max(1, round((last - first) / step))
        ring = _widened(part, edge) & ~_widened(part, inner) & others
        medians.append(float(np.median(away[ring])) if ring.any() else None)
    near, far = medians
    return near is None or (near >= _ABRUPT_LEVELS and (far is None or near >= _ABRUPT_SHARE * far))


def _is_straight(part: Bools) -> bool:
    """Whether an area's outline is that of a polygon of few corners."""
    outlines, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=len)
    polygon = cv2.approxPolyDP(outline, max(3.0, 0.005 * math.hypot(*part.shape)), True)
    length = cv2.arcLength(outline, True)
    return len(polygon) <= _MOST_CORNERS and length <= _STRAIGHT * cv2.arcLength(polygon, True)


def _widened(area: Bools, by_px: int) -> Bools:
    return cv2.dilate(area.astype(np.uint8), np.ones((2 * by_px + 1, 2 * by_px + 1), np.uint8)).astype(bool)
