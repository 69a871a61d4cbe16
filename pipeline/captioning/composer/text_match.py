"""Compares words on signs with names on the map."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rapidfuzz import fuzz

SAME_SPELLING = 85.0
"""Similarity (0 to 100, indel distance) from which two spellings count as one: one letter in seven is misread."""


@dataclass(frozen=True)
class Spelling:
    """A text as it is compared: case and accents folded, short forms written out, split into words."""

    words: tuple[str, ...]

    @property
    def joined(self) -> str:
        """The words, spaced."""
        return " ".join(self.words)


def spelling(text: str, short_forms: Mapping[str, str]) -> Spelling:
    """How a text is compared."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(c for c in folded if not unicodedata.combining(c))
    # An apostrophe joins (`joe's` is `joes`), all other punctuation parts.
    words = re.findall(r"\w+", unicodedata.normalize("NFC", re.sub(r"['\u2019]", "", bare)))
    return Spelling(tuple(short_forms.get(word, word) for word in words))


def similarity(sign: Spelling, name: Spelling, generic: frozenset[str]) -> float:
    """0 where sign and name are different, else how alike they are, to 100.

    They are the same where the whole is spelled alike, or where all words of one are among the other's and one of these
    is distinctive: four letters or more (two in scripts without spaces) and not what any shop might be called.
    """
    if not sign.words or not name.words:
        return 0.0
    whole = spelled_alike(sign, name)
    if whole and (_distinctive(sign.words, generic) or sign == name):
        return whole
    small, large = sorted((sign.words, name.words), key=len)
    within = all(any(_same_word(a, b) for b in large) for a in small)
    return fuzz.ratio(sign.joined, name.joined) if within and _distinctive(small, generic) else 0.0


def spelled_alike(sign: Spelling, name: Spelling) -> float:
    """0 unless both are the same as a whole, misreadings aside; then how alike they are, to 100."""
    whole = fuzz.ratio(sign.joined, name.joined)
    return whole if sign.words and whole >= SAME_SPELLING else 0.0


def contains(name: Spelling, part: Spelling) -> bool:
    """Whether a name has another in it, word by word; anywhere, in scripts without spaces."""
    if not part.words:
        return False
    if part.joined.isascii():
        return f" {part.joined} " in f" {name.joined} "
    return part.joined in name.joined


def _distinctive(words: Iterable[str], generic: frozenset[str]) -> bool:
    return any(len(word) >= (4 if word.isascii() else 2) and word not in generic for word in words)


def _same_word(a: str, b: str) -> bool:
    return a == b or (min(len(a), len(b)) >= 5 and fuzz.ratio(a, b) >= SAME_SPELLING)
