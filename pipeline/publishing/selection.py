"""Selects the finished sites to publish, and their splits: near-duplicates, splits, embargo. Reads no picture."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config.build import Build
from pipeline.errors import ConfigError, Problem
from pipeline.geo.overlaps import Chips
from pipeline.publishing.distractors import Candidates
from pipeline.publishing.division import Places
from pipeline.publishing.duplicates import by_footprint, by_picture, by_text, left_out
from pipeline.publishing.embargo import embargoed, straddling
from pipeline.publishing.exclusions import Excluded, Exclusion
from pipeline.publishing.manifest import FINISHED
from pipeline.publishing.splits import SPLITS, RegionSplit, Remembered, draw_splits
from pipeline.publishing.units import CONTROLS, INDEX_SCHEMA, FinishedUnit
from pipeline.quantity import quantity
from pipeline.reliability import Reliability
from schemas.records import Split

_READERS = 8
"""Threads that read the units' indexes: enough to hide a bucket's latency."""


@dataclass(frozen=True)
class Sites:
    """The finished sites of all units, one array item each, in the order of region, unit and id."""

    ids: NDArray[np.object_]
    region: NDArray[np.object_]
    cell: NDArray[np.object_]
    """H3 cell of the unit."""
    home: NDArray[np.int64]
    """Which of the ordered units."""
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    phash: list[str]
    aerial_phash: list[str | None]
    sequences: list[list[str]]
    photos: list[list[str]]
    text: list[bytes | None]
    texts: list[list[str]]
    """SHA-256 of the descriptions."""

    def chips(self, side_m: float) -> Chips:
        """Footprints of the sites' chips."""
        return Chips(self.lat, self.lon, np.full(len(self.ids), side_m))


@dataclass(frozen=True)
class Selection:
    """The samples that are published."""

    split: NDArray[np.str_]
    """Split of each site; empty where it is left out."""
    excluded: list[Excluded]
    """The sites that are left out, in the order of their ids."""
    split_of: dict[str, Split]
    """By unit."""
    regions: dict[str, RegionSplit]


def read_sites(
    ordered: Sequence[FinishedUnit],
) -> tuple[Sites, Candidates, dict[str, dict[str, int]], Reliability]:
    """The finished sites of units, the distractors, the outcomes of all other sites, and the verifier's answers.

    An outcome is a reason, or `FINISHED`; they are counted by region. The answers are those to controls.

    Raises:
        ValueError: two sites have one id.
    """
    with ThreadPoolExecutor(_READERS, "index") as pool:
        indexes = list(pool.map(lambda unit: unit.load_index().sort_by("site_id"), ordered))
    table = pa.concat_tables([INDEX_SCHEMA.empty_table(), *indexes])
    home = np.repeat(np.arange(len(ordered)), np.array([index.num_rows for index in indexes], dtype=np.int64))
    twice = sorted(site_id for site_id, count in Counter(table["site_id"].to_pylist()).items() if count > 1)
    if twice:
        raise ValueError(f"several sites are called {twice[0]}")
    aside = table["distractor"].to_numpy()
    chips, at_home = table.filter(pc.and_(table["distractor"], table["reason"].is_null())), home[aside]
    at_home = at_home[table.filter(table["distractor"])["reason"].is_null().to_numpy()]
    table, home = table.filter(pc.invert(table["distractor"])), home[~aside]
    finished = table["reason"].is_null()
    outcomes: dict[str, Counter[str]] = {unit.region: Counter() for unit in ordered}
    for at, reason in zip(home.tolist(), table["reason"].to_pylist(), strict=True):
        outcomes[ordered[at].region][reason or FINISHED] += 1
    verifier = Reliability()
    for found in pc.value_counts(pc.list_flatten(table["controls"])).to_pylist():
        kind, holds, accepted = CONTROLS[found["values"]]
        verifier.count(kind, holds, accepted, found["counts"])
    table, home = table.filter(finished), home[finished.to_numpy()]
    sites = Sites(
        ids=table["site_id"].to_numpy(),
        region=np.array([ordered[at].region for at in home.tolist()], dtype=np.object_),
        cell=np.array([ordered[at].unit for at in home.tolist()], dtype=np.object_),
        home=home,
        lat=table["lat"].to_numpy(),
        lon=table["lon"].to_numpy(),
        phash=table["phash"].to_pylist(),
        aerial_phash=table["aerial_phash"].to_pylist(),
        sequences=table["sequences"].to_pylist(),
        photos=table["photos"].to_pylist(),
        text=table["text"].to_pylist(),
        texts=table["texts"].to_pylist(),
    )
    candidates = Candidates(
        ids=chips["site_id"].to_numpy(),
        region=np.array([ordered[at].region for at in at_home.tolist()], dtype=np.object_),
        cell=np.array([ordered[at].unit for at in at_home.tolist()], dtype=np.object_),
        home=at_home,
        lat=chips["lat"].to_numpy(),
        lon=chips["lon"].to_numpy(),
    )
    return sites, candidates, {region: dict(sorted(counts.items())) for region, counts in outcomes.items()}, verifier


def select(
    build: Build, sites: Sites, before: Remembered, samples: Mapping[str, object], side_m: float, embargo_m: float
) -> Selection:
    """Decide what is published.

    Args:
        build: its section `publish`, seed and regions.
        sites: the finished sites.
        before: what keeps its split.
        samples: ids of the samples that are published already. They take precedence.
        side_m: side of a chip on the ground.
        embargo_m: sites of two splits are at least so far apart.

    Raises:
        ConfigError: a split with a share stays empty, and `publish.allow_empty` does not name it.
    """
    settings = build.publish
    old = np.array([site_id in samples for site_id in sites.ids.tolist()], dtype=np.bool_)
    respects = {
        Exclusion.NEAR_DUPLICATE: by_picture(sites.phash, settings.min_duplicate_distance),
        Exclusion.AERIAL_DUPLICATE: by_picture(sites.aerial_phash, settings.min_duplicate_distance),
        Exclusion.TEXT_DUPLICATE: by_text(sites.text, settings.max_text_likeness),
        Exclusion.FOOTPRINT_DUPLICATE: by_footprint(sites.chips(side_m), settings.max_footprint_share),
    }
    survivor, kind = left_out(list(respects.values()), sites.home, np.argsort(~old, kind="stable"))
    reason = np.array([list(respects)[number] if number >= 0 else "" for number in kind.tolist()], dtype="U32")

    stays = np.flatnonzero(survivor < 0)
    shared = [[*sequences, *photos] for sequences, photos in zip(sites.sequences, sites.photos, strict=True)]
    places = Places(sites.cell, sites.lat, sites.lon, shared, old)
    split_of, regions = draw_splits(build, places.take(stays), sites.region[stays], before, embargo_m)
    split = np.array([split_of[cell] for cell in sites.cell[stays].tolist()], dtype="U16")
    drawn = np.full(len(sites.ids), "", dtype="U16")
    drawn[stays] = split
    split = drawn.copy()
    for why in (Exclusion.SPLIT_EMBARGO, Exclusion.SEQUENCE_EMBARGO, Exclusion.PHOTO_EMBARGO):
        if why == Exclusion.SPLIT_EMBARGO:
            gives_way = embargoed(sites.lat, sites.lon, split, embargo_m, old)
        else:
            keys = sites.sequences if why == Exclusion.SEQUENCE_EMBARGO else sites.photos
            gives_way = straddling(keys, split, old)
        out = gives_way >= 0
        reason[out], survivor[out], split[out] = why, gives_way[out], ""
    rows = [
        Excluded(
            sample_id=sites.ids[row],
            region=sites.region[row],
            unit=sites.cell[row],
            lat=sites.lat[row],
            lon=sites.lon[row],
            split=drawn[row] or None,
            reason=str(reason[row]),
            survivor=sites.ids[survivor[row]],
        )
        for row in np.flatnonzero(survivor >= 0).tolist()
    ]
    _none_empty(build, split, sites, regions)
    return Selection(split, sorted(rows, key=lambda row: row.sample_id), split_of, regions)


def _none_empty(build: Build, split: NDArray[np.str_], sites: Sites, regions: Mapping[str, RegionSplit]) -> None:
    settings, there = build.publish, set(split.tolist()) - {""}
    empty = [name for name in SPLITS if getattr(settings.splits, name) and name not in there]
    if not there or not set(empty) - set(settings.allow_empty):
        return
    units, held = len(set(sites.cell.tolist())), sum(told.held_out for told in regions.values())
    raise ConfigError(
        [
            Problem(
                f"publish.splits.{name}",
                f"a share of {getattr(settings.splits, name):g} and no site to fill it ({len(split)} finished sites in "
                f"{quantity(units, 'unit')} of {quantity(len(regions), 'region')}, {held} of them held out)",
                "a share of 0, more or smaller units (sampling.unit_resolution), the split's name in "
                "publish.allow_empty or, if the dataset was published with other splits, a place of its own",
            )
            for name in empty
            if name not in settings.allow_empty
        ]
    )
