"""Splits by spatial block, with an embargo between them that neither distance nor a capture sequence crosses.

A block is an H3 cell that holds many units, so neighbours stay together. Each block is drawn on its own, by a hash of
the seed and its cell: adding a region or a unit never moves another block from one split to another. Only where a
build is so small that a split would stay empty is a block moved, see `assign`. The region is no part of the hash: where
two regions overlap, what stands in both goes into one split.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import get_args

import h3
import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer
from scipy.spatial import cKDTree

from pipeline.config.build import SplitShares
from schemas.records import Split

SPLITS: tuple[Split, ...] = get_args(Split)
FINEST_BLOCK = 7
"""H3 resolution: 5 km2, edge 1.4 km. Finer blocks would be mostly embargo."""


def block_of(unit: str) -> str:
    """The block that a unit (H3 cell) belongs to: its parent two levels up, or coarser."""
    block: str = h3.cell_to_parent(unit, max(0, min(h3.get_resolution(unit) - 2, FINEST_BLOCK)))
    return block


def assign(sites: Mapping[str, int], shares: SplitShares, seed: int) -> dict[str, Split]:
    """The split of each block, given its number of sites.

    A block's draw in [0, 1) falls into the share of train, val or test. A split with a share that got no block then
    takes one from the split with the most sites among those with several blocks: the block whose number of sites comes
    nearest to what the share asks for. With fewer blocks than splits a held-out split stays empty; train never does.
    """
    drawn = {block: _draw(seed, block) for block in sorted(sites)}
    splits: dict[str, Split] = {block: _at(shares, draw) for block, draw in drawn.items()}
    for split in SPLITS:
        if getattr(shares, split) > 0 and split not in splits.values():
            members = {donor: [b for b in splits if splits[b] == donor] for donor in SPLITS}
            donors = [donor for donor in SPLITS if len(members[donor]) > (split != "train")]
            if donors:
                donor = max(donors, key=lambda name: sum(sites[b] for b in members[name]))
                target = getattr(shares, split) * sum(sites.values())
                splits[min(members[donor], key=lambda b: (abs(sites[b] - target), drawn[b]))] = split
    return splits


def _draw(seed: int, block: str) -> float:
    digest = hashlib.blake2b(f"{seed}/{block}".encode(), digest_size=8, person=b"split").digest()
    return int.from_bytes(digest, "big") / 2**64


def _at(shares: SplitShares, draw: float) -> Split:
    if draw < shares.train:
        return "train"
    return "val" if draw < shares.train + shares.val else "test"


def embargoed(
    lat: NDArray[np.float64], lon: NDArray[np.float64], split: NDArray[np.str_], distance_m: float
) -> NDArray[np.bool_]:
    """Which sites to leave out so that sites of two splits are at least `distance_m` apart.

    Train gives way to val and test, val gives way to test. Positions in WGS84 degrees; distances are straight lines
    between points on the ellipsoid (EPSG:4978), which for some hundred metres are those on the ground.
    """
    to_metres = Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
    position = np.column_stack(to_metres.transform(lon, lat, np.zeros(len(lat))))
    out = np.zeros(len(lat), dtype=np.bool_)
    held = np.empty((0, 3))
    for name in reversed(SPLITS):
        mine = np.flatnonzero(split == name)
        if len(mine) and len(held):
            nearest, _ = cKDTree(held).query(position[mine], distance_upper_bound=distance_m)
            out[mine] = nearest < distance_m
        held = np.concatenate([held, position[mine][~out[mine]]])
    return out


def shared_sequence(sequences: Sequence[Sequence[str]], split: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Which sites to leave out so that no capture sequence (a drive, a walk) is in two splits.

    Train gives way to val and test, val gives way to test, as in `embargoed`. `sequences` has a list for each site.
    """
    out = np.zeros(len(split), dtype=np.bool_)
    held: set[str] = set()
    for name in reversed(SPLITS):
        mine = np.flatnonzero(split == name).tolist()
        out[mine] = [not held.isdisjoint(sequences[i]) for i in mine]
        held.update(sequence for i in mine if not out[i] for sequence in sequences[i])
    return out
