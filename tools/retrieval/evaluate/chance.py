"""Expected figures of a random ranking."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pipeline.geo.earth import EARTH_KM, haversine_km, unit_vectors
from pipeline.geo.overlaps import Chips

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SAMPLED = 1_000
"""Chips of a gallery that stand for all where the mean distance is sought."""


@dataclass(frozen=True)
class Chance:
    """Expectations for one query, from the rank of the first right answer in a random order."""

    reaches: tuple[float, ...]
    """Probability that it is among the first k, for the k asked for."""
    reciprocal: float
    """Expectation of 1 / rank."""
    median: float


@lru_cache(maxsize=4_096)
def of_query(gallery: int, right: int, k: tuple[int, ...]) -> Chance:
    """Expectations for a gallery of this size with this number of right chips."""
    if right == 1:
        ranks = np.arange(1, gallery + 1)
        reaches = tuple(min(limit, gallery) / gallery for limit in k)
        return Chance(reaches, float((1 / ranks).mean()), (gallery + 1) / 2)
    # P(rank > r) is the product of (wrong - i) / (gallery - i) over i below r.
    i = np.arange(gallery - right + 1)
    later = np.cumprod((gallery - right - i) / (gallery - i))
    reaches = tuple(1 - float(later[min(limit, len(later)) - 1]) for limit in k)
    at = np.diff(np.concatenate([[0.0], 1 - later]))
    return Chance(reaches, float((at / (i + 1)).sum()), float(np.argmax(later <= 0.5) + 1))


def within(own: Ints, chips: Chips, metres: int) -> Floats:
    """Share of the gallery within a distance of each query's own chip."""
    points = unit_vectors(chips.lat, chips.lon)
    chord = 2 * np.sin(min(metres / 1_000 / EARTH_KM / 2, np.pi / 2))
    sites, back = np.unique(own, return_inverse=True)
    counts = cKDTree(points).query_ball_point(points[sites], chord, return_length=True)
    return np.asarray(counts[back] / len(chips))


def deviation_km(own: Ints, chips: Chips) -> float:
    """Mean distance from a query's own chip to the gallery's chips; to an even sample of them if there are many."""
    to = np.linspace(0, len(chips) - 1, min(len(chips), _SAMPLED)).astype(np.int64)
    step = max(1, 10_000_000 // len(to))
    parts = [own[first : first + step] for first in range(0, len(own), step)]
    sums = [
        haversine_km(chips.lat[part, None], chips.lon[part, None], chips.lat[None, to], chips.lon[None, to]).sum()
        for part in parts
    ]
    return float(sum(sums) / (len(own) * len(to)))
