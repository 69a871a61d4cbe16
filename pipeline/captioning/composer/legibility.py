"""Which of the texts that were read are no whole signs: words cut by a border or by a thing before them, notices."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.perception import rle
from pipeline.perception.vocabulary import vocabulary
from schemas.records import Cue, StreetView

EDGE_SHARE, EDGE_LETTERS = 0.008, 0.5
"""A text nearer to a border than this share of the view's width, or than this many heights of its letters, may go on
beyond it."""
HIDING = frozenset({"person", "vehicle", "cycle", "plant"})
HIDDEN_WIDTH, HIDDEN_SHARE = 0.8, 0.3
"""Groups of things that stand before signs, and the share of what is beside a text, within so many heights of its
letters, that one covers where it may hide the rest of the word."""
NOTICE_LINES = 3
"""So many texts under one another, of up to three lines each, are a notice, a menu or an advertisement: to be read, not
to be found by."""
LINE_GAP, LIKE_HEIGHT, SHARED = 1.2, 0.6, 0.3
"""Lines of one notice: at most so many heights apart, the lower at least this share of the higher, with this share of
the shorter one's width in common."""


@dataclass(frozen=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float

    @property
    def letters(self) -> float:
        """Height of the letters; of a line that is written upwards its width."""
        return min(self.right - self.left, self.bottom - self.top)


def cut_off(cues: Sequence[Cue], views: Sequence[StreetView]) -> frozenset[str]:
    """Ids of the texts that touch a border of their view, or nearly so."""
    sizes = {view.view_id: (view.width, view.height) for view in views}
    found = set()
    for cue, box in _texts(cues):
        if (size := sizes.get(cue.view_id or "")) is None:
            continue
        width, height = size
        margin = max(EDGE_SHARE * width, EDGE_LETTERS * box.letters)
        level = box.right - box.left >= box.bottom - box.top
        ends = (box.left, width - box.right) if level else (box.top, height - box.bottom)
        sides = (box.top, height - box.bottom) if level else (box.left, width - box.right)
        # A line that runs beyond a border ends near it; one that a border cuts lengthwise lies on it.
        if min(ends) < margin or min(sides) < EDGE_SHARE * width:
            found.add(cue.cue_id)
    return frozenset(found)


def hidden(cues: Sequence[Cue]) -> frozenset[str]:
    """Ids of the texts at whose end something stands before the rest."""
    terms, texts = vocabulary(), _texts(cues)
    read = {cue.view_id for cue, _ in texts}
    before = [
        (cue.view_id, rle.decode(cue.mask))
        for cue in cues
        if cue.mask is not None and cue.view_id in read and cue.label in terms and terms[cue.label].group in HIDING
    ]
    return frozenset(
        cue.cue_id
        for cue, box in texts
        if any(view_id == cue.view_id and _covers_an_end(mask, box) for view_id, mask in before)
    )


def _covers_an_end(mask: NDArray[np.bool_], box: _Box) -> bool:
    reach = HIDDEN_WIDTH * box.letters
    if box.right - box.left >= box.bottom - box.top:
        ends = [(box.left - reach, box.top, box.left, box.bottom), (box.right, box.top, box.right + reach, box.bottom)]
    else:
        ends = [(box.left, box.top - reach, box.right, box.top), (box.left, box.bottom, box.right, box.bottom + reach)]
    for left, top, right, bottom in ends:
        strip = mask[max(0, round(top)) : max(0, round(bottom)), max(0, round(left)) : max(0, round(right))]
        if strip.size and strip.mean() >= HIDDEN_SHARE:
            return True
    return False


def notices(cues: Sequence[Cue]) -> frozenset[str]:
    """Ids of the lines of notices."""
    texts = _texts(cues)
    found: set[str] = set()
    left = list(range(len(texts)))
    while left:
        group = [left.pop(0)]
        for member in group:  # grows while it is gone through
            joining = [other for other in left if _beside(texts[member], texts[other])]
            group += joining
            left = [other for other in left if other not in joining]
        if len(group) >= NOTICE_LINES:
            found |= {texts[i][0].cue_id for i in group}
    return frozenset(found)


def _texts(cues: Sequence[Cue]) -> list[tuple[Cue, _Box]]:
    return [
        (cue, _Box(min(cue.polygon[::2]), min(cue.polygon[1::2]), max(cue.polygon[::2]), max(cue.polygon[1::2])))
        for cue in cues
        if cue.kind == "text" and cue.polygon
    ]


def _beside(one: tuple[Cue, _Box], other: tuple[Cue, _Box]) -> bool:
    if one[0].view_id != other[0].view_id:
        return False
    a, b = sorted((one[1], other[1]), key=lambda box: box.top)
    low, high = sorted((a.letters, b.letters))
    shared = min(a.right, b.right) - max(a.left, b.left)
    return (
        low >= LIKE_HEIGHT * high
        and b.top - a.bottom <= LINE_GAP * high
        and shared >= SHARED * min(a.right - a.left, b.right - b.left)
    )
