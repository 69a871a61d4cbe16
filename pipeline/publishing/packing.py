"""What goes where, decided from the units' indexes alone: near-duplicates, splits, embargo, shards."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.config.build import Build, Chips, Region, source_name
from pipeline.config.sources import KINDS, MapCredits
from pipeline.errors import ConfigError, Problem
from pipeline.publishing.decisions import AUDIT_REJECTED, Decisions, Edited, edits_of, still_rejected
from pipeline.publishing.duplicates import near_duplicates
from pipeline.publishing.grouping import Load, group
from pipeline.publishing.manifest import FINISHED
from pipeline.publishing.shards import ShardTask
from pipeline.publishing.splits import assign, block_of, embargoed, shared_sequence
from pipeline.publishing.units import INDEX_SCHEMA, TEXTS, FinishedUnit, UnitPart
from schemas.reasons import Reason

EMBARGO = "split_embargo"
"""Why a site near a site of another split is left out. No `Reason`: nothing is wrong with the site."""
SEQUENCE_EMBARGO = "sequence_embargo"
"""Why a site is left out that shares a capture sequence with a site of another split."""


@dataclass(frozen=True)
class Plan:
    """A dataset before any picture is read."""

    shards: list[ShardTask]
    outcomes: dict[str, dict[str, int]]
    """Sites of each region by the reason why they failed, or `FINISHED`."""
    excluded: dict[str, int]
    decided: dict[str, int]
    """What became of people's decisions: samples `edited` and `rejected`, and `stale` ones, whose texts are others now.
    Empty where the build file names none."""

    @property
    def failed(self) -> dict[str, int]:
        """Failed sites of all regions by reason."""
        return _failed(self.outcomes)


@dataclass(frozen=True)
class _Sites:
    """The finished sites of all units, one array item each, in the order of region, unit and id."""

    ids: NDArray[np.object_]
    home: NDArray[np.int64]
    """Which of the ordered units."""
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    phash: NDArray[np.uint64]
    sequences: list[list[str]]
    texts: list[list[str]]


def chip_diagonal_m(chips: Chips) -> float:
    """Chips of two sites at least this many metres apart do not meet."""
    return max([chips.size_px * chips.gsd_m, *chips.extra_sizes_m]) * math.sqrt(2)


def make_plan(
    build: Build, units: Sequence[FinishedUnit], synthetic: set[str], decisions: Decisions | None = None
) -> Plan:
    """Decide which sites are published, in which split and shard. The order of `units` does not matter.

    `synthetic` names the sources whose pictures are drawn and not taken; `decisions` are those that people took.

    Raises:
        ConfigError: no site is left to publish.
        ValueError: two sites have one id.
    """
    ordered = sorted(units, key=lambda unit: (unit.region, unit.unit))
    sites, outcomes = _read(ordered)
    split, excluded = _choose(build, ordered, sites)
    edited, decided = _decide(sites, split, decisions)
    if decisions is not None:
        excluded[AUDIT_REJECTED] = decided["rejected"]
    if not (split != "").any():
        found = ", ".join(f"{count} {reason}" for reason, count in (_failed(outcomes) | excluded).items() if count)
        allowed = "at least one site that is ok in all three layers; see `geoscribe status`"
        raise ConfigError([Problem("publish", f"no site to publish ({found or 'no site at all'})", allowed)])

    regions = {region.name: region for region in build.regions}
    loads = []
    edges = np.searchsorted(sites.home, np.arange(len(ordered) + 1))
    for unit, start, end in zip(ordered, edges[:-1], edges[1:], strict=True):
        mine = start + np.flatnonzero(split[start:end] != "")
        if len(mine):
            part = _part(build, unit, regions[unit.region], sites, mine, synthetic, edited)
            size = unit.size * len(mine) / (end - start)
            loads.append(Load(part, str(split[mine[0]]), size))  # type: ignore[arg-type]  # one of Split
    publish = build.publish
    groups = group(loads, publish.shard_mb * 1e6, mix_regions=publish.mix_regions)
    return Plan([ShardTask(found, publish.row_group_mb * 1e6) for found in groups], outcomes, excluded, decided)


def _part(
    build: Build,
    unit: FinishedUnit,
    region: Region,
    sites: _Sites,
    mine: NDArray[np.int64],
    synthetic: set[str],
    edited: Mapping[str, Edited],
) -> UnitPart:
    lon, lat = sites.lon[mine], sites.lat[mine]
    names = {kind: source_name(build, region, kind) for kind in KINDS}
    plan = build.sources.map.get(names["map"] or "")
    return UnitPart(
        region=unit.region,
        unit=unit.unit,
        content=unit.content,
        sites=tuple(sites.ids[mine].tolist()),
        bounds=(float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())),
        map_licence=plan.licence if isinstance(plan, MapCredits) else None,
        synthetic=tuple(sorted(name for name in names.values() if name in synthetic)),
        edited=tuple(edited[sample_id] for sample_id in sites.ids[mine].tolist() if sample_id in edited),
    )


def _read(ordered: Sequence[FinishedUnit]) -> tuple[_Sites, dict[str, dict[str, int]]]:
    """The finished sites, and what became of all, region by region."""
    indexes = [unit.load_index().sort_by("site_id") for unit in ordered]
    table = pa.concat_tables([INDEX_SCHEMA.empty_table(), *indexes])
    home = np.repeat(np.arange(len(ordered)), np.array([index.num_rows for index in indexes], dtype=np.int64))
    twice = sorted(site_id for site_id, count in Counter(table["site_id"].to_pylist()).items() if count > 1)
    if twice:
        raise ValueError(f"several sites are called {twice[0]}")
    finished = table["reason"].is_null()
    outcomes: dict[str, Counter[str]] = {unit.region: Counter() for unit in ordered}
    for at, reason in zip(home.tolist(), table["reason"].to_pylist(), strict=True):
        outcomes[ordered[at].region][reason or FINISHED] += 1
    table = table.filter(finished)
    sites = _Sites(
        ids=table["site_id"].to_numpy(),
        home=home[finished.to_numpy()],
        lat=table["lat"].to_numpy(),
        lon=table["lon"].to_numpy(),
        phash=np.array([int(text, 16) for text in table["phash"].to_pylist()], dtype=np.uint64),
        sequences=table["sequences"].to_pylist(),
        texts=table["texts"].to_pylist(),
    )
    return sites, {region: dict(sorted(counts.items())) for region, counts in outcomes.items()}


def _failed(outcomes: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for counts in outcomes.values():
        total.update({reason: count for reason, count in counts.items() if reason != FINISHED})
    return dict(sorted(total.items()))


def _choose(build: Build, ordered: Sequence[FinishedUnit], sites: _Sites) -> tuple[NDArray[np.str_], dict[str, int]]:
    """The split of each site, empty where it is left out; and how many are left out for which reason."""
    duplicate = near_duplicates(sites.phash, sites.home, build.publish.min_duplicate_distance)
    blocks = [block_of(unit.unit) for unit in ordered]
    split_of = assign(Counter(blocks[i] for i in sites.home[~duplicate].tolist()), build.publish.splits, build.seed)
    of_unit = np.array([split_of.get(block, "") for block in blocks], dtype="U5")
    split = np.where(duplicate, "", of_unit[sites.home])
    near = embargoed(sites.lat, sites.lon, split, chip_diagonal_m(build.imagery.chips))
    split[near] = ""
    followed = shared_sequence(sites.sequences, split)
    split[followed] = ""
    return split, {
        Reason.NEAR_DUPLICATE.value: int(duplicate.sum()),
        EMBARGO: int(near.sum()),
        SEQUENCE_EMBARGO: int(followed.sum()),
    }


def _decide(
    sites: _Sites, split: NDArray[np.str_], decisions: Decisions | None
) -> tuple[dict[str, Edited], dict[str, int]]:
    """The edits that fit, by site; rejected sites are taken out of `split`.

    Rejections come last, so that they change neither the split of a block nor which of two duplicates stays.
    """
    if decisions is None:
        return {}, {}
    where = {sample_id: i for i, sample_id in enumerate(sites.ids.tolist()) if split[i] != ""}
    edited: dict[str, Edited] = {}
    counts = {"edited": 0, "rejected": 0, "stale": 0}
    for rejected in decisions.rejected:
        at = where.get(rejected.sample_id)
        holds = at is not None and still_rejected(rejected, dict(zip(TEXTS, sites.texts[at], strict=True)))
        counts["rejected" if holds else "stale"] += 1
        if at is not None and holds:
            split[at] = ""
    for one in decisions.edited:
        at = where.get(one.sample_id)
        fitting = edits_of(one, dict(zip(TEXTS, sites.texts[at], strict=True))) if at is not None else ()
        counts["edited" if fitting else "stale"] += 1
        if fitting:
            edited[one.sample_id] = one.model_copy(update={"edits": list(fitting)})
    return edited, counts
