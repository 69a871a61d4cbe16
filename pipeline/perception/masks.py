"""Turns the named masks of a model into a view's segments: without overlaps and without crumbs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.perception.base import Segment
from pipeline.perception.vocabulary import Term

LEAST_SHARE = 0.001
"""Smaller parts of a view are no segments. Below what a cue needs: a far van may still carry a text."""
SAME_THING = 0.8
"""Share of a mask within a larger one, from which a mask of the same class marks the same thing twice, and one within a
vehicle is a part of it."""

VALLEY, VALLEY_LEAST, SIDE_SHARE = 0.3, 0.15, 0.15
"""Two sides of a street: between them a mask is at most this share as high as the lower side, which is at least so much
of the view; and each side has at least this share of the mask."""

Bools = NDArray[np.bool_]


def area(mask: Bools) -> int:
    """How many pixels a mask has."""
    return int(np.count_nonzero(mask))  # many times as fast as a sum


@dataclass(frozen=True)
class Marked:
    """A mask with the class that a model gave it."""

    label: str
    mask: Bools
    confidence: float


def segments(marked: Iterable[Marked], words: Mapping[str, Term]) -> list[Segment]:
    """Segments that do not overlap, the largest first.

    Where masks overlap the smaller one lies in front: a door before its house, a lamp before the sky. What stands
    within a passing thing moves with it and is no segment of its own: the windows and the lettering of a bus. Stretches
    (ground, and what the vocabulary does not count: sky, grass) become one segment a class; things stay apart.
    """
    marked = [replace(mark, mask=filled(mark.mask)) if _moves(mark, words) else mark for mark in marked]
    ordered = sorted(marked, key=lambda m: (-area(m.mask), -m.confidence, m.label))
    if not ordered:
        return []
    front = np.full(ordered[0].mask.shape, -1, np.int32)
    kept: list[Marked] = []
    for mark in ordered:
        pixels = area(mark.mask)
        holders = [o for o in kept if o.label == mark.label or (words[mark.label].lasting and _moves(o, words))]
        if not pixels or any(area(other.mask & mark.mask) >= SAME_THING * pixels for other in holders):
            continue
        front[mark.mask] = len(kept)
        kept.append(mark)
    visible = [Marked(mark.label, front == i, mark.confidence) for i, mark in enumerate(kept)]
    found = [
        Segment(mark.label, None, mark.mask, round(mark.confidence, 4), words[mark.label].lasting, None)
        for mark in _joined(visible, words)
        if area(mark.mask) >= LEAST_SHARE * mark.mask.size
    ]
    return sorted(found, key=lambda s: (-area(s.mask), int(np.flatnonzero(s.mask.any(axis=0))[0]), s.label))


def _moves(mark: Marked, words: Mapping[str, Term]) -> bool:
    """Whether it is a passing thing; snow is none, but a stretch, and what stands in it stays."""
    return not words[mark.label].lasting and words[mark.label].many is not None


def filled(mask: Bools) -> Bools:
    """Without holes: a model may leave out the windows of a bus, or the board that it carries."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(mask.astype(np.uint8), outlines, -1, 1, cv2.FILLED), bool)


def _joined(visible: Sequence[Marked], words: Mapping[str, Term]) -> list[Marked]:
    """Masks of one stretch together; its confidence is the mean over its pixels."""
    things = [mark for mark in visible if not _is_stretch(words[mark.label])]
    for label in dict.fromkeys(mark.label for mark in visible if _is_stretch(words[mark.label])):
        parts = [mark for mark in visible if mark.label == label]
        areas = np.array([area(part.mask) for part in parts], float)
        if areas.sum():
            confidence = float(np.average([part.confidence for part in parts], weights=areas))
            things.append(Marked(label, np.logical_or.reduce([part.mask for part in parts]), confidence))
    return things


def _is_stretch(term: Term) -> bool:
    return term.many is None or term.group == "ground"


def largest_part(mask: Bools) -> Bools:
    """The largest connected part of a mask; the mask itself if it is empty."""
    count, numbered, found, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return np.asarray(numbered == 1 + int(np.argmax(found[1:, cv2.CC_STAT_AREA])), bool) if count > 1 else mask


def parts(mask: Bools) -> list[Bools]:
    """Connected parts of a mask that are large enough to be segments."""
    count, numbered, found, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    least = LEAST_SHARE * mask.size
    return [numbered == i for i in range(1, count) if found[i, cv2.CC_STAT_AREA] >= least]


def sides(mask: Bools) -> list[Bools]:
    """The two sides of a street where one mask of buildings holds both, joined at the far end; else the mask.

    Down each column counts how much of the mask there is: between two sides it falls to a fraction of either.
    """
    heights = mask.sum(axis=0).astype(float)
    left, right = np.maximum.accumulate(heights), np.maximum.accumulate(heights[::-1])[::-1]
    depth = heights / np.maximum(np.minimum(left, right), 1)
    inner = np.flatnonzero((depth <= VALLEY) & (np.minimum(left, right) >= VALLEY_LEAST * mask.shape[0]))
    if not inner.size:
        return [mask]
    column = int(inner[np.argmin(depth[inner])])
    halves = [mask.copy(), mask.copy()]
    halves[0][:, column:] = False
    halves[1][:, :column] = False
    if min(map(area, halves)) < SIDE_SHARE * area(mask):
        return [mask]
    return halves


def upper_share(mask: Bools, other: Bools, part: float) -> float:
    """Share of a mask's uppermost pixels, so great a part of them all, that lie on another; 0 of an empty one."""
    rows = np.cumsum(np.count_nonzero(mask, axis=1))
    end = int(np.searchsorted(rows, rows[-1] * part)) + 1
    return area((mask & other)[:end]) / max(1, area(mask[:end]))
