"""Removes what a semantic model says and cannot be: a building in the sky, a road in the air, a tree in a window.

Models that name each pixel make such mistakes on clouds, flares, reflections, manholes, the dashboard of the camera's
own car, and in the dark. Flags and lamps may be anywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np

from pipeline.imaging.types import Pixels
from pipeline.perception.base import Segment
from pipeline.perception.clearness import is_blurred, is_night
from pipeline.perception.masks import Bools, area, filled
from pipeline.perception.vocabulary import Term

AROUND = 0.75
"""Share of a mask's surroundings that is of one group: then it lies in it; and of what is below it: then it floats."""
LOW = 0.55
"""A standing thing's top lies above this share of the view's height, counted from the top."""
HIGH = 0.4
"""Ground lies mostly below this."""
DARK = 36
"""Lightness (CIE L* as a byte: 14 of 100) below which most of a mask shows nothing: it is guessed from its outline."""
UNCLEAR_CONFIDENCE, NIGHT_WALL = 0.8, 0.95
"""At night and in a blurred view only what the model is so sure of counts; a wall at night is often a lit window."""
GREEN_SHARE, GREEN_A, GREEN_B = 0.25, -3, 2
"""Least share of what grows, but for trees, whose pixels are green: below the first a* and above the second b*. Bare
soil, a door's foot and a table in the shade are taken for greenery, and trees may be bare."""
GROUND = "paved ground"
"""Names of made ground where the model wavers between road, pavement and the like."""
WAVERING = 0.7
"""The largest of these covers less than this share of them: the model wavers."""
MINOR, MINOR_CONFIDENCE = 0.1, 0.8
"""Otherwise one that covers less than this share of them counts only where the model is as sure as this."""
_RING_PX = 3
_STANDS = frozenset({"building", "height", "barrier"})
_LIES = frozenset({"ground", "water"})
_TREES = frozenset({"tree", "palm tree"})
_HANGS = frozenset({"sign", "awning", "window"})
MADE = frozenset({"road", "pavement", "paved ground", "square", "parking area", "cycle path"})
"""Made ground, whose colours are grey, pale or reddish."""

Words = Mapping[str, Term]


def plausible(segments: Sequence[Segment], pixels: Pixels, words: Words) -> list[Segment]:
    """The segments of one model in one view, without what cannot be, made ground settled; the largest first."""
    lab = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB), np.uint8)
    night = is_night(pixels, segments)
    least = UNCLEAR_CONFIDENCE if night or is_blurred(pixels) else 0.0
    segments = [
        segment
        for segment in segments
        if segment.confidence >= (NIGHT_WALL if night and words[segment.label].group == "barrier" else least)
        and (words[segment.label].group == "sky" or np.median(lab[..., 0][segment.mask]) >= DARK)
    ]
    green = _green(lab)
    segments = [
        segment
        for segment in segments
        if not _must_be_green(segment, words) or green[segment.mask].mean() >= GREEN_SHARE
    ]
    groups = [words[segment.label].group for segment in segments]
    where = {group: _union(segments, groups, {group}) for group in ("sky", "building")}
    where["ground"] = _union(segments, groups, _LIES)
    kept = [s for s, group in zip(segments, groups, strict=True) if not _misplaced(s.mask, group, where)]
    return sorted(_settled(kept, words), key=lambda s: (-area(s.mask), s.label))


def _must_be_green(segment: Segment, words: Words) -> bool:
    return words[segment.label].group == "plant" and segment.label not in _TREES


def _green(lab: Pixels) -> Bools:
    """Which pixels are green, single ones averaged."""
    a, b = (channel.astype(int) - 128 for channel in cv2.split(cv2.blur(lab, (3, 3)))[1:])
    return np.asarray((a < GREEN_A) & (b > GREEN_B), bool)


def _union(segments: Sequence[Segment], groups: Sequence[str], wanted: frozenset[str] | set[str]) -> Bools | None:
    masks = [segment.mask for segment, group in zip(segments, groups, strict=True) if group in wanted]
    return np.logical_or.reduce(masks) if masks else None


def _misplaced(mask: Bools, group: str, where: Mapping[str, Bools | None]) -> bool:
    height = mask.shape[0]
    rows = np.flatnonzero(mask.any(axis=1))
    if group in _LIES:
        middle = float(np.count_nonzero(mask, axis=1) @ np.arange(height)) / area(mask)
        return middle < HIGH * height or _within(mask, where["sky"])
    if group in _STANDS:
        return bool(rows[0] > LOW * height) or _within(mask, where["ground"]) or _floats(mask, where["sky"])
    if group in _HANGS:
        # What goes on above the view may as well be a flag, a roof or a parasol as an awning.
        return _within(mask, where["ground"]) or (group == "awning" and bool(rows[0] == 0))
    if group == "plant":
        return _within(mask, where["sky"]) or (rows[-1] < 0.9 * height and _within(mask, where["building"]))
    return group == "sky" and bool(rows[0] > 0) and _within(mask, where["building"])


def _within(mask: Bools, other: Bools | None) -> bool:
    """Whether most of what is around a mask is the other; what is beyond the view's edge is not."""
    if other is None:
        return False
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    beyond = [(_RING_PX, _RING_PX)] * 2
    window = (slice(rows[0], rows[-1] + 1 + 2 * _RING_PX), slice(columns[0], columns[-1] + 1 + 2 * _RING_PX))
    inner = filled(np.pad(mask, beyond)[window])  # not what it is the frame of
    ring = cv2.dilate(inner.astype(np.uint8), np.ones((2 * _RING_PX + 1,) * 2, np.uint8)).astype(bool) & ~inner
    return float(np.pad(other, beyond)[window][ring].mean()) >= AROUND


def _floats(mask: Bools, sky: Bools | None) -> bool:
    """Whether a standing thing has sky below most of its columns."""
    if sky is None:
        return False
    columns = np.flatnonzero(mask.any(axis=0))
    foot = mask.shape[0] - 1 - mask[::-1, columns].argmax(axis=0)
    below = np.minimum(foot + _RING_PX, mask.shape[0] - 1)
    return float(sky[below, columns].mean()) >= AROUND


def _settled(segments: Sequence[Segment], words: Words) -> list[Segment]:
    """One made ground where the model wavers; otherwise the one that prevails, and those that it is sure of."""
    made = [segment for segment in segments if segment.label in MADE]
    if len(made) < 2:
        return list(segments)
    others = [segment for segment in segments if segment.label not in MADE]
    areas = np.array([area(segment.mask) for segment in made], float)
    shares = areas / areas.sum()
    if shares.max() >= WAVERING:
        sure = [
            segment
            for segment, share in zip(made, shares.tolist(), strict=True)
            if share >= MINOR or segment.confidence >= MINOR_CONFIDENCE
        ]
        return [*others, *sure]
    if GROUND not in words:
        return list(segments)
    confidence = round(float(shares @ [segment.confidence for segment in made]), 4)
    mask = np.logical_or.reduce([segment.mask for segment in made])
    return [*others, replace(made[0], label=GROUND, mask=mask, confidence=confidence)]
