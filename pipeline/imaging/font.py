"""Lettering that looks the same on every machine: OpenCV's own font, not the system's.

It covers Latin, Greek, Cyrillic, Arabic, Chinese, Japanese and Hangul. A letter that it lacks it draws as a question
mark; `covered` tells beforehand.
"""

import threading
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

# A face keeps glyphs as it draws, and OpenCV does not say that it may be shared by threads.
_lock = threading.Lock()


@lru_cache(maxsize=1)
def _face() -> cv2.FontFace:
    return cv2.FontFace("sans")


def line_width(text: str, size: int, weight: int) -> int:
    """Pixels that a line of text takes; `size` is in pixels, `weight` from 100 to 900."""
    with _lock:
        return int(cv2.getTextSize((1, 1), text, (0, 0), _face(), size, weight)[2])


def ink(text: str, shape: tuple[int, int], start: tuple[int, int], size: int, weight: int) -> NDArray[np.uint8]:
    """Coverage (0 to 255) of a line of text on a canvas of `shape` (height, width); `start` is (x, baseline)."""
    canvas = np.zeros(shape, np.uint8)
    with _lock:
        cv2.putText(canvas, text, start, (255,), _face(), size, weight)
    return canvas


@lru_cache(maxsize=65_536)
def covered(character: str) -> bool:
    """Whether the font has a character."""
    if character.isspace() or character == "?":
        return True
    drawn, unknown = (ink(text, (48, 64), (8, 32), 24, 400) for text in (character, "?"))
    return bool(drawn.any()) and not np.array_equal(drawn, unknown)
