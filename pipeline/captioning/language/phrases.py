"""The form of a composer's `phrases.yaml`, checked when it is loaded."""

import re
from collections.abc import Iterator
from string import Formatter
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.captioning.language.rules import Part
from schemas.records import Position

Voice = Literal["first", "neutral"]
Texts = Annotated[list[str], Field(min_length=1)]

_SLOTS: dict[str, set[str]] = {
    "ground": {"at"},
    "ground_with": {"at", "with"},
    "ground_late": {"at"},
    "ground_last": {"at"},
    "one": {"np", "loc", "is", "theres", "verb"},
    "many": {"np", "loc", "is", "exist", "theres"},
    "many_far": {"np", "loc", "is", "exist"},
    "more": {"np", "is", "exist"},
    "more_far": {"np", "is", "exist"},
    "farther": {"np", "loc", "is", "verb"},
    "steps": {"np", "loc", "is", "verb", "np2", "is2", "verb2", "d2"},
    "pair": {"np", "loc", "is", "verb", "np2", "loc2", "is2", "verb2"},
    "signs": {"quote", "loc", "is"},
    "more_signs": {"quote", "is"},
    "sign_on": {"np", "loc", "is", "verb", "a", "quote"},
    "named": {"np", "loc", "is", "verb", "a", "name"},
    "facts": {"with", "is"},
}
_NP_SLOTS = {"a", "the", "der", "noun", "quote", "name", "script"}
_CASE = re.compile(r"(\w+?)(?:_(?:acc|dat|gen))?(2?)")
"""A slot: what it is of, its case in languages that have cases, and `2` for the second thing of a sentence."""


class Ways(Part):
    """Ways to say one direction."""

    plain: Texts
    at: Texts
    near: Texts
    far: Texts


class Told(Part):
    """Ways to say one direction, in either voice."""

    first: Ways
    neutral: Ways

    def of(self, voice: Voice) -> Ways:
        """The phrases of a voice."""
        return self.first if voice == "first" else self.neutral


class Compass(Ways):
    """Directions where no heading is known."""

    points: Annotated[list[str], Field(min_length=8, max_length=8)]
    """Clockwise from north."""


class Templates(Part):
    """Sentences of one shape."""

    both: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    neutral: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    """First person, only of what the camera saw."""
    later: tuple[str, ...] = ()
    """Only where some sentences have gone before."""

    def of(self, voice: Voice, *, seen: bool, later: bool) -> list[str]:
        """The phrases that a voice may use, of what the camera saw or did not see, first or later."""
        told = self.first if voice == "first" else self.neutral
        return [*self.both, *told, *(self.seen if seen and voice == "first" else []), *(self.later if later else [])]

    def all(self) -> list[str]:
        """All of them."""
        return [*self.both, *self.first, *self.neutral, *self.seen, *self.later]


class Phrases(Part):
    """`phrases.yaml`."""

    directions: dict[Position, Told]
    compass: Compass
    nowhere: Ways
    distances: Texts
    units: Texts
    numbers: Texts
    many: str
    agreement: dict[str, tuple[str, str]]
    """Forms for one and for several."""
    noun_phrases: dict[str, Texts]
    away: str
    """How far off the last of a list is."""
    conjunction: str
    ground: dict[str, Texts]
    sentences: dict[str, Templates]
    short: dict[str, Templates]

    @model_validator(mode="after")
    def _complete(self) -> "Phrases":
        faults = [f"directions: {position} is missing" for position in Position if position not in self.directions]
        faults += [f"sentences: {shape} is missing" for shape in _SLOTS.keys() - {"facts"} - self.sentences.keys()]
        for where, text, allowed in self._templates():
            try:
                slots = {_plain(name) for _, name, _, _ in Formatter().parse(text) if name is not None}
            except ValueError as error:
                faults.append(f"{where}: {text!r}: {error}")
                continue
            faults += [f"{where}: {text!r} names {slot!r}" for slot in sorted(slots - allowed)]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _templates(self) -> Iterator[tuple[str, str, set[str]]]:
        for group, shapes in (("sentences", self.sentences), ("short", self.short)):
            for shape, templates in shapes.items():
                for text in templates.all():
                    yield f"{group}.{shape}", text, self._allowed(_SLOTS.get(shape, set()))
        for kind, texts in self.noun_phrases.items():
            yield from ((f"noun_phrases.{kind}", text, _NP_SLOTS) for text in texts)
        for shape, texts in self.ground.items():
            slots = {"spot", "road", "other", "path", "area", "inside"}
            yield from ((f"ground.{shape}", text, slots) for text in texts)
        ways = [w for told in self.directions.values() for w in (told.first, told.neutral)]
        for way in (*ways, self.compass, self.nowhere):
            point = {"c"} if way is self.compass else set()
            yield from (("directions", text, point) for text in (*way.plain, *way.near, *way.far))
            yield from (("directions", text, point | {"d"}) for text in way.at)
        yield from (("distances", text, {"m", "unit"}) for text in self.distances)
        yield "away", self.away, {"d"}

    def _allowed(self, slots: set[str]) -> set[str]:
        """Where a verb may stand, any word that agrees with the subject may."""
        agreeing = {f"{key}{n}" for key in self.agreement for n in ("", "2") if f"is{n}" in slots}
        return slots | agreeing


def _plain(slot: str) -> str:
    """A slot without its case."""
    match = _CASE.fullmatch(slot)
    return slot if match is None else match[1] + match[2]
