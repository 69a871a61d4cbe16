"""How far people agree who judged the same samples: raw, Cohen's kappa, Krippendorff's alpha, Gwet's AC1.

All take a table of counts: how many people put item i into category c. Intervals are percentile bootstraps over the
items (`tools.metrics.intervals`). Sources: Cohen 1960; Krippendorff, Content Analysis, 4th edition, chapter 12 (nominal
data, any number of people, missing judgements); Gwet, Handbook of Inter-Rater Reliability, 4th edition, chapter 2.
"""

from collections.abc import Callable, Sequence

import numpy as np

from tools.metrics.intervals import Estimate, Floats, between, draws

Statistic = Callable[[Floats, Floats], Floats]
"""A statistic of a table (items x categories) and a weight for each item; NaN where it is not defined.

The weights of many resamples (resamples x items) give the statistic of each.
"""


def raw(counts: Floats, weights: Floats) -> Floats:
    """Share of the pairs of judgements of an item that agree, averaged over the items with two or more."""
    people = counts.sum(axis=1)
    twice = people > 1
    agree = (counts * (counts - 1)).sum(axis=1)[twice] / (people * (people - 1))[twice]
    weights = weights[..., twice]
    return _over(weights @ agree, weights.sum(axis=-1))


def alpha(counts: Floats, weights: Floats) -> Floats:
    """Krippendorff's alpha for nominal categories; not defined where only one category is used."""
    people = counts.sum(axis=1)
    twice = people > 1
    table, people, weights = counts[twice], people[twice], weights[..., twice]
    used = weights @ table
    total = used.sum(axis=-1)
    expected = (used * (total[..., None] - used)).sum(axis=-1)
    observed = weights @ ((table * (people[:, None] - table)).sum(axis=1) / (people - 1))
    return 1 - _over((total - 1) * observed, expected)


def ac1(counts: Floats, weights: Floats) -> Floats:
    """Gwet's AC1: stands where nearly everything is accepted, and kappa and alpha fall though people agree."""
    people = counts.sum(axis=1)
    some = people > 0
    of_some = weights[..., some]
    chance = _over(of_some @ (counts[some] / people[some, None]), of_some.sum(axis=-1)[..., None])
    by_chance = (chance * (1 - chance)).sum(axis=-1) / (counts.shape[1] - 1)
    return _over(raw(counts, weights) - by_chance, 1 - by_chance)


def kappa(first: Sequence[int], second: Sequence[int], categories: int) -> Estimate | None:
    """Cohen's kappa of two people over the items that both judged; None where it is not defined.

    Args:
        first: categories, counted from 0, that one of them chose.
        second: those of the other, for the same items.
        categories: how many there are.
    """
    pairs = np.zeros((len(first), categories, categories))
    pairs[np.arange(len(first)), list(first), list(second)] = 1

    def of(weights: Floats) -> Floats:
        table = np.tensordot(weights, pairs, axes=1)
        total = table.sum(axis=(-2, -1))
        by_chance = _over((table.sum(axis=-2) * table.sum(axis=-1)).sum(axis=-1), total**2)
        return _over(_over(np.trace(table, axis1=-2, axis2=-1), total) - by_chance, 1 - by_chance)

    return _estimate(of, len(first))


def estimate(statistic: Statistic, counts: Floats) -> Estimate | None:
    """A statistic with its interval; None where it is not defined."""
    judged = counts[counts.sum(axis=1) > 0]
    return _estimate(lambda weights: statistic(judged, weights), len(judged))


def _estimate(of: Callable[[Floats], Floats], n: int) -> Estimate | None:
    value = float(of(np.ones(n))) if n else float("nan")
    if np.isnan(value):
        return None
    drawn = of(draws(n))
    return between(value, drawn[~np.isnan(drawn)], n)


def _over(part: Floats, whole: Floats) -> Floats:
    """A quotient; NaN where nothing is divided by."""
    part, whole = np.broadcast_arrays(part, whole)
    found: Floats = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)
    return found


def table_of(judged: Sequence[Sequence[str]], categories: Sequence[str]) -> Floats:
    """The counts of items, each given as the categories that people chose."""
    return np.array([[list(item).count(c) for c in categories] for item in judged], float).reshape(-1, len(categories))
