"""Yellow lines painted on a road, from its pixels: long thin strips that are yellower than the road on both sides.

What lies beside a kerb or a car is left out, for around a line there is road. White lines are not told: glare, kerbs,
pale paving and what mirrors in a windscreen look like them.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.perception.masks import Bools, area
from schemas.records import Look

Floats = NDArray[np.float32]

YELLOWER = 14.0
"""By how much a line's b* is above the road's (CIELAB)."""
LIGHT, LIGHTER = 40.0, (3.0, 40.0)
"""Least lightness of a line, and by how much it is lighter than the road: moss and sand are not, a strip of sun far
more."""
CHROMA = 10.0
"""Least chroma of a line: a white one is yellower than a road that a blue sky's shade lies on."""
HUE = (58.0, 104.0)
"""Of a line, degrees from +a: the paint is orange in places."""
LONG, LENGTH, FULL = 5.0, 0.05, 0.36
"""A line is so many times as long as thick, has this length of the view's height, and fills so much of its rectangle:
two lines that meet far off fill less than half of it."""
THICKEST = 0.06
"""Of the view's height."""
ON_ROAD = 0.8
"""Share of what is around a line that is road."""
LEAST = 0.0006
"""Of the view: all lines together."""
OF_PAINT = 0.5
"""Of all that is yellow on the road the share that is lines: a painted square has some as well."""
RING_PX = 3


def markings(mask: Bools, lightness: Floats, a: Floats, b: Floats) -> list[Look]:
    """The look of a road with yellow lines; empty for another.

    Args:
        mask: of the road.
        lightness: L* of the view's pixels, 0 to 100.
        a: a* of them.
        b: b* of them.
    """
    if not mask.any():
        return []
    hue = np.degrees(np.arctan2(b, a)) % 360
    yellower = b - float(np.median(b[mask])) >= YELLOWER
    painted = mask & yellower & (hue >= HUE[0]) & (hue <= HUE[1]) & (lightness >= LIGHT) & (np.hypot(a, b) >= CHROMA)
    lines = _lines(painted, mask)
    share = area(lines) / max(1, area(painted))
    if area(lines) < LEAST * mask.size or share < OF_PAINT:
        return []
    lighter = float(np.median(lightness[lines]) - np.median(lightness[mask]))
    if not LIGHTER[0] <= lighter <= LIGHTER[1]:
        return []
    return [Look(kind="marking", value="yellow", confidence=round(share, 4))]


def _lines(painted: Bools, road: Bools) -> Bools:
    """The painted pixels that are part of a line."""
    height = painted.shape[0]
    count, numbered, stats, _ = cv2.connectedComponentsWithStats(painted.astype(np.uint8), connectivity=8)
    lines = np.zeros_like(painted)
    ring = np.ones((2 * RING_PX + 1,) * 2, np.uint8)
    for i in range(1, count):
        size = int(stats[i, cv2.CC_STAT_AREA])
        if size < LEAST / 6 * painted.size:
            continue
        part = numbered == i
        _, sides, _ = cv2.minAreaRect(np.argwhere(part).astype(np.float32))
        wide, long = sorted(side + 1 for side in sides)
        thick = size / long
        if long < max(LONG * thick, LENGTH * height) or thick > THICKEST * height or size < FULL * wide * long:
            continue
        around = cv2.dilate(part.astype(np.uint8), ring).astype(bool) & ~part
        if float(road[around].mean()) >= ON_ROAD:
            lines |= part
    return lines
