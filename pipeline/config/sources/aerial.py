"""Sections of the sources of pictures from above (`pipeline.sources.aerial`)."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.base import DateText, Section
from pipeline.config.sources.base import Credits, EnvName, Gsd, NetworkSource, SourceSection, Url


class DatumLimit(Section):
    """How far imagery may lie from its place by its coordinate system alone."""

    max_datum_error_m: Annotated[float, Field(ge=0, le=1_000)] | None = 1.0
    """Maximum stated error of the transformation from a GeoTIFF's coordinate system to WGS 84, in metres. Files with a
    larger one are refused, and files whose transformation is of unknown accuracy: their own, or none. `null` accepts
    any. NAD83 needs 4, NAD83(2011) 2, GDA94 and GDA2020 3."""


class RasterLook(DatumLimit):
    """How the values of GeoTIFFs become a picture, and what they must be."""

    bands: tuple[int, int, int] | None = None
    """Which bands are red, green and blue (from 1). If left out, those that the file calls so, or else 1,2,3, or 1,1,1
    for a single band."""
    scale: tuple[float, float] | None = None
    """16-bit and float data: the values that become black and white; required for them."""
    nodata: float | None = None
    """The value that stands for no data, where all the bands read have it and the file does not say so."""
    mask: Literal["auto", "file"] | Annotated[int, Field(ge=1, strict=True)] = "auto"
    """Source of the mask of data. `auto`: what the file says, and if it says nothing a last band that holds only 0
    and its largest value; beyond that, black and white collars and blocks that a sparse file leaves out count as no
    data. `file`: what the file says. A number: this band, 0 where there is none."""


class RasterSource(RasterLook, SourceSection):
    """Local aerial imagery: GeoTIFF or COG files, a folder of them, or a folder of tiles (z/x/y.jpg or .png)."""

    type: Literal["raster"]
    path: Path
    """A file, or a folder of files or tiles."""
    layout: Literal["files", "xyz"] = "files"
    """`files`: GeoTIFF or COG. `xyz`: tiles in z/x/y.jpg or .png."""
    zoom: Annotated[int, Field(ge=0, le=24)] | None = None
    """Tiles only: the zoom to read; the deepest present if left out."""
    tms: bool | None = None
    """Tiles only: whether rows count from the south. If left out, that way is taken that reaches the regions."""
    credits: Credits
    """Author, licence and link of the imagery."""
    captured_on: DateText | None = None
    """Date of the imagery (YYYY-MM-DD), if known."""


class WorldAerial(SourceSection):
    """Aerial chips of the synthetic world."""

    type: Literal["world"]
    seed: int = 0
    """Which town. Use the same seed for the street, aerial and map source of a region."""


class XyzSource(NetworkSource):
    """Aerial tiles by URL: a known open source, or a template of your own."""

    type: Literal["xyz"]
    preset: str | None = None
    """Name of a known source (`geoscribe sources list`). It sets all keys below."""
    template: Annotated[str, Field(max_length=2_000)] | None = None
    """URL with {z} {x} {y} ({-y} counts rows from the south), {q} (quadkey), {s} (subdomain), {key}."""
    credits: Credits | None = None
    """Author, licence and link of the imagery. Required with `template`."""
    max_zoom: Annotated[int, Field(ge=1, le=24)] | None = None
    """Deepest zoom level of the source."""
    tile_px: Literal[256, 512] = 256
    """Width and height of a tile, in pixels."""
    subdomains: list[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,20}$")]] = []
    """Values of {s}."""
    bbox: tuple[float, float, float, float] | None = None
    """West, south, east, north, in degrees, of the area with imagery; everywhere if left out."""
    key_env: EnvName | None = None
    """Name of the environment variable that holds the API key."""
    captured_on: DateText | None = None
    """Date of the imagery (YYYY-MM-DD), if known."""
    blank_sha256: list[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = []
    """SHA-256 digests of tiles that mean "no imagery here"."""
    separate_agreement: str | None = None
    """For sources whose terms forbid datasets (Esri, Google, Bing, Mapbox): which agreement allows the use."""

    @model_validator(mode="after")
    def _one_way(self) -> "XyzSource":
        if (self.preset is None) == (self.template is None):
            raise ValueError("either preset or template")
        if self.template is not None and self.credits is None:
            raise ValueError("a template of your own needs credits: author, licence, link")
        return self


class OpenAerial(NetworkSource):
    """The known open aerial sources. For each place, the first that covers it and needs no key."""

    type: Literal["open"]
    presets: Annotated[list[str], Field(min_length=1)] | None = None
    """Names of known sources, in order of preference. All that need no key if left out."""


class WmtsSource(NetworkSource):
    """Aerial tiles of a WMTS server."""

    type: Literal["wmts"]
    capabilities: Url
    """URL of the capabilities document."""
    layer: str
    """Identifier of the layer."""
    matrix_set: str | None = None
    """Identifier of the tile matrix set. The layer's first one in EPSG:3857 if left out."""
    style: str | None = None
    """Identifier of the style; the default style if left out."""
    credits: Credits
    """Author, licence and link of the imagery."""
    key_env: EnvName | None = None
    """Name of the environment variable that holds the API key."""
    captured_on: DateText | None = None
    """Date of the imagery (YYYY-MM-DD), if known."""


class WmsSource(NetworkSource):
    """Aerial pictures of a WMS server."""

    type: Literal["wms"]
    capabilities: Url
    """URL of the capabilities document."""
    layers: Annotated[list[str], Field(min_length=1)]
    """Names of the layers."""
    credits: Credits
    """Author, licence and link of the imagery."""
    key_env: EnvName | None = None
    """Name of the environment variable that holds the API key."""
    captured_on: DateText | None = None
    """Date of the imagery (YYYY-MM-DD), if known."""


class CogSource(RasterLook, NetworkSource):
    """Cloud-optimised GeoTIFFs by URL, read in windows."""

    type: Literal["cog"]
    urls: Annotated[list[Url], Field(min_length=1)]
    """URLs of the files."""
    credits: Credits
    """Author, licence and link of the imagery."""
    captured_on: DateText | None = None
    """Date of the imagery (YYYY-MM-DD), if known."""


class StacSource(RasterLook, NetworkSource):
    """Cloud-optimised GeoTIFFs that a STAC search finds for each place; the newest first."""

    type: Literal["stac"]
    endpoint: Url
    """Root of the STAC API."""
    collections: Annotated[list[str], Field(min_length=1)]
    """Ids of the collections to search."""
    asset: str = "visual"
    """Name of the asset to read."""
    allowed_hosts: list[str] = []
    """Hosts, beside the endpoint's, that URLs of pictures may point to, including their subdomains."""
    datetime: DateText | None = None
    """Interval as in STAC, such as 2021-01-01/2023-12-31."""
    max_gsd_m: Gsd | None = None
    """Maximum ground sample distance of an item, in metres per pixel."""
    credits: Credits | None = None
    """Author, licence and link of the imagery. If left out, each item must state its licence and its provider."""


class PmtilesAerial(NetworkSource):
    """Aerial tiles in one PMTiles archive."""

    type: Literal["pmtiles"]
    archive: str
    """Path, or address that is read in ranges."""
    credits: Credits
    """Author, licence and link of the imagery."""
    captured_on: DateText | None = None
    """Date of the imagery (YYYY-MM-DD), if known."""


class OpenAerialMap(DatumLimit, NetworkSource):
    """Drone orthophotos of OpenAerialMap, through its STAC API."""

    type: Literal["openaerialmap"]
    endpoint: Url = "https://api.imagery.hotosm.org/stac"
    """Root of the STAC API."""
    allowed_hosts: list[str] = [
        f"{bucket}.s3.{region}amazonaws.com"
        for bucket in ("oin-hotosm-temp", "oin-hotosm")
        for region in ("", "us-east-1.")
    ]
    """Hosts, beside the endpoint's, that URLs of pictures may point to, including their subdomains."""
    max_gsd_m: Gsd = 0.1
    """Maximum ground sample distance, in metres per pixel; coarser imagery is no drone view."""
