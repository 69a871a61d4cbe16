"""Near-duplicates: sites of different units with nearly the same picture, description or footprint."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.publishing.text_sketch import SIZE, Sketches

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]
_BANDS = 16
"""Of four numbers each: two texts with a likeness of 0.8 agree in one of them with a probability of 0.9998."""


def left_out(which: Indices, pairs: Indices, unit: Indices) -> Indices:
    """Which sites to leave out of those that are alike, given in the order in which they take precedence.

    A site is left out when an earlier site of another unit is alike and itself stays. So of those that stay no two of
    different units are alike, and everything left out names one that stays. Within a unit, neighbours may be alike.

    Args:
        which: number of each site's picture or text; sites with the same number are alike.
        pairs: numbers that are alike, n x 2.
        unit: number of each site's unit.

    Returns:
        For each site the first one that it duplicates; -1 where it stays.
    """
    survivor = np.full(len(which), -1, dtype=np.int64)
    numbers, count = np.unique(which, return_counts=True)
    alike: dict[int, list[int]] = {int(same): [int(same)] for same in numbers[count > 1]}
    for a, b in pairs.tolist():
        alike.setdefault(a, [a]).append(b)
        alike.setdefault(b, [b]).append(a)
    stayed: dict[int, dict[int, int]] = {}  # by number: the first site of each unit that stays
    for site in np.flatnonzero(np.isin(which, np.fromiter(alike, dtype=np.int64, count=len(alike)))).tolist():
        mine, home = int(which[site]), int(unit[site])
        others = [at for other in alike[mine] for place, at in stayed.get(other, {}).items() if place != home]
        if others:
            survivor[site] = min(others)
        else:
            stayed.setdefault(mine, {}).setdefault(home, site)
    return survivor


def near_duplicates(phash: Hashes, unit: Indices, min_distance: int) -> Indices:
    """Sites whose perceptual hashes differ in fewer than `min_distance` bits; see `left_out`."""
    if min_distance == 0:
        return np.full(len(phash), -1, dtype=np.int64)
    hashes, which = np.unique(phash, return_inverse=True)
    return left_out(which.astype(np.int64), near_pairs(hashes, min_distance), unit)


def alike_texts(of: Sketches, unit: Indices, most: float) -> Indices:
    """Sites whose texts are more alike than `most`; see `left_out`. Texts far less alike than 0.8 may be missed."""
    if most >= 1:
        return np.full(len(of), -1, dtype=np.int64)
    different, which = np.unique(of, axis=0, return_inverse=True)
    return left_out(which.reshape(-1).astype(np.int64), alike_pairs(different, most), unit)


def near_pairs(hashes: Hashes, min_distance: int) -> Indices:
    """Pairs (i < j) of distinct hashes that differ in fewer than `min_distance` bits (at least 1), an n x 2 array.

    The 64 bits are cut into `min_distance` bands: two hashes that differ in fewer bits than there are bands agree in
    at least one (multi-index hashing, Norouzi, Punjani and Fleet 2012). Only hashes that share a band are compared.
    """
    edges = np.linspace(0, 64, min_distance + 1).round().astype(int)
    found = [np.empty((0, 2), dtype=np.int64)]
    for low, high in pairwise(edges):
        band = (hashes >> np.uint64(low)) & np.uint64((1 << int(high - low)) - 1)
        found += _pairs_in_runs(band, lambda a, b: np.bitwise_count(hashes[a] ^ hashes[b]) < min_distance)
    return np.unique(np.concatenate(found), axis=0)


def alike_pairs(of: Sketches, most: float) -> Indices:
    """Pairs (i < j) of sketches with a greater share of equal numbers than `most`, an n x 2 array.

    Only sketches that agree in a band of four numbers are compared (Leskovec, Rajaraman and Ullman, "Mining of Massive
    Datasets", chapter 3).
    """
    found = [np.empty((0, 2), dtype=np.int64)]
    for band in np.split(of.astype(np.uint64), _BANDS, axis=1):
        mixed = np.zeros(len(of), np.uint64)
        for column in band.T:
            mixed = (mixed ^ column) * np.uint64(0x9E3779B97F4A7C15)  # two bands that are mixed to one are compared too
        found += _pairs_in_runs(mixed, lambda a, b: np.count_nonzero(of[a] == of[b], axis=1) > most * SIZE)
    return np.unique(np.concatenate(found), axis=0)


def _pairs_in_runs(band: Hashes, near: Callable[[Indices, Indices], NDArray[np.bool_]]) -> list[Indices]:
    """Pairs of items with equal `band` that are near: each against the next in its run, the next but one, and so on."""
    found = []
    order = np.argsort(band, kind="stable")
    band = band[order]
    first = np.arange(len(order))
    step = 0
    while len(first):
        step += 1
        first = first[first + step < len(order)]
        first = first[band[first] == band[first + step]]
        a, b = order[first], order[first + step]
        chosen = near(a, b)
        if chosen.any():
            found.append(np.sort(np.column_stack([a[chosen], b[chosen]]), axis=1))
    return found
