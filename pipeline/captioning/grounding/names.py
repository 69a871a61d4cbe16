"""Proper names in a sentence, and what each is: a sign's, a map's, a place's that must not be told, or nobody's."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from pipeline.captioning.language.en.english import English
from pipeline.captioning.language.en.kinds import Kinds
from pipeline.captioning.language.en.where import Place, Span
from pipeline.captioning.likeness import folded
from pipeline.perception.scripts import COMMON, main_script

_TOKEN = re.compile(r"[^\W_](?:[\w'\u2019.-]*[\w])?")
_CONNECTORS = frozenset(
    {
        "of",
        "de",
        "la",
        "le",
        "les",
        "du",
        "des",
        "der",
        "den",
        "del",
        "da",
        "do",
        "dos",
        "di",
        "von",
        "van",
        "el",
        "al",
        "the",
        "y",
        "e",
        "et",
        "und",
        "i",
        "pod",
        "na",
        "d",
        "l",
    }
)
_GAP = re.compile(r" (?:& |\+ )?|-|\. ")
_AROUND = 24
_CALLED = re.compile(r"\b(?:called|named|signed) $")


@dataclass(frozen=True)
class Name:
    """A run of words that look like a proper name."""

    span: Span
    text: str
    before: str
    after: str
    """What stands around it in its sentence, the nearest characters."""
    places: list[Place] = field(default_factory=list)


@cache
def gazetteer() -> frozenset[str]:
    """Folded names of cities, states and countries: `places.txt`."""
    text = (files(__package__) / "places.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def find_names(sentence: str, known: Sequence[str], kinds: Kinds, english: English) -> list[Name]:
    """Names in a sentence whose quotes are masked, in order.

    They are names in evidence, as they are spelled there, and runs of words with capitals or in other scripts. A run
    of words that are all common nouns (`Bus Stop`) is none; at the start of a sentence a single word is one only if a
    gazetteer knows it.
    """
    spans = _verbatim(sentence, known)
    taken = [*spans]
    for run in _runs(sentence, english):
        if any(run.start < s.end and s.start < run.end for s in taken):
            continue
        trimmed = _trimmed(sentence, run, kinds, english)
        if trimmed is not None:
            spans.append(trimmed)
    ordered = sorted(spans, key=lambda s: s.start)
    return [
        Name(
            s,
            sentence[s.start : s.end],
            sentence[max(0, s.start - _AROUND) : s.start],
            sentence[s.end : s.end + _AROUND],
        )
        for s in ordered
    ]


def _verbatim(sentence: str, known: Sequence[str]) -> list[Span]:
    found: list[Span] = []
    for name in sorted(set(known), key=lambda n: (-len(n), n)):
        if len(name) < 3 and name.isascii():
            continue
        at = sentence.find(name)
        while at >= 0:
            end = at + len(name)
            whole = not name[0].isascii() or not (sentence[at - 1 : at].isalnum() or sentence[end : end + 1].isalnum())
            if whole and not any(at < s.end and s.start < end for s in found):
                found.append(Span(at, end))
            at = sentence.find(name, end)
    return found


def _runs(sentence: str, english: English) -> list[Span]:
    tokens = list(_TOKEN.finditer(sentence))
    runs: list[Span] = []
    current: list[re.Match[str]] = []
    held: list[re.Match[str]] = []
    for token in tokens:
        text = token.group()
        gap = sentence[(held or current)[-1].end() : token.start()] if current else ""
        if current and not _GAP.fullmatch(gap):
            runs.append(Span(current[0].start(), current[-1].end()))
            current, held = [], []
        if _is_capital(text, english) or (current and not held and text.isdigit() and len(text) <= 4):
            current += [*held, token]
            held = []
        elif current and text.casefold() in _CONNECTORS:
            held.append(token)
        elif current:
            runs.append(Span(current[0].start(), current[-1].end()))
            current, held = [], []
    if current:
        runs.append(Span(current[0].start(), current[-1].end()))
    return runs


def _is_capital(token: str, english: English) -> bool:
    first = token[0]
    if token.isascii() and not first.isupper():
        return False
    plain = token.rstrip(".")
    if plain in english.raw.plain_capitals or re.split("['\u2019]", plain)[0] == "I":
        return False
    if not token.isascii() and first.isalpha() and main_script(token) not in ("Latn", COMMON):
        return True
    return first.isupper() and not re.fullmatch(r"[A-Z]-[a-z]+", token)


def _trimmed(sentence: str, run: Span, kinds: Kinds, english: English) -> Span | None:
    """The run without the ordinary word that opens a sentence; None where nothing is left that could be a name."""
    text = sentence[run.start : run.end]
    opens = not sentence[: run.start].strip(" \u00a7\u00a4\"'") or sentence[: run.start].rstrip().endswith(
        (":", "\u00a7.")
    )
    words = [(m.start() + run.start, m.group()) for m in _TOKEN.finditer(text)]
    if opens and words and main_script(words[0][1]) == "Latn":
        first = words[0][1]
        if len(words) == 1:
            return run if is_place([first]) else None
        if _is_ordinary(first, kinds, english):
            run = Span(words[1][0], run.end)
            words = words[1:]
    plain = all(word.isdigit() or _is_noun(word, kinds) for _, word in words)
    if plain and not is_street(sentence[run.start : run.end], english) and not _CALLED.search(sentence[: run.start]):
        return None
    return run


def _is_ordinary(word: str, kinds: Kinds, english: English) -> bool:
    low = word.casefold()
    raw = english.raw
    if (
        low in raw.common
        or low in raw.determiners
        or low in raw.parting
        or low in raw.attaching
        or low in english.numbers
        or low in english.looks
    ):
        return True
    if low in _OPENERS or low.endswith("ly"):
        return True
    return _is_noun(word, kinds)


_OPENERS = frozenset(
    {
        "nearby",
        "beyond",
        "beside",
        "opposite",
        "across",
        "next",
        "close",
        "standing",
        "further",
        "facing",
        "past",
        "above",
        "below",
        "inside",
        "outside",
        "within",
        "towards",
        "against",
        "through",
        "here",
        "all",
        "look",
        "find",
    }
)


def _is_noun(word: str, kinds: Kinds) -> bool:
    return word.isascii() and not word.isupper() and kinds.word([word.casefold()]) is not None


def is_place(words: Sequence[str]) -> bool:
    """Whether any run of the words is a city, a state or a country."""
    plain = [folded(word) for word in words]
    names = gazetteer()
    return any(
        " ".join(plain[a:b]) in names for a in range(len(plain)) for b in range(a + 1, min(len(plain), a + 4) + 1)
    )


def is_street(text: str, english: English) -> bool:
    """Whether a name has the form of a street's, a district's or a municipality's."""
    words = re.findall(r"[^\W_][\w'\u2019-]*", text)
    raw = english.raw
    if len(words) < 2 and not any(
        text.casefold().endswith(end) and len(text) > len(end) + 2 for end in raw.street_endings
    ):
        return False
    return any(
        word in raw.street_words
        or word in raw.district_words
        or any(word.casefold().endswith(end) for end in raw.street_endings)
        for word in words
    )


def region_words(region: str, kinds: Kinds, english: English) -> frozenset[str]:
    """Words of a region's name that would give the place away."""
    return frozenset(
        word
        for word in region.split("-")
        if len(word) >= 4 and word not in english.raw.common and word not in _COMPASS and kinds.word([word]) is None
    )


_COMPASS = frozenset({"north", "south", "east", "west", "central", "town", "city", "north-east", "upper", "lower"})


def spelled_out(text: str, short_forms: Iterable[tuple[str, str]]) -> str:
    """A folded text with the short forms of street signs written out."""
    forms = dict(short_forms)
    return " ".join(forms.get(word, word) for word in text.split())
