"""Which of the things in a sentence each of its phrases of place goes with.

English puts a phrase of place before what it places ("on my left are a church and a bench") or after it ("a church and
a bench stand on my left"). Which one it is follows from commas and joining words: a phrase that is parted from what
stands before it but not from what follows comes first, and the other way about. Where both are possible, both are
kept, and a claim is held against a description only if neither is true.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from pipeline.captioning.language.en.english import English
from pipeline.captioning.language.en.where import NAMED, QUOTED, Place, Span

_ON_IT = frozenset({"whose", "on its", "on the", "on a", "is the", "is on the", "above its", "over its"})


def attach(
    sentence: str, spans: Sequence[Span], found: Sequence[Place], told_last: Place | None, english: English
) -> tuple[list[list[Place]], Place | None]:
    """For each span the phrases of place that may go with it, and the direction that the sentence told last."""
    resolved = []
    for place in found:
        here = place
        if place.same and not place.directed and told_last is not None:
            here = replace(place, sides=told_last.sides, octant=told_last.octant)
        if here.directed:
            told_last = here
        resolved.append(here)
    answers: dict[Span, list[Place]] = {span: [] for span in spans}
    for part in _parts(sentence):
        mine = [s for s in spans if part.start <= s.start < part.end]
        theirs = [p for p in resolved if part.start <= p.start < part.end]
        answers |= _attach(sentence, mine, theirs, english)
    return [answers[span] for span in spans], told_last


def _parts(sentence: str) -> list[Span]:
    cuts = [
        0,
        *(m.end() for m in re.finditer(r";|\. |: (?!that's)|\b(?:while|whereas)\b", sentence, re.IGNORECASE)),
        len(sentence),
    ]
    return [Span(a, b) for a, b in pairwise(cuts)]


def _attach(sentence: str, spans: list[Span], found: list[Place], english: English) -> dict[Span, list[Place]]:
    row = _Row(sentence, sorted([*spans, *found], key=lambda item: (item.start, item.end)), english)
    before = _comes_before(row)
    return {item: _candidates(row, i, before) for i, item in enumerate(row.items) if not isinstance(item, Place)}


@dataclass(frozen=True)
class _Row:
    """A part of a sentence: its things, quotes, names and phrases of place, in order."""

    sentence: str
    items: list[Span | Place]
    english: English

    def parted(self, i: int) -> bool:
        """Whether a comma or a joining word stands between an item and the next."""
        gap = self.sentence[self.items[i].end : self.items[i + 1].start].casefold()
        return "," in gap or not self.english.raw.parting.isdisjoint(re.findall(r"[a-z]+", gap))

    def said(self, item: Span | Place) -> bool:
        """Whether it is a quote or a name: these belong to the thing before them."""
        return self.sentence[item.start] in (QUOTED, NAMED)


def _candidates(row: _Row, i: int, before: dict[Place, bool]) -> list[Place]:
    """The phrases of place that may go with one thing: the nearest before it, the nearest after it."""
    last = next((j for j in range(i - 1, -1, -1) if isinstance(row.items[j], Place)), None)
    following = next((j for j in range(i + 1, len(row.items)) if isinstance(row.items[j], Place)), None)
    left = None if last is None else _left(row, i, last, before)
    right = None if following is None else _right(row, i, following, before)
    by_left = last == i - 1 and not row.parted(last)
    if left is not None and right is not None:
        by_right = following == i + 1 and not row.parted(i)
        if by_left != by_right:
            left, right = (left, None) if by_left else (None, right)
    near = row.items[i - 1] if i else None
    if left is None and right is None and by_left and isinstance(near, Place) and not near.here:
        left = near  # `a café to my left has the sign "X"`
    return [place for place in (left, right) if place is not None]


def _left(row: _Row, i: int, at: int, before: dict[Place, bool]) -> Place | None:
    place = row.items[at]
    assert isinstance(place, Place)
    if place.here:
        return None if _standpoint_told(row, at, i) else place
    if not before[place]:
        return None
    # Of several things it is the one next to the distance that is so far away.
    near = at == i - 1 or (at == i - 2 and row.said(row.items[i]))
    return place if near else replace(place, metres=None)


def _right(row: _Row, i: int, at: int, before: dict[Place, bool]) -> Place | None:
    place = row.items[at]
    assert isinstance(place, Place)
    if place.here or before[place] or not _one_list(row, i, at):
        return None
    if not place.directed and place.metres is not None:
        earlier = (p for p in reversed(row.items[:i]) if isinstance(p, Place) and not p.here and before[p])
        governing = next((p for p in earlier if p.directed), None)
        if governing is not None:
            place = replace(place, sides=governing.sides, octant=governing.octant)
    return place if all(row.said(other) for other in row.items[i + 1 : at]) else replace(place, metres=None)


def _comes_before(row: _Row) -> dict[Place, bool]:
    """For each phrase of place whether it comes before what it places."""
    items = row.items
    told = [item for item in items if not (isinstance(item, Place) and item.here)]
    opens = bool(told) and isinstance(told[0], Place)
    answers: dict[Place, bool] = {}
    for i, item in enumerate(items):
        if not isinstance(item, Place) or item.here:
            continue
        if i in (0, len(items) - 1):
            answers[item] = i == 0
            continue
        to_left = not isinstance(items[i - 1], Place) and not row.parted(i - 1)
        to_right = not isinstance(items[i + 1], Place) and not row.parted(i)
        if to_left != to_right:
            answers[item] = to_right
        elif isinstance(items[i - 1], Place):
            answers[item] = not isinstance(items[i + 1], Place)
        else:
            answers[item] = opens
    return answers


def _one_list(row: _Row, start: int, end: int) -> bool:
    """Whether things told one after the other share what follows the last: nothing is said of one before the next.

    `a hedge, a house and a tree` and `a bar with "X" on its sign` do; `a path leads to a bridge` does not.
    """
    for one, other in pairwise(row.items[start:end]):
        gap = row.sentence[one.end : other.start]
        if row.said(other) or gap.strip() in _ON_IT:
            continue
        head, *more = re.split(r",|\b(?:and|with|of)\b", gap, maxsplit=1)
        if head.strip() or not more:
            return False
    return True


def _standpoint_told(row: _Row, at: int, i: int) -> bool:
    """Whether the standpoint ended before a thing: `I'm on a street, with a church ...`."""
    gaps = [row.sentence[a.end : b.start] for a, b in pairwise(row.items[at : i + 1])]
    return any(re.search(r"[,:]|\b(?:with|have)\b", gap, re.IGNORECASE) for gap in gaps)
