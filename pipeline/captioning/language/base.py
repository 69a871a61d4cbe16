"""What the captioning rooms ask of a language: its sentences, what they quote, count and place, and what none may say.

A language is a file of words and patterns, `rules.yaml` in its folder, read into one `Language`; whatever knows a
language goes through here. The composer's grammar is a module of its own beside the file. To add a language: a folder
with `rules.yaml` and `grammar.py`, and a line in `pipeline.captioning.language`.

Nothing here reads a sentence for what it claims to be there: a description's claims come from its writer, one by one.
"""

import random
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from pipeline.perception.scripts import COMMON, main_script
from pipeline.perception.text import is_instruction
from schemas.records import ClaimKind

Side = Literal["left", "right", "ahead", "behind"]
Check = Literal["view", "style", "instruction", "place", "personal", "language", "length"]
Layout = Literal["roundabout", "rail", "water"]

_QUOTES = re.compile(
    '"([^"]+)"|\u201c([^\u201d\u201c]+)[\u201d\u201c]|\u201e([^\u201c\u201d]+)[\u201c\u201d]|\u00ab([^\u00bb]+)\u00bb|'
    "\u300c([^\u300d]+)\u300d|\u300e([^\u300f]+)\u300f"
)
_MASK = "\u00a7"
_WORD = re.compile(r"[^\W\d_][\w'\u2019-]*")
_TOKEN = re.compile(r"[^\W_](?:[\w'\u2019.&-]*[\w])?")
_ENDS = re.compile(r"[.!?\u2026][\"'\u201d\u2019)\u00bb\u00a7]*(?=\s+\S)")
_STEM = 5
"""Words are one where their first so many letters are the same: plurals and cases, and few accidents."""


class Rule(BaseModel):
    """One thing that no description may say, with sentences that break it and sentences that do not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    check: Check
    pattern: str
    """Regular expression, matched without regard to case over a sentence whose quotations are masked."""
    says: list[str]
    """Sentences that break the rule."""
    passes: list[str]
    """Sentences that hold like words and do not."""


class Swap(BaseModel):
    """Words that stand for one another in a control: what is true with one is false with another."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ClaimKind
    words: list[list[str]]
    """Groups; a word is swapped for another of its group, in groups of four and more not for its neighbour there."""
    apart: int | None = None
    """Places in its group up to which another word is too like it to make a statement surely untrue."""
    within: int | None = None
    """Places in its group beyond which another word makes a statement untrue at first glance."""
    unless: str | None = None
    """Pattern; a word stays where this matches from its beginning."""


class Rules(BaseModel):
    """`rules.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    sides: dict[Side, list[str]]
    layout: dict[Layout, list[str]]
    numbers: dict[str, int]
    function_words: frozenset[str]
    plain_capitals: frozenset[str]
    connectors: frozenset[str]
    nouns_have_capitals: bool = False
    street_words: frozenset[str]
    street_endings: list[str]
    short_forms: dict[str, str]
    refers_back: list[str]
    clause: str
    """Where a clause begins that may be cut: a pattern for what stands before it."""
    rules: list[Rule]
    abbreviations: frozenset[str]
    foreign: frozenset[str]
    common: frozenset[str]
    least_common_share: float
    swaps: list[Swap]
    absent: dict[str, str]
    """Things that are seldom there: a word for one, and the statement that it is."""
    sign_reads: str
    """Statement that a sign bears words, `{words}`."""
    thing_is: str
    """Statement that a thing is there, `{thing}` without an article."""


@dataclass(frozen=True)
class Fault:
    """Words that no description may have."""

    check: Check
    words: str


class Language:
    """One language. Made once; its methods are pure."""

    def __init__(self, rules: Path) -> None:
        """Reads and compiles the rules."""
        self.rules = Rules.model_validate(yaml.safe_load(rules.read_text(encoding="utf-8")))
        self.code = self.rules.code
        self._sides = {side: _any_of(patterns) for side, patterns in self.rules.sides.items()}
        self._layout = {kind: _any_of(patterns) for kind, patterns in self.rules.layout.items()}
        words = sorted(self.rules.numbers, key=len, reverse=True)
        self._numbers = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))}|\d+)(?!\w)", re.IGNORECASE)
        self._refers_back = _any_of(self.rules.refers_back)
        self._clause = re.compile(self.rules.clause, re.IGNORECASE)
        self._rules = [(rule.check, re.compile(rule.pattern, re.IGNORECASE)) for rule in self.rules.rules]

    # ---- What a text says.

    def sentences(self, text: str) -> list[str]:
        """A text's sentences; full stops within quotations and after abbreviations end none."""
        masked = masked_quotations(text)
        cuts = [0, *(m.end() for m in _ENDS.finditer(masked) if not self._abbreviated(masked[: m.start()])), len(text)]
        return [part for a, b in pairwise(cuts) if (part := text[a:b].strip())]

    def numbers(self, text: str) -> frozenset[int]:
        """Numbers from two up that a text names outside its quotations, in words or figures."""
        found = (m.group().casefold() for m in self._numbers.finditer(masked_quotations(text)))
        values = (int(word) if word.isdigit() else self.rules.numbers[word] for word in found if len(word) < 9)
        return frozenset(value for value in values if value > 1)

    def sides(self, text: str) -> frozenset[Side]:
        """Directions from the standpoint that a text speaks of, outside its quotations."""
        plain = masked_quotations(text)
        return frozenset(side for side, pattern in self._sides.items() if pattern.search(plain))

    def layout(self, text: str) -> frozenset[Layout]:
        """What a text says to be there that a complete map would have."""
        plain = masked_quotations(text)
        return frozenset(kind for kind, pattern in self._layout.items() if pattern.search(plain))

    def stems(self, text: str) -> frozenset[str]:
        """The beginnings of a text's words, those left out that tell of no thing: articles, prepositions, sides."""
        words = (word.casefold() for word in re.findall(r"\w+", text))
        return frozenset(word[:_STEM] for word in words if word not in self.rules.function_words)

    def names(self, sentence: str, known: Sequence[str]) -> list[str]:
        """Proper names outside quotations: those known, as spelled there, and runs of words with capitals.

        Where all nouns have capitals, and at the start of a sentence, a capital alone makes no name.
        """
        plain = masked_quotations(sentence)
        found, rest = _verbatim(plain, known)
        return [*found, *self._runs(rest)]

    def refers_back(self, sentence: str) -> bool:
        """Whether a sentence speaks of something that one before it named, so that it cannot stand without it."""
        return self._refers_back.search(masked_quotations(sentence)) is not None

    def without(self, sentence: str, claimed: Iterable[str], kept: Iterable[str]) -> str | None:
        """The sentence without the one clause that says what is claimed and nothing of what is kept.

        None where there is no such clause: where it is the main clause, or shares its words with others.
        """
        keep = frozenset[str]().union(*(self.stems(text) for text in kept))
        lose = frozenset[str]().union(*(self.stems(text) for text in claimed)) - keep
        starts = [0, *(m.start() for m in self._clause.finditer(masked_quotations(sentence))), len(sentence)]
        clauses = [sentence[a:b] for a, b in pairwise(starts)]
        guilty = [i for i, clause in enumerate(clauses) if self.stems(clause) & lose]
        if not lose or len(guilty) != 1 or guilty[0] == 0:
            return None
        clause = clauses.pop(guilty[0])
        if self.stems(clause) & (keep - frozenset[str]().union(*(self.stems(text) for text in claimed))):
            return None
        text = "".join(clauses).rstrip(" ,;:")
        return text if text.endswith((".", "!", "?")) else f"{text}."

    # ---- What no text may say.

    def faults(self, sentence: str, names: Sequence[str] = ()) -> list[Fault]:
        """What a sentence says that no description may, whatever the evidence.

        What a place is called is no such thing: the words of `names` are not read.
        """
        _, plain = _verbatim(masked_quotations(sentence), names)
        found = [Fault(check, m.group()) for check, pattern in self._rules if (m := pattern.search(plain))]
        if is_instruction(sentence) and not any(fault.check == "instruction" for fault in found):
            found.append(Fault("instruction", sentence))
        strange = [w for w in _WORD.findall(plain) if not w.isascii() and main_script(w) not in ("Latn", COMMON)]
        if 5 * len(strange) > len(_WORD.findall(plain)):
            found.append(Fault("language", " ".join(strange[:8])))
        words = [word.casefold() for word in _WORD.findall(plain)]
        foreign = [word for word in words if word in self.rules.foreign]
        if len(words) >= 6 and len(foreign) > sum(word in self.rules.common for word in words):
            found.append(Fault("language", " ".join(words[:8])))
        if not sentence.rstrip(" \"'\u201d\u201c\u2019\u00bb\u300d)").endswith((".", "!", "?", "\u2026")):
            found.append(Fault("length", f"... {sentence[-40:]}"))
        return found

    def is_written_in(self, text: str) -> bool:
        """Whether a whole text has as many small words as this language has."""
        words = [word.casefold() for word in _WORD.findall(masked_quotations(text))]
        small = sum(word in self.rules.common for word in words)
        return len(words) < 8 or small >= self.rules.least_common_share * len(words)

    def is_street(self, name: str) -> bool:
        """Whether a name has the form of a street's or a district's."""
        words = re.findall(r"[^\W_][\w'\u2019-]*", name)
        endings = any(word.casefold().endswith(end) for word in words for end in self.rules.street_endings)
        return (len(words) > 1 and not self.rules.street_words.isdisjoint(words)) or (endings and len(name) > 5)

    # ---- Controls for a verifier.

    def spoilt(self, statement: str, draw: random.Random) -> list[tuple[ClaimKind, str]]:
        """The statement made untrue, once for each kind of word in it that can be swapped."""
        found: list[tuple[ClaimKind, str]] = []
        masked = masked_quotations(statement)
        plain = masked.casefold()  # a word that the statement has already may well be true in another place of it
        sides = [m.span() for pattern in self._sides.values() for m in pattern.finditer(masked)]
        for kind, pattern, others in self._swaps:
            free = {
                m: [word for word in others[m.group().casefold()] if word not in plain]
                for m in pattern.finditer(masked)
                if self._swappable(kind, m.span(), sides)
            }
            matches = [m for m, words in free.items() if words]
            if matches:
                match = draw.choice(matches)
                word = draw.choice(free[match])
                cased = word.capitalize() if match.group()[:1].isupper() and not word[:1].isupper() else word
                found.append((kind, statement[: match.start()] + cased + statement[match.end() :]))
        quoted = list(_QUOTES.finditer(statement))
        if quoted:
            at, end = (quoted[0].start() + 1, quoted[0].end() - 1)
            found.append(("sign", statement[:at] + misread(statement[at:end], draw) + statement[end:]))
        return found

    @staticmethod
    def _swappable(kind: ClaimKind, word: tuple[int, int], sides: Sequence[tuple[int, int]]) -> bool:
        """A side is swapped where it is one from the standpoint, a relation where it is none."""
        if kind not in ("side", "relation"):
            return True
        return any(start < word[1] and word[0] < end for start, end in sides) == (kind == "side")

    def absent(self, evidence: Iterable[str], draw: random.Random) -> str | None:
        """The statement that a thing is there of which no evidence has a word."""
        there = frozenset[str]().union(*(self.stems(text) for text in evidence))
        free = sorted(what for what in self.rules.absent if self.stems(what).isdisjoint(there))
        return self.rules.absent[draw.choice(free)] if free else None

    @cached_property
    def _swaps(self) -> list[tuple[ClaimKind, re.Pattern[str], Mapping[str, list[str]]]]:
        made: list[tuple[ClaimKind, re.Pattern[str], Mapping[str, list[str]]]] = []
        for swap in self.rules.swaps:
            others = {w.casefold(): _apart(group, i, swap) for group in swap.words for i, w in enumerate(group)}
            words = "|".join(re.escape(word) for word in sorted(others, key=len, reverse=True))
            unless = f"(?!{swap.unless})" if swap.unless else ""
            made.append((swap.kind, re.compile(rf"(?<![\w-]){unless}(?:{words})(?![\w-])", re.IGNORECASE), others))
        return made

    def _abbreviated(self, text: str) -> bool:
        last = re.search(r"(\w+)\.$", text)
        return last is not None and last[1].casefold() in self.rules.abbreviations

    def _runs(self, sentence: str) -> list[str]:
        """Runs of words with capitals, or in another script, that do not open the sentence."""
        runs: list[list[str]] = []
        held: list[str] = []  # connectors, which are of a name only if it goes on after them
        end = -1
        for token in _TOKEN.finditer(sentence):
            word = token.group()
            opens = not sentence[: token.start()].strip(" \"'(" + _MASK)
            adjoins = bool(runs) and sentence[end : token.start()] in (" ", " & ", "-")
            if adjoins and word.casefold() in self.rules.connectors:
                held.append(word)
            elif adjoins and (self._is_capital(word) or word.isdigit()):
                runs[-1] += [*held, word]
                held = []
            elif self._is_capital(word) and not opens:
                runs.append([word])
                held = []
            else:
                continue
            end = token.end()
        return [" ".join(run) for run in runs]

    def _is_capital(self, word: str) -> bool:
        if not word.isascii() and word[0].isalpha() and main_script(word) not in ("Latn", COMMON):
            return True
        plain = word.rstrip(".")
        if plain in self.rules.plain_capitals or re.split("['\u2019]", plain)[0] in self.rules.plain_capitals:
            return False
        if self.rules.nouns_have_capitals:
            return sum(c.isupper() for c in word) > 1
        return word[0].isupper()


def quotations(text: str) -> list[str]:
    """What a text quotes, in whatever marks."""
    return [next(group for group in m.groups() if group is not None) for m in _QUOTES.finditer(text)]


def masked_quotations(text: str) -> str:
    """The text with the same length, what it quotes masked."""
    return _QUOTES.sub(lambda m: _MASK * len(m.group()), text)


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


def _verbatim(text: str, known: Sequence[str]) -> tuple[list[str], str]:
    """Known names as they stand in a text, the longest first, and the text without them."""
    found = []
    for name in sorted(set(known), key=lambda n: (-len(n), n)):
        if len(name) < 3 and name.isascii():
            continue
        edge = r"(?!\w)" if name[-1:].isascii() else ""
        start = r"(?<!\w)" if name[:1].isascii() else ""
        text, times = re.subn(start + re.escape(name) + edge, lambda m: _MASK * len(m.group()), text)
        found += [name] * bool(times)
    return found, text


def _apart(group: Sequence[str], index: int, swap: Swap) -> list[str]:
    """The words of a group that differ from one of them plainly, and not absurdly."""
    least = (len(group) >= 4) if swap.apart is None else swap.apart
    most = len(group) if swap.within is None else swap.within
    return [word for i, word in enumerate(group) if least < abs(i - index) <= most]


def misread(text: str, draw: random.Random) -> str:
    """A sign's words as somebody would have them who did not read them: a digit or some letters are others.

    Of letters that a code has no neighbours for, two that stand side by side change places.
    """
    digits = [i for i, c in enumerate(text) if c.isdigit()]
    if digits:
        at = draw.choice(digits)
        return text[:at] + str((int(text[at]) + draw.randint(2, 8)) % 10) + text[at + 1 :]
    letters = [i for i, c in enumerate(text) if c.isascii() and c.isalpha()]
    if letters:
        found = list(text)
        for at in draw.sample(letters, 1 + len(letters) // 5):
            other = draw.choice([c for c in string.ascii_lowercase if c != text[at].lower()])
            found[at] = other.upper() if text[at].isupper() else other
        return "".join(found)
    pairs = [i for i in range(len(text) - 1) if text[i] != text[i + 1] and text[i : i + 2].isalpha()]
    if not pairs:
        return text + text
    at = draw.choice(pairs)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
