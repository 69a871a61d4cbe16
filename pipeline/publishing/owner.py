"""Checks who owns a dataset's place, so that publishing overwrites or shrinks nothing by surprise."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.config.build import Build
from pipeline.errors import ConfigError, Problem
from pipeline.publishing import revisions
from pipeline.publishing.manifest import Manifest
from pipeline.publishing.packing import Plan
from pipeline.storage import Store

_MOST_NAMED = 20
"""Regions that a refusal lists."""


@dataclass(frozen=True)
class Publishing:
    """The changes that publishing may make to a dataset that is there."""

    allow_shrink: bool = False
    """Whether a region may have fewer rows than before. What is taken down or was rejected by a person goes all the
    same."""
    take_over: bool = False
    """Whether a dataset that another workspace of a build of this name published is replaced."""


@dataclass(frozen=True)
class Shrinkage:
    """The rows that a dataset has and would have, by region: of regions that would have fewer, and in all."""

    rows: dict[str, tuple[int, int]]
    total: tuple[int, int]

    def __str__(self) -> str:
        named = [f"{region} {before:,} to {after:,}" for region, (before, after) in self.rows.items()][:_MOST_NAMED]
        more = len(self.rows) - len(named)
        regions = "; ".join(named) + (f"; and {more} more regions" if more else "")
        return f"rows by region: {regions}; in all {self.total[0]:,} to {self.total[1]:,}"


class WouldShrinkError(Exception):
    """A publish would leave a region with fewer rows than the dataset has of it. Nothing was replaced."""

    def __init__(self, shrinkage: Shrinkage) -> None:
        super().__init__(str(shrinkage))
        self.shrinkage = shrinkage


def shrinkage(before: Manifest | None, after: Mapping[str, int]) -> Shrinkage | None:
    """The rows that a dataset would lose, given those that each region is to have; None if no region loses any."""
    had = rows_of(before) if before is not None else {}
    fewer = {region: (rows, after.get(region, 0)) for region, rows in had.items() if after.get(region, 0) < rows}
    return Shrinkage(fewer, (sum(had.values()), sum(after.values()))) if fewer else None


def rows_of(manifest: Manifest) -> dict[str, int]:
    """A dataset's rows by region."""
    return {region: sum(splits.values()) for region, splits in manifest.counts.regions.items()}


def rows_planned(plan: Plan) -> dict[str, int]:
    """Rows by region that a plan publishes."""
    rows: Counter[str] = Counter()
    for shard in plan.shards:
        for part in shard.group.parts:
            rows[part.region] += len(part.sites)
    return dict(rows)


def check_place(out: Store, build: Build, workspace: str | None, publishing: Publishing) -> None:
    """Refuse a dataset's place before any work is done for it.

    Args:
        out: the dataset's place.
        build: the build.
        workspace: id of the build's workspace; None if it is new.
        publishing: what may be done to a dataset that is there.

    Raises:
        ConfigError: it holds something else than a dataset of this build and workspace, or a region that the build
            file no longer has.
    """
    standing = revisions.look(out)
    revisions.check_owner(out, standing, build.name, None if publishing.take_over else workspace or "")
    regions = {region.name for region in build.regions}
    rows = rows_of(standing.current) if standing.current is not None else {}
    lost = shrinkage(standing.current, {region: n for region, n in rows.items() if region in regions})
    if lost is not None and not publishing.allow_shrink:
        found = f"regions left out that {out.url} holds ({lost})"
        raise ConfigError([Problem("regions", found, "all regions of the dataset, or --allow-shrink")])
