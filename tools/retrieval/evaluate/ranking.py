"""Rank the right chip for each query by exhaustive search in blocks of bounded memory."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.geo.earth import haversine_km
from pipeline.geo.overlaps import Chips, Overlaps
from tools.retrieval.embeddings import Floats32

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TIE = 2e-6
"""Cosines nearer to each other than this are a tie: in single precision the same vectors, multiplied in blocks of other
shapes, differ by about 1e-7 times the root of their width."""
BLOCK_BYTES = 64 * 2**20
"""Size of the scores that are held at once."""


@dataclass(frozen=True)
class Ranks:
    """Results per query. Ranks start at 1; ties count by their mean rank."""

    wrong: Floats
    """Rank of the own chip where overlapping chips are wrong answers."""
    ignored: Floats
    """Where overlapping chips are left out of the ranking."""
    right: Floats
    """Rank of the best of the own and the overlapping chips, where all of them are right."""
    overlapping: Ints
    """How many chips overlap the own one."""
    deviation_km: Floats
    """From the own chip to the one ranked first, on average over those that tie for the first place."""
    within: dict[int, Floats]
    """By metres: 1 where the first one lies within them, 0 where not, a share where several tie."""


def rank(
    queries: Floats32,
    gallery: Floats32,
    own: Ints,
    chips: Chips,
    overlaps: Overlaps,
    *,
    metres: tuple[int, ...] = (50, 100, 150),
    block_bytes: int = BLOCK_BYTES,
) -> Ranks:
    """Rank a gallery for each query by cosine.

    Args:
        queries: n x d, of length 1.
        gallery: m x d, of length 1.
        own: of each query the row of its own chip in the gallery.
        chips: where the gallery's chips lie.
        overlaps: which of them overlap by as much as counts.
        metres: distances for `Ranks.within`.
        block_bytes: scores held at once; time does not depend on it by much.
    """
    n, m = len(queries), len(gallery)
    step = max(1, block_bytes // (4 * max(m, 1)))
    wrong, ignored, right = (np.empty(n) for _ in range(3))
    deviation = np.empty(n)
    within = {limit: np.empty(n) for limit in metres}
    counts = np.diff(overlaps.start)[own]
    for first in range(0, n, step):
        rows = slice(first, min(first + step, n))
        scores = queries[rows] @ gallery.T
        mine = own[rows]
        at = np.arange(len(mine))
        truth = scores[at, mine]
        above, level = _compare(scores, truth)
        wrong[rows] = 1 + above + (level - 1) / 2
        ignored[rows], right[rows] = wrong[rows], wrong[rows]
        for i in np.flatnonzero(counts[rows]).tolist():
            others = overlaps.of(int(mine[i]))
            near = scores[i, others]
            over, same = int((near > truth[i] + TIE).sum()), int((np.abs(near - truth[i]) <= TIE).sum())
            ignored[first + i] = 1 + above[i] - over + (level[i] - 1 - same) / 2
            right[first + i] = _best(scores[i], np.append(others, mine[i]))
        best = scores.argmax(axis=1)
        gaps = haversine_km(chips.lat[mine], chips.lon[mine], chips.lat[best], chips.lon[best])
        deviation[rows] = gaps
        for limit in metres:
            within[limit][rows] = gaps * 1_000 <= limit
        _, tied = _compare(scores, scores[at, best])
        for i in np.flatnonzero(tied > 1).tolist():
            first_ones = np.flatnonzero(scores[i] >= scores[i, best[i]] - TIE)
            spread = haversine_km(chips.lat[mine[i]], chips.lon[mine[i]], chips.lat[first_ones], chips.lon[first_ones])
            deviation[first + i] = spread.mean()
            for limit in metres:
                within[limit][first + i] = (spread * 1_000 <= limit).mean()
    return Ranks(wrong, ignored, right, counts, deviation, within)


def _compare(scores: Floats32, threshold: Floats32) -> tuple[Ints, Ints]:
    """Count each row's scores above its threshold and scores that tie with it."""
    above = np.count_nonzero(scores > (threshold + TIE)[:, None], axis=1)
    not_below = np.count_nonzero(scores >= (threshold - TIE)[:, None], axis=1)
    return above, not_below - above


def _best(scores: Floats32, right: Ints) -> float:
    """Mean rank of the best of several right answers; the other right answers take no place."""
    best = scores[right].max()
    above = np.count_nonzero(scores > best + TIE)
    level = np.count_nonzero(scores >= best - TIE) - above
    level_right = np.count_nonzero(scores[right] >= best - TIE)
    # The first of r right answers among w wrong ones in random order stands, on average, at 1 + w / (r + 1).
    return float(1 + above + (level - level_right) / (level_right + 1))
