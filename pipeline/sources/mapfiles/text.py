"""Label pictures. OpenCV's built-in font covers Latin, Greek, Cyrillic, Arabic, Chinese, Japanese and Hangul."""

import threading
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.sources.mapfiles.features import Feature

LABEL_CHARACTERS = 28
_MARGIN = 4
_WEIGHT = 500
# A face caches glyphs as it draws, and OpenCV does not say that it may be shared.
_lock = threading.Lock()


@lru_cache(maxsize=1)
def _face() -> cv2.FontFace:
    return cv2.FontFace("sans")


def _draw(text: str, size: int, width: int) -> NDArray[np.uint8]:
    canvas = np.zeros((size * 2, width, 3), np.uint8)
    cv2.putText(canvas, text, (_MARGIN, round(size * 1.35)), (255, 255, 255), _face(), size, _WEIGHT)
    return canvas[:, :, 0]


@lru_cache(maxsize=8192)
def _covered(character: str) -> bool:
    """Whether the font has a character; one that it lacks it draws as a question mark."""
    if character.isspace() or character == "?":
        return True
    with _lock:
        drawn = _draw(character, 24, 64)
        return bool(drawn.any()) and not np.array_equal(drawn, _draw("?", 24, 64))


def label_of(feature: Feature) -> str | None:
    """What to write: the name if the font has all its characters, else the English name, else nothing."""
    if not feature.told:
        return None
    for name in (feature.name, feature.name_en):
        if name and all(_covered(character) for character in name):
            return name if len(name) <= LABEL_CHARACTERS else name[: LABEL_CHARACTERS - 1].rstrip() + "…"
    return None


@lru_cache(maxsize=4096)
def text_mask(text: str, size: int) -> NDArray[np.uint8]:
    """Coverage (0 to 255) of a line of text, cut to its ink and a margin of 4 pixels for the halo."""
    with _lock:
        drawn = _draw(text, size, size * (len(text) + 2) + 2 * _MARGIN)
    columns = np.flatnonzero(drawn.any(axis=0))
    rows = np.flatnonzero(drawn.any(axis=1))
    if not len(columns):
        return np.zeros((1, 1), np.uint8)
    # The height stays that of the font, so that labels of one size sit on one line.
    top, bottom = min(int(rows[0]), round(size * 0.5)), max(int(rows[-1]) + 1, round(size * 1.5))
    cut = np.pad(drawn[top:bottom, columns[0] : columns[-1] + 1], _MARGIN)
    cut.flags.writeable = False
    return cut
