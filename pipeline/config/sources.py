"""Sections of the sources (`pipeline.sources`)."""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from pipeline.config.base import IS_FILE, IS_FOLDER, Name, Section, Share
from pipeline.config.by_name import ByName
from pipeline.config.names import AERIAL, MAP, STREET

Url = Annotated[str, Field(pattern=r"^https?://[^\s@]+$", max_length=2_000)]
"""http is refused at run time unless `network.allow_loopback` is set and the host is this machine."""
EnvName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,62}$")]
"""Name of an environment variable. Build files never contain keys."""
Gsd = Annotated[float, Field(gt=0.001, le=100)]


class Rate(Section):
    """Rate limits of a source, shared by all workers of a build."""

    per_s: Annotated[float, Field(gt=0, le=10_000)]
    """Requests per second."""
    at_once: Annotated[int, Field(ge=1, le=1_000)]
    """Concurrent requests."""
    per_day: Annotated[int, Field(ge=1)] | None = None
    """Requests per day; no limit if left out."""


class SourceSection(Section):
    """Base of the sections of sources."""

    type: str
    """Type of the source."""


class NetworkSource(SourceSection):
    """Base of the sections of sources on the network."""

    rate: Rate | None = None
    """Rate limits of this source, shared by all workers of a build. Replaces those that geoscribe knows (`geoscribe
    sources list`)."""


class Credits(Section):
    """Author and licence of pictures whose source does not state them itself."""

    author: str
    """Name to credit."""
    licence: str
    """SPDX identifier, or LicenseRef-..."""
    link: Url
    """Page of the source."""


class FolderSource(SourceSection):
    """Street photos in a folder, described by an index."""

    type: Literal["folder"]
    index: Annotated[Path, IS_FILE]
    """Index of the photos: JSON Lines, CSV or GeoParquet."""
    root: Annotated[Path, IS_FOLDER]
    """Folder that the index's paths are relative to."""


class WorldStreet(SourceSection):
    """Street views of the synthetic world."""

    type: Literal["world"]
    seed: int = 0
    """Which town. Use the same seed for the street, aerial and map source of a region."""
    panoramas: Share = 0.5
    """Share of places that have a 360-degree photo; the others have flat photos."""


class Panoramax(NetworkSource):
    """Street photos of the Panoramax federation, or of one of its instances. No key."""

    type: Literal["panoramax"]
    endpoint: Url = "https://api.panoramax.xyz/api"
    """Base URL of the API."""
    picture: Literal["sd", "hd"] = "hd"
    """Size of the photos: `sd` is 2048 px wide, `hd` is the original size."""


class Mapillary(NetworkSource):
    """Street photos of Mapillary (API version 4). Needs a key."""

    type: Literal["mapillary"]
    endpoint: Url = "https://graph.mapillary.com"
    """Base URL of the API."""
    tiles_endpoint: Url = "https://tiles.mapillary.com"
    """Base URL of the vector tiles that list photos."""
    key_env: EnvName = "MAPILLARY_TOKEN"
    """Name of the environment variable that holds the API key."""
    picture: Literal["1024", "2048", "original"] = "2048"
    """Size of the photos: longer side in pixels, or the original size."""
    picture_hosts: list[str] = ["fbcdn.net"]
    """Hosts that picture URLs may point to, including their subdomains (`host:port` for a test server)."""


class KartaView(NetworkSource):
    """Street photos of KartaView, mostly from dash cams. No key."""

    type: Literal["kartaview"]
    endpoint: Url = "https://kartaview.org"
    """Base URL of the API."""
    picture_hosts: list[str] = ["kartaview.org", "openstreetcam.org"]
    """Hosts that picture URLs may point to, including their subdomains."""


class GoogleStreet(NetworkSource):
    """Google Street View. Its terms forbid datasets; without a separate agreement only ids are recorded."""

    type: Literal["google"]
    endpoint: Url = "https://maps.googleapis.com"
    """Base URL of the API."""
    key_env: EnvName = "GOOGLE_MAPS_API_KEY"
    """Name of the environment variable that holds the API key."""
    separate_agreement: str | None = None
    """Which agreement with Google allows the use, in your words; printed on the dataset card. Pictures are then
    fetched, and marked as not redistributable."""


class RasterSource(SourceSection):
    """Local aerial imagery: GeoTIFF or COG files, or a folder of XYZ tiles."""

    type: Literal["raster"]
    path: Path
    """A file, or a folder of files or tiles."""
    layout: Literal["files", "xyz"] = "files"
    """`files`: GeoTIFF or COG. `xyz`: tiles in z/x/y.jpg or .png."""
    zoom: Annotated[int, Field(ge=0, le=24)] | None = None
    """Zoom level to read; only for `layout: xyz`. The deepest level present if left out."""
    bands: tuple[int, int, int] | None = None
    """Numbers of the red, green and blue band, counted from 1. If left out: 1, 2, 3, or 1, 1, 1 for a single band."""
    scale: tuple[float, float] | None = None
    """Values that become black and white. Required for 16-bit and float data."""
    author: str
    """Name to credit."""
    licence: str
    """SPDX identifier, or LicenseRef-..."""
    link: str
    """Page of the source."""
    captured_on: str | None = None
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
    captured_on: str | None = None
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
    captured_on: str | None = None
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
    captured_on: str | None = None
    """Date of the imagery (YYYY-MM-DD), if known."""


class CogSource(NetworkSource):
    """Cloud-optimised GeoTIFFs by URL, read in windows."""

    type: Literal["cog"]
    urls: Annotated[list[Url], Field(min_length=1)]
    """URLs of the files."""
    bands: tuple[int, int, int] | None = None
    """Numbers of the red, green and blue band, counted from 1. If left out: 1, 2, 3, or 1, 1, 1 for a single band."""
    scale: tuple[float, float] | None = None
    """Values that become black and white. Required for 16-bit and float data."""
    credits: Credits
    """Author, licence and link of the imagery."""
    captured_on: str | None = None
    """Date of the imagery (YYYY-MM-DD), if known."""


class StacSource(NetworkSource):
    """Cloud-optimised GeoTIFFs that a STAC search finds for each place, newest first."""

    type: Literal["stac"]
    endpoint: Url
    """Root of the STAC API."""
    collections: Annotated[list[str], Field(min_length=1)]
    """Ids of the collections to search."""
    asset: str = "visual"
    """Name of the asset to read."""
    asset_hosts: list[str] = []
    """Hosts that assets may lie on beside the endpoint's, including their subdomains."""
    datetime: str | None = None
    """Interval as in STAC, such as 2021-01-01/2023-12-31."""
    max_gsd_m: Gsd | None = None
    """Maximum ground sample distance of an item, in metres per pixel."""
    bands: tuple[int, int, int] | None = None
    """Numbers of the red, green and blue band, counted from 1. If left out: 1, 2, 3, or 1, 1, 1 for a single band."""
    scale: tuple[float, float] | None = None
    """Values that become black and white. Required for 16-bit and float data."""
    credits: Credits | None = None
    """Author, licence and link of the imagery. If left out, each item must state its licence and its provider."""


class PmtilesAerial(NetworkSource):
    """Aerial tiles in one PMTiles archive."""

    type: Literal["pmtiles"]
    archive: str
    """Path, or address that is read in ranges."""
    credits: Credits
    """Author, licence and link of the imagery."""
    captured_on: str | None = None
    """Date of the imagery (YYYY-MM-DD), if known."""


class OpenAerialMap(NetworkSource):
    """Drone orthophotos of OpenAerialMap, through its STAC API."""

    type: Literal["openaerialmap"]
    endpoint: Url = "https://api.imagery.hotosm.org/stac"
    """Root of the STAC API."""
    asset_hosts: list[str] = [
        f"{bucket}.s3.{region}amazonaws.com"
        for bucket in ("oin-hotosm-temp", "oin-hotosm")
        for region in ("", "us-east-1.")
    ]
    """Hosts that assets may lie on."""
    max_gsd_m: Gsd = 0.1
    """Maximum ground sample distance, in metres per pixel; coarser imagery is no drone view."""


class MapLook(SourceSection):
    """How a map chip is drawn."""

    labels: bool = True
    """Draw names on the map chip."""
    style: Literal["house", "carto"] = "house"
    """Style of the map chip. `house`: our own. `carto`: similar to openstreetmap-carto, on which released CVG-Text
    models were trained."""


class MapCredits(Section):
    """Author and licence of map data; OpenStreetMap's by default."""

    author: str = "OpenStreetMap contributors"
    """Name to credit."""
    licence: str = "ODbL-1.0"
    """SPDX identifier, or LicenseRef-..."""
    link: str = "https://www.openstreetmap.org/copyright"
    """Page about the copyright."""
    extracted_on: str | None = None
    """Date of the extract (YYYY-MM-DD). Read from the data where it states one."""


class MapFiles(MapLook, MapCredits):
    """Local map files: OSM PBF or XML, Overpass JSON, GeoJSON or GeoParquet as Overture's (.gz and .bz2 allowed)."""

    type: Literal["files"]
    files: Annotated[list[Path], Field(min_length=1), IS_FILE]
    """Paths of the files."""


class Overture(MapLook, MapCredits, NetworkSource):
    """Overture Maps GeoParquet: a release in a bucket, or a copy of one."""

    type: Literal["overture"]
    release: str
    """Folder or s3:// URL that holds `theme=...` folders, such as
    `s3://overturemaps-us-west-2/release/2026-10-21.0`."""
    s3_endpoint: Url | None = None
    """Endpoint of a bucket that is not Amazon's."""
    s3_region: str = "us-west-2"
    """Region of the bucket."""
    author: str = "Overture Maps Foundation, OpenStreetMap contributors"
    """Name to credit."""
    link: str = "https://docs.overturemaps.org/attribution/"
    """Page about the copyright."""


class Overpass(MapLook, MapCredits, NetworkSource):
    """OpenStreetMap through an Overpass server. For small builds: the public one allows 10,000 requests a day."""

    type: Literal["overpass"]
    endpoint: Url = "https://overpass-api.de/api/interpreter"
    """URL of the interpreter."""


class PmtilesMap(MapLook, MapCredits, NetworkSource):
    """Vector tiles (Protomaps basemap schema) in one PMTiles archive."""

    type: Literal["pmtiles"]
    archive: str
    """Path, or address that is read in ranges."""


class WorldMap(SourceSection):
    """The map of the synthetic world."""

    type: Literal["world"]
    seed: int = 0
    """Which town. Use the same seed for the street, aerial and map source of a region."""
    labels: bool = True
    """Draw names on the map chip."""


StreetConfig = Annotated[SourceSection, ByName("type", STREET)]
AerialConfig = Annotated[SourceSection, ByName("type", AERIAL)]
MapConfig = Annotated[SourceSection, ByName("type", MAP)]
SourceKind = Literal["street", "aerial", "drone", "map"]
KINDS: tuple[SourceKind, ...] = get_args(SourceKind)


class Sources(Section):
    """The sources of a build, by kind and name."""

    street: dict[Name, StreetConfig]
    """Street-level photos."""
    aerial: dict[Name, AerialConfig] = {}
    """Imagery from above."""
    drone: dict[Name, AerialConfig] = {}
    """Finer imagery from above. A site's drone chip is centred on its first street view."""
    map: dict[Name, MapConfig] = {}
    """Map data."""
