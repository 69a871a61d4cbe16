"""The colours of a text's letters and of what is behind them, where its pixels are sure of them.

The pixels of a text are of two sorts, as k-means finds them; what lies along the edge of its box is behind the letters.
Letters are white or black only beside what is far darker or lighter; `light` and `dark` are said of what has no colour
to speak of, and of letters between the two.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.imaging.types import Pixels
from pipeline.perception.base import TextBox
from schemas.records import Look

LEAST_HEIGHT_PX = 12.0
"""Lettering lower than this mixes with its background."""
LEAST_CHARACTERS = 3
"""The edge of a speed limit's box lies on the rim of its disc."""
HEIGHT_PX, MOST_WIDTH_PX = 48, 960
"""Size that a text is straightened to."""
MARGIN = 0.12
"""Of the height: what is taken to be the edge of the box."""
APART = 33.0
"""Least distance of the two sorts in CIELAB."""
LEAST_LETTERS, MOST_LETTERS = 0.08, 0.55
"""Share of a box that letters cover."""
EVEN, EVEN_SHARE = 16.0, 0.7
"""So much of the edge lies so near to the background's median: the background is of one colour."""
CORE = 0.5
"""Share of the letters' pixels that are not mixed with the background: those that are farthest from it."""
AGREE = 0.6
"""Share of a sort's pixels that have the name."""

Lab = NDArray[np.float32]


@dataclass(frozen=True)
class _Name:
    value: str
    lightness: tuple[float, float]
    chroma: tuple[float, float]
    hue: tuple[float, float] | None = None

    def share(self, lab: Lab) -> float:
        """Share of n x 3 pixels."""
        lightness, chroma = lab[:, 0], np.hypot(lab[:, 1], lab[:, 2])
        has = (lightness >= self.lightness[0]) & (lightness <= self.lightness[1])
        has &= (chroma >= self.chroma[0]) & (chroma <= self.chroma[1])
        if self.hue is not None:
            hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) % 360
            low, high = self.hue
            has &= (hue >= low) & (hue <= high) if low <= high else (hue >= low) | (hue <= high)
        return float(has.mean())


_COLOURS = (
    _Name("red", (18, 62), (36, 140), (12, 46)),
    _Name("orange", (48, 82), (50, 140), (52, 66)),
    _Name("yellow", (55, 98), (42, 140), (78, 102)),
    _Name("green", (18, 85), (22, 140), (122, 178)),
    _Name("blue", (12, 75), (26, 140), (245, 305)),
)
_LETTERS = (
    *_COLOURS,
    _Name("white", (60, 100), (0, 16)),
    _Name("light", (40, 60), (0, 12)),
    _Name("dark", (36, 55), (0, 12)),
    _Name("black", (0, 36), (0, 12)),
)
_BACKGROUNDS = (*_COLOURS, _Name("dark", (0, 36), (0, 14)), _Name("light", (74, 100), (0, 16)))
_SIGN = {"white": 1, "light": 1, "dark": -1, "black": -1}
_CONTRAST = 30.0
"""By how much lighter than what is behind them white and light letters are, and darker black and dark ones."""


def with_looks(boxes: Sequence[TextBox], pixels: Pixels) -> list[TextBox]:
    """A view's texts with the colours of their letters and backgrounds, where they are sure.

    Args:
        boxes: of the view; polygons of four corners, clockwise from the text's top left.
        pixels: the view, taken by daylight.
    """
    return [replace(box, looks=_looks(box, pixels)) for box in boxes]


def _looks(box: TextBox, pixels: Pixels) -> tuple[Look, ...]:
    corners = np.array(box.polygon, np.float32).reshape(-1, 2)
    if len(corners) != 4 or len(box.text) < LEAST_CHARACTERS:
        return ()
    lab = _straightened(corners, pixels)
    if lab is None:
        return ()
    letters, background, edge = _sorted(lab)
    share = len(letters) / max(1, len(letters) + len(background))
    if not LEAST_LETTERS <= share <= MOST_LETTERS:
        return ()
    behind = np.median(edge, axis=0)
    if float(np.linalg.norm(np.median(letters, axis=0) - behind)) < APART:
        return ()
    away = np.linalg.norm(letters - behind, axis=1)
    core = letters[away >= np.quantile(away, 1 - CORE)]
    contrast = float(np.median(core[:, 0]) - behind[0])
    found = []
    fitting = [name for name in _LETTERS if contrast * _SIGN.get(name.value, 0) >= _CONTRAST or name in _COLOURS]
    name, agree = _named(core, fitting)
    if name:
        found.append(Look(kind="lettering", value=name, confidence=agree))
    even = float((np.linalg.norm(edge - behind, axis=1) <= EVEN).mean())
    name, agree = _named(np.concatenate([edge, background]), _BACKGROUNDS)
    if name and even >= EVEN_SHARE:
        found.append(Look(kind="background", value=name, confidence=agree))
    return tuple(found)


def _straightened(corners: NDArray[np.float32], pixels: Pixels) -> Lab | None:
    """The text upright in CIELAB, height x width x 3, if it is high enough."""
    along = (np.linalg.norm(corners[1] - corners[0]) + np.linalg.norm(corners[2] - corners[3])) / 2
    across = (np.linalg.norm(corners[3] - corners[0]) + np.linalg.norm(corners[2] - corners[1])) / 2
    if min(along, across) < LEAST_HEIGHT_PX:
        return None
    scale = HEIGHT_PX / min(along, across)
    width, height = (max(8, min(MOST_WIDTH_PX, round(float(side) * scale))) for side in (along, across))
    goal = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    turned = cv2.warpPerspective(pixels, cv2.getPerspectiveTransform(corners, goal), (width, height))
    return np.asarray(cv2.cvtColor(turned.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def _sorted(lab: Lab) -> tuple[Lab, Lab, Lab]:
    """The letters' pixels, the background's, and those along the edge of the box."""
    height, width = lab.shape[:2]
    rim = max(2, round(MARGIN * min(height, width)))
    on_edge = np.ones((height, width), bool)
    on_edge[rim:-rim, rim:-rim] = False
    flat = np.ascontiguousarray(lab.reshape(-1, 3))
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    first = np.where(flat[:, :1] > np.median(flat[:, 0]), 1, 0).astype(np.int32)
    _, sorts, _ = cv2.kmeans(flat, 2, first, criteria, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    of = np.asarray(sorts).reshape(height, width)
    behind = int(np.count_nonzero(of[on_edge]) * 2 > np.count_nonzero(on_edge))
    return lab[of != behind], lab[of == behind], lab[on_edge & (of == behind)]


def _named(lab: Lab, names: Sequence[_Name]) -> tuple[str, float]:
    """The name that most of the pixels have, and their share; empty where they do not agree."""
    if not len(lab):
        return "", 0.0
    share, value = max((name.share(lab), name.value) for name in names)
    return (value, round(share, 4)) if share >= AGREE else ("", share)
