"""Colours of parts of a building's front: large stretches of like pixels, each named by its median.

A front is seldom of one colour: there are shop windows below, another house beside it, a wall in the shade. So its
pixels are sorted into a few kinds, which have a name if their medians lie in a box of `colours.yaml`. Told are the
names of large connected stretches, and of what there is much of in pieces. That a building has white parts says less
than that it is white, and is sure more often.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.perception.colour_names import colour_boxes
from pipeline.perception.masks import Bools, area, largest_part
from schemas.records import Look

KINDS, ROUNDS, SEED = 7, 20, 1
"""Of pixels, as k-means finds them; its rounds and its seed."""
LIGHTNESS_WEIGHT = 0.4
"""Of a difference in lightness beside one in a* or b*: light and shade are on one wall."""
DARKEST = 22.0
"""Lightness of windows and deep shade, which count for no colour."""
AROUND_PX, DENSE = 9, 0.5
"""In a stretch so great a share of what is around a pixel is of its kind."""
LEAST, SCATTERED, LEAST_OF_VIEW = 0.06, 0.25, 0.008
"""Least share of the building that a stretch covers, that pieces do (a wall of stone has joints, one of panels has
windows), and least share of the view."""
_MORE = {"grey": 0.14, "white": 0.04, "pale": 0.02}
"""By how much larger a stretch is of what has no colour: sky between branches is pale, most things are grey in part."""
FOOT, ABOVE_FOOT = 2 / 3, 0.5
"""At least so much of a stretch lies above the last third of the building's columns: at the foot are garden walls,
plants, and the ground."""
MIDDLE = (0.15, 0.85)
"""Quantiles of the building's columns between which the middle of a part lies: what is at its end is not where it is
said to be, and may be another's."""
MOST = 2
"""Parts told of a building."""
LEAST_PIXELS = 200
_ALIKE = (
    frozenset({"white", "pale", "beige"}),
    frozenset({"beige", "tan", "yellow"}),
    frozenset({"brick-red", "reddish", "red", "pink"}),
)
"""Names between which light and shade decide: one building has one of them."""

Floats = NDArray[np.float32]


def front_colours(inner: Bools, usable: Bools, lightness: Floats, a: Floats, b: Floats, but: str | None) -> list[Look]:
    """The colours of a building's largest parts, at most two, the largest first.

    Args:
        inner: the building's mask without its rim, height x width.
        usable: pixels that have a colour of their own: no panes that mirror the sky.
        lightness: L* of the view's pixels, 0 to 100.
        a: a* of them.
        b: b* of them.
        but: colour of the whole building, where it has one; none like it is told again.
    """
    sorted_pixels = inner & usable & (lightness >= DARKEST)
    if area(sorted_pixels) < LEAST_PIXELS:
        return []
    points = np.stack([lightness * LIGHTNESS_WEIGHT, a, b], -1)[sorted_pixels].astype(np.float32)
    cv2.setRNGSeed(SEED)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, ROUNDS, 0.5)
    kinds = np.full(inner.shape, -1, np.int32)
    kinds[sorted_pixels] = cv2.kmeans(points, KINDS, np.empty(0), criteria, 1, cv2.KMEANS_PP_CENTERS)[1][:, 0]
    named: dict[str, Bools] = {}
    for kind in (kinds == i for i in range(KINDS)):
        name = _name(*(float(np.median(channel[kind])) for channel in (lightness, a, b))) if kind.any() else None
        if name:
            named[name] = named.get(name, False) | kind
    around = np.maximum(_sum_around(inner), 1)
    found = []
    for name, pixels in named.items():
        stretch = largest_part(inner & (_sum_around(pixels) >= DENSE * around))
        for part, least in ((stretch, LEAST + _MORE.get(name, 0.0)), (pixels, SCATTERED + _MORE.get(name, 0.0))):
            share = area(part) / area(inner)
            large = share >= least and area(part) >= LEAST_OF_VIEW * inner.size
            if large and _above_foot(part, inner) and _in_middle(part, inner):
                found.append((share, name))
    told: list[Look] = []
    for share, name in sorted(found, reverse=True):
        others = [look.value for look in told] + ([but] if but else [])
        if len(told) < MOST and not any(name == other or _alike(name, other) for other in others):
            told.append(Look(kind="part", value=name, confidence=round(share, 4)))
    return told


def _sum_around(mask: Bools) -> Floats:
    return np.asarray(cv2.boxFilter(mask.astype(np.float32), -1, (AROUND_PX, AROUND_PX), normalize=False), np.float32)


def _above_foot(stretch: Bools, building: Bools) -> bool:
    first, size = building.argmax(axis=0), np.count_nonzero(building, axis=0)
    above = np.arange(building.shape[0])[:, None] < first + FOOT * size
    return area(stretch & above) >= ABOVE_FOOT * area(stretch)


def _in_middle(stretch: Bools, building: Bools) -> bool:
    columns = np.cumsum(np.count_nonzero(building, axis=0)) / area(building)
    middle = int(np.average(np.arange(stretch.shape[1]), weights=np.count_nonzero(stretch, axis=0)))
    return MIDDLE[0] <= float(columns[middle]) <= MIDDLE[1]


def _name(lightness: float, a: float, b: float) -> str | None:
    point = [np.array([x], np.float32) for x in (lightness, np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360)]
    return next((box.name for box in colour_boxes("parts") if box.holds(*point)[0]), None)


def _alike(one: str, other: str) -> bool:
    return any({one, other} <= names for names in _ALIKE)
