"""The composer's words as they stand in its prompt set, checked when they are loaded."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.errors import ConfigError, Problem
from pipeline.perception.text import publishable
from prompts.loader import PromptSet
from schemas.records import Cue, Position

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
    "more_far": {"np", "exist"},
    "farther": {"np", "loc", "is", "verb"},
    "steps": {"np", "loc", "is", "verb", "np2", "is2", "d2"},
    "pair": {"np", "loc", "is", "verb", "np2", "loc2", "is2", "verb2"},
    "signs": {"quote", "loc", "is", "reads", "sign", "a_sign"},
    "more_signs": {"quote", "reads", "a_sign"},
    "sign_on": {"np", "loc", "is", "a", "quote"},
    "named": {"np", "loc", "is", "a", "name"},
    "facts": {"with", "is"},
}
_NP_SLOTS = {"a", "noun", "quote", "name", "script"}
_PartT = TypeVar("_PartT", bound="_Part")
_PLAIN_CLASS = re.compile(r"[a-z](?:[a-z-]{0,23}[a-z])?(?: [a-z](?:[a-z-]{0,23}[a-z])?){0,2}")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ways(_Part):
    """Ways to say one direction."""

    plain: Texts
    at: Texts
    near: Texts
    far: Texts


class Told(_Part):
    """Ways to say one direction, in either voice."""

    first: Ways
    neutral: Ways

    def of(self, voice: Voice) -> Ways:
        """Those of a voice."""
        return self.first if voice == "first" else self.neutral


class Compass(Ways):
    """Directions where no heading is known."""

    points: Annotated[list[str], Field(min_length=8, max_length=8)]
    """Clockwise from north."""


class Templates(_Part):
    """Sentences of one shape."""

    both: list[str] = []
    first: list[str] = []
    neutral: list[str] = []
    seen: list[str] = []
    """First person, only of what the camera saw."""
    later: list[str] = []
    """Only where some sentences have gone before."""

    def of(self, voice: Voice, *, seen: bool, later: bool) -> list[str]:
        """Those that a voice may use, of what the camera saw or did not see, first or later."""
        told = self.first if voice == "first" else self.neutral
        return [*self.both, *told, *(self.seen if seen and voice == "first" else []), *(self.later if later else [])]

    def all(self) -> list[str]:
        """All of them."""
        return [*self.both, *self.first, *self.neutral, *self.seen, *self.later]


class Phrases(_Part):
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
    one_more: str
    another: str
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
                slots = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
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
                    yield f"{group}.{shape}", text, _SLOTS.get(shape, set())
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


@dataclass(frozen=True)
class Noun:
    """A common noun, without article."""

    singular: str
    plural: str
    mass: bool = False
    """Takes no article and is not counted (`greenery`, `rails`)."""

    @property
    def head(self) -> str:
        """The word that says what it is: `bus stop` is a stop."""
        return self.singular.split(" with ")[0].split(" of ")[0].split()[-1]


class Nouns(_Part):
    """`nouns.yaml`."""

    nouns: dict[str, dict[str, str]]
    fallback: dict[str, str]
    unspeakable: frozenset[str]
    landmarks: frozenset[str]
    commonplace: frozenset[str]
    offices: frozenset[str]
    paths: frozenset[str]
    underfoot: frozenset[str]
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
        group, raw = ("object", cue.label) if cue.kind == "object" else (cue.label, cue.category or "")
        known = self.nouns.get(group, {})
        key = re.sub(r"[\s_-]+", "_", raw.strip().lower())
        spec = known.get(key)
        if spec is None:
            plain = key.replace("_", " ")
            spec = plain if self.speakable(plain) else self.fallback.get(group, "")
        return _noun(spec) if spec else None

    def speakable(self, plain: str) -> bool:
        """Whether a class or an adjective reads like one: those of a map are whatever its mappers typed."""
        reads_well = _PLAIN_CLASS.fullmatch(plain) is not None and self.unspeakable.isdisjoint(re.split(r"[ -]", plain))
        return reads_well and publishable(plain) is not None

    def verb(self, noun: Noun | None) -> str:
        """Key into `Phrases.agreement` of the verb that goes with a noun."""
        found: list[str] = [verb for verb, nouns in self.verbs.items() if noun and noun.singular in nouns]
        return found[0] if found else "is"


def _noun(spec: str) -> Noun:
    if spec.startswith("~"):
        return Noun(spec[1:], spec[1:], mass=True)
    singular, _, plural = spec.partition("|")
    return Noun(singular, plural or pluralise(singular))


def pluralise(noun: str) -> str:
    """Regular English plural of a noun's last word; of its first where ` of ` or ` with ` follows."""
    for link in (" of ", " with "):
        if link in noun:
            head, _, rest = noun.partition(link)
            return pluralise(head) + link + rest
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + ("es" if re.search(r"(s|x|z|ch|sh)$", noun) else "s")


@dataclass(frozen=True)
class Words:
    """All words of a composer's prompt set."""

    nouns: Nouns
    phrases: Phrases


def load_words(prompt_set: PromptSet) -> Words:
    """Words of a composer's prompt set.

    Raises:
        ConfigError: a file is missing or malformed, or a template names what it cannot have.
    """
    problems: list[Problem] = []
    nouns = _parse(Nouns, "nouns.yaml", prompt_set, problems)
    phrases = _parse(Phrases, "phrases.yaml", prompt_set, problems)
    if nouns is None or phrases is None:
        raise ConfigError(problems)
    return Words(nouns, phrases)


def _parse(part: type[_PartT], file: str, prompt_set: PromptSet, problems: list[Problem]) -> _PartT | None:
    where = f"prompts/{prompt_set.name}/{file}"
    if file not in prompt_set.files:
        problems.append(Problem(where, "no such file", "a file with the composer's words"))
        return None
    try:
        raw: Mapping[str, Any] = yaml.safe_load(prompt_set.files[file])
        return part.model_validate(raw)
    except yaml.YAMLError as error:
        problems.append(Problem(where, " ".join(str(error).split()), "valid YAML"))
    except ValidationError as error:
        problems += [
            Problem(f"{where}: {'.'.join(str(p) for p in detail['loc'])}", detail["msg"], "as in composer-en-1")
            for detail in error.errors()
        ]
    return None
