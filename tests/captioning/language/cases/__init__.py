"""What the tests hold each language to: a module a language, named by its code, with `CASES`."""

from dataclasses import dataclass
from importlib import import_module
from typing import cast

from schemas.records import Position


@dataclass(frozen=True)
class Cases:
    """Sentences of one language, and what is to be read in them."""

    statement: str
    """With a word for most kinds of control."""
    sides: dict[str, set[str]]
    numbers: dict[str, set[int]]
    layout: dict[str, set[str]]
    relations: dict[str, set[str]]
    known: list[str]
    """Names that the map has."""
    names: dict[str, list[str]]
    streets: list[str]
    no_streets: list[str]
    places: list[str]
    no_places: list[str]
    cuts: list[tuple[str, list[str], list[str], str | None]]
    """A sentence, the claims that failed, those that stand, and what is left of it."""
    refers_back: list[str]
    stands_alone: list[str]
    alike: list[tuple[str, str]]
    """Words of one thing."""
    unlike: list[tuple[str, str]]
    sentences: list[list[str]]
    """Texts, sentence by sentence."""
    foreign: list[str]
    """Sentences in other languages."""
    not_written: str
    """Words of the language that are no text in it."""
    written: str
    sound: tuple[str, str]
    """Two sentences that may be said of a place."""
    lie: str
    """A sentence with one claim."""
    leaning: tuple[str, str]
    """A sentence, and one that cannot stand without it."""
    clause: tuple[str, str, str]
    """A sentence, its main clause as a claim, and its other clause as one."""
    broken: dict[str, str]
    """Sentences that no description may have, and how the reason begins."""
    claims: tuple[str, str, str, str]
    """Of a red brick house on the left, two lamp posts ahead, a sign above a door with `CAFE 21`, a straight road."""
    silent: list[str]
    """Claims that a sign, a tree and a road on the map say nothing of."""
    brick: str
    """Claim that there is a brick building, in other words than a program's."""
    note: tuple[str, str, str, str]
    """A thing that a model notes, how it looks, a claim that says the same, and one that says another colour."""
    sign_where: dict[str, str]
    """Claims, with a place for its words, that a sign is on the left, straight ahead, on the right, behind."""
    two_things: dict[str, str]
    """Claims, with a place for its words, that a sign is on the left or the right and something else is behind."""
    layouts: dict[str, str]
    """Claims of a `roundabout`, `rail` and `water`."""
    place_name: str
    """A sentence with the place `Probably Never Existed Museum`, or what the language has for such a name."""
    place_named: str
    told_directions: dict[str, Position]
    """Patterns, in lower case, for the directions that the composer tells, the longer before what is part of it."""
    compass: list[str]
    """Clockwise from north, in lower case."""


def cases(code: str) -> Cases:
    """Those of a language. A language without them fails its tests."""
    return cast(Cases, import_module(f"{__name__}.{code}").CASES)
