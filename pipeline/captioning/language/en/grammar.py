"""English noun phrases."""

import re
from collections.abc import Sequence
from dataclasses import replace

from pipeline.captioning.language import phrasing
from pipeline.captioning.language.facts import Fact
from pipeline.captioning.language.nouns import Noun
from pipeline.captioning.language.phrasing import Phrase


def read_noun(entry: str) -> Noun:
    """A noun as it stands in `nouns.yaml`: `singular`, `singular|plural`, or `~mass`."""
    singular, _, plural = entry.removeprefix("~").partition("|")
    mass = entry.startswith("~")
    return Noun(singular, singular if mass else plural or _pluralised(singular), _head(singular), mass, entry)


def one(noun: Noun, look: str | None) -> str:
    """A thing with its article, after a verb: `a brick building`."""
    described = _described((look,) if look else (), noun.singular)
    return described if noun.mass else article(described)


def article(phrase: str) -> str:
    """The phrase with `a` or `an` before it."""
    word = phrase.lower()
    vowel = re.match(r"[aeiou8]|hour|honest|heir|1[18]\b", word)
    consonant = re.match(r"uni|us[aeu]|eu|one\b|u-", word)
    return f"{'an' if vowel and not consonant else 'a'} {phrase}"


class Teller(phrasing.Teller):
    """Tells facts in English."""

    def common(self, fact: Fact) -> Phrase:
        """A fact by its noun alone: `a brick church`, `two benches`, `greenery`."""
        assert fact.noun is not None
        if fact.noun.mass:
            return Phrase({"": _described(fact.looks, fact.noun.singular)}, plural=_looks_plural(fact.noun))
        if fact.count == 1:
            return Phrase({"": article(_described(fact.looks, fact.noun.singular))}, plural=False)
        numbers = self.words.phrases.numbers
        number = numbers[fact.count - 2] if fact.count - 2 < len(numbers) else self.words.phrases.many
        return Phrase({"": f"{number} {_described(fact.looks, fact.noun.plural)}"}, plural=True)

    def another(self, fact: Fact) -> Phrase:
        """`another garden`."""
        assert fact.noun is not None
        return Phrase({"": f"another {_described(fact.looks, fact.noun.singular)}"}, plural=False)

    def one_more(self, fact: Fact) -> Phrase:
        """`a white one`."""
        one = _described(fact.looks, "one")
        return Phrase({"": one if one.startswith("one ") else article(one)}, plural=False)

    def filled(self, template: str, fact: Fact) -> Phrase:
        """A noun phrase's template filled in for one fact."""
        a = self.common(replace(fact, count=1)).text if fact.noun else ""
        noun = _described(fact.looks, fact.noun.singular) if fact.noun else ""
        quote = self.quote(fact) if fact.quote else ""
        slots = {"a": a, "noun": noun, "quote": quote, "name": self.name(fact), "script": self.script(fact)}
        return Phrase({"": template.format(**slots)}, plural=False)

    def signs(self, bare: Sequence[Fact]) -> Phrase:
        """`signs reading "A" and "B"`."""
        template = self.choices.pick("np signs", self.words.phrases.noun_phrases["signs"])
        return Phrase({"": template.format(quote=self.quotes(bare))}, plural=True)

    def quote(self, fact: Fact) -> str:
        """A fact's sign in quotation marks, with what it means: `"BAR" in white letters on a red background`."""
        letters, background = fact.lettering
        of = f" in {letters} letters" if letters else ""
        on = f" on {article(background)} background" if background else ""
        return f'"{fact.quote}"{self.gloss(fact)}{of}{on}'


def _pluralised(noun: str) -> str:
    """Regular plural of a noun's last word; of its first where ` of ` or ` with ` follows."""
    for link in (" of ", " with "):
        if link in noun:
            head, _, rest = noun.partition(link)
            return _pluralised(head) + link + rest
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + ("es" if re.search(r"(s|x|z|ch|sh)$", noun) else "s")


def _head(noun: str) -> str:
    return noun.split(" with ", maxsplit=1)[0].split(" of ", maxsplit=1)[0].rsplit(maxsplit=1)[-1]


def _described(looks: Sequence[str], noun: str) -> str:
    """`a white building with red on it`: what begins with `with` stands behind the noun."""
    after = [look for look in looks if look.startswith("with ")]
    before = [look for look in looks if look not in after]
    return " ".join([*before, noun, *after])


def _looks_plural(noun: Noun) -> bool:
    return noun.singular.endswith("s") and not noun.singular.endswith("ss")
