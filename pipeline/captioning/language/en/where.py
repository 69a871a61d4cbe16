"""Where a sentence says that things are: its phrases of place."""

import re
from dataclasses import dataclass

from pipeline.captioning.evidence import Item, towards, within
from pipeline.captioning.language.en.english import English
from schemas.records import Position

_JOINED = re.compile(
    r"(?:\s|,|\b(?:away|off|of me|to|on|slightly|diagonally|just|at|there|further|some|about|or so)\b)*", re.IGNORECASE
)
_AND = re.compile(r" and (?:slightly |a little |off )?", re.IGNORECASE)
_ARCS: dict[frozenset[str], tuple[float, float]] = {
    frozenset({"ahead"}): (-60.0, 60.0),
    frozenset({"left"}): (-155.0, 7.0),
    frozenset({"right"}): (-7.0, 155.0),
    frozenset({"behind"}): (95.0, 265.0),
    frozenset({"ahead", "left"}): (-110.0, 5.0),
    frozenset({"ahead", "right"}): (-5.0, 110.0),
    frozenset({"behind", "left"}): (-200.0, -70.0),
    frozenset({"behind", "right"}): (70.0, 200.0),
}
"""Degrees from the first view's axis in which a thing may stand to be said to be there: its sector and some of the
next ones. People call left what is left of the middle of what they see."""
_COMPASS_TOLERANCE_DEG = 67.5
"""One point of the compass off, and half of one for the word itself."""
_HERE_M = 45.0
_NAMES = {
    frozenset({"left"}): Position.LEFT,
    frozenset({"right"}): Position.RIGHT,
    frozenset({"ahead"}): Position.AHEAD,
    frozenset({"behind"}): Position.BEHIND,
    frozenset({"ahead", "left"}): Position.AHEAD_LEFT,
    frozenset({"ahead", "right"}): Position.AHEAD_RIGHT,
}

QUOTED, NAMED = "\u00a7", "\u00a4"
"""What stands in a masked sentence for each character of a quote, of a name."""


@dataclass(frozen=True)
class Place:
    """A phrase of place: characters `start` to `end` of the sentence."""

    start: int
    end: int
    sides: frozenset[str] = frozenset()
    octant: int | None = None
    metres: float | None = None
    same: bool = False
    """The direction told of last."""
    here: bool = False
    """The standpoint itself."""

    @property
    def directed(self) -> bool:
        """Whether it says in which direction."""
        return bool(self.sides) or self.octant is not None

    def allows(self, item: Item) -> bool:
        """Whether a thing's direction is one that may be called so; yes where either is not known."""
        if item.around:
            return True
        if self.octant is not None:
            return towards(item, self.octant * 45.0, _COMPASS_TOLERANCE_DEG)
        if item.position is not None and item.position == _NAMES.get(self.sides):
            return True
        arc = _ARCS.get(self.sides)
        return arc is None or within(item, *arc)

    def reaches(self, item: Item) -> bool:
        """Whether its distance is one that may be told so; yes where either is not known."""
        if item.distance_m is None:
            return True
        if self.here:
            return item.distance_m <= _HERE_M
        return self.metres is None or abs(item.distance_m - self.metres) <= max(12.0, 0.5 * self.metres)


@dataclass(frozen=True)
class Span:
    """Characters of a sentence that speak of something: a thing, a quote, a name."""

    start: int
    end: int


def places(sentence: str, english: English) -> list[Place]:
    """The phrases of place of a sentence (quotes and names masked), in order; those that go together are one."""
    found: list[tuple[Place, str]] = []
    for finder in english.finders:
        for match in finder.pattern.finditer(sentence):
            if any(match.start() < place.end and place.start < match.end() for place, _ in found):
                continue
            found.append((_place(match, finder.meaning, english), match.group()))
    for match in english.standing.finditer(sentence):
        if not any(match.start() < place.end and place.start < match.end() for place, _ in found):
            found.append((Place(match.start(), match.end(), here=True), match.group()))
    ordered = sorted((place for place, _ in found), key=lambda place: place.start)
    merged: list[Place] = []
    for place in ordered:
        if merged and _one_phrase(merged[-1], place, sentence):
            merged[-1] = _merged(merged[-1], place)
        else:
            merged.append(place)
    return merged


def _place(match: re.Match[str], meaning: str, english: English) -> Place:
    start, end = match.span()
    if meaning == "distance":
        told = match["n"].casefold()
        number = english.raw.tens.get(told) or english.numbers.get(told) or float(told)
        return Place(start, end, metres=number * english.raw.units[match["unit"].casefold()])
    if meaning.startswith("octant"):
        return Place(start, end, octant=int(meaning.split()[1]))
    if meaning == "both":
        return Place(start, end, sides=frozenset({"left", "right"}))
    return Place(
        start,
        end,
        sides=frozenset() if meaning in ("same", "somewhere") else frozenset({meaning}),
        same=meaning == "same",
    )


def _one_phrase(one: Place, other: Place, sentence: str) -> bool:
    if one.here or other.here:
        return False
    gap = sentence[one.end : other.start]
    if _AND.fullmatch(gap):  # `ahead and to the left`
        return one.sides in (frozenset({"ahead"}), frozenset({"behind"})) and other.sides in (
            frozenset({"left"}),
            frozenset({"right"}),
        )
    if not _JOINED.fullmatch(gap):
        return False
    if "," in gap and (one.directed or one.same) and (other.directed or other.same):
        return False
    if one.metres is not None and other.metres is not None:
        return False
    return not (one.octant is not None and other.octant is not None)


def _merged(one: Place, other: Place) -> Place:
    sides = one.sides | other.sides
    if {"left", "right"} <= sides and len(sides) > 2:
        sides = frozenset({"left", "right"})
    return Place(
        one.start,
        other.end,
        sides=sides,
        octant=one.octant if one.octant is not None else other.octant,
        metres=one.metres if one.metres is not None else other.metres,
        same=one.same or other.same,
    )
