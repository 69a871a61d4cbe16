"""The build file: regions, sampling, imagery, publishing and limits. The other sections stand in the modules beside."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from pipeline.config.base import Name, Section, Share
from pipeline.config.captioning import CaptionerConfig, Composer, Grounding
from pipeline.config.perception import Perception
from pipeline.config.sources import SourceKind, Sources
from pipeline.geo import shape
from schemas.records import Continent, Latitude, Longitude, Split


class Region(Section):
    """A named area: a bounding box, a polygon, or a centre with a radius.

    If the build has several sources of a kind, a region names the one to use.
    """

    name: Name
    """Name of the region: part of site ids and of file names."""
    bbox: tuple[Longitude, Latitude, Longitude, Latitude] | None = None
    """West, south, east, north, in degrees. West greater than east means that the box crosses the antimeridian."""
    centre: tuple[Latitude, Longitude] | None = None
    """Latitude and longitude of the centre, in degrees; goes with `radius_m`."""
    radius_m: Annotated[float, Field(gt=0, le=100_000)] | None = None
    """Radius around `centre`, in metres."""
    polygon: str | None = None
    """WKT of a polygon or multipolygon (longitude first), or the path of a GeoJSON file."""
    catalogue: str | None = None
    """Id of a region of the catalogue (`geoscribe regions list`)."""
    street: str | None = None
    """Name of the street source to use. May be left out where the build has only one."""
    aerial: str | None = None
    """Name of the aerial source to use. May be left out where the build has only one."""
    drone: str | None = None
    """Name of the drone source to use. May be left out where the build has only one."""
    map: str | None = None
    """Name of the map source to use. May be left out where the build has only one."""
    continent: Continent | None = None
    """Continent, for the split by continents. If left out, that of the nearest region of the catalogue."""

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
    """Relative probability that a metre of road is drawn, by road class. 0 excludes a class."""

    motorway: Annotated[float, Field(ge=0, le=1_000)] = 0.0
    """Weight of a metre of motorway road."""
    trunk: Annotated[float, Field(ge=0, le=1_000)] = 0.2
    """Weight of a metre of trunk road."""
    primary: Annotated[float, Field(ge=0, le=1_000)] = 1.0
    """Weight of a metre of primary road."""
    secondary: Annotated[float, Field(ge=0, le=1_000)] = 1.0
    """Weight of a metre of secondary road."""
    tertiary: Annotated[float, Field(ge=0, le=1_000)] = 1.0
    """Weight of a metre of tertiary road."""
    residential: Annotated[float, Field(ge=0, le=1_000)] = 1.0
    """Weight of a metre of residential road."""
    service: Annotated[float, Field(ge=0, le=1_000)] = 0.3
    """Weight of a metre of service road."""
    pedestrian: Annotated[float, Field(ge=0, le=1_000)] = 1.0
    """Weight of a metre of pedestrian street."""
    other: Annotated[float, Field(ge=0, le=1_000)] = 0.2
    """Weight of a metre of any other class."""


class Sampling(Section):
    """Where sites are drawn. Drawing more sites, or adding a region, never moves existing sites."""

    method: Literal["imagery", "uniform", "grid", "roads"] = "imagery"
    """Where sites are drawn. `imagery`: at the positions of the street source's photos. `uniform`: on land, with equal
    density. `grid`: on a grid of `spacing_m`. `roads`: along the roads of the map source."""
    spacing_m: Annotated[float, Field(gt=0, le=10_000)] = 40.0
    """Minimum distance between two sites of a region, in metres."""
    max_sites: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """Maximum number of sites per region. If left out, as many as the spacing allows; `uniform` requires it."""
    max_per_sequence: Annotated[int, Field(ge=1)] | None = None
    """Maximum number of sites per region whose nearest photo belongs to the same capture sequence."""
    max_per_contributor: Annotated[int, Field(ge=1)] | None = None
    """Maximum number of sites per region whose nearest photo is by the same author."""
    road_weights: RoadWeights = RoadWeights()
    """How often each road class is drawn; only for `method: roads`."""
    unit_resolution: Annotated[int, Field(ge=5, le=11)] = 9
    """H3 resolution of a unit's cell. A cell of resolution 9 covers 0.1 km2: about 60 sites at a spacing of 40 m."""


class QualityGates(Section):
    """Photos outside these limits are rejected. All scores are taken at a long side of 512 pixels."""

    min_sharpness: Annotated[float, Field(ge=0)] = 30.0
    """Minimum variance of the Laplacian of the grey photo."""
    min_contrast: Annotated[float, Field(ge=0, le=128)] = 12.0
    """Minimum standard deviation of the grey levels (0 to 255)."""
    min_entropy: Annotated[float, Field(ge=0, le=8)] = 4.0
    """Minimum entropy of the grey histogram, in bits (0 to 8)."""
    max_darkness: Share = 0.8
    """Maximum share of pixels that are nearly black."""


class ImageLimits(Section):
    """Limits for pictures from outside. A picture that exceeds them is rejected by its header, before it is decoded."""

    max_bytes: Annotated[int, Field(ge=1_000, le=500_000_000)] = 40_000_000
    """Maximum size of the encoded picture, in bytes."""
    max_pixels: Annotated[int, Field(ge=10_000, le=300_000_000)] = 90_000_000
    """Maximum number of pixels (width times height)."""
    min_side_px: Annotated[int, Field(ge=16, le=4_096)] = 200
    """Minimum length of the shorter side, in pixels."""


class Chips(Section):
    """Chips, north up and centred on the site. Aerial and map chip share frame and scale, pixel by pixel."""

    gsd_m: Annotated[float, Field(gt=0.01, le=10)] = 0.3
    """Ground sample distance: metres per pixel."""
    size_px: Annotated[int, Field(ge=64, le=4_096)] = 512
    """Width and height of a chip, in pixels."""
    min_covered: Share = 0.98
    """Minimum share of an aerial or drone chip that the source must cover."""
    extra_sizes_m: list[Annotated[float, Field(ge=10, le=5_000)]] = []
    """Side lengths, in metres, of further aerial chips per site with the same number of pixels, such as [80, 120,
    180]."""
    drone_gsd_m: Annotated[float, Field(gt=0.005, le=1)] = 0.1
    """Metres per pixel of the drone chip."""
    map_scale: Literal["chip", "carto-z19"] = "chip"
    """Scale of the map chip. `chip`: the same as the aerial chip's. `carto-z19`: one 256 px tile of zoom 19 fills the
    chip, so its side is 76.4 m times the cosine of the latitude; released CVG-Text models expect this."""


class Choice(Section):
    """Weights of the penalty that ranks the photos of a site (`pipeline.stages.choosing`). 0 leaves a term out."""

    distance: Annotated[float, Field(ge=0, le=100)] = 1.0
    """Weight of the distance between photo and site."""
    direction: Annotated[float, Field(ge=0, le=100)] = 1.0
    """Weight of looking towards the site, for photos more than a few metres away from it."""
    date: Annotated[float, Field(ge=0, le=100)] = 0.5
    """Weight of the age of the photo."""
    quality: Annotated[float, Field(ge=0, le=100)] = 0.5
    """Weight of the source's own quality score."""


class Imagery(Section):
    """Stage `imagery`: the views of each site."""

    search_radius_m: Annotated[float, Field(gt=0, le=500)] = 20.0
    """Maximum distance between a site and its photos, in metres."""
    max_views: Annotated[int, Field(ge=1, le=12)] = 4
    """Maximum number of perspective views per site, in different directions."""
    long_side_px: Annotated[int, Field(ge=256, le=8_192)] = 1_024
    """Longer side of a perspective photo after downscaling, in pixels; panoramas get twice as much."""
    cut_hfov_deg: Annotated[float, Field(ge=30, le=120)] = 90.0
    """Horizontal field of view of the perspective views that are cut from a panorama, in degrees."""
    jpeg_quality: Annotated[int, Field(ge=50, le=100)] = 88
    """JPEG quality of the pictures that are written."""
    map_radius_m: Annotated[float, Field(gt=0, le=1_000)] = 80.0
    """Radius around the site within which named map features become map cues, in metres."""
    anonymiser: Literal["centerface", "none"] = "centerface"
    """How faces are made unrecognisable. `centerface` blurs them. `none` is allowed only with street sources of the
    synthetic world."""
    require: list[Literal["aerial", "drone", "map"]] = []
    """Views without which a site fails. Other sites may lack a view, as long as they have an aerial or a map chip."""
    choice: Choice = Choice()
    """How photos are ranked."""
    chips: Chips = Chips()
    """Aerial, drone and map chips."""
    quality: QualityGates = QualityGates()
    """Quality gates for photos."""
    limits: ImageLimits = ImageLimits()
    """Limits for pictures from outside."""


class SplitShares(Section):
    """Shares of the sites per split. They sum to 1.

    `test_unseen` holds whole regions, from each continent in proportion. Every other region is divided among the other
    splits, block by block.
    """

    train: Share = 0.8
    """Share of the training split."""
    val: Share = 0.1
    """Share of the validation split."""
    test_seen: Share = 0.1
    """Share of the test split in regions that are trained on."""
    test_unseen: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the test split in regions that are not trained on."""

    @model_validator(mode="after")
    def _sum(self) -> "SplitShares":
        total = self.train + self.val + self.test_seen + self.test_unseen
        if abs(total - 1.0) > 1e-9:
            raise ValueError(f"train + val + test_seen + test_unseen is {total:g}, must be 1")
        return self


class Publish(Section):
    """Stage `publish`: the dataset's form."""

    title: str = "A geoscribe dataset"
    """Title of the dataset card."""
    splits: SplitShares = SplitShares()
    """Shares of the splits. A published site keeps its split when the build grows."""
    block_resolution: Annotated[int, Field(ge=0, le=11)] | None = None
    """H3 resolution of the blocks that a region is divided into. If left out: for each region the coarsest at which its
    shares can be filled to within 20 %. Never finer than `sampling.unit_resolution`."""
    unseen_regions: list[Name] = []
    """Regions that go into `test_unseen`; if they do not fill its share, more are drawn."""
    allow_empty: list[Split] = []
    """Splits that may stay empty although they have a share, where there is no room for them or filling them would lose
    more than a fifth of the sites. Publishing refuses others."""
    shard_mb: Annotated[float, Field(gt=0, le=2_000)] = 384.0
    """Target size of a shard, in megabytes. Full shards have 0.7 to 1.4 times this size, so that a unit more or less
    changes few shards."""
    mix_regions: bool = False
    """Put units of all regions into one shard, so that readers of few shards at a time meet many regions. Otherwise
    each region has its own shards, and adding or removing a region changes no other region's."""
    row_group_mb: Annotated[float, Field(gt=0, le=256)] = 32.0
    """Target size of a row group, in megabytes."""
    min_duplicate_distance: Annotated[int, Field(ge=0, le=64)] = 4
    """Two sites of different units are near-duplicates if the 64-bit perceptual hashes of their street views, or those
    of their aerial chips, differ in fewer bits than this; 0 keeps all."""
    max_text_likeness: Share = 0.9
    """Two sites of different units are near-duplicates if their descriptions share more than this of their word
    trigrams (Jaccard index, estimated by MinHash); 1 keeps all."""
    max_footprint_share: Share = 0.9
    """Two sites of different units are near-duplicates if their chips share more than this of their area; 1 keeps
    all."""
    keep_revisions: Annotated[int, Field(ge=0, le=1_000)] = 1
    """Number of older revisions of the dataset whose files are kept, for readers that still use them."""
    decisions: Path | None = None
    """Path of a file of `geoscribe audit apply`: samples that people rejected are left out, and descriptions that they
    edited take the place of the old ones."""
    contact: str | None = None
    """Take-down contact on the dataset card."""
    takedown: Path | None = None
    """Take-down list (YAML): ids of pictures, authors, links and areas that may not be published."""
    authors: list[str] = []
    """Who is named as the authors in `CITATION.cff`; without them the title stands for a group."""


class Limits(Section):
    """How the build runs. Nothing here changes the output."""

    allowed_failed_share: Share = 0.2
    """A build whose share of failed sites is greater ends with exit code 1."""
    allowed_missing_share: Share = 0.5
    """A build ends with exit code 1 if a greater share of one view (aerial, drone or map) is missing."""
    outage_wait_s: Annotated[float, Field(ge=0, le=604_800)] = 900.0
    """How long a build waits for a provider, or for all model servers, that are out of order, in seconds. Then it stops
    with exit code 3; finished work is kept."""
    outage_share: Share = 0.9
    """A provider counts as out of order if a greater share of its last 50 requests failed or was refused, or if 10 in a
    row failed. 1: only the latter."""
    workers: Annotated[int, Field(ge=1, le=256)] = 4
    """Number of units that each stage processes at once, or worker processes of a Dask cluster that the build starts
    itself. Captions by a model take up as many units as fill the room of its servers (`captioner.at_once`)."""
    regions_at_once: Annotated[int, Field(ge=1, le=256)] = 32
    """Number of regions whose sites are drawn at once, where that takes a network. Each holds the list of its
    photos."""
    sites_at_once: Annotated[int, Field(ge=1, le=256)] = 16
    """Number of sites of a unit whose pictures are fetched at once, if a source is on the network."""


class Network(Section):
    """How sources are asked over the network. Nothing here changes the output."""

    contact: (
        Annotated[str, Field(pattern=r"^(mailto:)?[^\s@]+@[^\s@]+\.[^\s@]+$|^https?://\S+$", max_length=200)] | None
    ) = None
    """Mail address or page where a source's operator can reach you; sent in the User-Agent header. Some sources require
    it."""
    cache: str | None = None
    """Folder of the response cache. If left out: `geoscribe` in the user's cache folder."""
    cache_gb: Annotated[float, Field(ge=0, le=100_000)] = 20.0
    """Maximum size of the response cache, in gigabytes; the least recently used responses are evicted. 0 switches the
    cache off."""
    at_once: Annotated[int, Field(ge=1, le=1_000)] = 64
    """Maximum number of concurrent requests per host, where the limits of the source allow more."""
    connect_timeout_s: Annotated[float, Field(gt=0, le=300)] = 10.0
    """Timeout for establishing a connection, in seconds."""
    read_timeout_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    """Maximum pause while a response is read, in seconds."""
    total_timeout_s: Annotated[float, Field(gt=0, le=3_600)] = 120.0
    """Timeout for one request, from connecting to the last byte, in seconds."""
    tries: Annotated[int, Field(ge=1, le=20)] = 5
    """Maximum number of attempts per request."""
    longest_wait_s: Annotated[float, Field(ge=0, le=86_400)] = 300.0
    """Maximum wait that a server may ask for (Retry-After), in seconds. If it asks for more, the request fails."""
    retry_share: Share = 0.1
    """Maximum share of retries among the requests to a host. Above it, after the first 50 retries, errors are final
    until the share falls."""
    allow_loopback: bool = False
    """Allow sources at this machine's own addresses over plain http: for stand-ins and test servers."""


class Assumptions(Section):
    """Figures that `geoscribe plan` uses for its estimates. Replace them by your own measurements."""

    photo_bytes: Annotated[int, Field(ge=1_000)] = 700_000
    """Size of a street photo as the source sends it, in bytes."""
    tile_bytes: Annotated[int, Field(ge=100)] = 18_000
    """Size of an aerial tile, in bytes."""
    street_share: Share = 0.6
    """Share of sites that have a street view, where sites are not drawn at photos."""
    ocr_images_per_s: Annotated[float, Field(gt=0)] = 20.0
    """Images per second that OCR reads on one GPU."""
    model_calls_per_site: Annotated[int, Field(ge=0)] = 6
    """Model requests per site, for a captioner that uses a model."""
    model_calls_per_gpu_s: Annotated[float, Field(gt=0)] = 4.0
    """Model requests per second of one GPU."""


class Build(Section):
    """A build file."""

    name: Name
    """Name of the build. A workspace belongs to the build of this name; other builds are refused."""
    seed: int = 0
    """Seed of every random choice."""
    workspace: str
    """Folder, or s3://, gs:// or az:// URL, of the layers."""
    dataset: str
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


def source_name(build: Build, region: Region, kind: SourceKind) -> str | None:
    """Name of the region's source of a kind: the one it names, or the only one defined, or None."""
    named: str | None = getattr(region, kind)
    defined: dict[str, object] = getattr(build.sources, kind)
    if named is not None:
        return named
    return next(iter(defined)) if len(defined) == 1 else None
