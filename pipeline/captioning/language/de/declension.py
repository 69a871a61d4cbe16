"""German noun phrases in a case: article, adjectives, noun; singular and plural.

A noun is written `die öffentlich+ Toilette|öffentlich+ Toiletten` (see `nouns.yaml`). Endings as in Duden, Die
Grammatik, on the strong, weak and mixed declension of adjectives.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Gender = Literal["m", "f", "n"]
Case = Literal["nom", "acc", "dat"]
Article = Literal["ein", "der", ""]

_GENDERS: dict[str, Gender] = {"der": "m", "die": "f", "das": "n"}
_PLURAL = "pl"
_EIN: dict[Case, dict[Gender, str]] = {
    "nom": {"m": "ein", "f": "eine", "n": "ein"},
    "acc": {"m": "einen", "f": "eine", "n": "ein"},
    "dat": {"m": "einem", "f": "einer", "n": "einem"},
}
_DER: dict[Case, dict[Gender, str]] = {
    "nom": {"m": "der", "f": "die", "n": "das"},
    "acc": {"m": "den", "f": "die", "n": "das"},
    "dat": {"m": "dem", "f": "der", "n": "dem"},
}
_DER_PLURAL: dict[Case, str] = {"nom": "die", "acc": "die", "dat": "den"}
_STRONG: dict[Case, dict[Gender, str]] = {
    "nom": {"m": "er", "f": "e", "n": "es"},
    "acc": {"m": "en", "f": "e", "n": "es"},
    "dat": {"m": "em", "f": "er", "n": "em"},
}
_WEAK_MASCULINE = re.compile(r"(?:ant|ent|at|ist|isk)$")
"""Masculine nouns with a plural in -en that end so have -en in all cases but the nominative: `einem Hydranten`."""
_AFTER_HEAD = re.compile(r" (?:mit|aus|für|am|an|zum|zur|von|ohne) ")


@dataclass(frozen=True)
class Noun:
    """A noun as it stands in `nouns.yaml`, read."""

    gender: Gender
    singular: str
    plural: str
    """Nominative; `+` stands for an adjective's ending."""
    mass: bool = False
    """Takes no article and is not counted."""
    only_plural: bool = False


@lru_cache(maxsize=4_096)
def read_noun(spec: str) -> Noun:
    """A noun from its entry.

    Raises:
        ValueError: it has no article or no plural.
    """
    mass = spec.startswith("~")
    article, _, rest = spec.removeprefix("~").partition(" ")
    if article == _PLURAL and rest:
        return Noun("n", rest, rest, mass=True, only_plural=True)
    singular, _, plural = rest.partition("|")
    if article not in _GENDERS or not singular or not (plural or mass):
        raise ValueError(f"{spec!r}: `der Baum|Bäume`, `das Gebäude|=`, `~das Grün` or `pl Gleise` expected")
    return Noun(_GENDERS[article], singular, singular if plural == "=" or mass else plural, mass=mass)


def declined(
    noun: Noun, case: Case, *, article: Article = "ein", looks: Sequence[str] = (), number: str | None = None
) -> str:
    """A noun phrase.

    Args:
        noun: what it is of.
        case: nominative, accusative or dative.
        article: `ein`, `der` or none, in its form.
        looks: adjectives with a `+` for their ending stand before the noun, other words after it.
        number: a numeral or `mehrere`, with which the noun is in the plural; None for one.
    """
    plural = number is not None or noun.only_plural
    word = "" if noun.mass and article == "ein" else _article(noun, case, article, plural)
    ending = _ending(noun, case, word, article, plural)
    before = [look.replace("+", ending) for look in looks if "+" in look]
    after = [look for look in looks if "+" not in look]
    body = (_plural(noun, case) if plural else _singular(noun, case)).replace("+", ending)
    if number is not None:
        word = number if article != "der" else f"{word} {number}"
    return " ".join(part for part in (word, *before, body, *after) if part)


def pronoun(noun: Noun, case: Case) -> str:
    """`einer`, `eine`, `eines`: one of a kind that was named."""
    return {"nom": {"m": "einer", "f": "eine", "n": "eines"}, "acc": {"m": "einen", "f": "eine", "n": "eines"}}.get(
        case, _EIN["dat"]
    )[noun.gender]


def definite(noun: Noun, case: Case) -> str:
    """The definite article before a noun."""
    return _article(noun, case, "der", noun.only_plural)


def _article(noun: Noun, case: Case, article: Article, plural: bool) -> str:
    if article == "der":
        return _DER_PLURAL[case] if plural else _DER[case][noun.gender]
    return _EIN[case][noun.gender] if article == "ein" and not plural else ""


def _ending(noun: Noun, case: Case, word: str, article: Article, plural: bool) -> str:
    """The ending of an adjective: weak after the definite article, mixed after `ein`, else strong."""
    if plural:
        return "en" if article == "der" or case == "dat" else "e"
    if article == "der":
        return "en" if case == "dat" or (case == "acc" and noun.gender == "m") else "e"
    if word:
        return "en" if case == "dat" else _STRONG[case][noun.gender]
    return _STRONG[case][noun.gender]


def _singular(noun: Noun, case: Case) -> str:
    weak = noun.gender == "m" and noun.plural.endswith("en") and _WEAK_MASCULINE.search(_head(noun.singular))
    return _with_head(noun.singular, "en") if weak and case != "nom" else noun.singular


def _plural(noun: Noun, case: Case) -> str:
    takes_n = case == "dat" and _head(noun.plural)[-1] not in "ns"
    return _with_head(noun.plural, "n") if takes_n else noun.plural


def _head(words: str) -> str:
    return _AFTER_HEAD.split(words, maxsplit=1)[0]


def _with_head(words: str, ending: str) -> str:
    head = _head(words)
    return head + ending + words[len(head) :]
