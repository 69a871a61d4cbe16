"""Statistics of descriptions and positions, gathered in one pass that reads no pictures."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from tools.dataset import Dataset
from tools.metrics.variety import words_of

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
"""Longitudes and latitudes in degrees."""


@dataclass
class Lengths:
    """Number of texts by length."""

    counts: Counter[int] = field(default_factory=Counter)

    @property
    def median(self) -> int:
        """The median length; 0 if there is none."""
        passed = 0
        for length, count in sorted(self.counts.items()):
            passed += count
            if 2 * passed >= self.counts.total():
                return length
        return 0

    @property
    def longest(self) -> int:
        """The maximum length; 0 if there is none."""
        return max(self.counts, default=0)


@dataclass
class CueKind:
    """Statistics of cues of one kind."""

    cues: int = 0
    used: int = 0
    """Number of cues that a sentence rests on."""
    samples: int = 0
    """Number of samples with a sentence that rests on one of them."""


@dataclass
class Statistics:
    """All statistics that the manifest does not have."""

    words: Lengths = field(default_factory=Lengths)
    tokens: Lengths = field(default_factory=Lengths)
    short_words: Lengths = field(default_factory=Lengths)
    short_tokens: Lengths = field(default_factory=Lengths)
    kinds: dict[str, CueKind] = field(default_factory=lambda: defaultdict(CueKind))
    engines: Counter[str] = field(default_factory=Counter)
    """Number of cues by engine or source."""
    positions: dict[str, dict[str, Positions]] = field(default_factory=dict)
    """By region and split."""


def gather(dataset: Dataset) -> Statistics:
    """Count a dataset's texts, cues and positions."""
    found = Statistics()
    for row in dataset.rows(_COLUMNS):
        found.words.counts[len(words_of(row["description"]))] += 1
        found.tokens.counts[row["description_tokens"]] += 1
        found.short_words.counts[len(words_of(row["description_short"]))] += 1
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
