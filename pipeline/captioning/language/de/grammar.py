"""German noun phrases in the nominative, the accusative and the dative."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from pipeline.captioning.language import nouns, phrasing
from pipeline.captioning.language.de import declension
from pipeline.captioning.language.de.declension import Article, Case, declined
from pipeline.captioning.language.facts import Fact
from pipeline.captioning.language.phrasing import Phrase

_CASES: dict[str, Case] = {"": "nom", "acc": "acc", "dat": "dat"}
_COMPOUND = re.compile(
    r"(?:wohn|familien|doppel|geschäfts)(?P<house>haus)$|(?P<head>gebäude|haltestelle|station|straße|weg|mauer|kirche|"
    r"schule|brücke|turm|brunnen|laterne|strecke|gleise?|laden|geschäft|kreuzung)$"
)
"""What a compound is one of. A `Rathaus` is more than a house."""
_DECLINED = re.compile(r"\[(?P<how>[=+]?)(?P<noun>(?:der|die|das) [^\]|]+)(?:\|(?P<plural>[^\]]+))?\]")
"""In templates of noun phrases: `[das Schild|Schilder]` is put in its case; `=` takes the definite article, `+` the
plural."""

_SEEN = ("object", "sign", "street_sign")
_LETTERING = (("in", declension.read_noun("die Schrift|Schriften")), ("auf", declension.read_noun("der Grund|Gründe")))


def read_noun(entry: str) -> nouns.Noun:
    """A noun as it stands in `nouns.yaml`: see `declension`."""
    noun = declension.read_noun(entry)
    singular, plural = (declined(noun, "nom", article="", number=number) for number in (None, ""))
    if noun.only_plural:
        singular = plural
    match = _COMPOUND.search(singular.casefold())
    head = (match["house"] or match["head"]) if match else singular.casefold()
    return nouns.Noun(singular, plural, head, noun.mass, entry)


def one(noun: nouns.Noun, look: str | None) -> str:
    """A thing with its article, after `es gibt`: `einen roten Turm`."""
    return declined(declension.read_noun(noun.entry), "acc", looks=[look] if look else [])


class Teller(phrasing.Teller):
    """Tells facts in German."""

    cases: ClassVar[tuple[str, ...]] = tuple(_CASES)
    inside_case: ClassVar[str] = "dat"

    def common(self, fact: Fact) -> Phrase:
        """A fact by its noun alone: `eine Kirche aus Backstein`, `zwei Bänke`, `dichtes Grün`."""
        return self._common(fact)

    def another(self, fact: Fact) -> Phrase:
        """`ein weiterer Garten`."""
        return self._common(fact, "weiter+")

    def one_more(self, fact: Fact) -> Phrase:
        """`ein weißes`, `eines aus Backstein`."""
        assert fact.noun is not None
        noun, looks = declension.read_noun(fact.noun.entry), fact.looks
        bare = replace(noun, singular="", plural="")

        def form(case: Case) -> str:
            if any("+" in look for look in looks):
                return declined(bare, case, looks=looks)
            return " ".join([declension.pronoun(noun, case), *looks])

        return _phrase(form)

    def filled(self, template: str, fact: Fact) -> Phrase:
        """A noun phrase's template filled in for one fact."""
        slots = {
            "quote": self.quote(fact) if fact.quote else "",
            "name": self.name(fact),
            "script": self.script(fact),
        }
        single = replace(fact, count=1)

        def form(case: Case) -> str:
            own = {"a": self._declined(single, case), "the": self._declined(single, case, article="der")}
            own["der"] = "" if fact.noun is None else declension.definite(declension.read_noun(fact.noun.entry), case)
            return _in_case(template, case).format(**slots, **own)

        return _phrase(form)

    def signs(self, bare: Sequence[Fact]) -> Phrase:
        """`Schilder mit den Aufschriften „A“ und „B“`."""
        template = self.choices.pick("np signs", self.words.phrases.noun_phrases["signs"])
        quotes = self.quotes(bare)
        return replace(_phrase(lambda case: _in_case(template, case).format(quote=quotes)), plural=True)

    def quote(self, fact: Fact) -> str:
        """A fact's sign in quotation marks, with what it means: `„BAR“ in weißer Schrift auf rotem Grund`."""
        letters, background = (
            f" {preposition} {declined(noun, 'dat', article='', looks=[look])}" if look else ""
            for (preposition, noun), look in zip(_LETTERING, fact.lettering, strict=True)
        )
        return f"\u201e{fact.quote}\u201c{self.gloss(fact)}{letters}{background}"

    def verb_key(self, fact: Fact) -> str:
        """As its noun has it; what has no verb of its own lies there, if it is on the map, or is to be found."""
        key = self.words.nouns.verb(fact.noun)
        return key if key != "is" else "find" if fact.kind in _SEEN else "lie"

    def says(self, name: str, noun: nouns.Noun) -> bool:
        """Whether a name has its noun in it, as in `Hotel Corona` and `Lindenapotheke`."""
        return any(word.endswith(noun.singular.casefold()) for word in re.split(r"[\s-]", name.casefold()))

    def _common(self, fact: Fact, *before: str) -> Phrase:
        assert fact.noun is not None
        plural = fact.count > 1 or declension.read_noun(fact.noun.entry).only_plural
        return replace(_phrase(lambda case: self._declined(fact, case, *before)), plural=plural)

    def _declined(self, fact: Fact, case: Case, *before: str, article: Article = "ein") -> str:
        if fact.noun is None:
            return ""
        numbers = self.words.phrases.numbers
        number = None
        if fact.count > 1:
            number = numbers[fact.count - 2] if fact.count - 2 < len(numbers) else self.words.phrases.many
        looks = [*before, *fact.looks]
        return declined(declension.read_noun(fact.noun.entry), case, article=article, looks=looks, number=number)


def _phrase(form: Callable[[Case], str]) -> Phrase:
    return Phrase({key: form(case) for key, case in _CASES.items()}, plural=False)


def _in_case(template: str, case: Case) -> str:
    def put(match: re.Match[str]) -> str:
        noun = declension.read_noun(f"{match['noun']}|{match['plural'] or '='}")
        how = match["how"]
        article: Article = "der" if how == "=" else "ein"
        return declined(noun, case, article=article, number="" if how == "+" else None)

    return _DECLINED.sub(put, template)
