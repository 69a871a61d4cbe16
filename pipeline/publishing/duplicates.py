"""Near-duplicates: sites of different units with nearly the same picture, description or footprint."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pipeline.geo.overlaps import Chips, shares_between
from pipeline.publishing.text_sketch import SIZE, Sketches, sketches

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]
_NO_PAIRS = np.empty((0, 2), dtype=np.int64)
_BANDS = 16
"""Bands of four numbers each: two texts with a likeness of 0.8 agree in one of them with a probability of 0.9998."""
_AT_ONCE = 2**14
"""Pairs of sketches that are copied to be compared: a few MB."""
_CHIPS_AT_ONCE = 2**11
"""Chips whose neighbours are sought together: all pairs of neighbours may be a hundred times as many as the chips."""


@dataclass(frozen=True)
class Likeness:
    """Which sites are alike in one respect."""

    which: Indices
    """Number of each site's picture or text: sites with the same number are alike. -1: it has none."""
    pairs: Indices
    """Numbers that are alike, n x 2."""


def by_picture(phash: Sequence[str | None], min_distance: int) -> Likeness:
    """Pictures whose 64-bit hashes (hexadecimal; None: no picture) differ in fewer bits; 0: none are alike."""
    which = np.full(len(phash), -1, dtype=np.int64)
    there = np.fromiter((row for row, text in enumerate(phash) if text is not None), np.int64)
    hashes = np.fromiter((int(text, 16) for text in phash if text is not None), np.uint64)
    if min_distance == 0:
        return Likeness(which, _NO_PAIRS)
    hashes, which[there] = np.unique(hashes, return_inverse=True)
    return Likeness(which, near_pairs(hashes, min_distance))


def by_text(found: pa.ChunkedArray, most: float) -> Likeness:
    """Texts more alike than `most`, by a column of their sketches (null: no text); 1: none are alike.

    Of texts far less alike than 0.8 some may be missed.
    """
    which = np.full(len(found), -1, dtype=np.int64)
    there = found.is_valid().to_numpy(zero_copy_only=False)
    if most >= 1 or not there.any():
        return Likeness(which, _NO_PAIRS)
    found = found.drop_null()
    digests = [xxhash.xxh3_128_digest(row) for chunk in found.chunks for row in sketches(chunk)]
    _, first, which[there] = np.unique(np.array(digests, "S16"), return_index=True, return_inverse=True)
    return Likeness(which, alike_pairs(sketches(found.take(first).combine_chunks()), most))


def by_footprint(chips: Chips, most: float, unit: Indices) -> Likeness:
    """Chips of one size, of different units, that share more of their area than `most`; 1: none are alike."""
    which = np.arange(len(chips))
    if most >= 1 or not len(chips):
        return Likeness(which, _NO_PAIRS)
    reach = float(chips.side_m.max()) * (1 - most) * 2**0.5
    places = chips.earth_centred()
    every, found = cKDTree(places), [_NO_PAIRS]
    for first in range(0, len(chips), _CHIPS_AT_ONCE):
        some = cKDTree(places[first : first + _CHIPS_AT_ONCE])
        near = some.sparse_distance_matrix(every, reach, output_type="ndarray")
        a, b = near["i"] + first, near["j"]
        other = (a < b) & (unit[a] != unit[b])  # by far the fewest, where sites are dense
        a, b = a[other], b[other]
        found.append(np.column_stack([a, b])[shares_between(chips[a], chips[b]) > most])
    return Likeness(which, np.concatenate(found))


def left_out(kinds: Sequence[Likeness], unit: Indices, order: Indices) -> tuple[Indices, Indices]:
    """Which sites to leave out of those that are alike.

    A site is left out when one of another unit is alike that comes before it and itself stays. So of those that stay
    no two of different units are alike, and everything left out names one that stays. Within a unit, neighbours may be
    alike.

    Args:
        kinds: in what respects they are alike; the first one that leaves a site out is given as the reason.
        unit: number of each site's unit.
        order: the sites in the order in which they take precedence.

    Returns:
        For each site the one that it gives way to, and the number of the kind; -1 where it stays.
    """
    survivor, kind_of = np.full(len(unit), -1, dtype=np.int64), np.full(len(unit), -1, dtype=np.int64)
    alike = [_groups(kind) for kind in kinds]
    stayed: list[dict[int, dict[int, int]]] = [{} for _ in kinds]  # by number: the first site of each unit that stays
    concerned = np.zeros(len(unit), np.bool_)
    for kind, groups in zip(kinds, alike, strict=True):
        concerned |= np.isin(kind.which, np.fromiter(groups, dtype=np.int64, count=len(groups)))
    for site in order[concerned[order]].tolist():
        home = int(unit[site])
        for number, (kind, groups) in enumerate(zip(kinds, alike, strict=True)):
            others = (stayed[number].get(other, {}) for other in groups.get(int(kind.which[site]), ()))
            found = [at for by_unit in others for place, at in by_unit.items() if place != home]
            if found:
                survivor[site], kind_of[site] = min(found), number
                break
        else:
            for number, kind in enumerate(kinds):
                stayed[number].setdefault(int(kind.which[site]), {}).setdefault(home, site)
    return survivor, kind_of


def _groups(kind: Likeness) -> dict[int, list[int]]:
    """For each number that is alike to any: those that it is alike to, itself included if several sites have it."""
    numbers, count = np.unique(kind.which[kind.which >= 0], return_counts=True)
    found: dict[int, list[int]] = {int(same): [int(same)] for same in numbers[count > 1]}
    for a, b in kind.pairs.tolist():
        found.setdefault(a, [a]).append(b)
        found.setdefault(b, [b]).append(a)
    return found


def near_pairs(hashes: Hashes, min_distance: int) -> Indices:
    """Pairs (i < j) of distinct hashes that differ in fewer than `min_distance` bits (at least 1), an n x 2 array.

    The 64 bits are cut into `min_distance` bands: two hashes that differ in fewer bits than there are bands agree in
    at least one (multi-index hashing, Norouzi, Punjani and Fleet 2012). Only hashes that share a band are compared.
    """
    edges = np.linspace(0, 64, min_distance + 1).round().astype(int)
    found = [_NO_PAIRS]
    for low, high in pairwise(edges):
        band = (hashes >> np.uint64(low)) & np.uint64((1 << int(high - low)) - 1)
        found += _pairs_in_runs(band, lambda a, b: np.bitwise_count(hashes[a] ^ hashes[b]) < min_distance)
    return np.unique(np.concatenate(found), axis=0)


def alike_pairs(of: Sketches, most: float) -> Indices:
    """Pairs (i < j) of sketches with a greater share of equal numbers than `most`, an n x 2 array.

    Only sketches that agree in a band of four numbers are compared (Leskovec, Rajaraman and Ullman, "Mining of Massive
    Datasets", chapter 3).
    """
    found = [_NO_PAIRS]
    for band in np.split(of, _BANDS, axis=1):
        mixed = np.zeros(len(of), np.uint64)
        for column in band.T:
            mixed = (mixed ^ column) * np.uint64(0x9E3779B97F4A7C15)  # two bands that are mixed to one are compared too
        found += _pairs_in_runs(mixed, lambda a, b: _equal(of, a, b) > most * SIZE)
    return np.unique(np.concatenate(found), axis=0)


def _equal(of: Sketches, a: Indices, b: Indices) -> Indices:
    """How many numbers each pair has in common."""
    some = [slice(start, start + _AT_ONCE) for start in range(0, max(len(a), 1), _AT_ONCE)]
    return np.concatenate([np.count_nonzero(of[a[rows]] == of[b[rows]], axis=1) for rows in some])


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
