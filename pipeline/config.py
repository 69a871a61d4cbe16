"""The sections of a build file. Each field says its unit and its limits. `pipeline.config_file` reads one."""

import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from schemas.records import Latitude, Longitude

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """Base of all sections: unknown keys and non-finite numbers are refused, defaults are validated."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


class Region(Section):
    """A named area: either a bounding box, or a centre with a radius. Must name its sources if several are defined."""

    name: Name
    bbox: tuple[Longitude, Latitude, Longitude, Latitude] | None = None
    """West, south, east, north in degrees. West may be greater than east: the box crosses the antimeridian."""
    centre: tuple[Latitude, Longitude] | None = None
    """Latitude, longitude in degrees."""
    radius_m: Annotated[float, Field(gt=0, le=100_000)] | None = None
    street: str | None = None
    """Name of the street source; may be left out where only one is defined. Likewise aerial and map."""
    aerial: str | None = None
    map: str | None = None

    @model_validator(mode="after")
    def _one_shape(self) -> "Region":
        if (self.bbox is None) == (self.centre is None):
            raise ValueError("a region has either bbox or centre")
        if (self.centre is None) != (self.radius_m is None):
            raise ValueError("centre and radius_m go together")
        if self.bbox is not None and self.bbox[1] >= self.bbox[3]:
            raise ValueError("bbox is west, south, east, north, and south must be less than north")
        return self

    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees; west > east across the antimeridian."""
        if self.bbox is not None:
            return self.bbox
        assert self.centre is not None
        assert self.radius_m is not None
        lat, lon = self.centre
        dlat = self.radius_m / 111_195.0  # metres a degree on a sphere of 6371 km
        dlon = dlat / max(math.cos(math.radians(min(abs(lat) + dlat, 89.0))), 1e-6)
        west, east = ((lon + side * dlon + 180.0) % 360.0 - 180.0 for side in (-1, 1))
        return west, max(lat - dlat, -90.0), east, min(lat + dlat, 90.0)

    def middle(self) -> tuple[float, float]:
        """Latitude and longitude of the region's middle, in degrees."""
        if self.centre is not None:
            return self.centre
        west, south, east, north = self.bounds()
        return (south + north) / 2, (west + ((east - west) % 360.0) / 2 + 180.0) % 360.0 - 180.0


class FolderSource(Section):
    """Street photos in a folder, described by an index (JSON Lines, CSV or GeoParquet)."""

    type: Literal["folder"]
    index: Path
    root: Path
    """Folder that the index's paths are relative to."""


class WorldStreet(Section):
    """Street views of the synthetic world."""

    type: Literal["world"]
    seed: int = 0
    """Which town. Give the same seed to the street, aerial and map source of a region."""
    panoramas: Share = 0.5
    """Share of the places that have a 360-degree photo; the others have flat photos."""


class RasterSource(Section):
    """Local aerial imagery: GeoTIFF or COG files, a folder of them, or an XYZ tile folder (z/x/y.jpg or .png)."""

    type: Literal["raster"]
    path: Path
    layout: Literal["files", "xyz"] = "files"
    zoom: Annotated[int, Field(ge=0, le=24)] | None = None
    """XYZ only: the zoom to read; the deepest present if left out."""
    bands: tuple[int, int, int] | None = None
    """Which bands are red, green and blue (from 1); if left out 1,2,3, or 1,1,1 for a single band."""
    scale: tuple[float, float] | None = None
    """16-bit and float data: the values that become black and white; required for them."""
    author: str
    licence: str
    link: str
    captured_on: str | None = None
    """Date of the imagery (YYYY-MM-DD), if known."""


class WorldAerial(Section):
    """Aerial chips of the synthetic world."""

    type: Literal["world"]
    seed: int = 0


class MapFiles(Section):
    """Local map files: Overpass JSON, OSM PBF or XML, Overture-style GeoJSON or GeoParquet (.gz and .bz2 allowed)."""

    type: Literal["files"]
    files: Annotated[list[Path], Field(min_length=1)]
    labels: bool = True
    """Whether names are drawn on the map chip."""
    author: str = "OpenStreetMap contributors"
    licence: str = "ODbL-1.0"
    link: str = "https://www.openstreetmap.org/copyright"
    extracted_on: str | None = None
    """Date of the extract (YYYY-MM-DD); read from the file where it says so."""


class WorldMap(Section):
    """The map of the synthetic world."""

    type: Literal["world"]
    seed: int = 0
    labels: bool = True


StreetConfig = Annotated[FolderSource | WorldStreet, Field(discriminator="type")]
AerialConfig = Annotated[RasterSource | WorldAerial, Field(discriminator="type")]
MapConfig = Annotated[MapFiles | WorldMap, Field(discriminator="type")]


class Sources(Section):
    """The sources of a build, by kind and name."""

    street: dict[Name, StreetConfig]
    aerial: dict[Name, AerialConfig] = {}
    map: dict[Name, MapConfig] = {}


class Sampling(Section):
    """Where the sites are: imagery first, thinned to a minimum spacing in an order that depends on the seed alone."""

    spacing_m: Annotated[float, Field(gt=0, le=10_000)] = 40.0
    """Least distance between two sites of a region."""
    max_sites: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """At most so many sites a region; all that the spacing allows if left out."""
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
    """Least share of an aerial chip that the source must cover."""


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
    chips: Chips = Chips()
    quality: QualityGates = QualityGates()
    limits: ImageLimits = ImageLimits()


class RapidOcr(Section):
    """RapidOCR (PP-OCRv6 small; Latin, Chinese, Japanese; no Hangul)."""

    engine: Literal["rapidocr"] = "rapidocr"
    min_confidence: Share = 0.8
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Per image. Images are read in parallel by the build's workers."""


class OracleOcr(Section):
    """The synthetic world's truth in place of OCR. Refused with any other source."""

    engine: Literal["oracle"]


class Superpixels(Section):
    """The segmenter that needs no weights. Weak, and says so in its confidences."""

    engine: Literal["superpixels"] = "superpixels"
    min_confidence: Share = 0.5


class OracleSegments(Section):
    """The synthetic world's truth in place of segmentation. Refused with any other source."""

    engine: Literal["oracle"]


OcrConfig = Annotated[RapidOcr | OracleOcr, Field(discriminator="engine")]
SegmenterConfig = Annotated[Superpixels | OracleSegments, Field(discriminator="engine")]


class Perception(Section):
    """Stage `cues`: the engines that read the views."""

    ocr: OcrConfig = RapidOcr()
    segmenter: SegmenterConfig = Superpixels()


class Composer(Section):
    """Descriptions from the cues alone, without a model."""

    engine: Literal["composer"] = "composer"
    prompt_set: Name = "composer-en-1"
    """Folder under `prompts/` with the composer's words."""
    long_tokens: Annotated[int, Field(ge=77, le=300)] = 300
    short_tokens: Annotated[int, Field(ge=20, le=77)] = 77


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
    captioner: Composer = Composer()
    publish: Publish = Publish()
    limits: Limits = Limits()

    @field_validator("regions")
    @classmethod
    def _distinct(cls, regions: list[Region]) -> list[Region]:
        names = [region.name for region in regions]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two regions are called {', '.join(twice)}")
        return regions


def source_name(build: Build, region: Region, kind: Literal["street", "aerial", "map"]) -> str | None:
    """Name of the region's source of a kind: the one it names, or the only one defined, or None."""
    named: str | None = getattr(region, kind)
    defined: dict[str, object] = getattr(build.sources, kind)
    if named is not None:
        return named
    return next(iter(defined)) if len(defined) == 1 else None
