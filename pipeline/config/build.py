"""The build file as a whole. Its sections stand in the modules beside."""

from typing import Annotated

from pydantic import Field, field_validator

from pipeline.config.base import Name, Place, Section
from pipeline.config.captioning import CaptionerConfig, Composer, Dialogue, Grounding
from pipeline.config.imagery import Imagery
from pipeline.config.network import Network
from pipeline.config.perception import EngineSection, Perception
from pipeline.config.publishing import Publish
from pipeline.config.region import Region
from pipeline.config.running import Assumptions, Limits
from pipeline.config.sampling import Sampling
from pipeline.config.sources import SourceKind, Sources


class Build(Section):
    """A build file."""

    name: Name
    """Name of the build. A workspace belongs to the build of this name; other builds are refused."""
    seed: int = 0
    """Seed of every random choice."""
    workspace: Place
    """Folder, or s3://, gs:// or az:// URL, of the layers."""
    dataset: Place
    """Folder or URL of the published dataset."""
    regions: Annotated[list[Region], Field(min_length=1)]
    """The regions to sample. `catalogue` stands for all 225 regions of the catalogue."""
    sources: Sources
    """The sources, by kind and by a name of your choice."""
    sampling: Sampling = Sampling()
    """Where sites are drawn."""
    imagery: Imagery = Imagery()
    """Stage `imagery`: views and chips."""
    perception: Perception = Perception()
    """Stage `cues`: OCR and segmentation."""
    captioner: CaptionerConfig = Composer()
    """Stage `captions`: what writes the descriptions."""
    grounding: Grounding = Grounding()
    """Checks that every description must pass."""
    publish: Publish = Publish()
    """Stage `publish`: splits, shards and card."""
    limits: Limits = Limits()
    """Concurrency, and the share of sites that may fail."""
    network: Network = Network()
    """Timeouts, retries and the response cache."""
    assumptions: Assumptions = Assumptions()
    """Figures for the estimates of `geoscribe plan`."""

    @field_validator("regions")
    @classmethod
    def _distinct(cls, regions: list[Region]) -> list[Region]:
        names = [region.name for region in regions]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two regions are called {', '.join(twice)}")
        return regions


def sampling_of(build: Build, region: Region) -> Sampling:
    """Where the sites of a region are drawn."""
    return region.sampling or build.sampling


def ocr_of(build: Build, region: Region) -> EngineSection:
    """The settings of the engine that reads text in a region."""
    return region.perception.ocr if region.perception is not None else build.perception.ocr


def captioner_of(build: Build, region: Region) -> Composer | Dialogue:
    """The settings of what writes the descriptions of a region."""
    own = region.captioner
    return build.captioner if own is None else build.captioner.model_copy(update={"prompt_set": own.prompt_set})


def source_name(build: Build, region: Region, kind: SourceKind) -> str | None:
    """Name of the region's source of a kind: the one it names, or the only one defined, or None."""
    named: str | None = getattr(region, kind)
    defined: dict[str, object] = getattr(build.sources, kind)
    if named is not None:
        return named
    return next(iter(defined)) if len(defined) == 1 else None
