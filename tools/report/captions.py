"""Figures about the descriptions by region and split, from a bounded number of samples."""

import hashlib
import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from pipeline.config.captioning import Grounding
from pipeline.errors import MachineError, SiteError
from pipeline.sources.world import WorldStreetSource
from tools.dataset import Dataset
from tools.metrics import variety
from tools.metrics.claims import Claims, claims_of
from tools.metrics.described import COLUMNS, Described, described
from tools.metrics.intervals import Estimate, mean, pair_mean, rate, share
from tools.metrics.truth import Truthful, against_truth, world_sources
from tools.report.statistics import Lengths

MOST_IN_ALL, MOST_OF_A_SPLIT, LEAST_OF_A_SPLIT = 6_000, 300, 20
"""Number of samples to draw: in total, and bounds for each split of a region."""
MOST_COMPARED = 1_000
MOST_AGAINST_TRUTH = 24
"""Maximum number of samples compared with the truth, which takes about a sixth of a second per view."""


@dataclass(frozen=True)
class Measure:
    """A column of the tables."""

    key: str
    title: str
    meaning: str
    percent: bool = True
    decimals: int = 0
    """Decimals of a figure that is not a percentage."""


EVIDENCE = (
    Measure("witnessed", "witnessed", "claims that somebody but the writer witnesses, of all claims"),
    Measure("contradicted", "contradicted", "claims that the cues contradict, of all claims"),
    Measure("signs", "signs: recall", "large legible lasting signs that the text quotes or names, of all such signs"),
    Measure("map_alone", "map alone", "sentences that rest on the map alone"),
    Measure("above", "from above", "sentences that tell what can be seen from above or is on the map"),
    Measure("looks", "looks", "claims about colour, material, storeys or shape, a text", percent=False, decimals=2),
    Measure("leaks", "leakage", "descriptions with the name of a street, district or town that is not legible there"),
)
WORDS = (
    Measure("words", "words", "mean length in words", percent=False, decimals=1),
    Measure("tokens", "CLIP tokens", "mean length in CLIP tokens, the two marks included", percent=False, decimals=1),
    Measure(
        "ratio", "type-token ratio", "different words over words of a description, mean", percent=False, decimals=3
    ),
    Measure("distinct_1", "distinct-1", "different words over words, all together", percent=False, decimals=3),
    Measure("distinct_2", "distinct-2", "different word pairs over pairs, all together", percent=False, decimals=3),
)
REPETITION = (
    Measure(
        "self_bleu",
        "self-BLEU-4",
        "BLEU-4 of each against the others of its split",
        percent=False,
        decimals=3,
    ),
    Measure(
        "duplicates", "near-duplicates", "descriptions with a twin in the region: Jaccard index of trigrams from 0.8"
    ),
    Measure("openings", "stock openings", "descriptions that begin with one of the 20 commonest four-word openings"),
)


@dataclass(frozen=True)
class Row:
    """The figures of a region's split, or of all samples."""

    region: str
    split: str
    drawn: int
    figures: dict[str, Estimate | None]


@dataclass(frozen=True)
class Judged:
    """A sample with the results of the checks."""

    sample_id: str
    groundedness: float
    claims: int
    faults: tuple[str, ...]


@dataclass
class Captions:
    """All figures of the page about the quality of descriptions."""

    rows: list[Row]
    """The first row is for all samples, regions and splits together."""
    most_of_a_split: int
    complete: bool
    """Whether every sample was drawn."""
    unjudged: int
    """Number of descriptions in a language without rules."""
    true_directions: Estimate | None
    """Share of true directions; synthetic world only."""
    true_quotes: Estimate | None
    """Share of quoted texts that are legible there; synthetic world only. The truth leaves out small lettering that an
    engine may read correctly, so the real share is higher."""
    truth_samples: int
    similarity: Estimate | None
    compared: int
    """Number of descriptions that `similarity` compares."""
    openings: list[tuple[str, float]]
    """The most frequent openings, with the share of descriptions that begin with them."""
    groundedness: Lengths = field(default_factory=Lengths)
    """Number of samples by percentage of supported claims."""
    ranked: list[Judged] = field(default_factory=list)
    """Samples, worst first."""


@dataclass(frozen=True)
class _Text:
    """A drawn sample with the results of the checks."""

    sample: Described
    words: variety.Words
    claims: Claims | None
    duplicate: bool
    bleu: float | None


def measure(dataset: Dataset) -> Captions:
    """Draw samples, check their descriptions, and compare their words.

    Raises:
        MachineError: a row, or the manifest's settings, are not of this version.
    """
    try:
        policy = Grounding.model_validate(dataset.manifest.config.get("grounding", {}))
        worlds = world_sources(dataset.manifest.config)
    except ValidationError as error:
        raise MachineError(f"the manifest's settings cannot be read: {error}. Publish the dataset again.") from error
    most = _most_of_a_split(dataset)
    ids = drawn_ids(dataset, most)
    groups: dict[tuple[str, str], list[Described]] = defaultdict(list)
    for row in dataset.rows(COLUMNS):
        if row["sample_id"] in ids:
            groups[row["region"], row["split"]].append(described(row))
    texts = {key: _texts(samples, policy) for key, samples in sorted(groups.items())}
    texts = _with_duplicates(texts)
    drawn = [text for group in texts.values() for text in group]
    stock = variety.common_openings([text.words for text in drawn])
    by_hash = sorted(drawn, key=lambda text: _digest(text.sample.sample_id))
    compared = [text.words for text in by_hash[:MOST_COMPARED] if text.words]
    synthetic = [text.sample for text in by_hash if text.sample.synthetic]
    true = _against_truth(synthetic, worlds, policy)
    found = Captions(
        rows=[Row("all", "", len(drawn), _figures(drawn, stock))] if drawn else [],
        most_of_a_split=most,
        complete=len(drawn) == dataset.manifest.counts.published,
        unjudged=sum(text.claims is None for text in drawn),
        true_directions=share([c.directions_true for c in true], [c.directions for c in true]),
        true_quotes=share([c.quotes_true for c in true], [c.quotes for c in true]),
        truth_samples=len(true),
        similarity=pair_mean(variety.similarities(compared)) if compared else None,
        compared=len(compared),
        openings=_openings(drawn, stock),
        ranked=_ranked(drawn),
    )
    found.rows += [Row(*key, len(group), _figures(group, stock)) for key, group in texts.items()]
    found.groundedness.counts.update(round(100 * judged.groundedness) for judged in found.ranked)
    return found


def drawn_ids(dataset: Dataset, most: int) -> set[str]:
    """The samples to draw of each region's split: those with the smallest hashes of their ids; always the same."""
    groups: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for row in dataset.rows(["sample_id", "region", "split"]):
        group = groups[row["region"], row["split"]]
        heapq.heappush(group, (-_digest(row["sample_id"]), row["sample_id"]))
        if len(group) > most:
            heapq.heappop(group)
    return {sample_id for group in groups.values() for _, sample_id in group}


def _digest(sample_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(sample_id.encode(), digest_size=8, person=b"captions").digest())


def _most_of_a_split(dataset: Dataset) -> int:
    splits = len({(shard.region, shard.split) for shard in dataset.manifest.shards})
    return max(LEAST_OF_A_SPLIT, min(MOST_OF_A_SPLIT, MOST_IN_ALL // max(splits, 1)))


def _texts(samples: Sequence[Described], policy: Grounding) -> list[_Text]:
    words = [variety.words_of(sample.text) for sample in samples]
    scores: Sequence[float | None] = variety.self_bleu(words) or [None] * len(words)
    return [
        _Text(sample, mine, claims_of(sample, policy), False, score)
        for sample, mine, score in zip(samples, words, scores, strict=True)
    ]


def _with_duplicates(texts: dict[tuple[str, str], list[_Text]]) -> dict[tuple[str, str], list[_Text]]:
    """Near-duplicate texts are counted across the splits of a region, where they do the most harm."""
    found: dict[tuple[str, str], list[_Text]] = {key: [] for key in texts}
    for region in dict.fromkeys(region for region, _ in texts):
        pairs = [(key, text) for key, group in texts.items() if key[0] == region for text in group]
        marks = variety.near_duplicates([text.words for _, text in pairs])
        for (key, text), mark in zip(pairs, marks, strict=True):
            found[key].append(replace(text, duplicate=mark))
    return found


def _figures(texts: Sequence[_Text], stock: set[variety.Gram]) -> dict[str, Estimate | None]:
    claims = [text.claims for text in texts if text.claims is not None]
    words = [text.words for text in texts]
    return {
        "witnessed": share([c.witnessed for c in claims], [c.claims for c in claims]),
        "contradicted": share([c.contradicted for c in claims], [c.claims for c in claims]),
        "map_alone": share([c.on_map_alone for c in claims], [c.sentences for c in claims]),
        "above": share([c.from_above for c in claims], [c.sentences for c in claims]),
        "looks": mean([c.looks for c in claims]),
        "signs": share([c.signs_told for c in claims], [c.signs for c in claims]),
        "leaks": rate(sum(bool(c.leaked) for c in claims), len(claims)),
        "words": mean([len(mine) for mine in words]),
        "tokens": mean([text.sample.tokens for text in texts]),
        "ratio": mean([variety.type_token_ratio(mine) for mine in words]),
        "distinct_1": variety.distinct(words, 1),
        "distinct_2": variety.distinct(words, 2),
        "self_bleu": mean([text.bleu for text in texts if text.bleu is not None]),
        "duplicates": rate(sum(text.duplicate for text in texts), len(texts)),
        "openings": rate(sum(variety.opening(mine) in stock for mine in words), len(texts)),
    }


def _openings(texts: Sequence[_Text], stock: set[variety.Gram]) -> list[tuple[str, float]]:
    counts = Counter(variety.opening(text.words) for text in texts)
    ranked = sorted(stock, key=lambda gram: (-counts[gram], gram))
    return [(" ".join(gram), counts[gram] / len(texts)) for gram in ranked]


def _ranked(texts: Sequence[_Text]) -> list[Judged]:
    """The checked samples, worst first; among equals, those with more claims rank as better."""
    judged = [
        Judged(text.sample.sample_id, text.claims.groundedness, text.claims.claims, text.claims.faults)
        for text in texts
        if text.claims is not None and text.claims.groundedness is not None
    ]
    return sorted(judged, key=lambda one: (one.groundedness, one.claims, one.sample_id))


def _against_truth(
    samples: Sequence[Described], worlds: Mapping[str, WorldStreetSource], policy: Grounding
) -> list[Truthful]:
    try:
        found = [against_truth(sample, worlds, policy) for sample in samples[:MOST_AGAINST_TRUTH]]
    except SiteError as error:
        raise MachineError(f"the synthetic world is not the one of this dataset: {error}. Build it again.") from error
    return [judged for judged in found if judged is not None]
