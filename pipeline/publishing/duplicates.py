"""Near-duplicates: sites of different units that show nearly the same picture, by 64-bit perceptual hash."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]


def near_duplicates(phash: Hashes, unit: Indices, min_distance: int) -> NDArray[np.bool_]:
    """Which sites to leave out, given in the order in which they take precedence.

    A site is left out when an earlier site of another unit, which itself stays, has a hash that differs in fewer than
    `min_distance` bits. So of those that stay no two of different units are near-duplicates, and everything left out
    has a near-duplicate that stayed. Within a unit, pictures of one street may look alike.
    """
    out = np.zeros(len(phash), dtype=np.bool_)
    if min_distance == 0:
        return out
    hashes, which, count = np.unique(phash, return_inverse=True, return_counts=True)
    alike: dict[int, list[int]] = {int(same): [int(same)] for same in np.flatnonzero(count > 1)}
    for a, b in near_pairs(hashes, min_distance).tolist():
        alike.setdefault(a, [a]).append(b)
        alike.setdefault(b, [b]).append(a)
    stayed: dict[int, set[int]] = {}
    for site in np.flatnonzero(np.isin(which, np.fromiter(alike, dtype=np.int64, count=len(alike)))).tolist():
        mine, home = int(which[site]), int(unit[site])
        if any(stayed.get(other, set()) - {home} for other in alike[mine]):
            out[site] = True
        else:
            stayed.setdefault(mine, set()).add(home)
    return out


def near_pairs(hashes: Hashes, min_distance: int) -> Indices:
    """Pairs (i < j) of distinct hashes that differ in fewer than `min_distance` bits (at least 1), an n x 2 array.

    The 64 bits are cut into `min_distance` bands: two hashes that differ in fewer bits than there are bands agree in
    at least one (multi-index hashing, Norouzi, Punjani and Fleet 2012). Only hashes that share a band are compared.
    """
    edges = np.linspace(0, 64, min_distance + 1).round().astype(int)
    found = [np.empty((0, 2), dtype=np.int64)]
    for low, high in pairwise(edges):
        band = (hashes >> np.uint64(low)) & np.uint64((1 << int(high - low)) - 1)
        order = np.argsort(band, kind="stable")
        found.extend(_pairs_in_runs(hashes, band[order], order, min_distance))
    return np.unique(np.concatenate(found), axis=0)


def _pairs_in_runs(hashes: Hashes, band: Hashes, order: Indices, min_distance: int) -> list[Indices]:
    """Pairs within runs of equal `band`: each item against the next in its run, then the next but one, and so on."""
    found = []
    first = np.arange(len(order))
    step = 0
    while len(first):
        step += 1
        first = first[first + step < len(order)]
        first = first[band[first] == band[first + step]]
        a, b = order[first], order[first + step]
        near = np.bitwise_count(hashes[a] ^ hashes[b]) < min_distance
        if near.any():
            found.append(np.sort(np.column_stack([a[near], b[near]]), axis=1))
    return found
