"""Fill the shares of the splits with blocks of neighbouring sites.

A block is an H3 cell that holds one or more units. Blocks come in the order of a hash of the seed and the cell, which
says nothing of the place, but those first that share capture sequences with blocks that the split has. They are taken
until the split has its share of the sites that are left when all those are left out that the splits must not share
(`pipeline.publishing.embargo`). Coarse blocks lose fewer sites to the embargo and tell more about generalisation, fine
ones fill shares more exactly: the coarsest that can are taken. A place of a few hundred metres has no room for that, as
every border between splits is as wide as a chip: there, blocks move between splits as long as it saves sites.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass, replace
from itertools import combinations

import h3
import numpy as np

from pipeline.publishing.division import MOST_LOST, Asked, Division, Measure, Places, Shares
from pipeline.publishing.embargo import PRECEDENCE
from pipeline.publishing.keys import Keys
from schemas.records import Split

_CLOSE = 0.1
"""What is this near is not sought to be bettered."""
_FEW, _STARTS = 32, 6
"""A region without room has its blocks moved between splits if they are no more than this, from so many divisions."""
_ORDERS, _MOST_ORDERS, _ROUNDS = 3, 16, 4
"""Orders of the blocks that are tried (more while a split stays empty), and corrections of the targets for each."""
COARSEST = 3
"""H3 resolution of the coarsest blocks: 12,400 km2."""


def divide(
    places: Places,
    known: Mapping[str, Split],
    shares: Shares,
    seed: int,
    embargo_m: float,
    resolutions: Iterable[int],
    may_be_empty: Collection[Split] = (),
) -> Division:
    """Divide sites among the splits with a share.

    Args:
        places: the sites, at least one.
        known: splits of cells that have one already and keep it. New cells of a block go with its known ones.
        shares: of the published sites; they sum to 1.
        seed: of the build.
        embargo_m: sites of two splits nearer than this are left out.
        resolutions: H3 resolutions of blocks to try, coarsest first; at least one.
        may_be_empty: splits that stay empty where they would cost more than `MOST_LOST` of the sites.

    Returns:
        Of the coarsest resolution at which all shares can be filled, the division that loses the fewest sites; where
        none can, the one of the least cost that is found.
    """
    tried: list[Division] = []
    places = replace(places, keys=_in_several_cells(places))
    asked, measure = Asked(shares, frozenset()), Measure(places, embargo_m)
    cells, keys = Counter(places.cell.tolist()), _keys_of_cells(places)
    for resolution in resolutions:
        here: list[Division] = []
        for order in range(_MOST_ORDERS):
            blocks = _Blocks.of(cells, keys, known, resolution, f"{seed}/{order}")
            here += _approach(measure, blocks, known, asked, resolution)
            if not blocks.free or (order + 1 >= _ORDERS and not min(division.empty for division in here)):
                break
        filled = [division for division in here if division.filled]
        if filled:
            return min(filled, key=lambda division: division.lost)
        tried += here
    best = _best(tried, measure, blocks, asked)
    if best.lost <= MOST_LOST or not may_be_empty:
        return best
    fewer = replace(asked, may_be_empty=frozenset(may_be_empty))
    again = [measure(division.split_of, fewer, division.resolution) for division in (best, *tried)]
    return _best(again, measure, blocks, fewer)


def _best(tried: Iterable[Division], measure: Measure, blocks: "_Blocks", asked: Asked) -> Division:
    """The division of the least cost that is found from the better ones of those tried."""
    starts: list[Division] = []
    for division in sorted(tried, key=lambda division: division.cost):
        if len(starts) < _STARTS and all(division.split_of != start.split_of for start in starts):
            starts.append(division)
    return min((_bettered(start, measure, blocks, asked) for start in starts), key=lambda division: division.cost)


def _bettered(division: Division, measure: Measure, blocks: "_Blocks", asked: Asked) -> Division:
    """Change a division, each time in the way that saves most, until none saves anything.

    A change gives the free blocks of one neighbourhood, of any size, to one split, or exchanges two splits. Nothing is
    changed where there are more than `_FEW` blocks.
    """
    if len(blocks.free) > _FEW:
        return division
    finest = max(map(h3.get_resolution, blocks.units))
    free = {block: blocks.units[block] for block in sorted(blocks.free)}
    around: dict[tuple[str, ...], None] = {}  # in the order of the finest cells that they start with
    for resolution in range(COARSEST, finest + 1):
        together: dict[str, list[str]] = defaultdict(list)
        for block in free:
            together[block_of(block, resolution)].append(block)
        around |= dict.fromkeys(tuple(members) for members in together.values())
    best = division
    while True:
        now = {block: best.split_of[cells[0]] for block, cells in free.items()}
        drawn = [now | dict.fromkeys(members, split) for members in around for split in asked.splits]
        for one, other in combinations(asked.splits, 2):
            exchanged: dict[Split, Split] = {one: other, other: one}
            drawn.append({block: exchanged.get(split, split) for block, split in now.items()})
        tried = [
            measure(
                best.split_of | {cell: split for block, split in change.items() for cell in free[block]},
                asked, finest,
            )
            for change in drawn
            if change != now
        ]  # fmt: skip
        better = min(tried, key=lambda one: one.cost, default=best)
        if better.cost >= best.cost:
            return best
        best = better


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
    keys: dict[str, Counter[int]]
    """Sites of each block by key."""

    @staticmethod
    def of(
        cells: Mapping[str, int],
        keys: Mapping[str, Counter[int]],
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
    measure: Measure,
    blocks: _Blocks,
    known: Mapping[str, Split],
    asked: Asked,
    resolution: int,
) -> list[Division]:
    """Divisions whose targets are corrected by what the embargo left of the one before."""
    found = []
    targets = {split: asked.shares[split] * len(measure.places) for split in asked.splits}
    for _ in range(_ROUNDS):
        drawn = _fill(blocks, targets) | blocks.fixed
        split_of: dict[str, Split] = {
            cell: known.get(cell, drawn[block]) for block, cells in blocks.units.items() for cell in cells
        }
        found.append(measure(split_of, asked, resolution))
        if found[-1].deviation <= _CLOSE or not blocks.free:
            break
        for split, share in found[-1].share_of.items():
            targets[split] *= min(2.0, max(0.5, asked.shares[split] / share)) if share else 2.0
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


def _linked(keys: Mapping[int, int], held: Set[int]) -> int:
    """Sites of a block with keys that are held (sites with several of them count as often)."""
    return sum(keys[key] for key in keys.keys() & held)


def _in_several_cells(places: Places) -> Keys:
    """The keys that are in several cells: one of a single cell is in one split, whatever the division."""
    keys = places.keys
    _, cell = np.unique(places.cell, return_inverse=True)
    pairs = np.unique(np.column_stack([keys.key, cell[keys.site]]), axis=0)
    return keys.only(np.bincount(pairs[:, 0])[keys.key] > 1)


def _keys_of_cells(places: Places) -> dict[str, Counter[int]]:
    """Sites of each cell by key."""
    found: dict[str, Counter[int]] = defaultdict(Counter)
    for cell, key in zip(places.cell[places.keys.site].tolist(), places.keys.key.tolist(), strict=True):
        found[cell][key] += 1
    return found


def block_of(unit: str, resolution: int) -> str:
    """The block of a unit (H3 cell): its parent, or itself where it is no finer."""
    block: str = h3.cell_to_parent(unit, min(h3.get_resolution(unit), resolution))
    return block


def _draw(key: str, block: str) -> str:
    return hashlib.blake2b(f"{key}/{block}".encode(), digest_size=8, person=b"split").hexdigest()
