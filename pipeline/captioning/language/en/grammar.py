"""Facts into English: noun phrases, directions, distances, sentences. Every choice of words hangs on a key alone."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from pipeline.captioning.language.facts import Fact, Where
from pipeline.captioning.language.words import Noun, Templates, Voice, Ways, Words

STEPS_M = 8.0
"""Nearer than this a distance is told in words."""
_FAR_M = 50.0
"""From here on a direction without its distance would mislead."""

_FAR_IN_LIST_M = 30.0

_T = TypeVar("_T")


class Choices:
    """Choices keyed by values: the same key, the same choices, whatever else is written before or after."""

    def __init__(self, *key: object) -> None:
        self._key = "\x1f".join(str(part) for part in key)
        self._picks: Counter[str] = Counter()
        self._used: Counter[str] = Counter()

    def share(self, slot: str) -> float:
        """A number in [0, 1), the next one of its slot."""
        self._picks[slot] += 1
        return self._number(slot, self._picks[slot]) / 2**64

    def pick(self, slot: str, options: Sequence[_T]) -> _T:
        """One of the options; each is taken once before one is taken again."""
        turn, place = divmod(self._picks[slot], len(options))
        self._picks[slot] += 1
        order = sorted(range(len(options)), key=lambda i: self._number(slot, turn, i))
        return options[order[place]]

    def freshest(self, slot: str, options: Sequence[str], unlike: str) -> str:
        """The option least used so far, those that begin like the text `unlike` last."""
        order = sorted(set(options), key=lambda text: self._number(slot, text))
        opening = unlike.partition(" ")[0]
        best = min(order, key=lambda text: self._used[text] + (text.partition(" ")[0] == opening))
        self._used[best] += 1
        return best

    def _number(self, *parts: object) -> int:
        text = "\x1f".join((self._key, *map(str, parts)))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def article(phrase: str) -> str:
    """The phrase with `a` or `an` before it."""
    word = phrase.lower()
    vowel = re.match(r"[aeiou8]|hour|honest|heir|1[18]\b", word)
    consonant = re.match(r"uni|us[aeu]|eu|one\b|u-", word)
    return f"{'an' if vowel and not consonant else 'a'} {phrase}"


def listed(items: Sequence[str], conjunction: str) -> str:
    """`a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {conjunction} {items[-1]}"


def rounded_metres(distance_m: float) -> int:
    """A distance as one tells it: to 5 m below 25 m, to 10 m below 200 m, to 50 m beyond."""
    step = 5 if distance_m < 25 else 10 if distance_m < 200 else 50
    return max(step, round(distance_m / step) * step)


def as_sentence(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


@dataclass(frozen=True)
class Phrase:
    """A noun phrase and whether it stands for several things."""

    text: str
    plural: bool


@dataclass(frozen=True)
class Listing(Phrase):
    """A list of noun phrases."""

    first_plural: bool
    far: bool
    """It ends with a distance."""


class Teller:
    """Tells facts in one voice, with choices of its own. Serves one description."""

    def __init__(self, words: Words, choices: Choices, voice: Voice) -> None:
        self.words = words
        self.choices = choices
        self.voice = voice
        self._unit = choices.pick("unit", words.phrases.units)
        self._told: set[str] = set()
        self._previous = ""
        self._sentences = 0

    def sentence(self, shape: str, templates: Templates, slots: dict[str, str], *, seen: bool = False) -> str:
        """A sentence of a shape, unlike the one before it."""
        options = templates.of(self.voice, seen=seen, later=self._sentences > 1)
        template = self.choices.freshest(shape, options, self._previous)
        self._previous = template
        self._sentences += 1
        return as_sentence(template.format(**slots))

    def agreeing(self, key: str, plural: bool) -> str:
        """A word in the form for one or for several."""
        return self.words.phrases.agreement[key][plural]

    def verb(self, fact: Fact, plural: bool) -> str:
        """The verb for how a thing is there: `stands`, `runs`, `is`."""
        return self.agreeing(self.words.nouns.verb(fact.noun) if fact.quote is None else "is", plural)

    def noun_phrase(self, fact: Fact) -> Phrase:
        """One fact as a noun phrase with its article."""
        forms, slots = self.words.phrases.noun_phrases, self.slots(fact)
        if fact.quote is not None:
            if fact.noun is not None:
                kind = "sign_on"
            elif fact.kind == "street_sign":
                kind = "street_sign"
            elif fact.quote.isdigit():
                kind = "number"
            else:
                kind = "sign_in" if slots["script"] else "sign"
        elif fact.name is not None:
            kind = "name_only" if fact.noun is None else "name_says" if _says(fact.name, fact.noun) else "named"
        else:
            return self._new_or_another(fact)
        return Phrase(self.choices.pick(f"np {kind}", forms[kind]).format(**slots), plural=False)

    def _new_or_another(self, fact: Fact) -> Phrase:
        assert fact.noun is not None
        described = _described(fact, fact.noun.singular)
        again = described in self._told and fact.count == 1
        # Two stretches of road may be one road.
        if again and not fact.noun.mass and self.words.nouns.verb(fact.noun) != "run":
            return Phrase(f"{self.words.phrases.another} {described}", plural=False)
        self._told.add(described)
        return self.common(fact)

    def slots(self, fact: Fact) -> dict[str, str]:
        """What noun phrase templates fill in."""
        gloss = f" ({fact.gloss})" if fact.gloss else ""
        return {
            "a": self.common(replace(fact, count=1)).text if fact.noun else "",
            "noun": _described(fact, fact.noun.singular) if fact.noun else "",
            "quote": f'"{fact.quote}"{gloss}',
            "name": f"{fact.name}{gloss}",
            "script": self.words.nouns.scripts.get(fact.script or "", "") if fact.quote else "",
        }

    def common(self, fact: Fact) -> Phrase:
        """A fact by its noun alone: `a brick church`, `two benches`, `greenery`."""
        assert fact.noun is not None
        if fact.noun.mass:
            return Phrase(_described(fact, fact.noun.singular), plural=_looks_plural(fact.noun))
        if fact.count == 1:
            return Phrase(article(_described(fact, fact.noun.singular)), plural=False)
        numbers = self.words.phrases.numbers
        number = numbers[fact.count - 2] if fact.count - 2 < len(numbers) else self.words.phrases.many
        return Phrase(f"{number} {_described(fact, fact.noun.plural)}", plural=True)

    def list_of(self, facts: Sequence[Fact]) -> Listing:
        """Facts in one direction as a list; bare signs are gathered, and the second of a kind is `a white one`.

        Where the last is far off, it says how far.
        """
        bare = [fact for fact in facts if fact.kind == "sign" and not self.slots(fact)["script"]]
        items: list[Phrase] = []
        previous: Fact | None = None
        for fact in facts:
            if len(bare) > 1 and fact in bare:
                if fact is bare[0]:
                    items.append(self._signs(bare))
                continue
            items.append(self._one_more(fact) if _same_kind(previous, fact) else self.noun_phrase(fact))
            previous = fact
        texts = [item.text for item in items]
        far = previous is facts[-1] and (facts[-1].where.distance_m or 0.0) >= _FAR_IN_LIST_M
        if far:
            texts[-1] += f" {self.distance(facts[-1])} away"
        plural = len(items) > 1 or items[0].plural
        return Listing(listed(texts, self.words.phrases.conjunction), plural, items[0].plural, far)

    def _signs(self, bare: Sequence[Fact]) -> Phrase:
        template = self.choices.pick("np signs", self.words.phrases.noun_phrases["signs"])
        return Phrase(template.format(quote=self.quotes(bare)), plural=True)

    def _one_more(self, fact: Fact) -> Phrase:
        return Phrase(article(f"{fact.attribute} {self.words.phrases.one_more}"), plural=False)

    def quotes(self, facts: Sequence[Fact]) -> str:
        """The facts' signs in quotation marks, as a list."""
        return listed([self.slots(fact)["quote"] for fact in facts], self.words.phrases.conjunction)

    def distance(self, fact: Fact) -> str:
        """A fact's distance in rounded metres."""
        assert fact.where.distance_m is not None
        template = self.choices.pick("distance", self.words.phrases.distances)
        return template.format(m=rounded_metres(fact.where.distance_m), unit=self._unit)

    def location(self, fact: Fact, *, distance: bool = True) -> str:
        """Where a fact is: direction, and distance where it is known and wanted."""
        where = fact.where
        ways, slots, key = self._ways(where)
        metres = where.distance_m
        if not distance:
            return self.choices.pick(f"{key} plain", ways.plain).format(**slots)
        if metres is not None and metres < STEPS_M:
            return self.choices.pick(f"{key} near", ways.near).format(**slots)
        if metres is not None and (metres >= _FAR_M or not key or self.choices.share("tell distance") < 0.6):
            return self.choices.pick(f"{key} at", ways.at).format(d=self.distance(fact), **slots)
        if metres is None and where.depth == "far" and self.choices.share("tell depth") < 0.5:
            return self.choices.pick(f"{key} far", ways.far).format(**slots)
        return self.choices.pick(f"{key} plain", ways.plain).format(**slots)

    def _ways(self, where: Where) -> tuple[Ways, dict[str, str], str]:
        phrases = self.words.phrases
        if where.position is not None:
            return phrases.directions[where.position].of(self.voice), {}, where.position
        if where.octant is not None:
            return phrases.compass, {"c": phrases.compass.points[where.octant]}, "compass"
        return phrases.nowhere, {}, ""


def _described(fact: Fact, noun: str) -> str:
    return f"{fact.attribute} {noun}" if fact.attribute else noun


def _says(name: str, noun: Noun) -> bool:
    """Whether a name has its noun in it, as in `Hotel Corona`."""
    return noun.head.casefold() in name.casefold().split()


def _same_kind(previous: Fact | None, fact: Fact) -> bool:
    """Whether `one` may stand for the noun."""
    return (
        previous is not None
        and previous.noun == fact.noun
        and previous.count == fact.count == 1
        and fact.noun is not None
        and not fact.noun.mass
        and not (previous.quote or previous.name or fact.quote or fact.name)
        and None not in (previous.attribute, fact.attribute)
    )


def _looks_plural(noun: Noun) -> bool:
    return noun.singular.endswith("s") and not noun.singular.endswith("ss")
