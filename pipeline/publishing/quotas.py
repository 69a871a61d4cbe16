"""Fill the shares of the splits with blocks of neighbouring sites.

A block is an H3 cell that holds one or more units. Blocks come in the order of a hash of the seed and the cell, which
says nothing of the place, but those first that share capture sequences with blocks that the split has. They are taken
until the split has its share of the sites that are left when all those are left out that the splits must not share
(`pipeline.publishing.embargo`). Coarse blocks lose fewer sites to the embargo and tell more about generalisation, fine
ones fill shares more exactly: the coarsest that can are taken.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

import h3
import numpy as np
from numpy.typing import NDArray

from pipeline.publishing.embargo import PRECEDENCE, embargoed, straddling
from schemas.records import Split

Shares = Mapping[Split, float]
TOLERANCE = 0.2
"""A split is filled if its share of the published sites is within this of what was asked, relative to that."""
_CLOSE = 0.1
"""What is this near is not sought to be bettered."""
_ORDERS, _MOST_ORDERS, _ROUNDS = 3, 16, 4
"""Orders of the blocks that are tried (more while a split stays empty), and corrections of the targets for each."""
COARSEST = 3
"""H3 resolution of the coarsest blocks: 12,400 km2."""


@dataclass(frozen=True)
class Places:
    """Sites that are divided together, one item each."""

    cell: NDArray[np.object_]
    """H3 cell of the unit."""
    lat: NDArray[np.float64]
    """WGS84 degrees."""
    lon: NDArray[np.float64]
    keys: Sequence[Sequence[str]]
    """What no two splits may share: capture sequences and photos."""
    old: NDArray[np.bool_]
    """Whether it is published already."""

    def __len__(self) -> int:
        return len(self.cell)

    def take(self, rows: NDArray[np.int64]) -> "Places":
        """Some of the sites."""
        keys = [self.keys[row] for row in rows.tolist()]
        return Places(self.cell[rows], self.lat[rows], self.lon[rows], keys, self.old[rows])


@dataclass(frozen=True)
class Division:
    """A split for each unit, and how well it fills the shares."""

    split_of: dict[str, Split]
    """By the unit's cell."""
    resolution: int
    """H3 resolution of the blocks."""
    empty: int
    """Splits that have a share and no site."""
    deviation: float
    """The greatest relative difference of a split from its share."""
    lost: float
    """Share of the sites that are left out between the splits."""

    @property
    def filled(self) -> bool:
        """Whether every share is filled to within `TOLERANCE`."""
        return not self.empty and self.deviation <= TOLERANCE


def divide(
    places: Places, known: Mapping[str, Split], shares: Shares, seed: int, embargo_m: float, resolutions: Iterable[int]
) -> Division:
    """Divide sites among the splits with a share.

    Args:
        places: the sites, at least one.
        known: splits of cells that have one already and keep it. New cells of a block go with its known ones.
        shares: of the published sites; they sum to 1.
        seed: of the build.
        embargo_m: sites of two splits nearer than this are left out.
        resolutions: H3 resolutions of blocks to try, coarsest first; at least one.

    Returns:
        Of the coarsest resolution at which all shares can be filled, the division that loses the fewest sites; where
        none can, the one with the fewest empty splits that comes nearest and loses least.
    """
    tried: list[Division] = []
    cells, keys = Counter(places.cell.tolist()), _keys_of_cells(places)
    for resolution in resolutions:
        here: list[Division] = []
        for order in range(_MOST_ORDERS):
            blocks = _Blocks.of(cells, keys, known, resolution, f"{seed}/{order}")
            here += _approach(places, blocks, known, shares, embargo_m, resolution)
            if not blocks.free or (order + 1 >= _ORDERS and not min(division.empty for division in here)):
                break
        filled = [division for division in here if division.filled]
        if filled:
            return min(filled, key=lambda division: division.lost)
        tried += here
    return min(tried, key=lambda division: (division.empty, division.deviation + division.lost))


@dataclass(frozen=True)
class _Blocks:
    units: dict[str, list[str]]
    """Cells of units by block."""
    fixed: dict[str, Split]
    """The split of blocks that hold known units."""
    free: dict[str, int]
    """Sites of the other blocks, in the order of the draw."""
    have: Counter[Split]
    """Sites that have their split."""
    keys: dict[str, Counter[str]]
    """Sites of each block by key."""

    @staticmethod
    def of(
        cells: Mapping[str, int],
        keys: Mapping[str, Counter[str]],
        known: Mapping[str, Split],
        resolution: int,
        draw: str,
    ) -> "_Blocks":
        units: dict[str, list[str]] = defaultdict(list)
        for cell in sorted(cells):
            units[block_of(cell, resolution)].append(cell)
        fixed, have, free = {}, Counter[Split](), {}
        for block in sorted(units, key=lambda block: _draw(draw, block)):
            votes = Counter[Split]()
            for cell in units[block]:
                if cell in known:
                    votes[known[cell]] += cells[cell]
            if votes:
                fixed[block] = max(votes, key=lambda split: (votes[split], PRECEDENCE.index(split)))
                for cell in units[block]:
                    have[known.get(cell, fixed[block])] += cells[cell]
            else:
                free[block] = sum(cells[cell] for cell in units[block])
        by_block = {block: sum((keys[cell] for cell in its if cell in keys), Counter()) for block, its in units.items()}
        return _Blocks(dict(units), fixed, free, have, by_block)


def _approach(
    places: Places,
    blocks: _Blocks,
    known: Mapping[str, Split],
    shares: Shares,
    embargo_m: float,
    resolution: int,
) -> list[Division]:
    """Divisions whose targets are corrected by what the embargo left of the one before."""
    found = []
    targets = {split: share * len(places) for split, share in shares.items() if share}
    for _ in range(_ROUNDS):
        drawn = _fill(blocks, targets) | blocks.fixed
        split_of: dict[str, Split] = {
            cell: known.get(cell, drawn[block]) for block, cells in blocks.units.items() for cell in cells
        }
        kept = _kept(places, split_of, embargo_m)
        share_of = {split: kept[split] / max(kept.total(), 1) for split in targets}
        found.append(
            Division(
                split_of=split_of,
                resolution=resolution,
                empty=sum(not share for share in share_of.values()),
                deviation=max(abs(share_of[split] / shares[split] - 1) for split in targets),
                lost=1 - kept.total() / len(places),
            )
        )
        if found[-1].deviation <= _CLOSE or not blocks.free:
            break
        for split, share in share_of.items():
            targets[split] *= min(2.0, max(0.5, shares[split] / share)) if share else 2.0
    return found


def _fill(blocks: _Blocks, targets: Mapping[Split, float]) -> dict[str, Split]:
    """The split of the free blocks. The split with the greatest target takes what the others leave."""
    most = max(targets, key=lambda split: targets[split])
    filled: dict[str, Split] = {}
    left = dict(blocks.free)
    for split in sorted(targets, key=lambda split: (targets[split], split)):
        need = targets[split] - blocks.have[split]
        if split == most or need <= 0:
            continue
        taken = 0
        held = {key for block, its in blocks.fixed.items() if its == split for key in blocks.keys[block]}
        while fitting := [block for block, sites in left.items() if taken + sites <= need * (1 + _CLOSE)]:
            block = fitting[0]
            if held:  # of several that are linked alike, the first
                block = max(fitting, key=lambda block: _linked(blocks.keys[block], held) / left[block])
            taken += left.pop(block)
            filled[block] = split
            held |= blocks.keys[block].keys()
        spare = len(left) > 1 or blocks.have[most]  # the last block is not taken from a split that has none
        nearest = min(left, key=lambda block: abs(taken + left[block] - need), default=None)
        if nearest is not None and spare and (abs(taken + left[nearest] - need) < need - taken or not taken):
            del left[nearest]
            filled[nearest] = split
    return filled | dict.fromkeys(left, most)


def _linked(keys: Mapping[str, int], held: Set[str]) -> int:
    """Sites of a block with keys that are held (sites with several of them count as often)."""
    return sum(keys[key] for key in keys.keys() & held)


def _keys_of_cells(places: Places) -> dict[str, Counter[str]]:
    """Sites of each cell by key, of keys that are in several cells."""
    cells_of: dict[str, set[str]] = defaultdict(set)
    for cell, keys in zip(places.cell.tolist(), places.keys, strict=True):
        for key in keys:
            cells_of[key].add(cell)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for cell, keys in zip(places.cell.tolist(), places.keys, strict=True):
        found[cell].update(key for key in keys if len(cells_of[key]) > 1)
    return found


def _kept(places: Places, split_of: Mapping[str, Split], embargo_m: float) -> Counter[Split]:
    """Published sites by split."""
    split = np.array([split_of[cell] for cell in places.cell.tolist()], dtype=np.str_)
    split[embargoed(places.lat, places.lon, split, embargo_m, places.old) >= 0] = ""
    split[straddling(places.keys, split, places.old) >= 0] = ""
    names, counts = np.unique(split[split != ""], return_counts=True)
    return Counter(dict(zip(names.tolist(), counts.tolist(), strict=True)))


def block_of(unit: str, resolution: int) -> str:
    """The block of a unit (H3 cell): its parent, or itself where it is no finer."""
    block: str = h3.cell_to_parent(unit, min(h3.get_resolution(unit), resolution))
    return block


def _draw(key: str, block: str) -> str:
    return hashlib.blake2b(f"{key}/{block}".encode(), digest_size=8, person=b"split").hexdigest()
