"""Compute figures from ranks: recall, median rank, MRR, distances, each with a 95 % interval and chance."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.geo.overlaps import Chips
from tools.metrics.intervals import Estimate, between, draws, ratio, share
from tools.retrieval.evaluate import chance
from tools.retrieval.evaluate.ranking import Floats, Ints, Ranks

Counting = Literal["wrong", "ignored", "right"]
"""Treatments of chips that overlap a query's own one."""
COUNTINGS: tuple[Counting, ...] = ("wrong", "ignored", "right")
RECALL_AT = (1, 5, 10)


@dataclass(frozen=True)
class Figure:
    """One figure of a protocol and stratum."""

    name: str
    """`R@10`, `MRR`, `median rank`, `L@50`, `mean deviation`."""
    value: float
    """Shares from 0 to 1; the deviation in kilometres."""
    low: float | None
    """95 % interval, resampled over blocks; None where all queries are of one block."""
    high: float | None
    chance: float


@dataclass(frozen=True)
class Measured:
    """All figures of some queries against one gallery."""

    protocol: str
    stratum: str
    queries: int
    gallery: int
    blocks: int
    figures: tuple[Figure, ...]

    def __getitem__(self, name: str) -> Figure:
        return next(figure for figure in self.figures if figure.name == name)


def figures(
    protocol: str,
    stratum: str,
    ranks: Ranks,
    counting: Counting,
    own: Ints,
    chips: Chips,
    blocks: NDArray[np.integer] | NDArray[np.str_],
    chosen: NDArray[np.bool_] | None = None,
) -> Measured:
    """Compute all figures of a set of queries.

    Args:
        protocol: what was ranked, in words.
        stratum: which queries, in words.
        ranks: of all queries.
        counting: which of their ranks.
        own: of each query its own chip's row in the gallery.
        chips: the gallery.
        blocks: of each query the spatial block, which is what is resampled: neighbours are not independent.
        chosen: which queries; all if left out.
    """
    pick = np.ones(len(own), np.bool_) if chosen is None else chosen
    rank: Floats = getattr(ranks, counting)[pick]
    _, block = np.unique(blocks[pick], return_inverse=True)
    count = int(block.max(initial=-1)) + 1
    expected = _expected(ranks.overlapping[pick], counting, len(chips))
    found = [
        *(
            share_figure(f"R@{k}", (rank <= k).astype(float), block, chance_at)
            for k, chance_at in zip(RECALL_AT, expected.recall, strict=True)
        ),
        mean_figure("MRR", 1 / rank, block, expected.reciprocal),
        _medians("median rank", rank, block, expected.median),
        *(
            share_figure(f"L@{metres}", inside[pick], block, float(chance.within(own[pick], chips, metres).mean()))
            for metres, inside in ranks.within.items()
        ),
        mean_figure("mean deviation", ranks.deviation_km[pick], block, chance.deviation_km(own[pick], chips)),
    ]
    return Measured(protocol, stratum, int(pick.sum()), len(chips), count, tuple(found))


@dataclass(frozen=True)
class _Expected:
    recall: list[float]
    reciprocal: float
    median: float


def _expected(overlapping: Ints, counting: Counting, gallery: int) -> _Expected:
    """Average chance over queries with these numbers of overlapping chips."""
    numbers, queries = np.unique(overlapping if counting != "wrong" else overlapping * 0, return_counts=True)
    weights = queries / queries.sum()
    each = [
        chance.of_query(gallery - int(n), 1, RECALL_AT)
        if counting == "ignored"
        else chance.of_query(gallery, 1 + int(n), RECALL_AT)
        for n in numbers
    ]
    recall = [float(sum(w * one.reaches[i] for w, one in zip(weights, each, strict=True))) for i in range(3)]
    reciprocal = float(sum(w * one.reciprocal for w, one in zip(weights, each, strict=True)))
    order = np.argsort([one.median for one in each])
    middle = order[np.searchsorted(np.cumsum(weights[order]), 0.5)]
    return _Expected(recall, reciprocal, each[middle].median)


def _sums(values: Floats, block: Ints) -> tuple[Floats, Floats]:
    return np.bincount(block, values).astype(float), np.bincount(block).astype(float)


def share_figure(name: str, hits: Floats, block: Ints, expected: float) -> Figure:
    """Compute a share of queries with its interval, from per-query hits (0 to 1) and block numbers."""
    part, whole = _sums(hits, block)
    return _figure(name, float(hits.mean()), len(whole), lambda: share(part.tolist(), whole.tolist()), expected)


def mean_figure(name: str, values: Floats, block: Ints, expected: float) -> Figure:
    """Compute a mean over queries with its interval, from per-query values and block numbers."""
    part, whole = _sums(values, block)
    return _figure(name, float(values.mean()), len(whole), lambda: ratio(part, whole, len(values)), expected)


def _medians(name: str, values: Floats, block: Ints, expected: float) -> Figure:
    order = np.argsort(values)
    ranked, home = values[order], block[order]

    def resampled() -> Estimate:
        found = []
        for counts in draws(int(block.max()) + 1):
            reached = np.cumsum(counts[home])
            if reached[-1]:
                found.append(ranked[np.searchsorted(reached, reached[-1] / 2)])
        return between(float(np.median(values)), np.array(found), len(values))

    return _figure(name, float(np.median(values)), int(block.max()) + 1, resampled, expected)


def _figure(name: str, value: float, blocks: int, resampled: Callable[[], Estimate | None], expected: float) -> Figure:
    estimate = resampled() if blocks > 1 else None
    if estimate is None:
        return Figure(name, value, None, None, expected)
    return Figure(name, value, estimate.low, estimate.high, expected)
