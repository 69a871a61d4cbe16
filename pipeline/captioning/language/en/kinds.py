"""What things are called in English and what is a kind of what: `things.yaml`, with the words of maps and engines."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from pipeline.captioning.composer.words import Nouns, pluralise
from pipeline.captioning.likeness import folded
from pipeline.perception.vocabulary import vocabulary
from prompts.loader import load_prompt_set

_NOUNS = "composer-en-1"
"""The prompt set whose English words for the classes of maps are used."""

Bond = Literal["same", "coarse", "confusable"]
"""How a thing in evidence bears on a claim: it is one; it is of a kind that the claim may be one of; or people and
engines call the one the other."""


class _Things(BaseModel):
    """`things.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    same: dict[str, list[str]]
    kinds: dict[str, list[str]]
    shows: dict[str, list[str]]
    confusable: list[frozenset[str]]
    distinct: frozenset[str]
    mapped: frozenset[str]
    stretches: frozenset[str]
    merged: frozenset[str]
    details: list[str]
    passing: list[str]
    signed: dict[str, list[str]]


@dataclass(frozen=True)
class Word:
    """What a noun of a text means."""

    kind: str
    """Canonical name of the thing."""
    plural: bool
    role: Literal["thing", "detail", "passing"]


class Kinds:
    """The nouns of descriptions and of evidence, and how they are related."""

    def __init__(self, things: _Things, nouns: Nouns) -> None:
        self._nouns = nouns
        self._things = things
        self.merged = things.merged
        """Kinds of which one segment may hold several."""
        self.short_forms = tuple(nouns.short_forms.items())
        """Short forms on street signs, and what they stand for."""
        self._words: dict[tuple[str, ...], Word] = {}
        self._above: dict[str, set[str]] = defaultdict(set)
        for parent, children in things.kinds.items():
            for child in children:
                self._above[child].add(parent)
        for kind in sorted({*things.kinds, *self._above, *things.distinct, *things.same}):
            self._add(kind, kind, "thing")
        for kind, others in things.same.items():
            for spec in others:
                self._add(kind, spec, "thing")
        for spec in things.details:
            self._add(spec.partition("|")[0], spec, "detail")
        for spec in things.passing:
            self._add(spec.partition("|")[0], spec, "passing")
        for spec in (spec for group in nouns.nouns.values() for spec in group.values() if spec):
            self._add(spec.lstrip("~").partition("|")[0], spec, "thing")
        for term in vocabulary().values():
            spec = f"{term.one}|{term.many}" if term.many else f"~{term.one}"
            self._add(term.one, spec, "thing" if term.lasting else "passing")
        # Kept, but not all: maps bring kinds of their own.
        self.above = lru_cache(maxsize=16_384)(self._above_all)
        self.bond = lru_cache(maxsize=131_072)(self._bond)
        self.longest = max(map(len, self._words))
        self._signed: dict[str, set[str]] = defaultdict(set)
        for kind, marks in things.signed.items():
            for mark in marks:
                self._signed[folded(mark)].add(kind)

    def _add(self, kind: str, spec: str, role: Literal["thing", "detail", "passing"]) -> None:
        singular, _, plural = spec.lstrip("~").partition("|")
        mass = spec.startswith("~") or singular == plural
        plural = singular if mass else plural or pluralise(singular)
        for text, many in ((singular, False), (plural, True)):
            self._words.setdefault(tuple(text.casefold().split()), Word(kind, many and not mass, role))

    def word(self, tokens: Iterable[str]) -> Word | None:
        """What a noun of one or several words means, or None if it is not known."""
        return self._words.get(tuple(tokens))

    def nouns_of(self, kinds: Iterable[str]) -> dict[tuple[str, ...], Word]:
        """Words for kinds of things that no list has, as maps have them: themselves, and their plurals."""
        strange = sorted({kind for kind in kinds if tuple(kind.split()) not in self._words})
        forms = [(form, Word(kind, form != kind, "thing")) for kind in strange for form in (kind, pluralise(kind))]
        return {tuple(form.casefold().split()): word for form, word in forms}

    def named(self, noun: str) -> str:
        """The canonical name of a class of an engine or a map; itself where it has no other."""
        known = self.word(noun.casefold().split())
        return known.kind if known else noun

    def of_class(self, group: str, raw: str) -> str | None:
        """What a class of a map (`group` is the fact's kind) or of a segmenter (`object`) is called.

        None where it says nothing of what it is (`yes`, `construction`).
        """
        key = re.sub(r"[\s_-]+", "_", raw.strip().lower())
        spec = self._nouns.nouns.get(group, {}).get(key)
        if group == "object" and not spec:
            return self.named(raw)
        if spec is None:
            plain = key.replace("_", " ")
            spec = plain if self._nouns.speakable(plain) else self._nouns.fallback.get(group, "")
        return self.named(spec.lstrip("~").partition("|")[0]) if spec else None

    def _above_all(self, kind: str) -> frozenset[str]:
        """The kind itself and every kind that it belongs to."""
        found, waiting = {kind}, [kind]
        while waiting:
            here = waiting.pop()
            # `toy shop` is a shop, unless the list says what it is or it stands alone, as `car park` does.
            alone = here in self._above or here in self._things.distinct
            head = None if alone else self.word(here.split()[-1:])
            up = self._above.get(here, set()) | ({head.kind} if head and head.role == "thing" else set())
            waiting += up - found
            found |= up
        return frozenset(found)

    def shown_by(self, kind: str) -> frozenset[str]:
        """What is there where a thing of that kind is: all that it is, and what it brings with it."""
        up = self.above(kind)
        return up.union(*(self._things.shows.get(k, ()) for k in up))

    def _bond(self, claim: str, found: str) -> Bond | None:
        """How a thing of kind `found` bears on the claim that there is one of kind `claim`."""
        if claim in self.shown_by(found):
            return "same"
        if claim in self._things.distinct:
            return None
        if found in self.above(claim):
            return "coarse"
        if any(claim in group and found in group for group in self._things.confusable):
            return "confusable"
        return None

    def mapped(self, kind: str) -> bool:
        """Whether a map that lacks it speaks against it."""
        return not self._things.mapped.isdisjoint(self.above(kind))

    def stretched(self, kind: str) -> bool:
        """Whether it runs or spreads so far that one point says little of where it is."""
        return not self._things.stretches.isdisjoint(self.above(kind))

    def signed(self, text: str) -> frozenset[str]:
        """The kinds of shop that the words on a sign, or in a name, bear out; they are folded."""
        found = {kind for word in text.split() for kind in self._signed.get(word, ())}
        if not text.isascii():  # scripts without spaces
            found |= {
                kind for mark, kinds in self._signed.items() if not mark.isascii() and mark in text for kind in kinds
            }
        return frozenset(found)


@cache
def kinds() -> Kinds:
    """The one instance."""
    raw: Mapping[str, object] = yaml.safe_load((files(__package__) / "things.yaml").read_text(encoding="utf-8"))
    nouns = Nouns.model_validate(yaml.safe_load(load_prompt_set(_NOUNS).files["nouns.yaml"]))
    return Kinds(_Things.model_validate(raw), nouns)
