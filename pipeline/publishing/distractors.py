"""Distractors: places with chips and without a text, for galleries. Which are published, and in which split.

A dataset has one file of them for each split, see `pipeline.publishing.distractor_files`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pipeline.digest import digest
from pipeline.geo.earth import earth_centred
from pipeline.geo.overlaps import Chips, find_overlaps, thinned
from pipeline.publishing.embargo import Names, embargoed
from pipeline.publishing.gallery import MOST_OVERLAP
from pipeline.publishing.units import FinishedUnit
from schemas.records import Split

FILE_NAME = r"distractors/(?P<split>[a-z_]+)-(?P<recipe>[0-9a-f]{16})-(?P<content>[0-9a-f]{16})\.parquet"
"""Pattern of a file's path. Like a shard's, it names what the file is made from and its bytes."""
_IN_REVISION = r"revisions/[0-9a-f]{16}/distractors-(?P<split>[a-z_]+)\.parquet"
"""Where earlier versions put them."""


def split_of_file(path: str) -> str | None:
    """The split whose distractors a file of a dataset holds; None for another file."""
    found = re.fullmatch(FILE_NAME, path) or re.fullmatch(_IN_REVISION, path)
    return found["split"] if found else None


@dataclass(frozen=True)
class Candidates:
    """Distractors that have a chip, as parallel arrays, in the order of region, unit and id."""

    ids: NDArray[np.object_]
    region: NDArray[np.object_]
    cell: NDArray[np.object_]
    """H3 cell of the unit."""
    home: NDArray[np.int64]
    """Which of the ordered units."""
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]


@dataclass(frozen=True)
class Samples:
    """Where the published samples are, as parallel arrays."""

    region: NDArray[np.object_]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    split: Names


def place(
    them: Candidates, samples: Samples, split_of: Mapping[str, Split], side_m: float, embargo_m: float
) -> NDArray[np.object_]:
    """The split of each distractor; empty where it is left out.

    A distractor is in the split of its unit, or else in that of the nearest sample of its region. It gives way to all
    samples: it is left out where it is nearer than the embargo to one of another split, or where its chip shares more
    than a quarter of its area with the chip of a sample or of another distractor.

    Args:
        them: the distractors.
        samples: what is published.
        split_of: of the units of samples, by H3 cell.
        side_m: side of a chip on the ground.
        embargo_m: places of two splits are at least so far apart.
    """
    split = np.array([split_of.get(cell, "") for cell in them.cell.tolist()], dtype=np.object_)
    if not len(split):
        return split
    here, there = earth_centred(them.lat, them.lon), earth_centred(samples.lat, samples.lon)
    for region in sorted(set(them.region.tolist())):
        mine, its = np.flatnonzero((them.region == region) & (split == "")), np.flatnonzero(samples.region == region)
        if len(mine) and len(its):
            _, nearest = cKDTree(there[its]).query(here[mine])
            split[mine] = samples.split[its[nearest]]
    lat, lon = np.concatenate([samples.lat, them.lat]), np.concatenate([samples.lon, them.lon])
    first = len(samples.lat)
    published = np.arange(len(lat)) < first
    every = np.concatenate([samples.split, split])
    split[embargoed(lat, lon, every, embargo_m, published)[first:] >= 0] = ""

    chips = Chips(lat, lon, np.full(len(lat), side_m))
    close = find_overlaps(chips, MOST_OVERLAP)
    split[[bool((close.of(first + row) < first).any()) for row in range(len(split))]] = ""
    kept = np.flatnonzero(split != "")
    order = sorted(range(len(kept)), key=lambda at: digest("thin", them.ids[kept[at]]))
    apart = thinned(close.among(first + kept), np.array(order, dtype=np.int64), MOST_OVERLAP)
    split[kept[~apart]] = ""
    return split


@dataclass(frozen=True)
class Chosen:
    """The published distractors of a unit."""

    unit: FinishedUnit
    sites: tuple[str, ...]
    split: Split
    synthetic: tuple[str, ...]
    """Names of the region's sources whose pictures are drawn and not taken."""


def choose(
    them: Candidates,
    split: NDArray[np.object_],
    ordered: Sequence[FinishedUnit],
    synthetic: Mapping[str, tuple[str, ...]],
) -> list[Chosen]:
    """The distractors that are published, unit by unit. `synthetic` is by region."""
    sites: dict[tuple[int, Split], list[str]] = {}
    for home, name, site in zip(them.home.tolist(), split.tolist(), them.ids.tolist(), strict=True):
        if name:
            sites.setdefault((home, name), []).append(site)
    return [
        Chosen(ordered[home], tuple(ids), name, synthetic[ordered[home].region])
        for (home, name), ids in sorted(sites.items())
    ]
