"""Compares words of a description with those of a sign or a map name, in any script."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from rapidfuzz import fuzz, process

_LEAST_WORD = 0.6
"""Two texts of several words are alike only if each word has one in the other that is at least so like it."""
_SHORT = 4
"""Up to so many characters a text must be the same: one letter is a quarter of it."""


@lru_cache(maxsize=8_192)
def folded(text: str) -> str:
    """How a text is compared: compatible forms, case and Latin accents folded, punctuation gone, words spaced."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    kept = []
    for character in plain:
        if unicodedata.combining(character) and unicodedata.category(character) == "Mn":
            continue
        if character in "'\u2019":
            continue
        kept.append(character if character.isalnum() or unicodedata.category(character).startswith("M") else " ")
    return " ".join(unicodedata.normalize("NFC", "".join(kept)).split())


def likeness(claimed: str, known: str) -> float:
    """How alike two folded texts are, 0 to 1; 0 where that is an accident of few letters or of one common word.

    A part of what is known counts as it (`trident` of `trident booksellers`) if it is whole words of four letters or
    more in all, or two characters of a script without spaces.
    """
    a, b = claimed.replace(" ", ""), known.replace(" ", "")
    if not a or not b:
        return 0.0
    if a == b or _is_part(claimed, known):
        return 1.0
    if claimed.isascii() and min(len(a), len(b)) <= _SHORT:
        return 0.0
    whole = fuzz.ratio(a, b) / 100
    words, others = claimed.split(), known.split()
    if whole < 0.9 and (len(words) > 1 or len(others) > 1) and len(words) == len(others):
        worst = min(max(fuzz.ratio(word, other) for other in others) for word in words) / 100
        if worst < _LEAST_WORD:
            return 0.0
    return whole


def _is_part(claimed: str, known: str) -> bool:
    if claimed.isascii():
        return f" {claimed} " in f" {known} " and sum(c.isalnum() for c in claimed) >= _SHORT
    return len(claimed) >= 2 and claimed in known


def same_lettering(claimed: str, read: str, least: float) -> bool:
    """Whether words are those of a sign: letters alike by `least` (0 to 1), digits the very same.

    A house number or a route number with one other digit is another one, so every run of digits that is claimed must
    have been read.
    """
    one, other = folded(claimed), folded(read)
    digits = re.findall(r"\d+", one)
    return set(digits) <= set(re.findall(r"\d+", other)) and (
        likeness(one, other) >= least or (bool(digits) and one in other.split())
    )


def covered(claimed: str, known: Sequence[str]) -> float:
    """Share of a folded text's letters in words that stand in one of several known texts."""
    pool = [word for text in known for word in text.split()]
    words = claimed.split()
    if not words or not pool:
        return 0.0
    found = 0
    for word in words:
        best = process.extractOne(word, pool, scorer=fuzz.ratio)
        if best is not None and best[1] >= (100.0 if len(word) <= _SHORT else 80.0):
            found += len(word)
    return found / sum(map(len, words))
