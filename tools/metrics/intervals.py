"""95% confidence intervals of the report's figures. The same figures give the same interval.

Descriptions are what is drawn; the claims of one description are not independent of each other. So means and ratios
are resampled description by description (percentile bootstrap, Efron and Tibshirani 1993, chapter 13).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESAMPLES = 1_000
_KEY = 20_230_117
_PERCENTILES = (2.5, 97.5)
_Z = 1.959964


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95% interval."""

    value: float
    low: float
    high: float
    of: int
    """How many descriptions, or claims of theirs, it is a figure of."""


def mean(values: Sequence[float]) -> Estimate | None:
    """The mean, resampled over the values; None of nothing."""
    if not values:
        return None
    return ratio(np.asarray(values, float), np.ones(len(values)), len(values))


def share(supported: Sequence[float], claims: Sequence[float]) -> Estimate | None:
    """All supported claims over all claims, resampled over the descriptions.

    Where all claims or none are supported, resampling shows no doubt at all; then the interval is Wilson's of as many
    trials as there are descriptions with a claim.

    Args:
        supported: of each description.
        claims: of each description, at least as many.
    """
    part, whole = np.asarray(supported, float), np.asarray(claims, float)
    if not whole.sum():
        return None
    total = int(whole.sum())
    if part.sum() in (0.0, whole.sum()):
        trials = int(np.count_nonzero(whole))
        bounds = rate(trials if part.sum() else 0, trials)
        return Estimate(float(part.sum() / total), bounds.low, bounds.high, total) if bounds else None
    return ratio(part, whole, total)


def rate(successes: int, trials: int) -> Estimate | None:
    """Share of independent trials, with Wilson's score interval (Wilson 1927); None of no trial."""
    if not trials:
        return None
    p, z2 = successes / trials, _Z * _Z
    middle = (p + z2 / (2 * trials)) / (1 + z2 / trials)
    half = _Z / (1 + z2 / trials) * math.sqrt(p * (1 - p) / trials + z2 / (4 * trials * trials))
    return Estimate(p, min(max(0.0, middle - half), p), max(min(1.0, middle + half), p), trials)


def pair_mean(gram: Floats) -> Estimate | None:
    """Mean of a symmetric matrix's entries off the diagonal, resampled over its rows; None of fewer than two rows."""
    n = len(gram)
    if n < 2:
        return None
    apart = gram - np.diag(np.diag(gram))
    counts = draws(n)
    pairs = n * n - (counts * counts).sum(axis=1)
    sums = ((counts @ apart) * counts).sum(axis=1)
    return between(float(apart.sum() / (n * (n - 1))), sums[pairs > 0] / pairs[pairs > 0], n)


def jackknife(value: float, without: Sequence[float]) -> Estimate:
    """A share whose interval is that of the delete-one jackknife (Efron 1982), cut to 0 and 1.

    For figures that count different things, such as words: a description drawn twice adds none, so that resampling
    with replacement is biased.

    Args:
        value: of all descriptions.
        without: the figure with each description in turn left out.
    """
    n = len(without)
    spread = math.sqrt((n - 1) / n * float(np.square(np.asarray(without) - np.mean(without)).sum()))
    return Estimate(value, max(0.0, value - _Z * spread), min(1.0, value + _Z * spread), n)


def ratio(part: Floats, whole: Floats, of: int) -> Estimate:
    """All of `part` over all of `whole`, resampled over the items, as which descriptions or whole blocks may stand."""
    sums = draws(len(part)) @ np.column_stack([part, whole])
    drawn = sums[sums[:, 1] > 0]
    return between(float(part.sum() / whole.sum()), drawn[:, 0] / drawn[:, 1], of)


def draws(n: int) -> Floats:
    """How often each of n descriptions is drawn: resamples by descriptions."""
    random = np.random.Generator(np.random.Philox(key=_KEY))
    return random.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(float)


def between(value: float, values: Floats, of: int) -> Estimate:
    """A figure with the interval that holds 95 % of what it was in the resamples."""
    low, high = np.percentile(values, _PERCENTILES) if len(values) else (value, value)
    return Estimate(value, float(low), float(high), of)
