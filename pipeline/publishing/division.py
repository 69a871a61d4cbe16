"""Divisions of sites among splits: how well one fills the shares, and how many sites it loses."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.publishing.embargo import PRECEDENCE, embargoed, straddling
from pipeline.publishing.keys import Keys
from schemas.records import Split

Shares = Mapping[Split, float]
TOLERANCE = 0.2
"""A split is filled if its share of the published sites is within this of what was asked, relative to that."""
MOST_LOST = 0.2
"""Share of the sites of a filled region that may be left out between its splits."""


@dataclass(frozen=True)
class Places:
    """Sites that are divided together, one item each."""

    cell: NDArray[np.object_]
    """H3 cell of the unit."""
    lat: NDArray[np.float64]
    """WGS84 degrees."""
    lon: NDArray[np.float64]
    keys: Keys
    """What no two splits may share: capture sequences and photos."""
    old: NDArray[np.bool_]
    """Whether it is published already."""

    def __len__(self) -> int:
        return len(self.cell)

    def take(self, rows: NDArray[np.int64]) -> "Places":
        """Some of the sites."""
        return Places(self.cell[rows], self.lat[rows], self.lon[rows], self.keys.take(rows), self.old[rows])


@dataclass(frozen=True)
class Asked:
    """Requirements of a division."""

    shares: Shares
    may_be_empty: frozenset[Split]

    @property
    def splits(self) -> list[Split]:
        """The splits with a share, in order."""
        return sorted(split for split, share in self.shares.items() if share)


@dataclass(frozen=True)
class Division:
    """A split for each unit, and how well it fills the shares."""

    split_of: dict[str, Split]
    """By the unit's cell."""
    resolution: int
    """Of the blocks."""
    share_of: dict[Split, float]
    """Share of each split that has one in the published sites."""
    empty: int
    """Splits that have a share and no site, without those that may be empty."""
    deviation: float
    """The greatest relative difference of a split from its share."""
    lost: float
    """Share of the sites that are left out between the splits."""
    short: float
    """Share of all sites by which splits fall short of what was asked, summed over them."""

    @property
    def filled(self) -> bool:
        """Whether every share is filled to within `TOLERANCE`, and few sites are lost for it."""
        return not self.empty and self.deviation <= TOLERANCE and self.lost <= MOST_LOST

    @property
    def cost(self) -> tuple[int, float]:
        """The cost that is minimised where shares cannot be filled.

        First empty splits, then the sites that are lost, which count twice, or are in another split than was asked.
        """
        return self.empty, round(self.short + 2 * self.lost, 9)


class Measure:
    """Measures what divisions of some sites leave of them.

    A search comes by the same division many times, so the sites that each one leaves are counted once.
    """

    def __init__(self, places: Places, embargo_m: float) -> None:
        self.places = places
        self._embargo_m = embargo_m
        self._cells = sorted(set(places.cell.tolist()))
        self._kept: dict[bytes, Counter[Split]] = {}

    def __call__(self, split_of: dict[str, Split], asked: Asked, resolution: int) -> Division:
        """Measure a split for each unit, by the cells of the units."""
        key = bytes(PRECEDENCE.index(split_of[cell]) for cell in self._cells)
        if key not in self._kept:
            self._kept[key] = _kept(self.places, split_of, self._embargo_m)
        kept, sites = self._kept[key], len(self.places)
        shares = {split: asked.shares[split] for split in asked.splits}
        share_of = {split: kept[split] / max(kept.total(), 1) for split in shares}
        return Division(
            split_of=split_of,
            resolution=resolution,
            share_of=share_of,
            empty=sum(not share for split, share in share_of.items() if split not in asked.may_be_empty),
            deviation=max(abs(share_of[split] / share - 1) for split, share in shares.items()),
            lost=1 - kept.total() / sites,
            short=sum(max(0.0, share - kept[split] / sites) for split, share in shares.items()),
        )


def _kept(places: Places, split_of: Mapping[str, Split], embargo_m: float) -> Counter[Split]:
    """Published sites by split."""
    split = np.array([split_of[cell] for cell in places.cell.tolist()], dtype=np.str_)
    split[embargoed(places.lat, places.lon, split, embargo_m, places.old) >= 0] = ""
    split[straddling(places.keys, split, places.old) >= 0] = ""
    names, counts = np.unique(split[split != ""], return_counts=True)
    return Counter(dict(zip(names.tolist(), counts.tolist(), strict=True)))
