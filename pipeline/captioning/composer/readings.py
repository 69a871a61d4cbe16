"""Selects the readings of signs that are told: words, names on the map, and what was read twice."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from string import ascii_lowercase

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from pipeline.captioning.composer.text_match import spelling
from pipeline.captioning.tokens import known_words
from pipeline.perception.scripts import COMMON, main_script
from schemas.records import Cue

_SURE, _NEARLY_CERTAIN = 0.9, 0.97
"""Least confidence of a reading that a second one confirmed, and of one of words that none confirmed."""
_LETTERS = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_LEAST_LETTERS = 3
_LOST, _MANY = 3, 6
"""Letters that may be missing at an end of a word that a post or the picture's edge cuts; so many words with one ending
make it likelier an ending than a word."""


class Readings:
    """The readings of one site's signs, held against the names on its map."""

    def __init__(self, names: Iterable[str], cut: frozenset[str] = frozenset()) -> None:
        """Takes the names on the map around the site, and the ids of cues that may be the rest of a word."""
        self._cut = cut
        held = [(name, spelling(name, {}).words) for name in names]
        self._names = {"".join(words) for _, words in held} | {word for _, words in held for word in words}
        self._scripts = {main_script(name) for name, _ in held} - {"Latn", COMMON}

    def tells(self, cue: Cue) -> bool:
        """Whether a text cue's reading may be told."""
        text = cue.text or ""
        words = [word.casefold().replace("\u2019", "'").removesuffix("'s") for word in _LETTERS.findall(text)]
        if not words:  # a house number, a route: no word tells whether it was read well; Hangul is misread as numbers
            return not self._scripts and cue.confirmed and cue.confidence >= _NEARLY_CERTAIN
        if any(map(str.isdigit, text)) and not (cue.confirmed and cue.confidence >= _NEARLY_CERTAIN):
            return False  # letters are read by their words, digits by nothing but a second reading
        read = "".join(spelling(text, {}).words)
        if read in self._names:
            return True
        if cue.cue_id in self._cut or any(_is_nearly(read, name) for name in self._names):
            return False
        if cue.script not in (None, "Latn"):  # the list of words does not have it; Hangul is misread as Han
            return cue.confirmed and cue.confidence >= _SURE and (not self._scripts or cue.script in self._scripts)
        return _reads_well(words, cue)


def _reads_well(words: Sequence[str], cue: Cue) -> bool:
    if max(map(len, words)) < _LEAST_LETTERS or (len(words) == 1 and _endings()[words[0]] >= _MANY):
        return False
    if any(_is_torn(a, b) for a, b in pairwise(words)):
        return False
    strange = [word for word in words if len(word) >= _LEAST_LETTERS and word not in known_words()]
    if not strange:
        return cue.confidence >= (_SURE if cue.confirmed else _NEARLY_CERTAIN)
    return cue.confirmed and cue.confidence >= _NEARLY_CERTAIN and not any(map(is_misread, strange))


def _is_torn(one: str, other: str) -> bool:
    """Whether two words are the ends of one, of which a post hides a letter: `sw ets`."""
    if min(len(one), len(other)) > _LEAST_LETTERS:
        return False
    return any(one + letter + other in known_words() for letter in ascii_lowercase)


@lru_cache(maxsize=4_096)
def is_misread(word: str) -> bool:
    """Whether a word that is none is one with a wrong or missing letter (`moseum`), or the rest of one (`wiches`)."""
    if len(word) <= _LEAST_LETTERS or word in _rests():
        return True
    return process.extractOne(word, _long_words(), scorer=Levenshtein.distance, score_cutoff=1) is not None


@cache
def _long_words() -> tuple[str, ...]:
    """Words that one letter does not make into many others."""
    return tuple(word for word in known_words() if len(word) > _LEAST_LETTERS + 1)


def _is_nearly(read: str, name: str) -> bool:
    """Whether a reading is a name with a wrong letter, or without its first ones."""
    lost = len(name) - len(read)
    if len(read) <= _LEAST_LETTERS or abs(lost) > _LOST:
        return False
    return (lost > 0 and name.endswith(read)) or Levenshtein.distance(read, name, score_cutoff=1) == 1


@cache
def _endings() -> Counter[str]:
    """How many longer words end with a string: read alone, `dent` is likelier the rest of one than a sign."""
    return Counter(word[at:] for word in known_words() for at in range(1, len(word) - _LEAST_LETTERS + 1))


@cache
def _rests() -> frozenset[str]:
    """The readings that are rests of longer words, which lost up to three letters at an end."""
    lost = range(1, _LOST + 1)
    return frozenset(rest for word in known_words() for n in lost for rest in (word[n:], word[:-n]) if len(rest) > 3)
