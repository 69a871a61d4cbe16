"""Figures about a dataset's descriptions and positions, taken in one pass that reads no picture."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from tools.dataset import Dataset

OPENING_WORDS = 3
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_COLUMNS = (
    "region",
    "split",
    "lat",
    "lon",
    "description",
    "description_tokens",
    "description_short",
    "description_short_tokens",
    "sentences.list.element.cue_ids",
    "cues.list.element.cue_id",
    "cues.list.element.kind",
    "cues.list.element.source",
)

Positions = list[tuple[float, float]]
"""Longitude and latitude in degrees."""


@dataclass
class Lengths:
    """How often each length occurs."""

    counts: Counter[int] = field(default_factory=Counter)

    @property
    def median(self) -> int:
        """The length that half of the texts do not exceed; 0 if there is none."""
        passed = 0
        for length, count in sorted(self.counts.items()):
            passed += count
            if 2 * passed >= self.counts.total():
                return length
        return 0

    @property
    def longest(self) -> int:
        """The greatest length; 0 if there is none."""
        return max(self.counts, default=0)


@dataclass
class Variety:
    """How much the long descriptions differ in their words, case ignored."""

    words: Counter[str] = field(default_factory=Counter)
    pairs: set[tuple[str, str]] = field(default_factory=set)
    pairs_total: int = 0
    openings: Counter[str] = field(default_factory=Counter)
    ratios: float = 0.0
    texts: int = 0

    def add(self, text: str) -> int:
        """Count a description; returns its number of words."""
        words = _WORD.findall(text.casefold())
        self.texts += 1
        if words:
            self.words.update(words)
            self.pairs.update(pairwise(words))
            self.pairs_total += len(words) - 1
            self.openings[" ".join(words[:OPENING_WORDS])] += 1
            self.ratios += len(set(words)) / len(words)
        return len(words)

    @property
    def type_token_ratio(self) -> float:
        """Different words over words within a description, the mean of all descriptions."""
        return self.ratios / max(self.texts, 1)

    @property
    def distinct_1(self) -> float:
        """Different words over words of all descriptions together (Li et al. 2016, arXiv:1510.03055)."""
        return len(self.words) / max(self.words.total(), 1)

    @property
    def distinct_2(self) -> float:
        """The same of pairs of neighbouring words."""
        return len(self.pairs) / max(self.pairs_total, 1)

    @cached_property
    def top_opening(self) -> tuple[str, float]:
        """The commonest first three words, and the share of descriptions that begin so."""
        if not self.openings:
            return "", 0.0
        words, count = min(self.openings.items(), key=lambda item: (-item[1], item[0]))
        return words, count / self.texts


@dataclass
class CueKind:
    """Cues of one kind."""

    cues: int = 0
    used: int = 0
    """Cues that a sentence rests on."""
    samples: int = 0
    """Samples whose sentences rest on one or more of them."""


@dataclass
class Statistics:
    """All figures that the manifest does not have."""

    words: Lengths = field(default_factory=Lengths)
    tokens: Lengths = field(default_factory=Lengths)
    short_words: Lengths = field(default_factory=Lengths)
    short_tokens: Lengths = field(default_factory=Lengths)
    variety: Variety = field(default_factory=Variety)
    kinds: dict[str, CueKind] = field(default_factory=lambda: defaultdict(CueKind))
    engines: Counter[str] = field(default_factory=Counter)
    """Cues by what they come from."""
    positions: dict[str, dict[str, Positions]] = field(default_factory=dict)
    """By region and split."""


def gather(dataset: Dataset) -> Statistics:
    """Read a dataset's texts, cues and positions, and count."""
    found = Statistics()
    for row in dataset.rows(_COLUMNS):
        found.words.counts[found.variety.add(row["description"])] += 1
        found.tokens.counts[row["description_tokens"]] += 1
        found.short_words.counts[len(_WORD.findall(row["description_short"]))] += 1
        found.short_tokens.counts[row["description_short_tokens"]] += 1
        used = {cue_id for sentence in row["sentences"] for cue_id in sentence["cue_ids"]}
        for cue in row["cues"]:
            found.engines[cue["source"]] += 1
            found.kinds[cue["kind"]].cues += 1
            found.kinds[cue["kind"]].used += cue["cue_id"] in used
        for kind in {cue["kind"] for cue in row["cues"] if cue["cue_id"] in used}:
            found.kinds[kind].samples += 1
        found.positions.setdefault(row["region"], {}).setdefault(row["split"], []).append((row["lon"], row["lat"]))
    return found
