"""Which sites are left out so that no two splits touch: by distance, and by what their pictures share.

Splits that are tested on take precedence: `train` gives way to `val`, `val` to `test_seen`, that to `test_unseen`.
Sites that the revision before has published take precedence over new ones, so that a build that grows keeps them.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pipeline.geo.earth import earth_centred
from pipeline.publishing.keys import Keys
from schemas.records import AnySplit

Indices = NDArray[np.int64]
Names = NDArray[np.str_] | NDArray[np.object_]
PRECEDENCE: tuple[AnySplit, ...] = ("train", "val", "test", "test_seen", "test_unseen")
"""From the split that gives way to all others to the one that gives way to none."""


def embargoed(
    lat: NDArray[np.float64],
    lon: NDArray[np.float64],
    split: Names,
    distance_m: float,
    old: NDArray[np.bool_] | None = None,
) -> Indices:
    """Which sites to leave out so that sites of two splits are at least `distance_m` apart.

    Args:
        lat: WGS84 degrees.
        lon: WGS84 degrees.
        split: name of each site's split; empty for a site that is left out anyway.
        distance_m: straight line between points on the ellipsoid (EPSG:4978), which for some hundred metres is the
            distance on the ground.
        old: which sites are published already; none if not given.

    Returns:
        For each site the nearest site that it gives way to; -1 where it stays.
    """
    position = earth_centred(lat, lon)
    because = np.full(len(lat), -1, dtype=np.int64)
    held: dict[str, list[Indices]] = {}
    for name, mine in _in_turn(split, old):
        others = [rows for other, kept in held.items() if other != name for rows in kept]
        against = np.concatenate(others) if others else np.empty(0, np.int64)
        if len(against):
            nearest, which = cKDTree(position[against]).query(position[mine], distance_upper_bound=distance_m)
            near = nearest < distance_m
            because[mine[near]] = against[which[near]]
        held.setdefault(name, []).append(mine[because[mine] < 0])
    return because


def straddling(keys: Keys, split: Names, old: NDArray[np.bool_] | None = None) -> Indices:
    """Which sites to leave out so that no key (a capture sequence, a photo) is in two splits.

    The other arguments and what is returned are as in `embargoed`.
    """
    because = np.full(len(split), -1, dtype=np.int64)
    holder = np.full(keys.key.max(initial=-1) + 1, -1, dtype=np.int64)
    for name, mine in _in_turn(split, old):
        in_turn = np.zeros(len(split), np.bool_)
        in_turn[mine] = True
        pairs = in_turn[keys.site]
        site, key = keys.site[pairs][::-1], keys.key[pairs][::-1]  # backwards: where several are assigned, the first is
        held = holder[key]
        others = (held >= 0) & (split[held] != name)
        because[site[others]] = held[others]
        holds = (held < 0) & (because[site] < 0)
        holder[key[holds]] = site[holds]
    return because


def _in_turn(split: Names, old: NDArray[np.bool_] | None) -> Iterator[tuple[str, Indices]]:
    """Sites by split, those first that the others give way to."""
    published = np.zeros(len(split), np.bool_) if old is None else old
    for which in (published, ~published):
        for name in reversed(PRECEDENCE):
            mine = np.flatnonzero((split == name) & which)
            if len(mine):
                yield name, mine
