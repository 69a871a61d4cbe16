"""The split of each unit: whole regions held out by continent, the others divided block by block.

What the revision before has published keeps its split. Without one, splits follow from the build and its sites alone.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import h3
import numpy as np
from numpy.typing import NDArray

from pipeline.config.build import Build
from pipeline.config.region import Region
from pipeline.errors import ConfigError, Problem
from pipeline.publishing.division import MOST_LOST, Places, Shares
from pipeline.publishing.quotas import COARSEST, divide
from schemas.records import Continent, Split

SPLITS: tuple[Split, ...] = get_args(Split)
ALIASES: dict[Split, tuple[str, ...]] = {"val": ("validation",)}
"""Other names that a split can be read by, beside `test`: see `splits_called`."""
NO_ROOM = 0.5
"""Regions that miss a share by more than this, relative to it, or lose more than `MOST_LOST`, are divided together with
others like them."""


def splits_called(name: str, there: Collection[str]) -> set[str]:
    """Splits among those there that a name stands for: `validation` for `val`, `test` for all that are tested on."""
    if name == "test":
        return {split for split in there if split.startswith("test")} or {name}
    return {split for split, others in ALIASES.items() if name in others} or {name}


@dataclass(frozen=True)
class RegionSplit:
    """How a region is split."""

    held_out: bool
    """Whether all of it is in `test_unseen`."""
    block_resolution: int | None
    """H3 resolution of its blocks; None if it is held out or has no sites."""


@dataclass(frozen=True)
class Remembered:
    """Splits that earlier revisions drew."""

    units: Mapping[str, Split]
    """Split of each unit that a revision has published, by H3 cell."""
    regions: Mapping[str, RegionSplit]


NOTHING = Remembered({}, {})


def draw_splits(
    build: Build, places: Places, region: NDArray[np.object_], before: Remembered, embargo_m: float
) -> tuple[dict[str, Split], dict[str, RegionSplit]]:
    """Draw the split of each unit and of each region of the build.

    Args:
        build: its seed, shares and regions.
        places: all sites that may be published.
        region: the region of each site.
        before: what keeps its split.
        embargo_m: sites of two splits nearer than this are left out.

    Returns:
        Splits by the unit's cell: a cell that is in two regions has one split. Regions by name.

    Raises:
        ConfigError: `publish.unseen_regions` names a region that is published as one that is trained on.
    """
    unseen = held_out(build, {name: told.held_out for name, told in before.regions.items()})
    regions = {name: RegionSplit(True, None) for name in unseen}
    split_of: dict[str, Split] = dict(before.units)
    for cell in places.cell[np.isin(region, sorted(unseen))].tolist():
        split_of.setdefault(cell, "test_unseen")

    shares, allowed = seen_shares(build), build.publish.allow_empty
    no_room = []
    for name in sorted(r.name for r in build.regions if r.name not in unseen):
        told = before.regions.get(name, RegionSplit(False, None))
        rows = np.flatnonzero(region == name)
        cells = set(places.cell[rows].tolist())
        if cells <= split_of.keys():
            regions[name] = told
            continue
        resolutions = _resolutions(build, cells, told.block_resolution)
        found = divide(places.take(rows), split_of, shares, build.seed, embargo_m, resolutions, allowed)
        if found.empty or found.deviation > NO_ROOM or found.lost > MOST_LOST:
            no_room.append(name)
        else:
            split_of |= found.split_of
            regions[name] = RegionSplit(False, found.resolution)
    rows = np.flatnonzero(np.isin(region, no_room))
    if len(rows):
        resolutions = _resolutions(build, places.cell[rows].tolist(), None)
        found = divide(places.take(rows), split_of, shares, build.seed, embargo_m, resolutions, allowed)
        split_of |= found.split_of
        regions |= {name: RegionSplit(False, found.resolution) for name in no_room}
    return split_of, regions


def _resolutions(build: Build, cells: Collection[str], told: int | None) -> Sequence[int]:
    """Resolutions of blocks to try: the one that is set, or all from the one drawn with before to that of the units."""
    if build.publish.block_resolution is not None:
        return [build.publish.block_resolution]
    finest = max(h3.get_resolution(cell) for cell in cells)
    return range(min(COARSEST if told is None else told, finest), finest + 1)


def seen_shares(build: Build) -> Shares:
    """Shares of the splits in a region that is not held out; they sum to 1."""
    shares = build.publish.splits
    return {split: getattr(shares, split) / (1 - shares.test_unseen) for split in SPLITS if split != "test_unseen"}


def held_out(build: Build, before: Mapping[str, bool]) -> set[str]:
    """Regions that go into `test_unseen` whole.

    Their number is the share of all regions, rounded, and at least one where there are two; each continent gives its
    part of it (largest remainders). Those named in `publish.unseen_regions` come first, then a draw by a hash of seed
    and name. A region keeps what it was `before` (by name: whether it was held out).

    Raises:
        ConfigError: a named region was published as one that is trained on.
    """
    publish = build.publish
    seen_before = sorted(name for name in publish.unseen_regions if before.get(name) is False)
    if seen_before:
        allowed = "regions that are not yet published, or a dataset in a place of its own"
        raise ConfigError(
            [Problem("publish.unseen_regions", f"{', '.join(seen_before)}, published as seen before", allowed)]
        )
    held = {r.name for r in build.regions if r.name in publish.unseen_regions or before.get(r.name)}
    wanted = _by_continent(build.regions, publish.splits.test_unseen)
    for continent, count in wanted.items():
        there = [r.name for r in build.regions if r.continent == continent]
        free = [name for name in there if name not in held and name not in before]
        free.sort(key=lambda name: _drawn(build.seed, name))
        held.update(free[: max(0, count - sum(name in held for name in there))])
    return held


def _by_continent(regions: Sequence[Region], share: float) -> dict[Continent | None, int]:
    """How many regions of each continent are held out."""
    of = Counter(region.continent for region in regions)
    total = min(max(round(share * len(regions)), 1), len(regions) - 1) if share and len(regions) > 1 else 0
    exact = {continent: count * total / len(regions) for continent, count in of.items()}
    found = {continent: int(count) for continent, count in exact.items()}
    by_rest = sorted(exact, key=lambda continent: (found[continent] - exact[continent], continent or ""))
    for continent in by_rest[: total - sum(found.values())]:
        found[continent] += 1
    return found


def _drawn(seed: int, region: str) -> str:
    return hashlib.blake2b(f"{seed}/{region}".encode(), digest_size=8, person=b"unseen").hexdigest()
