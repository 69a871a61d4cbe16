"""A sentence taken apart: what is quoted, named, said to be there and denied, and where each is said to be."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from pipeline.captioning.grounding.names import Name, find_names
from pipeline.captioning.language.en.attaching import attach
from pipeline.captioning.language.en.english import English
from pipeline.captioning.language.en.kinds import Kinds
from pipeline.captioning.language.en.nouns import Nouns, Thing, find_things, strange_phrases
from pipeline.captioning.language.en.where import NAMED, QUOTED, Place, Span, places

_QUOTES = re.compile(
    r'"([^"]+)"|\u201c([^\u201c\u201d"]+)[\u201d"]|\u201e([^\u201c\u201d"]+)[\u201c\u201d"]|\u00ab([^\u00bb]+)\u00bb|\u300c([^\u300d]+)\u300d'
    r"|\u300e([^\u300f]+)\u300f|\u2018((?:[^\u2018\u2019]|(?<=\w)\u2019(?=\w)){2,80}?)\u2019(?!\w)"
    r"|(?<!\w)'((?:[^']|(?<=\w)'(?=\w)){2,80}?)'(?!\w)"
)
_TOKEN = re.compile(r"[^\W\d_][\w'\u2019-]*|\d+(?:[.,]\d+)?|\u00a7+|\u00a4+|[^\w\s]")
_ENDS = re.compile(r"(?<=[.!?\u2026])[\"\u201d\u2019)]?\s+(?=[^a-z\s])")
_CONTEXT = 32


@dataclass(frozen=True)
class Quote:
    """Words in quotation marks."""

    span: Span
    text: str
    before: str
    """What stands before it in its sentence, the nearest characters."""
    places: list[Place] = field(default_factory=list)


@dataclass(frozen=True)
class Denial:
    """Something that is said not to be there."""

    phrase: str
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """What a sentence says."""

    text: str
    unquoted: str
    """With quotes masked."""
    plain: str
    """With quotes and names masked."""
    quotes: list[Quote]
    names: list[Name]
    things: list[Thing]
    strange: list[str]
    """Noun phrases of no known thing."""
    denials: list[Denial]


def sentences(text: str, english: English) -> list[str]:
    """A text's sentences; full stops within quotes and after abbreviations end none."""
    masked = _masked(text, [Span(*m.span()) for m in _QUOTES.finditer(text)], QUOTED)
    cuts = [0, *(m.end() for m in _ENDS.finditer(masked) if not _abbreviated(masked[: m.start()], english)), len(text)]
    return [part for a, b in pairwise(cuts) if (part := text[a:b].strip())]


def _abbreviated(text: str, english: English) -> bool:
    last = re.search(r"(\w+)\.$", text)
    return last is not None and last[1].casefold() in english.raw.abbreviations


def read(
    text: str, names: Sequence[str], nouns: Nouns, told_last: Place | None, kinds: Kinds, english: English
) -> tuple[Reading, Place | None]:
    """What a sentence says, and the direction that it told last.

    Args:
        text: the sentence.
        names: names in evidence, as they are spelled there; found even where they do not look like names.
        nouns: further nouns, by their words: those of the evidence's own classes.
        told_last: the direction that the sentence before told last, for `that way`.
        kinds: nouns.
        english: words and patterns.
    """
    quoted = [(Span(*m.span()), next(g for g in m.groups() if g is not None)) for m in _QUOTES.finditer(text)]
    unquoted = _masked(text, [span for span, _ in quoted], QUOTED)
    named = find_names(unquoted, names, kinds, english)
    masked = _masked(unquoted, [name.span for name in named], NAMED)
    where = places(masked, english)
    tokens = [m for m in _TOKEN.finditer(masked) if not any(p.start <= m.start() < p.end for p in where if not p.here)]
    found = find_things(masked, tokens, nouns, kinds, english)
    denials, denied = _denials(masked, found, english)
    things = [thing for thing in found if thing not in denied]
    spans = [*(span for span, _ in quoted), *(name.span for name in named), *(thing.span for thing in found)]
    attached, told_last = attach(masked, spans, where, told_last, english)
    by_span = dict(zip(spans, attached, strict=True))
    reading = Reading(
        text=text,
        unquoted=unquoted,
        plain=masked,
        quotes=[Quote(s, t.strip(), masked[max(0, s.start - _CONTEXT) : s.start], by_span[s]) for s, t in quoted],
        names=[replace(name, places=by_span[name.span]) for name in named],
        things=[replace(thing, places=by_span[thing.span]) for thing in things],
        strange=strange_phrases(masked, tokens, found, english),
        denials=denials,
    )
    return reading, told_last


def _masked(text: str, spans: Sequence[Span], mark: str) -> str:
    characters = list(text)
    for span in spans:
        characters[span.start : span.end] = mark * (span.end - span.start)
    return "".join(characters)


def _denials(sentence: str, found: list[Thing], english: English) -> tuple[list[Denial], list[Thing]]:
    harmless = [m.span() for m in english.not_far.finditer(sentence)]
    denials, denied = [], []
    for match in english.denial.finditer(sentence):
        if any(a <= match.start() < b for a, b in harmless):
            continue
        ends = re.compile(r"[.;:,]|\bbut\b", re.IGNORECASE)
        stop = ends.search(sentence, match.end())
        end = stop.start() if stop else len(sentence)
        start = match.start()
        if re.search(r"n't|not|never", match.group(), re.IGNORECASE):
            start = max((m.end() for m in ends.finditer(sentence, 0, match.start())), default=0)
        mine = [thing for thing in found if start <= thing.span.start < end]
        denied += mine
        denials.append(Denial(sentence[start:end].strip(), tuple(thing.kind for thing in mine)))
    return denials, denied
