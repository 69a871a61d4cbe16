"""Selects sites among candidates, in order: each, unless a selected one is too near or a cap is reached."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.errors import ConfigError, Problem
from pipeline.regions.ground import Floats, Ground
from pipeline.sources.base import Photo

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Cap:
    """A maximum number of sites per group (a capture sequence, an author)."""

    groups: Ints
    """Group of each candidate; negative for none."""
    most: int


@dataclass(frozen=True)
class Thinned:
    """The result for the visited candidates: all up to the last site that was needed."""

    taken: Ints
    """Indices of the sites among the candidates, in their order."""
    keeper: Ints
    """For each visited candidate the number (in `taken`) of the site that represents it: itself, or the one too near.
    Negative if a cap refused it."""
    refused: dict[tuple[int, int], list[int]]
    """By cap and group: number of candidates that it refused."""
    members: dict[tuple[int, int], list[int]]
    """By cap and group: numbers of the sites."""

    @property
    def visited(self) -> int:
        """Number of visited candidates."""
        return len(self.keeper)

    def stands_for(self, values: Floats) -> Floats:
        """The sum of `values` (one per visited candidate) of each site and of the candidates it excluded.

        What a cap refused is shared equally by the sites of the group.
        """
        kept = self.keeper >= 0
        sums = np.bincount(self.keeper[kept], values[kept], minlength=len(self.taken)).astype(np.float64)
        for group, refused in self.refused.items():
            sums[self.members[group]] += values[refused].sum() / len(self.members[group])
        return sums

    def itself(self) -> Floats:
        """Values for `stands_for` with which a site stands for itself, and for what a cap refused."""
        values = (self.keeper < 0).astype(np.float64)
        values[self.taken] = 1.0
        return values


def thin(x: Floats, y: Floats, spacing: float, most: int | None, caps: Sequence[Cap] = ()) -> Thinned:
    """Visit candidates in order until `most` are taken.

    Args:
        x: metres east, one per candidate.
        y: metres north.
        spacing: minimum distance between two sites, in metres; 0 takes all.
        most: maximum number of sites; no maximum if None.
        caps: each applies.
    """
    xs, ys = x.tolist(), y.tolist()
    taken: list[int] = []
    keeper: list[int] = []
    refused: dict[tuple[int, int], list[int]] = defaultdict(list)
    members: dict[tuple[int, int], list[int]] = defaultdict(list)
    counts: Counter[tuple[int, int]] = Counter()
    grid: dict[tuple[int, int], list[int]] = {}
    for i in range(len(xs)):
        if len(taken) == most:
            break
        if spacing:
            cell = (math.floor(xs[i] / spacing), math.floor(ys[i] / spacing))
            near = _neighbour(cell, grid, taken, xs, ys, i, spacing)
            if near is not None:
                keeper.append(near)
                continue
        groups = [(c, int(cap.groups[i])) for c, cap in enumerate(caps) if cap.groups[i] >= 0]
        full = next((group for group in groups if counts[group] >= caps[group[0]].most), None)
        if full is not None:
            refused[full].append(i)
            keeper.append(-1)
            continue
        for group in groups:
            counts[group] += 1
            members[group].append(len(taken))
        if spacing:
            grid.setdefault(cell, []).append(len(taken))
        keeper.append(len(taken))
        taken.append(i)
    return Thinned(np.array(taken, np.int64), np.array(keeper, np.int64), dict(refused), dict(members))


def caps_of_photos(ground: Ground, photos: Sequence[Photo]) -> list[Cap]:
    """The caps of the build file, where each candidate is a photo.

    Raises:
        ConfigError: there is a cap, but no photo has what it counts by, so the cap would have no effect.
    """
    wanted: list[tuple[str, list[str | None]]] = [
        ("max_per_sequence", [photo.sequence for photo in photos]),
        ("max_per_contributor", [photo.author for photo in photos]),
    ]
    caps = []
    for key, labels in wanted:
        most: int | None = getattr(ground.sampling, key)
        if most is None:
            continue
        numbers = {label: n for n, label in enumerate(sorted({label for label in labels if label}))}
        if not numbers:
            what = key.removeprefix("max_per_")
            found = f"{most}, and {ground.street.name} says of no photo of {ground.region.name} which {what} it is of"
            raise ConfigError([Problem(f"sampling.{key}", found, "no such cap with this source")])
        caps.append(Cap(np.array([numbers[label] if label else -1 for label in labels], np.int64), most))
    return caps


def caps_at(ground: Ground, x: Floats, y: Floats) -> list[Cap]:
    """The caps of the build file, where candidates are positions (metres in the region's frame): by the nearest photo.

    A candidate without a photo within the search radius has no group. The source is asked only if there is a cap.

    Raises:
        ConfigError: as `caps_of_photos`.
        SiteError: the street source could not be reached.
    """
    if ground.sampling.max_per_sequence is None and ground.sampling.max_per_contributor is None:
        return []
    photos = [photo for photo in ground.photos if photo.unusable is None]
    if not photos:
        return []
    px, py = ground.frame.to_metres([p.position.lon for p in photos], [p.position.lat for p in photos])
    sites, nearest = shapely.STRtree(shapely.points(px, py)).query_nearest(
        shapely.points(x, y), max_distance=ground.search_radius_m, all_matches=False
    )
    caps = []
    for cap in caps_of_photos(ground, photos):
        groups = np.full(len(x), -1, np.int64)
        groups[sites] = cap.groups[nearest]
        caps.append(Cap(groups, cap.most))
    return caps


def _neighbour(
    cell: tuple[int, int],
    grid: dict[tuple[int, int], list[int]],
    taken: list[int],
    x: list[float],
    y: list[float],
    i: int,
    spacing: float,
) -> int | None:
    """Number of a site nearer than the spacing. Grid cells are as wide as the spacing."""
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            for n in grid.get((cell[0] + dx, cell[1] + dy), ()):
                j = taken[n]
                if math.hypot(x[i] - x[j], y[i] - y[j]) < spacing:
                    return n
    return None
