"""The plan of a build: sites, requests, bytes, hours, money."""

from dataclasses import dataclass

from pipeline.config.sources import SourceKind
from pipeline.net.base import Provider


@dataclass(frozen=True)
class RegionPlan:
    """The plan of one region."""

    region: str
    sites: int
    units: int
    estimated: bool
    """Whether the sites depend on a source that only a build asks. Random points on the region's land are used
    instead."""
    described: int
    """Number of sites that have a street view."""
    views: int
    """Number of street views."""
    aerial: int
    """Number of sites in the area of the aerial source, as far as the area is known."""
    left_out: float = 0.0
    """Share of the sites that will be left out between the splits, if the region is a few chips wide; else 0."""


@dataclass(frozen=True)
class SourcePlan:
    """The requests to one source, for all regions together."""

    kind: SourceKind
    name: str
    provider: Provider | None
    """None for a local source."""
    requests: int
    bytes: int
    """Bytes to download."""


@dataclass(frozen=True)
class ProviderPlan:
    """The time that one provider needs at its rate limit."""

    provider: Provider
    requests: int

    @property
    def days(self) -> float:
        """Days, by the limit per second or per day, whichever takes longer."""
        return self.requests / min(self.provider.per_s * 86_400, self.provider.per_day or float("inf"))


@dataclass(frozen=True)
class Plan:
    """The plan of a build."""

    regions: list[RegionPlan]
    sources: list[SourcePlan]
    providers: list[ProviderPlan]
    dataset_bytes: int
    workspace_bytes: int
    cpu_hours: dict[str, float]
    """Hours of one core by stage, from what was measured on this machine; empty if nothing was."""
    ocr_gpu_hours: float
    model_calls: int
    """Model requests of the build's captioner."""
    dialogue_calls: int
    """Model requests of a captioner with a model."""
    dialogue_gpu_hours: float
    money: dict[str, float]
    """By what it is for, as far as the build file has prices."""

    @property
    def sites(self) -> int:
        """Sites in all regions."""
        return sum(region.sites for region in self.regions)

    @property
    def views(self) -> int:
        """Street views to read."""
        return sum(region.views for region in self.regions)

    @property
    def days(self) -> float:
        """Days until the slowest provider is done; providers are asked concurrently."""
        return max((provider.days for provider in self.providers), default=0.0)

    def days_at(self, cores: int) -> float:
        """Days with so many cores: until the slowest provider is done, or the cores are, whichever takes longer."""
        return max(self.days, sum(self.cpu_hours.values()) / cores / 24)
