"""From what a model marked and named to a view's segments: no pixel in two of them, no crumbs."""

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
"""Of a mask within a larger one: of its class, it is the same thing marked twice; of a vehicle, a part of it."""

Bools = NDArray[np.bool_]


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
    (what the vocabulary does not count: sky, grass) become one segment a class; things stay apart.
    """
    marked = [replace(mark, mask=_filled(mark.mask)) if _moves(mark, words) else mark for mark in marked]
    ordered = sorted(marked, key=lambda m: (-int(m.mask.sum()), -m.confidence, m.label))
    if not ordered:
        return []
    front = np.full(ordered[0].mask.shape, -1, np.int32)
    kept: list[Marked] = []
    for mark in ordered:
        area = mark.mask.sum()
        holders = [o for o in kept if o.label == mark.label or (words[mark.label].lasting and _moves(o, words))]
        if not area or any((other.mask & mark.mask).sum() >= SAME_THING * area for other in holders):
            continue
        front[mark.mask] = len(kept)
        kept.append(mark)
    visible = [Marked(mark.label, front == i, mark.confidence) for i, mark in enumerate(kept)]
    found = [
        Segment(mark.label, None, mark.mask, round(mark.confidence, 4), words[mark.label].lasting, None)
        for mark in _joined(visible, words)
        if mark.mask.mean() >= LEAST_SHARE
    ]
    return sorted(found, key=lambda s: (-int(s.mask.sum()), int(np.flatnonzero(s.mask.any(axis=0))[0]), s.label))


def _moves(mark: Marked, words: Mapping[str, Term]) -> bool:
    """Whether it is a passing thing; snow is none, but a stretch, and what stands in it stays."""
    return not words[mark.label].lasting and words[mark.label].many is not None


def _filled(mask: Bools) -> Bools:
    """Without holes: a model may leave out the windows of a bus, or the board that it carries."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(mask.astype(np.uint8), outlines, -1, 1, cv2.FILLED), bool)


def _joined(visible: Sequence[Marked], words: Mapping[str, Term]) -> list[Marked]:
    """Masks of one stretch together; its confidence is the mean over its pixels."""
    things = [mark for mark in visible if words[mark.label].many is not None]
    for label in dict.fromkeys(mark.label for mark in visible if words[mark.label].many is None):
        parts = [mark for mark in visible if mark.label == label]
        areas = np.array([part.mask.sum() for part in parts], float)
        if areas.sum():
            confidence = float(np.average([part.confidence for part in parts], weights=areas))
            things.append(Marked(label, np.logical_or.reduce([part.mask for part in parts]), confidence))
    return things


def parts(mask: Bools) -> list[Bools]:
    """Connected parts of a mask that are large enough to be segments."""
    count, numbered, found, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    least = LEAST_SHARE * mask.size
    return [numbered == i for i in range(1, count) if found[i, cv2.CC_STAT_AREA] >= least]
