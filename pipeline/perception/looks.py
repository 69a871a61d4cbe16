"""The colour of a thing, from its mask's pixels, where they are sure of it.

A pixel has a name if it lies in a box of `colours.yaml`. A thing has that of most of its named pixels, if those are
many and no other name comes near. Nothing is said at night, under light of a strong tint, of small things, and of what
nobody describes by its colour. So most things have none: what is said is meant to be true, not complete.
"""

from collections.abc import Mapping
from dataclasses import dataclass
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
LEAST_CONFIDENCE = 0.6
"""Of what is less sure to be the thing, its pixels say nothing."""
LEAST_SHARE = 0.003
"""Of the view: smaller things have no colour."""
WHOLE_SHARES = {"building": 0.22, "ground": 0.6}
"""Least share of a mask that has the name: a building has windows, a roof and shade; of ground the whole is meant."""
WHOLE_SHARE = 0.45
"""The same for other things."""
BEFORE_NEXT = 2.0
"""The name's share is at least so many times that of the next."""
TINT = 16.0
"""Chroma of the whole view's median: above, it is the light that has the colour."""
_COLOURED = frozenset({"building", "ground", "barrier", "sign", "awning", "door", "bridge", "roof"})
"""Groups and labels that are described by their colour."""
_PALE = frozenset({"white", "beige"})
"""What ground looks like in the sun, whatever it is made of."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class ColourBox:
    """Part of CIELAB that has one name; each range with its ends."""

    name: str
    lightness: tuple[float, float]
    chroma: tuple[float, float]
    hue: tuple[float, float]

    def holds(self, lightness: Floats, chroma: Floats, hue: Floats) -> Bools:
        """Which pixels lie in it."""
        low, high = self.hue
        between = (hue >= low) & (hue <= high) if low <= high else (hue >= low) | (hue <= high)
        bright = (lightness >= self.lightness[0]) & (lightness <= self.lightness[1])
        return np.asarray(bright & (chroma >= self.chroma[0]) & (chroma <= self.chroma[1]) & between, bool)


@cache
def colour_boxes() -> tuple[ColourBox, ...]:
    """All boxes of `colours.yaml`."""
    raw = yaml.safe_load((files(__package__) / "colours.yaml").read_text(encoding="utf-8"))
    return tuple(
        ColourBox(name, tuple(box["lightness"]), tuple(box["chroma"]), tuple(box.get("hue", (0, 360))))
        for name, boxes in raw.items()
        for box in boxes
    )


class ViewColours:
    """The colours of one view's things."""

    def __init__(self, pixels: Pixels, words: Mapping[str, Term]) -> None:
        self._words = words
        scale = min(1.0, LONG_SIDE_PX / max(pixels.shape))
        self._size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        small = cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA)
        lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        self._lightness, a, b = np.moveaxis(lab, -1, 0)
        self._chroma, self._hue = np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360
        self.clear = not is_night(pixels) and float(np.hypot(np.median(a), np.median(b))) < TINT
        """Whether the light lets colours be told."""

    def looks(self, segment: Segment) -> tuple[Look, ...]:
        """Its colour, or nothing."""
        group = self._words[segment.label].group
        if (
            not self.clear
            or segment.disputed
            or segment.box
            or not {group, segment.label} & _COLOURED
            or segment.confidence < LEAST_CONFIDENCE
            or area(segment.mask) < LEAST_SHARE * segment.mask.size
        ):
            return ()
        shares = self._shares(segment.mask)
        name, share = max(shares.items(), key=lambda item: item[1], default=("", 0.0))
        next_share = max((other for key, other in shares.items() if key != name), default=0.0)
        if share < WHOLE_SHARES.get(group, WHOLE_SHARE) or share < BEFORE_NEXT * next_share:
            return ()
        if group == "ground" and name in _PALE:
            return ()
        return (Look(kind="colour", value=name, confidence=round(share / (share + next_share), 4)),)

    def _shares(self, mask: Bools) -> dict[str, float]:
        """The share of a mask's pixels that has each name; its rim, which its surroundings mix into, left out."""
        small = cv2.resize(mask.astype(np.uint8), self._size, interpolation=cv2.INTER_NEAREST)
        inner = cv2.erode(small, np.ones((3, 3), np.uint8)).astype(bool)
        pixels = self._lightness[inner], self._chroma[inner], self._hue[inner]
        shares: dict[str, float] = {}
        for box in colour_boxes() if inner.any() else ():
            shares[box.name] = shares.get(box.name, 0.0) + float(box.holds(*pixels).mean())
        return shares
