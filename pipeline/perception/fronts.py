"""Tells buildings from walls, by openings and height, and trees from shrubs, by height.

Models of street scenes name the wall of a garden `building`, as surely as a house. A front has windows, a door, a sign
or an awning; a mask that has none, and is low over the ground that runs along it or built of brick, is called a wall,
which is true of both. Likewise a low `tree` is called vegetation. A building of which no front shows, nor that it is
low, may be either: it counts as less sure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.imaging.types import Pixels
from pipeline.perception.base import Segment
from pipeline.perception.masks import Bools, area, largest_part
from pipeline.perception.vocabulary import Term

WALL, BUILDING = "wall", frozenset({"building", "house"})
PLANTS, TREE = "vegetation", "tree"
LONG_SIDE_PX = 512
"""Openings are looked for in a view of this size."""
OPENINGS = 2
"""So many in the pixels make a front: a shadow, a letter box or a gap in the mask is one."""
DARKER = (12.0, 20.0, 30.0)
"""By how much an opening's lightness (CIELAB) is below the mask's median: panes are dark, some more than others."""
SMALLEST, LARGEST = 0.001, 0.12
"""Least and greatest share of the mask that one covers."""
LEAST_PX, LEAST_SIDE_PX = 24, 4
RECTANGULAR, SLENDER = 0.72, 4.0
"""Least share of its upright rectangle that one fills, and how many times as long as wide it may be."""
ON_MASK, PART = 0.6, 0.005
"""Share of a window, a shop's sign or an awning that lies on a mask, or beside it, from which it is a part of it; and
its least share of the view, for plates with a number or a notice hang on walls."""
_BESIDE_PX = 7
NO_FRONT = 0.8
"""By so much less sure is a large building without openings."""
LOW, SHRUB = 3.0, 2.2
"""Greatest height of a wall and of a shrub, in heights of the camera over the ground: some 5 m and 3.5 m."""
FAR_END = 0.01
"""Share of the ground's pixels above the row that stands for its far end."""
BELOW = 0.04
"""A column has a foot if it ends by so much of the view's height below that row."""
FOOTED, CUT = 0.7, 0.3
"""Least share of a mask's columns with a foot, and greatest share of those that the upper border cuts."""
LARGE = 0.08
"""Least share of the view: of a smaller mask the openings are too small to be seen."""
_ON_POLES = frozenset({"sign"})
"""What may as well stand before a wall."""
_PARTS = frozenset({"window", "door", "sign", "awning", "balcony"})

Floats = NDArray[np.float32]
Words = Mapping[str, Term]


def settled(segments: Sequence[Segment], pixels: Pixels, words: Words) -> list[Segment]:
    """The segments of one view; buildings that are low and have no opening are walls, and low trees vegetation.

    High buildings that show no opening are marked: see `doubted`.
    """
    ground = [segment.mask for segment in segments if words[segment.label].group == "ground"]
    if not ground:
        return list(segments)
    end, lightness = far_end(np.logical_or.reduce(ground)), small_lightness(pixels)

    def label(segment: Segment) -> str:
        if segment.label == TREE and PLANTS in words and is_low(segment.mask, end, SHRUB):
            return PLANTS
        is_wall = (
            segment.label in BUILDING
            and WALL in words
            and area(segment.mask) >= LARGE * segment.mask.size
            and is_low(segment.mask, end, LOW)
            and not is_front(segment.mask, lightness, segments)
        )
        return WALL if is_wall else segment.label

    def without_openings(segment: Segment) -> bool:
        return (
            label(segment) in BUILDING
            and WALL in words
            and area(segment.mask) >= LARGE * segment.mask.size
            and not is_front(segment.mask, lightness, [s for s in segments if s.label not in _ON_POLES])
        )

    return [replace(s, label=label(s), without_openings=without_openings(s)) for s in segments]


def doubted(segment: Segment) -> Segment:
    """A segment as it is told: less sure where it is a building without openings that one engine alone saw.

    To be used on what engines saw together: against a train, a building that may be a wall is as sure as any.
    """
    if not segment.without_openings or len(segment.seen_by) > 1:
        return segment
    return replace(segment, confidence=round(segment.confidence * NO_FRONT, 4))


def small_lightness(pixels: Pixels) -> Floats:
    """L* (0 to 100) of a view, scaled down for `is_front`."""
    scale = min(1.0, LONG_SIDE_PX / max(pixels.shape))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 0], np.float32)


def is_front(mask: Bools, lightness: Floats, segments: Sequence[Segment]) -> bool:
    """Whether a mask shows that people go in there: parts of buildings lie on it, or it has openings.

    Args:
        mask: height x width.
        lightness: L* of the same view, at any scale.
        segments: of the view.
    """
    beside = cv2.dilate(mask.astype(np.uint8), np.ones((2 * _BESIDE_PX + 1,) * 2, np.uint8)).astype(bool)
    parts = [segment.mask for segment in segments if segment.label in _PARTS and not segment.disputed]
    if any(area(part) >= PART * part.size and area(part & beside) >= ON_MASK * area(part) for part in parts):
        return True
    height, width = lightness.shape
    shown = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    inner = cv2.erode(shown, np.ones((3, 3), np.uint8)).astype(bool)
    return openings(inner, lightness) >= OPENINGS


def openings(inner: Bools, lightness: Floats) -> int:
    """How many dark upright rectangles a mask has.

    Args:
        inner: the mask without its rim.
        lightness: L* of its pixels.
    """
    size = area(inner)
    if not size:
        return 0
    middle = float(np.median(lightness[inner]))
    corners: list[tuple[int, int]] = []
    for darker in DARKER:
        dark = (inner & (lightness < middle - darker)).astype(np.uint8)
        count, _, found, _ = cv2.connectedComponentsWithStats(dark, connectivity=4)
        for left, top, wide, high, pixels in found[1:count].tolist():
            short, long = sorted((wide, high))
            if (
                max(LEAST_PX, SMALLEST * size) <= pixels <= LARGEST * size
                and short >= LEAST_SIDE_PX
                and long <= SLENDER * short
                and pixels >= RECTANGULAR * wide * high
                and not any(abs(left - x) < LEAST_SIDE_PX and abs(top - y) < LEAST_SIDE_PX for x, y in corners)
            ):
                corners.append((left, top))
    return len(corners)


def far_end(ground: Bools) -> int:
    """Row of the far end of a view's ground, which has some: at or below the horizon."""
    # Crumbs of ground lie in trees and along roofs.
    rows = np.count_nonzero(largest_part(ground), axis=1)
    return int(np.searchsorted(np.cumsum(rows), FAR_END * rows.sum()))


def is_low(mask: Bools, end: int, most: float) -> bool:
    """Whether a mask is surely at most so many times as high as the camera, where its ground is level.

    What stands on level ground, its foot at row f and its top at row t, is (f - t) / (f - h) times as high as the
    camera, where h is the horizon's row. The horizon is at or above the ground's far end, whose row makes that the
    greatest height.

    Args:
        mask: height x width.
        end: row of the ground's far end.
        most: heights of the camera.
    """
    height = mask.shape[0]
    columns = np.flatnonzero(mask.any(axis=0))
    top = mask[:, columns].argmax(axis=0)
    foot = height - 1 - mask[::-1, columns].argmax(axis=0)
    footed = foot > end + BELOW * height
    if footed.mean() < FOOTED or (top <= height * 0.005).mean() > CUT:
        return False
    return float(np.median((foot - top)[footed] / (foot - end)[footed])) <= most
