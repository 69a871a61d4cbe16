"""Decide which rows form a batch and in which order, from a seed alone, so that training can be resumed.

Row groups are read whole, and neighbours lie in one group. So the groups are shuffled, some of them at a time make a
window, and a window's rows are mixed: memory is bounded by a window, and a batch holds rows of many places. A lane is
one worker's share of an epoch: windows of its own, nothing read twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.digest import digest

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

Hardness = Literal["random", "near", "alike"]
"""How a batch's negatives are chosen: at random; places near each other; texts that the model finds alike."""


@dataclass(frozen=True)
class Mixing:
    """Parameters of batch composition."""

    batch: int
    """Rows of a batch, of one lane."""
    window: int
    """Row groups that are mixed with each other."""
    lanes: int
    seed: int
    cluster: int = 4
    """Where negatives are hard: rows of a batch that belong together."""


@dataclass(frozen=True)
class Closeness:
    """Vectors of rows: rows at a small distance are hard to tell apart."""

    vectors: Floats
    """One for each row of the index, n x d: positions in metres, or embeddings."""
    apart: float = 0.0
    """Rows nearer than this are not put together: their chips overlap."""


def epoch_batches(
    groups: Ints, epoch: int, mixing: Mixing, closeness: Closeness | None = None, places: Floats | None = None
) -> list[list[Ints]]:
    """Batches of an epoch by lane: the same number in every lane, the same number of rows in every batch.

    The rows that are left over at the end of a lane are another epoch's: which ones differs from epoch to epoch.

    Args:
        groups: of each row, the group that it is stored in.
        epoch: from 0.
        mixing: how.
        closeness: puts rows that are close together into a batch; None: at random.
        places: positions in metres of the rows, n x 3; windows are then made of neighbouring groups.
    """
    random = np.random.Generator(np.random.Philox(key=int(digest("order", mixing.seed, epoch, length=16), 16)))
    _, starts = np.unique(groups, return_index=True)
    members = np.split(np.argsort(groups, kind="stable"), np.cumsum(np.bincount(groups)[groups[starts]])[:-1])
    order = random.permutation(len(members))
    if places is not None:
        order = _along(np.array([places[rows].mean(axis=0) for rows in members]), int(order[0]))
    windows = [order[i : i + mixing.window] for i in range(0, len(order), mixing.window)]
    windows = [windows[i] for i in random.permutation(len(windows))]
    lanes: list[list[Ints]] = []
    for lane in range(mixing.lanes):
        rows = [
            _arranged(np.concatenate([members[i] for i in window]), random, mixing, closeness)
            for window in windows[lane :: mixing.lanes]
        ]
        whole = np.concatenate(rows) if rows else np.empty(0, np.int64)
        lanes.append([whole[i : i + mixing.batch] for i in range(0, len(whole) - mixing.batch + 1, mixing.batch)])
    shortest = min(len(lane) for lane in lanes)
    return [lane[:shortest] for lane in lanes]


def _along(centres: Floats, start: int) -> Ints:
    """Order groups along a walk that always continues to the nearest remaining one."""
    left = np.ones(len(centres), np.bool_)
    order = [int(start)]
    left[start] = False
    while left.any():
        gaps = np.where(left, ((centres - centres[order[-1]]) ** 2).sum(axis=1), np.inf)
        order.append(int(gaps.argmin()))
        left[order[-1]] = False
    return np.array(order, dtype=np.int64)


def _arranged(rows: Ints, random: np.random.Generator, mixing: Mixing, closeness: Closeness | None) -> Ints:
    """Shuffle a window's rows; with closeness, in clusters of rows that are close to a first one."""
    mixed = random.permutation(rows)
    if closeness is None or mixing.cluster < 2:
        return mixed
    vectors = closeness.vectors[mixed]
    left = np.ones(len(mixed), np.bool_)
    clusters = []
    for at in range(len(mixed)):
        if not left[at]:
            continue
        gaps = np.linalg.norm(vectors - vectors[at], axis=1)
        others = np.flatnonzero(left & (gaps >= closeness.apart))
        chosen = [at]
        for other in others[np.argsort(gaps[others], kind="stable")].tolist():
            if len(chosen) == mixing.cluster:
                break
            between = np.linalg.norm(vectors[chosen] - vectors[other], axis=1)
            if other != at and (between >= closeness.apart).all():
                chosen.append(other)
        left[chosen] = False
        clusters.append(mixed[chosen])
    return np.concatenate([clusters[i] for i in random.permutation(len(clusters))])


def hardness_at(schedule: Sequence[tuple[int, Hardness]], epoch: int) -> Hardness:
    """Hardness of an epoch's negatives, given the epochs from which each one applies, in ascending order."""
    held: Hardness = "random"
    for start, hardness in schedule:
        if epoch >= start:
            held = hardness
    return held
