"""A second reading of each text at another scale: what is read the same twice is no accident of the pixels."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
from rapidfuzz import fuzz

from pipeline.imaging.types import Pixels
from pipeline.perception.base import TextBox

SAME = 92.0
"""Similarity (`rapidfuzz` ratio, 0 to 100) from which two readings are the same; digits must be equal."""
LARGER, SMALLER, HIGH_PX = 1.6, 0.6, 56
"""Lettering up to so many pixels high is enlarged for the second reading, higher lettering reduced."""
MARGIN = 0.8
"""Margin that is read around the lettering, as a share of its height."""
MOST_SIDE_PX = 1600
LEAST_CHARACTERS = 2

Read = Callable[[Pixels], Sequence[TextBox]]


def with_second_reading(boxes: Sequence[TextBox], pixels: Pixels, read: Read) -> list[TextBox]:
    """The texts of a view; `confirmed` those that come out the same from an enlarged or reduced cut of it.

    Args:
        boxes: as read the first time.
        pixels: the view, at the scale of that reading; the boxes' polygons refer to it.
        read: reads a picture as it is, without scaling it.
    """
    return [replace(box, confirmed=_again(box, pixels, read)) for box in boxes]


def _again(box: TextBox, pixels: Pixels, read: Read) -> bool:
    if len(box.text) < LEAST_CHARACTERS:
        return False
    corners = np.array(box.polygon, np.float32).reshape(-1, 2)
    low, high = corners.min(axis=0), corners.max(axis=0)
    (_, (a, b), _) = cv2.minAreaRect(corners)
    height = max(1.0, min(a, b))  # of a line that is written upwards as well
    margin = MARGIN * height
    left, top = np.maximum(low - margin, 0).astype(int)
    right, bottom = np.ceil(high + margin).astype(int)
    cut = pixels[top:bottom, left:right]
    factor = LARGER if height <= HIGH_PX else SMALLER
    factor = min(factor, MOST_SIDE_PX / max(cut.shape[:2]))
    size = (max(16, round(cut.shape[1] * factor)), max(16, round(cut.shape[0] * factor)))
    how = cv2.INTER_CUBIC if factor > 1.0 else cv2.INTER_AREA
    found = read(np.ascontiguousarray(cv2.resize(cut, size, interpolation=how)))
    texts = [other.text for other in sorted(found, key=lambda other: other.polygon[0])]
    return any(same_reading(box.text, text) for text in (*texts, " ".join(texts)))


def same_reading(one: str, other: str) -> bool:
    """Whether two readings have the same digits and nearly the same letters, whatever their case and spaces."""
    a, b = (re.sub(r"[\W_]+", "", text.casefold()) for text in (one, other))
    digits = [re.sub(r"\D", "", text) for text in (a, b)]
    return bool(a) and digits[0] == digits[1] and fuzz.ratio(a, b) >= SAME
