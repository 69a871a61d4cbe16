"""The result of a build: counts by stage, missing views, what was published, and whether that is good enough."""

from dataclasses import dataclass, field

from pipeline.config.running import Limits
from pipeline.engine.counts import Counts
from pipeline.publishing.owner import Shrinkage
from pipeline.publishing.publish import Published


@dataclass(frozen=True)
class Busy:
    """How much of the time the stages of a run were at work."""

    seconds: float
    """From start to end, without publishing."""
    stages: dict[str, float]
    """By stage: seconds for which its room was in use; half of the room for two seconds is one second."""

    @property
    def busiest(self) -> str:
        """The stage that was at work the longest."""
        return max(self.stages, key=lambda name: self.stages[name])

    @property
    def over_busiest(self) -> float:
        """The run's time over that of its busiest stage: 1 if nothing else was ever waited for."""
        return self.seconds / self.stages[self.busiest]


@dataclass(frozen=True)
class Outcome:
    """The result of a build."""

    sites: int
    counts: dict[str, Counts]
    """Counts by stage, over all units that are up to date."""
    made: dict[str, int]
    """Number of tables made, by stage; for `publish`, 1 if it ran and 0 if the dataset was up to date."""
    published: Published | None
    """None if publishing was not requested, if every site of the finished units failed, or if `shrinkage` or
    `unfilled` is set."""
    limits: Limits
    """Limits of the build on failures and missing views."""
    empty: list[str] = field(default_factory=list)
    """Why regions have no sites, a line each."""
    not_drawn: list[str] = field(default_factory=list)
    """Why regions could not be drawn, a line each."""
    regions: int = 1
    """Number of regions of the build."""
    unfinished: int = 0
    """Number of units of which some table is not up to date: those that were left out."""
    none_left: bool = False
    """Whether every site failed, so that there was nothing to publish."""
    shrinkage: Shrinkage | None = None
    """Losses that the dataset would have had: it was left as it is."""
    unfilled: tuple[str, ...] = ()
    """Splits that the finished units do not fill, so that nothing was published."""
    busy: Busy | None = None
    """None if no stage ran, or in other processes."""

    @property
    def total(self) -> Counts:
        """Over all stages."""
        return sum(self.counts.values(), Counts(0, {}))

    @property
    def failed(self) -> dict[str, int]:
        """Failed sites by reason, over all stages."""
        return self.total.failed

    @property
    def failed_share(self) -> float:
        """Share of failed sites; distractors that have their chips do not count."""
        tried = self.sites - self.total.chips_only
        return sum(self.failed.values()) / tried if tried else 0.0

    @property
    def missing_shares(self) -> dict[str, float]:
        """By view: in which share of the sites that were to have it, it is missing."""
        return {view: seen.missing_share for view, seen in self.total.views.items()}

    @property
    def too_many_failed(self) -> bool:
        """Whether more sites failed than the configuration allows, or so many that none was left to publish."""
        return self.failed_share > self.limits.allowed_failed_share or self.none_left

    @property
    def too_many_undrawn(self) -> bool:
        """Whether a greater share of the regions could not be drawn than may fail of the sites."""
        return len(self.not_drawn) > self.limits.allowed_failed_share * self.regions

    @property
    def too_many_missing(self) -> dict[str, float]:
        """Views of which more are missing than the configuration allows, with their shares."""
        return {v: share for v, share in self.missing_shares.items() if share > self.limits.allowed_missing_share}

    @property
    def wanting(self) -> bool:
        """Whether the build finished, but not as it should have."""
        failed = self.too_many_failed or self.too_many_undrawn
        return failed or bool(self.too_many_missing) or self.shrinkage is not None or bool(self.unfilled)
