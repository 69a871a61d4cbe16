"""How far people agree who judged the same samples: raw, Cohen's kappa, Krippendorff's alpha, Gwet's AC1.

All take a table of counts: how many people put item i into category c. Intervals are percentile bootstraps over the
items (`tools.metrics.intervals`). Sources: Cohen 1960; Krippendorff, Content Analysis, 4th edition, chapter 12 (nominal
data, any number of people, missing judgements); Gwet, Handbook of Inter-Rater Reliability, 4th edition, chapter 2.
"""

from collections.abc import Callable, Sequence

import numpy as np

from tools.metrics.intervals import Estimate, Floats, between, draws

Statistic = Callable[[Floats, Floats], float]
"""A statistic of a table (items x categories) and a weight for each item; NaN where it is not defined."""


def raw(counts: Floats, weights: Floats) -> float:
    """Share of the pairs of judgements of an item that agree, averaged over the items with two or more."""
    people = counts.sum(axis=1)
    twice = people > 1
    if not (weights * twice).sum():
        return float("nan")
    agree = (counts * (counts - 1)).sum(axis=1)[twice] / (people * (people - 1))[twice]
    return float(np.average(agree, weights=weights[twice]))


def alpha(counts: Floats, weights: Floats) -> float:
    """Krippendorff's alpha for nominal categories; not defined where only one category is used."""
    people = counts.sum(axis=1)
    twice = people > 1
    table, people, weights = counts[twice], people[twice], weights[twice]
    used = weights @ table
    total = used.sum()
    expected = (used * (total - used)).sum()
    if not expected:
        return float("nan")
    observed = weights @ ((table * (people[:, None] - table)).sum(axis=1) / (people - 1))
    return float(1 - (total - 1) * observed / expected)


def ac1(counts: Floats, weights: Floats) -> float:
    """Gwet's AC1: stands where nearly everything is accepted, and kappa and alpha fall though people agree."""
    people = counts.sum(axis=1)
    some = people > 0
    chance = np.average(counts[some] / people[some, None], axis=0, weights=weights[some]) if some.any() else None
    observed = raw(counts, weights)
    if chance is None or np.isnan(observed):
        return float("nan")
    by_chance = float((chance * (1 - chance)).sum() / (counts.shape[1] - 1))
    return (observed - by_chance) / (1 - by_chance)


def kappa(first: Sequence[int], second: Sequence[int], categories: int) -> Estimate | None:
    """Cohen's kappa of two people over the items that both judged; None where it is not defined.

    Args:
        first: categories, counted from 0, that one of them chose.
        second: those of the other, for the same items.
        categories: how many there are.
    """
    pairs = np.zeros((len(first), categories, categories))
    pairs[np.arange(len(first)), list(first), list(second)] = 1

    def of(weights: Floats) -> float:
        table = np.tensordot(weights, pairs, axes=1)
        total = table.sum()
        by_chance = float((table.sum(axis=0) * table.sum(axis=1)).sum() / total**2)
        return float((np.trace(table) / total - by_chance) / (1 - by_chance)) if by_chance < 1 else float("nan")

    return _estimate(of, len(first))


def estimate(statistic: Statistic, counts: Floats) -> Estimate | None:
    """A statistic with its interval; None where it is not defined."""
    judged = counts[counts.sum(axis=1) > 0]
    return _estimate(lambda weights: statistic(judged, weights), len(judged))


def _estimate(of: Callable[[Floats], float], n: int) -> Estimate | None:
    value = of(np.ones(n)) if n else float("nan")
    if np.isnan(value):
        return None
    drawn = np.array([of(weights) for weights in draws(n)])
    return between(value, drawn[~np.isnan(drawn)], n)


def table_of(judged: Sequence[Sequence[str]], categories: Sequence[str]) -> Floats:
    """The counts of items, each given as the categories that people chose."""
    return np.array([[list(item).count(c) for c in categories] for item in judged], float).reshape(-1, len(categories))
