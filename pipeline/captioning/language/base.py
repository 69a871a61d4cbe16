"""The interface of a language to captioning: its sentences, what they quote, count and place, and what none may say.

A language is a folder beside this file. Its `rules.yaml` has the words and patterns that the checks and the controls
need, its `nouns.yaml` what things are called, its `grammar.py` how facts are told; `Language` is all of it. To add a
language, add a folder: no code names it.

Nothing here reads a sentence for what it claims to be there: a description's claims come from its writer, one by one.
"""

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import cast

import yaml

from pipeline.captioning.language.controls import Swaps
from pipeline.captioning.language.grammar import Grammar
from pipeline.captioning.language.names import GAZETTEER, Names, verbatim
from pipeline.captioning.language.nouns import Nouns
from pipeline.captioning.language.quotes import MASK, masked_quotations
from pipeline.captioning.language.rules import Check, Depth, Layout, Rules, Side
from pipeline.captioning.language.stemming import Stemmer
from pipeline.digest import digest, digest_file
from pipeline.perception.instructions import is_instruction
from pipeline.perception.scripts import COMMON, main_script
from schemas.records import ClaimKind, Frame

RULES = "rules.yaml"
_FILES = (".py", ".txt", ".yaml")

_WORD = re.compile(r"[^\W\d_][\w'\u2019-]*")
_ENDS = re.compile(r"[.!?\u2026][\"'\u201d\u201c\u2019)\u00bb\u00ab\u00a7]*(?=\s+\S)")
_OPENING = ' "\u201c\u201e\u00ab\u00bb\u300c\u300e'
_MOST_DIGITS = 8
"""Maximum number of digits of a number that counts things."""


@dataclass(frozen=True)
class Fault:
    """Words that no description may have."""

    check: Check
    words: str


class Language:
    """One language. Made once; its methods are pure."""

    def __init__(self, folder: Path) -> None:
        """Reads and compiles the rules of a language's folder."""
        self.rules = Rules.model_validate(yaml.safe_load((folder / RULES).read_text(encoding="utf-8")))
        self.code = self.rules.code
        self._folder = folder
        self._names = Names(self.rules, folder / "places.txt")
        self._sides = {side: _any_of(patterns) for side, patterns in self.rules.sides.items()}
        self._relative = _any_of(self.rules.relative)
        self._compass = _any_of(self.rules.compass)
        self._swaps = Swaps(self.rules.swaps, self._sides.values())
        self._layout = {kind: _any_of(patterns) for kind, patterns in self.rules.layout.items()}
        self._depths = {depth: _any_of(patterns) for depth, patterns in self.rules.depths.items()}
        self._landmark = re.compile(self.rules.landmark, re.IGNORECASE)
        self._single = re.compile(self.rules.single, re.IGNORECASE)
        self._relations = {what: _any_of(patterns) for what, patterns in self.rules.relations.items()}
        words = "|".join(map(re.escape, sorted(self.rules.numbers, key=len, reverse=True)))
        after = "|".join(self.rules.number_endings)
        inflected = rf"(?:(?:{after})\w{{0,2}})?" if after else ""
        self._numbers = re.compile(rf"(?<!\w)({words}|\d+){inflected}(?!\w)", re.IGNORECASE)
        self._refers_back = _any_of(self.rules.refers_back)
        self._clause = re.compile(self.rules.clause, re.IGNORECASE)
        self._uncut = re.compile(self.rules.uncut, re.IGNORECASE) if self.rules.uncut else None
        self._rules = [(rule.check, re.compile(rule.pattern, re.IGNORECASE)) for rule in self.rules.rules]
        self._stemmer = Stemmer(self.rules.stems)
        looks = (word for swap in self.rules.swaps if swap.kind == "look" for group in swap.words for word in group)
        self._looks = frozenset(stem for word in looks for stem in self._stemmer.stems(word.casefold()))

    @cached_property
    def grammar(self) -> Grammar:
        """How facts are told."""
        return cast(Grammar, import_module(f"{__package__}.{self._folder.name}.grammar"))

    @cached_property
    def nouns(self) -> Nouns:
        """The nouns for things."""
        raw = yaml.safe_load((self._folder / "nouns.yaml").read_text(encoding="utf-8"))
        return Nouns.model_validate(raw | {"read": self.grammar.read_noun})

    @cached_property
    def digest(self) -> str:
        """Changes with any byte of the language's files, and of the names of places that all languages share."""
        files = sorted(path for path in self._folder.iterdir() if path.suffix in _FILES)
        return digest(*((path.name, digest_file(path)) for path in files), digest_file(GAZETTEER))

    # ---- What a text says.

    def sentences(self, text: str) -> list[str]:
        """A text's sentences; full stops within quotations and after abbreviations end none."""
        masked = masked_quotations(text)
        cuts = [0, *(m.end() for m in _ENDS.finditer(masked) if not self._abbreviated(masked[: m.start()])), len(text)]
        return [part for a, b in pairwise(cuts) if (part := text[a:b].strip())]

    def numbers(self, text: str) -> frozenset[int]:
        """Numbers that a text names outside its quotations, in words or figures; one only where it counts."""
        plain = masked_quotations(text)
        found = (m[1].casefold() for m in self._numbers.finditer(plain))
        values = (self.rules.numbers.get(word) or (int(word) if len(word) <= _MOST_DIGITS else 0) for word in found)
        single = {1} if self._single.search(plain) else set[int]()
        return frozenset({value for value in values if value > 1} | single)

    def looks(self, text: str) -> frozenset[str]:
        """The stems of the colours, materials and shapes that a text tells outside its quotations."""
        return self.stems(masked_quotations(text)) & self._looks

    def depths(self, text: str) -> frozenset[Depth]:
        """Whether something is told to be near the standpoint, or far off."""
        plain = masked_quotations(text)
        return frozenset(depth for depth, pattern in self._depths.items() if pattern.search(plain))

    def sides(self, text: str) -> frozenset[Side]:
        """Directions from the standpoint that a text speaks of, outside its quotations."""
        return self.side_words(self._relative.sub(lambda m: MASK * len(m.group()), masked_quotations(text)))

    def side_words(self, text: str) -> frozenset[Side]:
        """Words of direction in a text outside its quotations, those of turns and of parts of things included."""
        plain = masked_quotations(text)
        return frozenset(side for side, pattern in self._sides.items() if pattern.search(plain))

    def sides_by_clause(self, sentence: str) -> list[frozenset[Side]]:
        """Directions that each clause of a sentence speaks of; they may be those of different things."""
        found: list[frozenset[Side]] = []
        whole = self.sides(sentence)  # cut off from `behind the bus`, the `right` before it looks like a side
        begun = False  # until a thing is named, words of direction belong to what follows
        for clause in self._clauses(sentence):
            sides, told = self.sides(clause) & whole, bool(self.stems(clause))
            if found and not (told and begun):
                found[-1] |= sides
            else:
                found.append(sides)
            begun = begun or told
        return [sides for sides in found if sides]

    def frames(self, text: str) -> frozenset[Frame]:
        """The reference frames of the directions in a text, outside its quotations; empty where it tells none."""
        found: set[Frame] = {"heading"} if self.sides(text) else set()
        if self._compass.search(masked_quotations(text)):
            found.add("compass")
        return frozenset(found)

    def layout(self, text: str, names: Sequence[str] = ()) -> frozenset[Layout]:
        """The things in a text that a complete map would have; a `River Café` among the `names` is no water."""
        _, plain = verbatim(masked_quotations(text), names)
        return frozenset(kind for kind, pattern in self._layout.items() if pattern.search(plain))

    def relations(self, text: str) -> frozenset[str]:
        """How things stand to each other in a text, outside its quotations: `between`, `above`."""
        plain = masked_quotations(text)
        return frozenset(what for what, pattern in self._relations.items() if pattern.search(plain))

    def stems(self, text: str) -> frozenset[str]:
        """The stems of a text's words, those left out that tell of no thing: articles, prepositions, sides."""
        return _stems(text, self.rules.function_words, self._stemmer)

    def names(self, sentence: str, known: Sequence[str]) -> list[str]:
        """Proper names outside quotations: those known, as spelled there, and what has the form of one."""
        return self._names.find(sentence, known)

    def is_street(self, name: str) -> bool:
        """Whether a name has the form of a street's or a district's."""
        return self._names.is_street(name)

    def is_place(self, name: str) -> bool:
        """Whether any run of a name's words is a city, a state or a country."""
        return self._names.is_place(name)

    def is_landmark(self, text: str, mention: str) -> bool:
        """Whether a text mentions something only to say where another thing is: `next to "CAFE"`."""
        before = [text[: m.start()].rstrip(f"'{_OPENING}") for m in re.finditer(re.escape(mention), text)]
        return bool(before) and all(self._landmark.search(words) for words in before)

    def refers_back(self, sentence: str) -> bool:
        """Whether a sentence speaks of something that one before it named, so that it cannot stand without it."""
        return self._refers_back.search(masked_quotations(sentence)) is not None

    def without(self, sentence: str, claimed: Iterable[str], kept: Iterable[str]) -> str | None:
        """The sentence without the one clause that says what is claimed and nothing of what is kept.

        None where there is no such clause: where it is the main clause, or shares its words with others, or the rest
        would be no sentence.
        """
        keep = frozenset[str]().union(*(self.stems(text) for text in kept))
        lose = frozenset[str]().union(*(self.stems(text) for text in claimed)) - keep
        clauses = self._clauses(sentence)
        guilty = [i for i, clause in enumerate(clauses) if self.stems(clause) & lose]
        if not lose or len(guilty) != 1 or guilty[0] == 0:
            return None
        clause = clauses.pop(guilty[0])
        if self.stems(clause) & (keep - frozenset[str]().union(*(self.stems(text) for text in claimed))):
            return None
        if self._uncut is not None and self._uncut.search(masked_quotations(clause)):
            return None
        text = "".join(clauses).rstrip(" ,;:")
        return text if text.endswith((".", "!", "?")) else f"{text}."

    def called(self, label: str, raw: str, look: str | None = None) -> str:
        """The noun for a program's class, with its article and its look; empty where it is not worth a word.

        Args:
            label: of the cue that it is of, or `object` for objects.
            raw: the class.
            look: what an engine says of its looks.
        """
        return _called(self, label, raw, look)

    # ---- What no text may say.

    def faults(self, sentence: str, names: Sequence[str] = (), signs: Sequence[str] = ()) -> list[Fault]:
        """The parts of a sentence that no description may have, whatever the evidence.

        What a place is called is no such thing: the words of `names` are not read. Nor does a sentence hedge by words
        that stand together on one of the `signs`: `Maybe Baby`.
        """
        _, plain = verbatim(masked_quotations(sentence), [*names, *(name.upper() for name in names)])
        _, sure = verbatim(plain, [text for text in signs if len(text.split()) > 1])
        read = {"style": sure}
        found = [
            Fault(check, m.group()) for check, pattern in self._rules if (m := pattern.search(read.get(check, plain)))
        ]
        if is_instruction(sentence) and not any(fault.check == "instruction" for fault in found):
            found.append(Fault("instruction", sentence))
        strange = [w for w in _WORD.findall(plain) if not w.isascii() and main_script(w) not in ("Latn", COMMON)]
        if 5 * len(strange) > len(_WORD.findall(plain)):
            found.append(Fault("language", " ".join(strange[:8])))
        words = [word.casefold() for word in _WORD.findall(plain)]
        foreign = [word for word in words if word in self.rules.foreign]
        if len(words) >= 6 and len(foreign) > sum(word in self.rules.common for word in words):
            found.append(Fault("language", " ".join(words[:8])))
        if not sentence.rstrip(" \"'\u201d\u201c\u2019\u00bb\u00ab\u300d)").endswith((".", "!", "?", "\u2026")):
            found.append(Fault("length", f"... {sentence[-40:]}"))
        return found

    def is_written_in(self, text: str) -> bool:
        """Whether a whole text has as many small words as this language has."""
        words = [word.casefold() for word in _WORD.findall(masked_quotations(text))]
        small = sum(word in self.rules.common for word in words)
        return len(words) < 8 or small >= self.rules.least_common_share * len(words)

    # ---- Controls for a verifier.

    def spoilt(self, statement: str, draw: random.Random) -> list[tuple[ClaimKind, str]]:
        """The statement made untrue, once for each kind of word in it that can be swapped."""
        return list(self._swaps.spoilt(statement, draw))

    def absent(self, evidence: Iterable[str], draw: random.Random) -> str | None:
        """The statement that a thing is there of which no evidence has a word."""
        there = frozenset[str]().union(*(self.stems(text) for text in evidence))
        free = sorted(what for what in self.rules.absent if self.stems(what).isdisjoint(there))
        return self.rules.absent[draw.choice(free)] if free else None

    def _clauses(self, sentence: str) -> list[str]:
        starts = [0, *(m.start() for m in self._clause.finditer(masked_quotations(sentence))), len(sentence)]
        return [sentence[a:b] for a, b in pairwise(starts)]

    def _abbreviated(self, text: str) -> bool:
        last = re.search(r"(\w+)\.?$", text)
        return last is not None and last[1].casefold() in self.rules.abbreviations


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


@lru_cache(maxsize=4_096)
def _called(language: Language, label: str, raw: str, look: str | None) -> str:
    """`Language.called`: programs have few classes, and each is looked up for every cue."""
    noun = language.nouns.called(label, raw)
    return language.grammar.one(noun, language.nouns.look(look)) if noun else ""


@lru_cache(maxsize=4_096)
def _stems(text: str, without: frozenset[str], stemmer: Stemmer) -> frozenset[str]:
    """`Language.stems`: each claim of a sample is held against the same words of its witnesses."""
    words = (word.casefold() for word in re.findall(r"\w+", text))
    return frozenset(stem for word in words if word not in without for stem in stemmer.stems(word))
