"""Overlap of chips on the ground: for masks in training and for evaluation.

Chips are squares, north up, centred on their sites. The share is of the smaller chip's area: 1 where it lies within the
other one, and for chips of one size the same from either side.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pipeline.geo.earth import earth_centred

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_AT_ONCE = 512
"""Chips whose neighbours are sought together: bounds memory in dense galleries."""


@dataclass(frozen=True)
class Chips:
    """Positions of chip centres (WGS84 degrees) and sides of chips (metres), as parallel arrays."""

    lat: Floats
    lon: Floats
    side_m: Floats

    def __len__(self) -> int:
        return len(self.lat)

    def __getitem__(self, rows: Ints | NDArray[np.bool_]) -> "Chips":
        return Chips(self.lat[rows], self.lon[rows], self.side_m[rows])

    def earth_centred(self) -> Floats:
        """Positions in metres, n x 3 (EPSG:4978)."""
        return earth_centred(self.lat, self.lon)


def shares_between(a: Chips, b: Chips) -> Floats:
    """Share of overlap of each chip of `a` with the chip of `b` at the same index."""
    return _shares(a, a.earth_centred(), b, b.earth_centred())


def _shares(a: Chips, at_a: Floats, b: Chips, at_b: Floats) -> Floats:
    """Compute shares in the plane east and north of `a`, which is the chip's own frame."""
    phi, lam = np.radians(a.lat), np.radians(a.lon)
    d = at_b - at_a
    east = -np.sin(lam) * d[:, 0] + np.cos(lam) * d[:, 1]
    north = -np.sin(phi) * np.cos(lam) * d[:, 0] - np.sin(phi) * np.sin(lam) * d[:, 1] + np.cos(phi) * d[:, 2]
    smaller, mean = np.minimum(a.side_m, b.side_m), (a.side_m + b.side_m) / 2
    far = np.linalg.norm(d, axis=1) > 2 * np.maximum(a.side_m, b.side_m)  # the plane says nothing of the far side
    across, along = (np.clip(mean - np.abs(offset), 0, smaller) for offset in (east, north))
    return np.where(far, 0.0, across * along / np.maximum(smaller, 1e-9) ** 2)


@dataclass(frozen=True)
class Overlaps:
    """Overlapping chips of each chip: chip `i` overlaps `other[start[i]:start[i + 1]]` by the shares in `share`."""

    start: Ints
    other: Ints
    share: Floats

    def __len__(self) -> int:
        return len(self.start) - 1

    def of(self, row: int) -> Ints:
        """Rows of the chips that overlap chip `row`, without itself."""
        return self.other[self.start[row] : self.start[row + 1]]

    def above(self, least: float) -> "Overlaps":
        """Keep only overlaps of more than a share."""
        keep = self.share > least
        return Overlaps(_starts(keep)[self.start], self.other[keep], self.share[keep])

    def among(self, rows: Ints) -> "Overlaps":
        """Overlaps among some chips, renumbered in the order of `rows`."""
        place = np.full(len(self), -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        return _collect([(place[self.of(row)], self.share[self.start[row] : self.start[row + 1]]) for row in rows])


def from_lists(lists: list[tuple[Ints, Floats]]) -> Overlaps:
    """Build overlaps from a list per chip: rows of the others (-1: not among the chips) and shares."""
    return _collect(lists)


def find_overlaps(chips: Chips, least: float = 0.0) -> Overlaps:
    """Find all pairs of chips that overlap by more than a share; memory grows with the pairs alone."""
    return next(overlaps_of([np.arange(len(chips))], chips, least))


def overlaps_of(groups: Iterable[Ints], chips: Chips, least: float = 0.0) -> Iterator[Overlaps]:
    """Find overlaps as `find_overlaps` does, of one group of chips after the other with all chips.

    Args:
        groups: rows of the chips of each group.
        chips: all of them.
        least: share that an overlap exceeds.

    Yields:
        Overlaps of each group's chips in their order, with the rows of the others among all chips.
    """
    centred = chips.earth_centred()
    tree = cKDTree(centred)
    reach = float(chips.side_m.max()) * np.sqrt(2) if len(chips) else 0.0
    for group in groups:
        counts, others, shares = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]
        for rows in (group[first : first + _AT_ONCE] for first in range(0, len(group), _AT_ONCE)):
            near = tree.query_ball_point(centred[rows], reach)
            at = np.repeat(np.arange(len(rows)), [len(found) for found in near])
            i, j = rows[at], np.concatenate([np.sort(found) for found in near]).astype(np.int64)
            share = _shares(chips[i], centred[i], chips[j], centred[j])
            keep = (share > least) & (i != j)
            counts.append(np.bincount(at[keep], minlength=len(rows)))
            others.append(j[keep])
            shares.append(share[keep])
        yield Overlaps(_starts(np.concatenate(counts)), np.concatenate(others), np.concatenate(shares))


def _collect(lists: list[tuple[Ints, Floats]]) -> Overlaps:
    known = [(other[other >= 0], share[other >= 0]) for other, share in lists]
    counts = np.array([len(other) for other, _ in known], dtype=np.int64)
    others = [other for other, _ in known] or [np.empty(0, np.int64)]
    shares = [share for _, share in known] or [np.empty(0)]
    return Overlaps(_starts(counts), np.concatenate(others).astype(np.int64), np.concatenate(shares).astype(float))


def _starts(counts: NDArray[np.integer] | NDArray[np.bool_]) -> Ints:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def thinned(overlaps: Overlaps, order: Ints, most: float) -> NDArray[np.bool_]:
    """Choose chips greedily, in the order given, so that no two chosen ones overlap by more than a share."""
    kept = np.zeros(len(overlaps), dtype=np.bool_)
    close = overlaps.above(most)
    for row in order.tolist():
        kept[row] = not kept[close.of(row)].any()
    return kept


def thinned_chips(chips: Chips, order: Ints, most: float) -> NDArray[np.bool_]:
    """Choose among all of the chips as `thinned` does, without all of their overlaps in memory."""
    kept = np.zeros(len(chips), dtype=np.bool_)
    groups = [order[first : first + _AT_ONCE] for first in range(0, len(order), _AT_ONCE)]
    for rows, close in zip(groups, overlaps_of(groups, chips, most), strict=True):
        for at, row in enumerate(rows.tolist()):
            kept[row] = not kept[close.of(at)].any()
    return kept
