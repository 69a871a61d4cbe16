"""The colours of a view's things, from their masks' pixels, where they are sure.

A pixel has a name if it lies in a box of `colours.yaml`. A thing has that of most of its named pixels, if those are
many and no other name comes near; in a row of houses each stretch that has one becomes a building of its own. Nothing
is said at night, under light of a strong tint, of small things, and of what nobody describes by its colour. So most
things have none: what is said is meant to be true, not complete.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from pipeline.imaging.types import Pixels
from pipeline.perception.base import Segment
from pipeline.perception.masks import Bools, area
from pipeline.perception.plausible import is_night
from pipeline.perception.vocabulary import Term
from schemas.records import Look

LONG_SIDE_PX = 512
"""Pixels are averaged down to this: single ones are noise."""
LEAST_SHARE = 0.003
"""Minimum share of the view: smaller things have no colour."""
LEAST_CONFIDENCE, LEAST_BUILDING_CONFIDENCE = 0.6, 0.8
"""Minimum confidence of an object whose pixels are used. What is wrongly taken for a building (sky between branches, a
car's mirror, the inside of a shop) is often of one colour."""
WHOLE_SHARE, GROUND_SHARE = 0.45, 0.6
"""Least share of a mask that has the name; of ground the whole is meant."""
FACADE_SHARE = 0.22
"""The same for each column of a building: there are windows, a roof and shade."""
FACADE_WIDTH, FACADE_AREA = 0.08, 0.015
"""Minimum shares of the view: a narrower or smaller stretch of one colour is no facade."""
BLURRED, GAP = 0.05, 0.03
"""Shares of the view's width: columns are averaged over the first, and a gap of the second does not split a facade."""
REST = 0.5
"""What is beside the facades of a mask is a building too if it has this share of the mask; else it goes with them."""
BEFORE_NEXT = 2.0
"""The name's share is at least so many times that of the next."""
TINT = 16.0
"""Chroma of the median of what else is seen, but for the sky: above, it is the light that has the colour."""
ELSE = 0.05
"""Least share of the view for that; of a smaller one nothing can be said, and the whole view stands for it."""
INDOORS = 40.0
"""Median lightness of a view without sky below which lamps light what is seen."""
_COLOURED = frozenset({"building", "ground", "barrier", "sign", "awning", "door", "bridge", "roof"})
"""Groups and labels that are described by their colour."""
_PALE = frozenset({"white", "beige"})
"""What ground looks like in the sun, whatever it is made of."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ColourBox:
    """Part of CIELAB that has a name; each range with its ends."""

    name: str
    lightness: tuple[float, float]
    chroma: tuple[float, float]
    hue: tuple[float, float]

    def holds(self, lightness: NDArray[np.float32], chroma: NDArray[np.float32], hue: NDArray[np.float32]) -> Bools:
        """Which pixels lie in it."""
        low, high = self.hue
        between = (hue >= low) & (hue <= high) if low <= high else (hue >= low) | (hue <= high)
        bright = (lightness >= self.lightness[0]) & (lightness <= self.lightness[1])
        return np.asarray(bright & (chroma >= self.chroma[0]) & (chroma <= self.chroma[1]) & between, bool)


@cache
def colour_boxes() -> tuple[ColourBox, ...]:
    """All boxes of `colours.yaml`; a name may have several."""
    raw = yaml.safe_load((files(__package__) / "colours.yaml").read_text(encoding="utf-8"))
    return tuple(
        ColourBox(name, tuple(box["lightness"]), tuple(box["chroma"]), tuple(box.get("hue", (0, 360))))
        for name, boxes in raw.items()
        for box in boxes
    )


class ViewColours:
    """The colours of one view's things."""

    def __init__(self, pixels: Pixels, segments: Sequence[Segment], words: Mapping[str, Term]) -> None:
        """Names the pixels; the segments say whether there is a sky, and a dark one."""
        self._words = words
        scale = min(1.0, LONG_SIDE_PX / max(pixels.shape))
        self._size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        small = cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA)
        lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        lightness, a, b = np.moveaxis(lab, -1, 0)
        chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360
        self.names = list(dict.fromkeys(box.name for box in colour_boxes()))
        self.named = np.full(lightness.shape, -1, np.int8)
        """Which name each pixel has; -1 for none."""
        for box in colour_boxes():
            self.named[box.holds(lightness, chroma, hue)] = self.names.index(box.name)
        self._a, self._b = a, b
        skies = [self._small(segment.mask) for segment in segments if segment.label == "sky"]
        self._sky = np.logical_or.reduce(skies) if skies else np.zeros(a.shape, bool)
        self._lit = not is_night(pixels, segments) and (bool(skies) or float(np.median(lightness)) >= INDOORS)
        """Whether there is light enough to tell colours."""

    def coloured(self, segment: Segment) -> list[Segment]:
        """The segment with its colour, if it has a sure one; a mask of buildings in parts, where facades differ."""
        group = self._words[segment.label].group
        least = LEAST_BUILDING_CONFIDENCE if group == "building" else LEAST_CONFIDENCE
        if (
            not self._lit
            or segment.box
            or not {group, segment.label} & _COLOURED
            or segment.confidence < least
            or area(segment.mask) < LEAST_SHARE * segment.mask.size
            or self._tinted(segment.mask)
        ):
            return [segment]
        if group == "building":
            return self._facades(segment)
        shares = self._shares(segment.mask).sum(axis=1) / max(1, area(self._inner(segment.mask)))
        name, confidence = self._surest(shares[:, None], GROUND_SHARE if group == "ground" else WHOLE_SHARE)
        if name[0] < 0 or (group == "ground" and self.names[name[0]] in _PALE):
            return [segment]
        return [_with(segment, self.names[name[0]], float(confidence[0]))]

    def _facades(self, segment: Segment) -> list[Segment]:
        """Stretches of one colour, and the rest if it is large; the mask alone if it has none."""
        inner = self._inner(segment.mask)
        width = inner.shape[1]
        kernel = np.ones(max(3, round(BLURRED * width)))
        blurred = [np.convolve(row, kernel, "same") for row in (*self._shares(segment.mask), inner.sum(axis=0))]
        name, confidence = self._surest(np.array(blurred[:-1]) / np.maximum(blurred[-1], 1), FACADE_SHARE)
        name[~inner.any(axis=0)] = -1
        found = []
        for i, colour in enumerate(self.names):
            for left, right in _runs(name == i, gap=max(3, round(GAP * width))):
                if right - left >= FACADE_WIDTH * width and area(inner[:, left:right]) >= FACADE_AREA * inner.size:
                    found.append((left, right, colour, float(confidence[left:right][name[left:right] == i].mean())))
        if not found:
            return [segment]
        scale = segment.mask.shape[1] / width
        parts, rest = [], segment.mask.copy()
        for left, right, colour, sure in sorted(found):
            columns = slice(round(left * scale), round(right * scale))
            mask = np.zeros_like(rest)
            mask[:, columns] = rest[:, columns]
            rest[:, columns] = False
            parts.append(_with(replace(segment, mask=mask), colour, sure))
        if area(rest) >= REST * area(segment.mask):
            return [*parts, replace(segment, mask=rest)]
        largest = max(range(len(parts)), key=lambda i: area(parts[i].mask))
        parts[largest] = replace(parts[largest], mask=parts[largest].mask | rest)
        return parts

    def _tinted(self, mask: Bools) -> bool:
        """Whether the light on a thing has a colour, by what is beside it."""
        beside = ~self._small(mask) & ~self._sky
        if area(beside) < ELSE * beside.size:
            beside = np.ones_like(beside)
        return float(np.hypot(np.median(self._a[beside]), np.median(self._b[beside]))) >= TINT

    def _small(self, mask: Bools) -> Bools:
        """A mask at the scale of the names."""
        return np.asarray(cv2.resize(mask.astype(np.uint8), self._size, interpolation=cv2.INTER_NEAREST), bool)

    def _inner(self, mask: Bools) -> Bools:
        """The same without its rim, which its surroundings mix into."""
        return np.asarray(cv2.erode(self._small(mask).astype(np.uint8), np.ones((3, 3), np.uint8)), bool)

    def _shares(self, mask: Bools) -> Floats:
        """Names x columns: how many of a mask's pixels have a name."""
        named = np.where(self._inner(mask), self.named, -1)
        return np.array([np.count_nonzero(named == i, axis=0) for i in range(len(self.names))], float)

    def _surest(self, shares: Floats, least: float) -> tuple[NDArray[np.int64], Floats]:
        """For each column of names x columns the name that prevails, or -1, and its part of it and the next."""
        first, second = np.sort(shares, axis=0)[[-1, -2]]
        sure = (first >= least) & (first >= BEFORE_NEXT * second)
        confidence = first / np.maximum(first + second, 1e-9)
        return np.where(sure, shares.argmax(axis=0), -1), np.asarray(confidence, float)


def _runs(true: Bools, gap: int) -> list[tuple[int, int]]:
    """First and past-the-last index of each stretch that is true, gaps closed."""
    closed = cv2.morphologyEx(true.astype(np.uint8)[None], cv2.MORPH_CLOSE, np.ones((1, gap | 1), np.uint8))[0]
    steps = np.diff(np.concatenate([[0], closed.astype(int), [0]]))
    return list(zip(np.flatnonzero(steps == 1).tolist(), np.flatnonzero(steps == -1).tolist(), strict=True))


def _with(segment: Segment, colour: str, confidence: float) -> Segment:
    look = Look(kind="colour", value=colour, confidence=round(confidence, 4))
    return replace(segment, looks=(look,), attribute=segment.attribute or colour)
