"""Texts that are personal data only together: `83` and `9465` of a plate, halves of a telephone number.

Each alone is a number like any other, so it is read with what stands beside it before the rule of
`pipeline.perception.text` is asked.
"""

import re
from collections.abc import Sequence

import numpy as np

from pipeline.perception.base import TextBox
from pipeline.perception.text import clean, is_personal

GAP, LIKE_HEIGHT, LEVEL = 1.8, 0.45, 0.5
"""Parts of one line: at most so many heights apart, the lower at least this share of the higher, their middles off by
at most this share of a height."""
UNDER = 0.8
"""Parts of two lines: the lower one begins within so many heights below the upper one's end."""
MOST_PARTS = 4
_PART = re.compile(r"\W*(?:[^\W\d_]{0,3}\W*\d[\d\W]*[^\W\d_]{0,3}|[A-Z]{1,3}|[\u4e00-\u9fff\uac00-\ud7a3]{1,4})\W*")
"""Possible part of a plate or of a telephone number: digits with a few letters, or a few letters."""
_PLATE_IN_PARTS = re.compile(r"(?:[^\W\d_]{2,4} ?)?\d{2,3} ?[^\W\d_]? ?\d{4}")
"""Plates of Korea and Japan: the letter between their numbers is small and seldom read."""

Extent = tuple[float, float, float, float]


def without_fragments(boxes: Sequence[TextBox]) -> list[TextBox]:
    """One view's texts without those that are personal data together with what stands beside or under them."""
    parts = [box for box in boxes if _PART.fullmatch(clean(box.text))]
    lost: set[int] = set()
    for part in parts:
        row = [part]
        while len(row) < MOST_PARTS and (after := _following(row[-1], parts)) is not None:
            row.append(after)
            for start in range(len(row) - 1):
                if _personal(row[start:]):
                    lost.update(id(box) for box in row[start:])
    for upper in parts:
        for lower in parts:
            if _is_under(_extent(upper), _extent(lower)) and _personal([upper, lower]):
                lost |= {id(upper), id(lower)}
    return [box for box in boxes if id(box) not in lost]


def _personal(parts: Sequence[TextBox]) -> bool:
    words = " ".join(clean(part.text) for part in parts)
    return is_personal(words) or _PLATE_IN_PARTS.fullmatch(words) is not None


def _following(box: TextBox, parts: Sequence[TextBox]) -> TextBox | None:
    """The next part to the right of one, on its level."""
    right = [part for part in parts if part is not box and _is_beside(_extent(box), _extent(part))]
    return min(right, key=lambda part: (_extent(part), part.text), default=None)


def _is_beside(a: Extent, b: Extent) -> bool:
    low, high = sorted((a[3] - a[1], b[3] - b[1]))
    level = abs((a[1] + a[3]) - (b[1] + b[3])) / 2 <= LEVEL * high
    return low >= LIKE_HEIGHT * high and level and b[0] > a[0] and -0.3 * high <= b[0] - a[2] <= GAP * high


def _is_under(a: Extent, b: Extent) -> bool:
    low, high = sorted((a[3] - a[1], b[3] - b[1]))
    shared = min(a[2], b[2]) - max(a[0], b[0])
    return (
        low >= LIKE_HEIGHT * high
        and -0.3 * high <= b[1] - a[3] <= UNDER * high
        and shared >= 0.5 * min(a[2] - a[0], b[2] - b[0])
    )


def _extent(box: TextBox) -> Extent:
    """Left, top, right, bottom."""
    corners = np.array(box.polygon, float).reshape(-1, 2)
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return left, top, right, bottom
