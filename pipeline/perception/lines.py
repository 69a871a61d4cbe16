"""Lines of one sign: an engine reads `LITTLE` and `INDIA` apart, a person reads them together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.perception.base import TextBox
from pipeline.perception.scripts import main_script
from schemas.records import Look

LIKE_HEIGHT = 0.75
"""Lettering of one sign: the lower line's height is at least this share of the other's."""
MOST_LINES, MOST_CHARACTERS = 3, 32
"""A notice of many lines is no name of a place, and is left as it was read."""


@dataclass(frozen=True)
class _Extent:
    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        return self.bottom - self.top


def joined_lines(boxes: Sequence[TextBox]) -> list[TextBox]:
    """One view's texts, those of one sign joined by blanks: lines under one another, words beside one another.

    A joined text has the least confidence of its parts, the upright box around them, and looks that no two disagree on.
    What follows upon what is judged from the upright boxes, so signs seen at a steep slant stay apart.
    """
    groups: list[list[TextBox]] = []
    for box in sorted(boxes, key=lambda box: (_extent(box).top, _extent(box).left, box.text)):
        group = next((group for group in groups if _belongs(group, box, boxes)), None)
        if group is None:
            groups.append([box])
        else:
            group.append(box)
    return [_joined(group) for group in groups]


def _belongs(group: Sequence[TextBox], box: TextBox, boxes: Sequence[TextBox]) -> bool:
    length = sum(len(part.text) + 1 for part in group) + len(box.text)
    if len(group) == MOST_LINES or length > MOST_CHARACTERS or group[0].script != box.script:
        return False
    if not _follows(_extent(group[-1]), _extent(box)):
        return False
    around = _around([*group, box])
    others = (other for other in boxes if other is not box and all(other is not part for part in group))
    return not any(_meets(around, _extent(other)) for other in others)  # nothing is left out in between


def _follows(a: _Extent, b: _Extent) -> bool:
    low, high = sorted((a.height, b.height))
    if low < LIKE_HEIGHT * high:
        return False
    shared = min(a.right, b.right) - max(a.left, b.left)
    under = -0.5 * high <= b.top - a.bottom <= 0.5 * high and shared >= 0.6 * min(a.right - a.left, b.right - b.left)
    level = abs((a.top + a.bottom) - (b.top + b.bottom)) / 2 <= 0.3 * high
    return under or (level and -0.2 * high <= b.left - a.right <= 0.7 * high)


def _meets(a: _Extent, b: _Extent) -> bool:
    """Whether the middle of b lies in a."""
    x, y = (b.left + b.right) / 2, (b.top + b.bottom) / 2
    return a.left < x < a.right and a.top < y < a.bottom


def _around(boxes: Sequence[TextBox]) -> _Extent:
    extents = [_extent(box) for box in boxes]
    return _Extent(
        min(e.left for e in extents),
        min(e.top for e in extents),
        max(e.right for e in extents),
        max(e.bottom for e in extents),
    )


def _joined(group: Sequence[TextBox]) -> TextBox:
    if len(group) == 1:
        return group[0]
    around = _around(group)
    text = " ".join(box.text for box in group)
    left, top, right, bottom = around.left, around.top, around.right, around.bottom
    corners = (left, top, right, top, right, bottom, left, bottom)
    confirmed = all(box.confirmed for box in group)
    return TextBox(
        text, min(box.confidence for box in group), corners, main_script(text), confirmed, _common_looks(group)
    )


def _common_looks(group: Sequence[TextBox]) -> tuple[Look, ...]:
    """The looks that some parts have and no other part contradicts; with the least confidence."""
    values: dict[str, list[Look]] = {}
    for look in (look for box in group for look in box.looks):
        values.setdefault(look.kind, []).append(look)
    return tuple(
        min(looks, key=lambda look: look.confidence)
        for looks in values.values()
        if len({look.value for look in looks}) == 1
    )


def _extent(box: TextBox) -> _Extent:
    corners = np.array(box.polygon, float).reshape(-1, 2)
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return _Extent(left, top, right, bottom)
