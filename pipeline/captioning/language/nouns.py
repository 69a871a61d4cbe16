"""Nouns for classes and map features: the format of a language's `nouns.yaml`."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from pipeline.captioning.language.rules import Part
from pipeline.perception.text import publishable
from schemas.records import Cue, Look

_PLAIN_CLASS = re.compile(r"[a-z](?:[a-z-]{0,23}[a-z])?(?: [a-z](?:[a-z-]{0,23}[a-z])?){0,2}")


@dataclass(frozen=True)
class Noun:
    """A common noun, without article."""

    singular: str
    plural: str
    head: str
    """The word that says what it is: a `bus stop` is a stop."""
    mass: bool = False
    """Takes no article and is not counted (`greenery`, `rails`)."""
    entry: str = ""
    """As it stands in `nouns.yaml`."""


class Nouns(Part):
    """`nouns.yaml`."""

    read: Callable[[str], Noun] = Field(exclude=True)
    """The language's reading of an entry."""
    nouns: dict[str, dict[str, str]]
    """Entries by a cue's label, `object` for objects, and class; an empty one is never spoken of."""
    fallback: dict[str, str]
    """By label, for classes that are not listed."""
    looks: dict[str, str] = Field(default_factory=dict)
    """Words for what engines say of looks: an adjective, or `yellow marking` for a road's painted lines."""
    of_parts: tuple[str, ...] = ()
    """How colours of a thing's parts are told: one, two and so on."""
    part_ending: str = ""
    """Of adjectives there, in place of a `+`."""
    speaks_classes: bool = False
    """Whether a class or an adjective that is not listed is spoken as it is written, if it reads like one: they are
    English."""
    unspeakable: frozenset[str] = frozenset()
    landmarks: frozenset[str]
    commonplace: frozenset[str]
    offices: frozenset[str]
    paths: frozenset[str]
    underfoot: frozenset[str]
    plain: frozenset[str]
    inside: dict[str, str]
    verbs: dict[Literal["stand", "run", "lie"], frozenset[str]]
    scripts: dict[str, str]
    generic: frozenset[str]
    everyday: frozenset[str]
    passing: frozenset[str]
    street_words: frozenset[str]
    short_forms: dict[str, str]

    def of(self, cue: Cue) -> Noun | None:
        """The noun for an object or a map cue, or None if there is none or it is not worth a word."""
        return self.called(*(("object", cue.label) if cue.kind == "object" else (cue.label, cue.category or "")))

    def called(self, label: str, raw: str) -> Noun | None:
        """The noun for a class of a label, `object` for objects."""
        key = re.sub(r"[\s_-]+", "_", raw.strip().lower())
        entry = self.nouns.get(label, {}).get(key)
        if entry is None:
            plain = key.replace("_", " ")
            entry = plain if self.speaks_classes and self.speakable(plain) else self.fallback.get(label, "")
        return self.read(entry) if entry else None

    def look(self, attribute: str | None) -> str | None:
        """An engine's word for a look, in the language; None where there are no words for it."""
        listed = self.looks.get((attribute or "").lower())
        if listed or not attribute:
            return listed or None
        return attribute if self.speaks_classes and self.speakable(attribute) else None

    def part(self, look: Look) -> str | None:
        """The colour of a part of a thing in the language; None where there are no words for it."""
        return self.looks.get(f"{look.value} {look.kind}")

    def parts(self, looks: Sequence[Look]) -> str | None:
        """The colours of a thing's parts in the language; None where there are none, or no words for them."""
        said = [word.replace("+", self.part_ending) for look in looks if (word := self.look(look.value))]
        return self.of_parts[len(said) - 1].format(*said) if 0 < len(said) <= len(self.of_parts) else None

    def speakable(self, plain: str) -> bool:
        """Whether a class or an adjective reads like one: those of a map are whatever its mappers typed."""
        reads_well = _PLAIN_CLASS.fullmatch(plain) is not None and self.unspeakable.isdisjoint(re.split(r"[ -]", plain))
        return reads_well and publishable(plain) is not None

    def verb(self, noun: Noun | None) -> str:
        """Key into `Phrases.agreement` of the verb that goes with a noun."""
        found: list[str] = [verb for verb, nouns in self.verbs.items() if noun and noun.singular in nouns]
        return found[0] if found else "is"
