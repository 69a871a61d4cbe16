"""Assigns sites to splits and shards, from the units' indexes alone."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.config.build import Build, source_name
from pipeline.config.imagery import Chips
from pipeline.config.region import Region
from pipeline.config.sources import KINDS, MapCredits
from pipeline.errors import ConfigError, Problem
from pipeline.publishing.decided import decide
from pipeline.publishing.decisions import Decisions, Edited
from pipeline.publishing.distractors import Chosen, Samples, choose, place
from pipeline.publishing.exclusions import Excluded, counted
from pipeline.publishing.grouping import Load, group
from pipeline.publishing.manifest import FINISHED
from pipeline.publishing.selection import NO_SAMPLES, Sites, read_sites, select
from pipeline.publishing.shards import ShardTask
from pipeline.publishing.splits import NOTHING, RegionSplit, Remembered
from pipeline.publishing.units import FinishedUnit, UnitPart
from pipeline.reliability import Reliability
from schemas.records import Split


@dataclass(frozen=True)
class Plan:
    """A dataset before any picture is read."""

    shards: list[ShardTask]
    outcomes: dict[str, dict[str, int]]
    """Sites of each region by the reason why they failed, or `FINISHED`."""
    left_out: list[Excluded]
    """Finished sites that are not published."""
    split_of: dict[str, Split]
    """By unit."""
    regions: dict[str, RegionSplit]
    verifier: Reliability
    """How the build's verifier answered controls, on all sites."""
    decided: dict[str, int]
    """What became of people's decisions, see `Decided.counts`."""
    distractors: list[Chosen]
    distractors_left_out: int
    """Distractors with a chip that are too near to samples or to each other."""

    @property
    def failed(self) -> dict[str, int]:
        """Failed sites of all regions by reason."""
        return _failed(self.outcomes)

    @property
    def distractor_counts(self) -> dict[str, int]:
        """Distractors by split, and those left out; empty if the build has none."""
        found: Counter[str] = Counter()
        for chosen in self.distractors:
            found[chosen.split] += len(chosen.sites)
        if self.distractors_left_out:
            found["left_out"] = self.distractors_left_out
        return dict(sorted(found.items()))

    @property
    def excluded(self) -> dict[str, int]:
        """Finished sites that are not published, by reason."""
        return counted(self.left_out)


def chip_diagonal_m(chips: Chips) -> float:
    """Chips of two sites at least this many metres apart do not meet."""
    return max([chips.size_px * chips.gsd_m, *chips.extra_sizes_m]) * math.sqrt(2)


def make_plan(
    build: Build,
    units: Sequence[FinishedUnit],
    synthetic: set[str],
    before: Remembered = NOTHING,
    samples: pa.ChunkedArray = NO_SAMPLES,
    decisions: Decisions | None = None,
) -> Plan:
    """Decide which sites are published, in which split and shard. The order of `units` does not matter.

    Args:
        build: its settings.
        units: what may be published.
        synthetic: names of the sources whose pictures are drawn and not taken.
        before: what keeps its split.
        samples: ids of the samples that are published already.
        decisions: what people decided about an earlier revision.

    Raises:
        ConfigError: no site is left to publish, or a split with a share stays empty.
        ValueError: two sites have one id.
    """
    ordered = sorted(units, key=lambda unit: (unit.region, unit.unit))
    sites, candidates, outcomes, verifier = read_sites(ordered, decisions.samples if decisions else set())
    chips = build.imagery.chips
    side_m = chips.size_px * chips.gsd_m
    chosen = select(build, sites, before, samples, side_m, chip_diagonal_m(chips))
    decided = decide(sites, chosen, decisions)
    split = decided.split
    if not (split != "").any():
        told = _failed(outcomes) | counted(chosen.excluded)
        found = ", ".join(f"{count} {reason}" for reason, count in told.items() if count)
        allowed = "at least one site that is ok in all three layers; see `geoscribe status`"
        raise ConfigError([Problem("publish", f"no site to publish ({found or 'no site at all'})", allowed)])

    regions = {region.name: region for region in build.regions}
    loads = []
    edges = np.searchsorted(sites.home, np.arange(len(ordered) + 1))
    for unit, start, end in zip(ordered, edges[:-1], edges[1:], strict=True):
        mine = start + np.flatnonzero(split[start:end] != "")
        if len(mine):
            part = _part(build, unit, regions[unit.region], sites, mine, synthetic, decided.edited)
            size = unit.size * len(mine) / (end - start)
            loads.append(Load(part, chosen.split_of[unit.unit], size))
    published = np.flatnonzero(split != "")
    there = Samples(sites.region[published], sites.lat[published], sites.lon[published], split[published])
    placed = place(candidates, there, chosen.split_of, side_m, chip_diagonal_m(chips))
    drawn = {name: _synthetic(build, region, synthetic) for name, region in regions.items()}
    publish = build.publish
    groups = group(loads, publish.shard_mb * 1e6, mix_regions=publish.mix_regions)
    return Plan(
        shards=[ShardTask(found, publish.row_group_mb * 1e6) for found in groups],
        outcomes=outcomes,
        left_out=decided.excluded,
        split_of=chosen.split_of,
        regions=chosen.regions,
        verifier=verifier,
        decided=decided.counts,
        distractors=choose(candidates, placed, ordered, drawn),
        distractors_left_out=int((placed == "").sum()),
    )


def _part(
    build: Build,
    unit: FinishedUnit,
    region: Region,
    sites: Sites,
    mine: NDArray[np.int64],
    synthetic: set[str],
    edited: Mapping[str, Edited],
) -> UnitPart:
    lon, lat = sites.lon[mine], sites.lat[mine]
    plan = build.sources.map.get(source_name(build, region, "map") or "")
    return UnitPart(
        region=unit.region,
        unit=unit.unit,
        content=unit.content,
        sites=tuple(sites.ids[mine].tolist()),
        bounds=(float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())),
        map_licence=plan.credits.licence if isinstance(plan, MapCredits) else None,
        synthetic=_synthetic(build, region, synthetic),
        edited=tuple(edited[sample_id] for sample_id in sites.ids[mine].tolist() if sample_id in edited),
    )


def _synthetic(build: Build, region: Region, synthetic: set[str]) -> tuple[str, ...]:
    names = {source_name(build, region, kind) for kind in KINDS}
    return tuple(sorted(name for name in names if name is not None and name in synthetic))


def _failed(outcomes: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for counts in outcomes.values():
        total.update({reason: count for reason, count in counts.items() if reason != FINISHED})
    return dict(sorted(total.items()))
