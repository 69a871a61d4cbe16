"""Which readings of signs are told: words, names on the map, and what was read the same twice and is no word misread."""

import re
from collections.abc import Iterable
from functools import lru_cache

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from pipeline.captioning.composer.text_match import spelled_alike, spelling
from pipeline.captioning.tokens import known_words
from schemas.records import Cue

_SURE, _NEARLY_CERTAIN = 0.9, 0.97
"""Least confidence of a reading that a second one confirmed, and of one of words that none confirmed."""
_LETTERS = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_LEAST_LETTERS = 3
_LOST = 3
"""Letters that may be missing at an end of a word that is cut by a post or by the picture's edge."""


def is_told(cue: Cue, names: Iterable[str]) -> bool:
    """Whether a reading may be told.

    Args:
        cue: of a text.
        names: on the map around the site.
    """
    text = cue.text or ""
    words = [word.casefold().replace("\u2019", "'").removesuffix("'s") for word in _LETTERS.findall(text)]
    if not words:  # a house number, a route: no word tells whether it was read well
        return cue.confirmed and cue.confidence >= _NEARLY_CERTAIN
    if any(spelled_alike(spelling(text, {}), spelling(name, {})) == 100.0 for name in names):
        return True
    if not text.isascii() and not all(word.isascii() for word in words):
        return cue.confirmed and cue.confidence >= _SURE  # a script that the list of words does not have
    if max(map(len, words)) < _LEAST_LETTERS:
        return False
    strange = [word for word in words if len(word) >= _LEAST_LETTERS and word not in known_words()]
    if not strange:
        return cue.confidence >= (_SURE if cue.confirmed else _NEARLY_CERTAIN)
    return cue.confirmed and cue.confidence >= _NEARLY_CERTAIN and not any(is_misread(word) for word in strange)


@lru_cache(maxsize=4_096)
def is_misread(word: str) -> bool:
    """Whether a word that is none is one with a wrong or missing letter (`moseum`), or the rest of one (`wiches`)."""
    if len(word) < _LEAST_LETTERS + 1:
        return True
    if any(
        other != word and len(other) - len(word) <= _LOST and (other.startswith(word) or other.endswith(word))
        for other in known_words()
        if len(other) > len(word)
    ):
        return True
    near = process.extractOne(word, known_words(), scorer=Levenshtein.distance, score_cutoff=1)
    return near is not None and len(near[0]) > _LEAST_LETTERS + 1
