"""From facts to the slots of sentences, whatever the language: what a grammar has in common with any other.

A `Teller` serves one description. A language's grammar gives it the noun phrases, in as many forms as it has cases;
all else stands in the phrases of a prompt set.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from pipeline.captioning.language.choices import Choices
from pipeline.captioning.language.facts import Fact, Where
from pipeline.captioning.language.nouns import Noun, Nouns
from pipeline.captioning.language.phrases import Phrases, Templates, Voice, Ways

STEPS_M = 8.0
"""Nearer than this a distance is told in words."""
_FAR_M = 50.0
"""From here on a direction without its distance would mislead."""
_FAR_IN_LIST_M = 30.0
_BEFORE_SUBJECT = ("theres",)
"""Words that agree with the first of a list, not with all of it: `there's a tree and a bench`."""


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
class Words:
    """All words of a description: the language's nouns, and the phrases of a prompt set."""

    nouns: Nouns
    phrases: Phrases


@dataclass(frozen=True)
class Phrase:
    """A noun phrase, in each case that the language has, and whether it stands for several things."""

    forms: Mapping[str, str]
    """By case; the first, by the empty string, is the subject's."""
    plural: bool

    @property
    def text(self) -> str:
        """As a subject."""
        return self.forms[""]

    def slots(self, name: str) -> dict[str, str]:
        """The values that templates fill in: `np`, and `np_dat` for its dative."""
        return {f"{name}_{case}" if case else name: text for case, text in self.forms.items()}


@dataclass(frozen=True)
class Listing(Phrase):
    """A list of noun phrases."""

    first_plural: bool
    far: bool
    """It ends with a distance."""


class Teller(ABC):
    """Tells facts in one voice, with choices of its own. Serves one description."""

    cases: ClassVar[tuple[str, ...]] = ("",)
    """Forms of a noun phrase; the first is the subject's."""
    inside_case: ClassVar[str] = ""
    """The case that stands after the prepositions of `Nouns.inside`."""

    def __init__(self, words: Words, choices: Choices, voice: Voice) -> None:
        self.words = words
        self.choices = choices
        self.voice = voice
        self._unit = choices.pick("unit", words.phrases.units)
        self._told: set[str] = set()
        self._previous = ""
        self._sentences = 0

    # ---- What each language has of its own.

    @abstractmethod
    def common(self, fact: Fact) -> Phrase:
        """A fact by its noun alone: `a brick church`, `two benches`, `greenery`."""

    @abstractmethod
    def another(self, fact: Fact) -> Phrase:
        """One more thing of a kind that was told before: `another garden`."""

    @abstractmethod
    def one_more(self, fact: Fact) -> Phrase:
        """The second of two things of one kind: `a white one`."""

    @abstractmethod
    def filled(self, template: str, fact: Fact) -> Phrase:
        """A noun phrase's template filled in for one fact."""

    @abstractmethod
    def signs(self, bare: Sequence[Fact]) -> Phrase:
        """Several signs as one noun phrase."""

    @abstractmethod
    def quote(self, fact: Fact) -> str:
        """A fact's sign in quotation marks, with what it means and what its letters look like."""

    def verb_key(self, fact: Fact) -> str:
        """Key into `Phrases.agreement` of the verb for how a thing is there: `stands`, `runs`, `is`."""
        return self.words.nouns.verb(fact.noun) if fact.quote is None else "is"

    # ---- Sentences.

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

    # ---- Slots.

    def fact_slots(self, fact: Fact) -> dict[str, str]:
        """One fact in a sentence of its own."""
        phrase = self.noun_phrase(fact)
        return {
            **self.parts(fact),
            **self._agreement(phrase.plural),
            "verb": self.agreeing(self.verb_key(fact), phrase.plural),
            **phrase.slots("np"),
            "loc": self.location(fact),
        }

    def farther_slots(self, fact: Fact) -> dict[str, str]:
        """A second fact in the same direction, farther off."""
        phrase = self.noun_phrase(fact)
        verb = self.agreeing(self.verb_key(fact), phrase.plural)
        return {**phrase.slots("np"), **self._agreement(phrase.plural), "verb": verb, "d": self.distance(fact)}

    def listing_slots(self, listing: Listing, first: Fact) -> dict[str, str]:
        """Facts in one direction."""
        return {
            **self._agreement(listing.plural),
            **{key: text for key, text in self._agreement(listing.first_plural).items() if key in _BEFORE_SUBJECT},
            "exist": self.agreeing("is", listing.first_plural),
            **listing.slots("np"),
            "loc": self.location(first, distance=False),
        }

    def sign_slots(self, facts: Sequence[Fact]) -> dict[str, str]:
        """Bare signs."""
        plural = len(facts) > 1
        where = self.location(facts[0], distance=not plural)
        return {**self._agreement(plural), "quote": self.quotes(facts), "loc": where}

    def with_slots(self, facts: Sequence[Fact]) -> dict[str, str]:
        """Facts with their directions as a list."""
        phrases = [self.noun_phrase(fact) for fact in facts]
        where = [self.location(fact) for fact in facts]
        conjunction = self.words.phrases.conjunction
        forms = {
            case: listed([f"{p.forms[case]} {loc}" for p, loc in zip(phrases, where, strict=True)], conjunction)
            for case in self.cases
        }
        plural = phrases[0].plural  # `there is a church behind and two benches ahead`: agrees with the nearest
        return {**Phrase(forms, plural).slots("with"), "is": self.agreeing("is", plural)}

    def standpoint_slots(self, parts: Mapping[str, Fact]) -> dict[str, str]:
        """The place that one stands on or at, by its role."""
        phrases = {role: self.noun_phrase(replace(fact, count=1)) for role, fact in parts.items()}
        slots = {key: text for role, phrase in phrases.items() for key, text in phrase.slots(role).items()}
        area = parts.get("area")
        if area is not None and area.noun is not None:
            slots["inside"] = f"{self.words.nouns.inside[area.noun.singular]} {phrases['area'].forms[self.inside_case]}"
        return slots

    def parts(self, fact: Fact) -> dict[str, str]:
        """A fact's noun, sign and name by themselves."""
        found = {"quote": self.quote(fact) if fact.quote else "", "name": self.name(fact)}
        return found | (self.common(replace(fact, count=1)).slots("a") if fact.noun else {})

    def name(self, fact: Fact) -> str:
        """A fact's name, with what it means."""
        return f"{fact.name}{self.gloss(fact)}"

    def gloss(self, fact: Fact) -> str:
        """The meaning of words in another script, in parentheses."""
        return f" ({fact.gloss})" if fact.gloss else ""

    def script(self, fact: Fact) -> str:
        """The name of a sign's script, if that is worth a word."""
        return self.words.nouns.scripts.get(fact.script or "", "") if fact.quote else ""

    def quotes(self, facts: Sequence[Fact]) -> str:
        """The facts' signs in quotation marks, as a list."""
        return listed([self.quote(fact) for fact in facts], self.words.phrases.conjunction)

    def _agreement(self, plural: bool) -> dict[str, str]:
        return {key: forms[plural] for key, forms in self.words.phrases.agreement.items()}

    # ---- Noun phrases.

    def noun_phrase(self, fact: Fact) -> Phrase:
        """One fact as a noun phrase with its article."""
        if fact.quote is not None:
            if fact.noun is not None:
                kind = "sign_on"
            elif fact.kind == "street_sign":
                kind = "street_sign"
            elif fact.quote.isdigit():
                kind = "number"
            else:
                kind = "sign_in" if self.script(fact) else "sign"
        elif fact.name is not None:
            kind = "name_only" if fact.noun is None else "name_says" if self.says(fact.name, fact.noun) else "named"
        else:
            return self._new_or_another(fact)
        return self.filled(self.choices.pick(f"np {kind}", self.words.phrases.noun_phrases[kind]), fact)

    def says(self, name: str, noun: Noun) -> bool:
        """Whether a name has its noun in it, as in `Hotel Corona`."""
        return noun.head.casefold() in name.casefold().split()

    def _new_or_another(self, fact: Fact) -> Phrase:
        assert fact.noun is not None
        described = f"{fact.looks} {fact.noun.singular}"
        again = described in self._told and fact.count == 1
        # Two stretches of road may be one road.
        if again and not fact.noun.mass and self.words.nouns.verb(fact.noun) != "run":
            return self.another(fact)
        self._told.add(described)
        return self.common(fact)

    def list_of(self, facts: Sequence[Fact]) -> Listing:
        """Facts in one direction as a list; bare signs are gathered, and the second of a kind is `a white one`.

        Where the last is far off, it says how far.
        """
        bare = [fact for fact in facts if fact.kind == "sign" and not self.script(fact)]
        items: list[Phrase] = []
        previous: Fact | None = None
        for fact in facts:
            if len(bare) > 1 and fact in bare:
                if fact is bare[0]:
                    items.append(self.signs(bare))
                continue
            items.append(self.one_more(fact) if _same_kind(previous, fact) else self.noun_phrase(fact))
            previous = fact
        far = previous is facts[-1] and (facts[-1].where.distance_m or 0.0) >= _FAR_IN_LIST_M
        after = f" {self.words.phrases.away.format(d=self.distance(facts[-1]))}" if far else ""
        conjunction = self.words.phrases.conjunction
        forms = {case: listed([item.forms[case] for item in items], conjunction) + after for case in self.cases}
        return Listing(forms, len(items) > 1 or items[0].plural, items[0].plural, far)

    # ---- Directions and distances.

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


def _same_kind(previous: Fact | None, fact: Fact) -> bool:
    """Whether `one` may stand for the noun."""
    return (
        previous is not None
        and previous.noun == fact.noun
        and previous.count == fact.count == 1
        and fact.noun is not None
        and not fact.noun.mass
        and not (previous.quote or previous.name or fact.quote or fact.name)
        and () not in (previous.looks, fact.looks)
    )
