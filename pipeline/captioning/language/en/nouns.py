"""The things that a sentence speaks of: their nouns, with number and look."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from pipeline.captioning.language.en.english import English
from pipeline.captioning.language.en.kinds import Kinds, Word
from pipeline.captioning.language.en.where import NAMED, QUOTED, Place, Span

Nouns = Mapping[tuple[str, ...], Word]
Tokens = Sequence[re.Match[str]]
_WINDOW = 4
"""So many words before a noun may describe it."""
_LANES_AFTER = 24
_VERBS_AFTER = frozenset({"that", "which"})
_PRONOUNS = frozenset({"one", "ones"})
_PURPOSE = frozenset({"for", "where", "by", "when", "to"})


@dataclass(frozen=True)
class Thing:
    """Something that is said to be there."""

    span: Span
    phrase: str
    """With the words that describe it."""
    kind: str
    role: str
    plural: bool
    number: int | None
    looks: tuple[tuple[str, str, str], ...]
    """Family, which of it, and the word: (`colour`, `red`, `crimson`)."""
    called: bool
    """A quote or a name follows at once or stands before it: `the bakery "Spruce"`."""
    places: list[Place] = field(default_factory=list)


def find_things(sentence: str, tokens: Tokens, nouns: Nouns, kinds: Kinds, english: English) -> list[Thing]:
    """The things that a sentence speaks of, its quotes and names masked, in order.

    Of two nouns side by side the first is a modifier (`park bench`), unless the second is but a part (`church door`).
    """
    hits = _hits(sentence, tokens, nouns, kinds, english)
    found = []
    for n, hit in enumerate(hits):
        following = hits[n + 1] if n + 1 < len(hits) and _side_by_side(sentence, tokens, hit, hits[n + 1]) else None
        previous = hits[n - 1] if n and _side_by_side(sentence, tokens, hits[n - 1], hit) else None
        adjective = hit.word.kind in english.raw.also_adjectives
        if following is not None and (following.word.role != "detail" or adjective):
            continue
        part = hit.word.role == "detail" and previous is not None and previous.word.role == "thing"
        if not (part and previous is not None and previous.word.kind not in english.raw.also_adjectives):
            found.append(_thing(sentence, tokens, hit, english))
    return found


@dataclass(frozen=True)
class _Hit:
    """Tokens `start` to `end` are a noun."""

    start: int
    end: int
    word: Word


def _hits(sentence: str, tokens: Tokens, nouns: Nouns, kinds: Kinds, english: English) -> list[_Hit]:
    words = [_folded(token) for token in tokens]
    hits: list[_Hit] = []
    i = 0
    while i < len(words):
        hit = None
        for size in range(min(kinds.longest, len(words) - i), 0, -1):
            if _adjacent(sentence, tokens[i : i + size]):
                key = tuple(words[i : i + size])
                word = kinds.word(key) or nouns.get(key)
                if word is None and key[-1].endswith("'s"):
                    word = kinds.word((*key[:-1], key[-1][:-2]))
                if word is not None:
                    hit = _Hit(i, i + size, word)
                    break
        if hit is None and words[i] in _PRONOUNS and i and words[i - 1] in english.looks:
            meant = next((h for h in reversed(hits) if _may_be_one(words, h, english)), None)
            hit = meant and _Hit(i, i + 1, replace(meant.word, plural=words[i] == "ones"))
        if hit is not None and not _is_no_noun(words, hit, hits, english):
            hits.append(hit)
            i = hit.end
        else:
            i += 1
    return hits


def _may_be_one(words: list[str], hit: _Hit, english: English) -> bool:
    """Whether `one` may stand for a noun later: `a red house and a white one`."""
    return hit.word.plural or words[hit.start] in _PRONOUNS or bool(hit.start and words[hit.start - 1] in english.looks)


def _is_no_noun(words: list[str], hit: _Hit, earlier: list[_Hit], english: English) -> bool:
    """Whether a noun is a verb here (`which houses a bar`), or tells whom a place is for (`for pedestrians`)."""
    before = words[hit.start - 1] if hit.start else ""
    if before in _VERBS_AFTER or (hit.word.role == "passing" and before in _PURPOSE):
        return True
    after_a_thing = bool(earlier) and earlier[-1].end == hit.start and not earlier[-1].word.plural
    after = words[hit.end] if hit.end < len(words) else ""
    small = after in english.raw.common or after in english.raw.determiners
    return after_a_thing and words[hit.start] in english.raw.verbs and small


def _side_by_side(sentence: str, tokens: Tokens, one: _Hit, other: _Hit) -> bool:
    return one.end == other.start and _adjacent(sentence, tokens[one.end - 1 : other.start + 1])


def _folded(token: re.Match[str]) -> str:
    return token.group().casefold().replace("\u2019", "'")


def _adjacent(sentence: str, tokens: Sequence[re.Match[str]]) -> bool:
    return all(sentence[a.end() : b.start()] == " " for a, b in pairwise(tokens))


def _thing(sentence: str, tokens: Tokens, hit: _Hit, english: English) -> Thing:
    """The thing that a noun names, with the number and the looks in the words before it."""
    number: int | None = None
    looks: list[tuple[str, str, str]] = []
    first = hit.start
    while first and hit.start - first < _WINDOW and number is None:
        word, following = _folded(tokens[first - 1]), _folded(tokens[first])
        if not word[0].isalnum() or not sentence[tokens[first - 1].end() : tokens[first].start()].isspace():
            break
        number = english.numbers.get(word, english.numbers.get(f"{word} {following}"))
        number = int(word) if number is None and word.isdecimal() and len(word) < 4 else number
        if word in english.looks:
            looks.append((*english.looks[word], word))
        elif number is None and word in english.raw.common and word not in english.raw.determiners:
            break
        first -= 1
        if word in english.raw.determiners:
            break
    end = tokens[hit.end - 1].end()
    lanes = english.lanes.search(sentence, end, end + _LANES_AFTER) if hit.word.kind == "road" else None
    if lanes and not any(family == "lanes" for family, _, _ in looks):
        looks.append(("lanes", "one" if lanes["n"] == "single" else lanes["n"], lanes.group()))
    return Thing(
        span=Span(tokens[hit.start].start(), end),
        phrase=sentence[tokens[first].start() : end],
        kind=hit.word.kind,
        role=hit.word.role,
        plural=hit.word.plural,
        number=number,
        looks=tuple(looks),
        called=_called(sentence[: tokens[first].start()], sentence[end:]),
    )


def _called(before: str, after: str) -> bool:
    """Whether a quote or a name stands next to it, with a few words between at most, and no other thing."""
    gap = rf"[^{QUOTED}{NAMED},;:]{{0,28}}"
    return (
        re.match(rf"{gap}[{QUOTED}{NAMED}]", after) is not None
        or re.search(rf"[{QUOTED}{NAMED}](?:, | (?:is|on|of|for) )?\W?(?:an? |the )?(?:\w+ )?$", before) is not None
    )


def strange_phrases(sentence: str, tokens: Tokens, found: Sequence[Thing], english: English) -> list[str]:
    """Noun phrases that name no thing that is known: after `a` or a number, words up to the next small word."""
    raw = english.raw
    small = raw.common | raw.parting | raw.determiners | frozenset(raw.attaching)
    starts = {thing.span.start for thing in found}
    openers = {"a", "an", "another", "several", *english.numbers}
    phrases = []
    for i, token in enumerate(tokens):
        if _folded(token) not in openers:
            continue
        chunk: list[re.Match[str]] = []
        for following in tokens[i + 1 : i + 2 + _WINDOW]:
            word = _folded(following)
            if following.start() in starts or word[0] in (QUOTED, NAMED):
                chunk = []
                break
            if not word[0].isalpha() or word in small:
                break
            chunk.append(following)
        words = {_folded(m) for m in chunk}
        if chunk and raw.vague.isdisjoint(words) and not all(word in english.looks for word in words):
            phrases.append(sentence[token.start() : chunk[-1].end()])
    return phrases
