"""The sections of a build file. Each field says its unit and its limits. `pipeline.engine.build_file` reads one."""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from pipeline.config.base import Name, Section, Share
from pipeline.config.captioning import CaptionerConfig, Composer, Grounding
from pipeline.config.perception import Perception
from pipeline.config.sources import SourceKind, Sources
from pipeline.geo import shape
from schemas.records import Latitude, Longitude


class Region(Section):
    """A named area: a bounding box, a polygon, or a centre with a radius; `- catalogue: ID` stands for one of the 225.

    Must name its sources if several are defined.
    """

    name: Name
    bbox: tuple[Longitude, Latitude, Longitude, Latitude] | None = None
    """West, south, east, north in degrees. West may be greater than east: the box crosses the antimeridian."""
    centre: tuple[Latitude, Longitude] | None = None
    """Latitude, longitude in degrees."""
    radius_m: Annotated[float, Field(gt=0, le=100_000)] | None = None
    polygon: str | None = None
    """WKT of a polygon or multipolygon, longitude first; or a GeoJSON file, which is read when the build file is."""
    catalogue: str | None = None
    """Id of the catalogue's region that this is (`geoscribe regions list`)."""
    street: str | None = None
    """Name of the street source; may be left out where only one is defined. Likewise aerial, drone and map."""
    aerial: str | None = None
    drone: str | None = None
    map: str | None = None

    @model_validator(mode="after")
    def _one_shape(self) -> "Region":
        if sum(shape is not None for shape in (self.bbox, self.centre, self.polygon)) != 1:
            raise ValueError("a region has one of bbox, polygon, centre")
        if (self.centre is None) != (self.radius_m is None):
            raise ValueError("centre and radius_m go together")
        if self.bbox is not None and self.bbox[1] >= self.bbox[3]:
            raise ValueError("bbox is west, south, east, north, and south must be less than north")
        return self

    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees; west > east across the antimeridian."""
        if self.bbox is not None:
            return self.bbox
        if self.polygon is not None:
            return shape.polygon_bounds(self.polygon)
        return shape.circle_bounds(*self._circle())

    def middle(self) -> tuple[float, float]:
        """Latitude and longitude of the region's middle (of its bounds, where it is no circle), in degrees."""
        if self.centre is not None:
            return self.centre
        west, south, east, north = self.bounds()
        return (south + north) / 2, shape.wrap(west + ((east - west) % 360.0) / 2)

    def contains(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which positions (degrees, longitude in [-180, 180]) lie in the region, its edge included."""
        if self.bbox is not None:
            return shape.in_box(self.bbox, lon, lat)
        if self.polygon is not None:
            return shape.in_polygon(self.polygon, lon, lat)
        return shape.in_circle(*self._circle(), lon, lat)

    def _circle(self) -> tuple[float, float, float]:
        assert self.centre is not None
        assert self.radius_m is not None
        return *self.centre, self.radius_m


class RoadWeights(Section):
    """How often a metre of road is drawn, by its class; classes not named count as `other`, 0 leaves out."""

    motorway: Annotated[float, Field(ge=0, le=1_000)] = 0.0
    trunk: Annotated[float, Field(ge=0, le=1_000)] = 0.2
    primary: Annotated[float, Field(ge=0, le=1_000)] = 1.0
    secondary: Annotated[float, Field(ge=0, le=1_000)] = 1.0
    tertiary: Annotated[float, Field(ge=0, le=1_000)] = 1.0
    residential: Annotated[float, Field(ge=0, le=1_000)] = 1.0
    service: Annotated[float, Field(ge=0, le=1_000)] = 0.3
    pedestrian: Annotated[float, Field(ge=0, le=1_000)] = 1.0
    other: Annotated[float, Field(ge=0, le=1_000)] = 0.2


class Sampling(Section):
    """Where the sites are. More sites, or another region, never move those that are there."""

    method: Literal["imagery", "uniform", "grid", "roads"] = "imagery"
    """`imagery`: at the street source's photos. `uniform`: anywhere on land, alike by area. `grid`: on a grid of
    spacing_m. `roads`: along the map source's roads."""
    spacing_m: Annotated[float, Field(gt=0, le=10_000)] = 40.0
    """Least distance between two sites of a region."""
    max_sites: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """At most so many sites a region; all that the spacing allows if left out (`uniform` requires it)."""
    max_per_sequence: Annotated[int, Field(ge=1)] | None = None
    """At most so many sites of a region whose nearest photo is of one capture sequence."""
    max_per_contributor: Annotated[int, Field(ge=1)] | None = None
    """Likewise of one author."""
    road_weights: RoadWeights = RoadWeights()
    unit_resolution: Annotated[int, Field(ge=5, le=11)] = 9
    """H3 resolution of a unit's cell: 9 is 0.1 km2, some 60 sites at 40 m."""


class QualityGates(Section):
    """Below (for darkness: above) these a photo is refused. Scales: see `pipeline.imaging.quality`."""

    min_sharpness: Annotated[float, Field(ge=0)] = 30.0
    min_contrast: Annotated[float, Field(ge=0, le=128)] = 12.0
    min_entropy: Annotated[float, Field(ge=0, le=8)] = 4.0
    max_darkness: Share = 0.8


class ImageLimits(Section):
    """What a picture from outside may be; more is refused from its header, before decoding."""

    max_bytes: Annotated[int, Field(ge=1_000, le=500_000_000)] = 40_000_000
    max_pixels: Annotated[int, Field(ge=10_000, le=300_000_000)] = 90_000_000
    min_side_px: Annotated[int, Field(ge=16, le=4_096)] = 200


class Chips(Section):
    """Aerial and map chips: the same frame and scale, so that they overlay pixel on pixel."""

    gsd_m: Annotated[float, Field(gt=0.01, le=10)] = 0.3
    """Metres a pixel."""
    size_px: Annotated[int, Field(ge=64, le=4_096)] = 512
    min_covered: Share = 0.98
    """Least share of an aerial or drone chip that the source must cover."""
    extra_sizes_m: list[Annotated[float, Field(ge=10, le=5_000)]] = []
    """Further aerial chips of each site with the same pixels and these sides, as [80, 120, 180]."""
    drone_gsd_m: Annotated[float, Field(gt=0.005, le=1)] = 0.1
    """Metres a pixel of the drone chip."""
    map_scale: Literal["chip", "carto-z19"] = "chip"
    """`chip`: the aerial chip's. `carto-z19`: a 256 px tile of zoom 19 over the whole chip, so 76.4 m times the cosine
    of the latitude: what released CVG-Text models expect."""


class Choice(Section):
    """What makes a photo of a site better than another, by weight (see `pipeline.stages.choosing`); 0 leaves it out."""

    distance: Annotated[float, Field(ge=0, le=100)] = 1.0
    direction: Annotated[float, Field(ge=0, le=100)] = 1.0
    """Looking towards the site, for photos more than a few metres from it."""
    date: Annotated[float, Field(ge=0, le=100)] = 0.5
    quality: Annotated[float, Field(ge=0, le=100)] = 0.5
    """The source's own score."""


class Imagery(Section):
    """Stage `imagery`: which views a site gets."""

    search_radius_m: Annotated[float, Field(gt=0, le=500)] = 20.0
    """Photos this near to the site are its own."""
    max_views: Annotated[int, Field(ge=1, le=12)] = 4
    """At most so many perspective views a site, in different directions."""
    long_side_px: Annotated[int, Field(ge=256, le=8_192)] = 1_024
    """Flat photos are scaled down to this; panoramas to twice this."""
    cut_hfov_deg: Annotated[float, Field(ge=30, le=120)] = 90.0
    """Horizontal field of view of the perspective views cut from a panorama."""
    jpeg_quality: Annotated[int, Field(ge=50, le=100)] = 88
    map_radius_m: Annotated[float, Field(gt=0, le=1_000)] = 80.0
    """Named things this near to the site become map cues."""
    anonymiser: Literal["centerface", "none"] = "centerface"
    """Blurs faces. `none` only where every street source is the synthetic world."""
    choice: Choice = Choice()
    chips: Chips = Chips()
    quality: QualityGates = QualityGates()
    limits: ImageLimits = ImageLimits()


class SplitShares(Section):
    """Shares of the units; they sum to 1."""

    train: Share = 0.8
    val: Share = 0.1
    test: Share = 0.1

    @model_validator(mode="after")
    def _sum(self) -> "SplitShares":
        if abs(self.train + self.val + self.test - 1.0) > 1e-9:
            raise ValueError(f"train + val + test is {self.train + self.val + self.test:g}, must be 1")
        return self


class Publish(Section):
    """Stage `publish`: what the dataset looks like."""

    title: str = "A geoscribe dataset"
    splits: SplitShares = SplitShares()
    shard_mb: Annotated[float, Field(gt=0, le=2_000)] = 384.0
    """Shards are closed at about this size."""
    row_group_mb: Annotated[float, Field(gt=0, le=256)] = 32.0
    min_duplicate_distance: Annotated[int, Field(ge=0, le=64)] = 4
    """Sites of two units whose street views' 64-bit perceptual hashes differ in fewer bits are near-duplicates; 0 keeps
    all."""
    contact: str | None = None
    """Take-down contact for the dataset card."""


class Limits(Section):
    """How the build runs. Nothing here changes what is written."""

    allowed_failed_share: Share = 0.2
    """More failed sites than this and the build ends with exit code 1."""
    workers: Annotated[int, Field(ge=1, le=256)] = 4
    """Units in work at once (local runner: threads; Dask: worker processes when it starts its own cluster)."""
    sites_at_once: Annotated[int, Field(ge=1, le=256)] = 16
    """Sites of a unit whose pictures are fetched at once, where a source is asked over the network."""


class Network(Section):
    """How sources are asked over the network. Nothing here changes what is written."""

    contact: (
        Annotated[str, Field(pattern=r"^(mailto:)?[^\s@]+@[^\s@]+\.[^\s@]+$|^https?://\S+$", max_length=200)] | None
    ) = None
    """Mail address or page that a source's operator can turn to; goes into the User-Agent. Some sources require it."""
    cache: str | None = None
    """Folder for answers; `geoscribe` in the user's cache folder if left out."""
    cache_gb: Annotated[float, Field(ge=0, le=100_000)] = 20.0
    """The least recently used answers go beyond this; 0 keeps none."""
    at_once: Annotated[int, Field(ge=1, le=1_000)] = 64
    """Requests under way to one host, where a source would allow more."""
    connect_timeout_s: Annotated[float, Field(gt=0, le=300)] = 10.0
    read_timeout_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    """Longest pause while an answer comes in."""
    total_timeout_s: Annotated[float, Field(gt=0, le=3_600)] = 120.0
    """For one request, from the connection to the last byte."""
    tries: Annotated[int, Field(ge=1, le=20)] = 5
    longest_wait_s: Annotated[float, Field(ge=0, le=86_400)] = 300.0
    """A source that asks for a longer pause (Retry-After) is given up for this request."""
    retry_share: Share = 0.1
    """Retries of a host over its requests; beyond this (and a first 50) faults are final until the share falls."""
    allow_loopback: bool = False
    """Lets sources point at this machine by plain http: for stand-ins and test servers."""


class Assumptions(Section):
    """What `geoscribe plan` reckons with. Change them to your own measurements."""

    photo_bytes: Annotated[int, Field(ge=1_000)] = 700_000
    """A street photo as the source sends it."""
    tile_bytes: Annotated[int, Field(ge=100)] = 18_000
    street_share: Share = 0.6
    """Sites that have a street view, where sites are not drawn at photos."""
    ocr_images_per_s: Annotated[float, Field(gt=0)] = 20.0
    """Of one GPU."""
    model_calls_per_site: Annotated[int, Field(ge=0)] = 6
    """Turns of a dialogue, where the captioner asks a model."""
    model_calls_per_gpu_s: Annotated[float, Field(gt=0)] = 4.0


class Build(Section):
    """A whole build."""

    name: Name
    """Owns the workspace: another build's workspace is refused."""
    seed: int = 0
    workspace: str
    """Folder, or s3://, gs://, az:// URL, for the layers."""
    dataset: str
    """Folder or URL of the published dataset."""
    regions: Annotated[list[Region], Field(min_length=1)]
    sources: Sources
    sampling: Sampling = Sampling()
    imagery: Imagery = Imagery()
    perception: Perception = Perception()
    captioner: CaptionerConfig = Composer()
    grounding: Grounding = Grounding()
    publish: Publish = Publish()
    limits: Limits = Limits()
    network: Network = Network()
    assumptions: Assumptions = Assumptions()

    @field_validator("regions")
    @classmethod
    def _distinct(cls, regions: list[Region]) -> list[Region]:
        names = [region.name for region in regions]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two regions are called {', '.join(twice)}")
        return regions


def source_name(build: Build, region: Region, kind: SourceKind) -> str | None:
    """Name of the region's source of a kind: the one it names, or the only one defined, or None."""
    named: str | None = getattr(region, kind)
    defined: dict[str, object] = getattr(build.sources, kind)
    if named is not None:
        return named
    return next(iter(defined)) if len(defined) == 1 else None
