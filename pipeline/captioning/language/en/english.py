"""The words and patterns of `english.yaml`, compiled."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import chain
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

Texts = list[str]


class Raw(BaseModel):
    """`english.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    me: str
    way: str
    side: Texts
    ahead: Texts
    behind: Texts
    compass: Texts
    points: Texts
    same: Texts
    both: Texts
    somewhere: Texts
    distance: str
    units: dict[str, float]
    tens: dict[str, int]
    standing: str
    standing_late: str
    parting: frozenset[str]
    attaching: Texts
    numbers: dict[str, int]
    determiners: frozenset[str]
    vague: frozenset[str]
    verbs: frozenset[str]
    also_adjectives: frozenset[str]
    looks: dict[str, dict[str, Texts]]
    close_looks: list[frozenset[str]]
    more_lanes: str
    denial: str
    not_far: Texts
    plain_capitals: frozenset[str]
    scripts: dict[str, frozenset[str]]
    script_words: frozenset[str]
    demonyms: frozenset[str]
    cuisine_heads: frozenset[str]
    street_words: frozenset[str]
    street_endings: Texts
    district_words: frozenset[str]
    coordinates: Texts
    reading: Texts
    meaning: Texts
    view: Texts
    file_name: str
    hedge: Texts
    refusal: Texts
    instruction: Texts
    abbreviations: frozenset[str]
    foreign: frozenset[str]
    least_sentence_words: int
    common: frozenset[str]
    whole_endings: Texts
    dangling: Texts
    least_common_share: float


Side = Literal["left", "right", "ahead", "behind"]
Pattern = re.Pattern[str]


@dataclass(frozen=True)
class Finder:
    """One pattern for a way to say where something is."""

    pattern: Pattern
    meaning: str
    """A side, `octant N`, `same`, `both`, `somewhere` or `distance`."""


@dataclass(frozen=True)
class English:
    """All that is needed to read a description."""

    raw: Raw
    finders: tuple[Finder, ...]
    looks: Mapping[str, tuple[str, str]]
    """By word: the family (`colour`) and which of it."""
    numbers: Mapping[str, int]
    style: Mapping[str, Pattern]
    """By what is wrong: view, file name, hedge, refusal, instruction, coordinates."""
    standing: Pattern
    denial: Pattern
    not_far: Pattern
    reading: Pattern
    meaning: Pattern
    lanes: Pattern

    def close(self, one: str, other: str) -> bool:
        """Whether two looks pass for one another."""
        return one == other or any(one in group and other in group for group in self.raw.close_looks)


@cache
def english() -> English:
    """The one instance."""
    raw = Raw.model_validate(yaml.safe_load((files(__package__) / "english.yaml").read_text(encoding="utf-8")))
    return English(
        raw=raw,
        finders=tuple(_finders(raw)),
        looks={
            word: (family, look)
            for family, looks in raw.looks.items()
            for look, others in looks.items()
            for word in ((look, *others) if family not in ("storeys", "lanes") else others)
        },
        numbers=raw.numbers,
        style={
            "view": _any(raw.view),
            "file name": _any([raw.file_name]),
            "hedge": _any(raw.hedge),
            "refusal": _any(raw.refusal),
            "instruction": _any(raw.instruction),
            "coordinates": _any(raw.coordinates),
        },
        standing=_any([raw.standing, raw.standing_late]),
        denial=_any([raw.denial]),
        not_far=_any(raw.not_far),
        reading=re.compile(rf"\b(?:{'|'.join(raw.reading)})\b", re.IGNORECASE),
        meaning=re.compile(rf"\b(?:{'|'.join(raw.meaning)})\b", re.IGNORECASE),
        lanes=_any([raw.more_lanes]),
    )


def _any(patterns: Texts) -> Pattern:
    return re.compile("|".join(f"(?:{p})" for p in patterns), re.IGNORECASE | re.MULTILINE)


def _finders(raw: Raw) -> list[Finder]:
    def filled(texts: Texts, **more: str) -> str:
        whole = "|".join(rf"(?<![\w-])(?:{text})(?!\w)" for text in texts)
        for name, value in {"me": raw.me, "way": raw.way, **more}.items():
            whole = whole.replace(f"{{{name}}}", value)
        return whole

    numbers = "|".join(sorted(chain(raw.tens, raw.numbers), key=len, reverse=True))
    units = "|".join(sorted(raw.units, key=len, reverse=True))
    texts = [
        ("both", filled(raw.both)),
        *((side, filled(raw.side, s=side)) for side in ("left", "right")),
        ("ahead", filled(raw.ahead)),
        ("behind", filled(raw.behind)),
        *((f"octant {i}", filled(raw.compass, c=raw.points[i])) for i in (1, 3, 5, 7, 0, 2, 4, 6)),  # the longer first
        ("same", filled(raw.same)),
        ("distance", filled([raw.distance], numbers=numbers, units=units)),
        ("somewhere", filled(raw.somewhere)),
    ]
    return [Finder(re.compile(pattern, re.IGNORECASE), meaning) for meaning, pattern in texts]
