"""The sections of sources: each kind of source that a build file may name. What they are: `pipeline.sources`."""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from pipeline.config.base import Name, Section, Share

Url = Annotated[str, Field(pattern=r"^https?://[^\s@]+$", max_length=2_000)]
"""http only where `network.allow_loopback` opens this machine's own addresses."""
EnvName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,62}$")]
"""Name of an environment variable. A key itself never stands in a build file."""
Gsd = Annotated[float, Field(gt=0.001, le=100)]


class Rate(Section):
    """How fast a source may be asked, by all workers of a build together."""

    per_s: Annotated[float, Field(gt=0, le=10_000)]
    """Requests a second."""
    at_once: Annotated[int, Field(ge=1, le=1_000)]
    """Requests under way."""
    per_day: Annotated[int, Field(ge=1)] | None = None


class NetworkSource(Section):
    """Base of the sources that are asked over the network."""

    rate: Rate | None = None
    """In place of the limits checked in for the source (`geoscribe sources list`)."""


class Credits(Section):
    """Whose pictures these are, where the source does not say it itself."""

    author: str
    licence: str
    """SPDX identifier, or LicenseRef-..."""
    link: Url


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


class Panoramax(NetworkSource):
    """Street photos of the Panoramax federation, or of one instance. No key."""

    type: Literal["panoramax"]
    endpoint: Url = "https://api.panoramax.xyz/api"
    picture: Literal["sd", "hd"] = "hd"
    """`sd` is 2048 px wide, `hd` as it was taken."""


class Mapillary(NetworkSource):
    """Street photos of Mapillary, API version 4."""

    type: Literal["mapillary"]
    endpoint: Url = "https://graph.mapillary.com"
    tiles_endpoint: Url = "https://tiles.mapillary.com"
    key_env: EnvName = "MAPILLARY_TOKEN"
    picture: Literal["1024", "2048", "original"] = "2048"
    picture_hosts: list[str] = ["fbcdn.net"]
    """Hosts that the pictures' addresses may point to, subdomains included (`host:port` for a test server)."""


class KartaView(NetworkSource):
    """Street photos of KartaView, mostly from dashboards. No key."""

    type: Literal["kartaview"]
    endpoint: Url = "https://kartaview.org"
    picture_hosts: list[str] = ["kartaview.org", "openstreetcam.org"]


class GoogleStreet(NetworkSource):
    """Google Street View. Its terms forbid datasets and training: without a separate agreement only ids are noted."""

    type: Literal["google"]
    endpoint: Url = "https://maps.googleapis.com"
    key_env: EnvName = "GOOGLE_MAPS_API_KEY"
    separate_agreement: str | None = None
    """Which agreement with Google allows it, in your words; stands in the dataset's card. Pictures are then fetched,
    and marked as not redistributable."""


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


class XyzSource(NetworkSource):
    """Aerial tiles by address: one of the checked-in open sources, or a template of your own."""

    type: Literal["xyz"]
    preset: str | None = None
    """Name in `geoscribe sources list`. Gives all that follows."""
    template: Annotated[str, Field(max_length=2_000)] | None = None
    """With {z} {x} {y} ({-y} counts rows from the south), {q} (quadkey), {s} (subdomain), {key}."""
    credits: Credits | None = None
    """Required with a template."""
    max_zoom: Annotated[int, Field(ge=1, le=24)] | None = None
    tile_px: Literal[256, 512] = 256
    subdomains: list[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,20}$")]] = []
    bbox: tuple[float, float, float, float] | None = None
    """West, south, east, north: where the source has imagery; anywhere if left out."""
    key_env: EnvName | None = None
    captured_on: str | None = None
    blank_sha256: list[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = []
    """Tiles that mean `no imagery here`, by the digest of their bytes."""
    separate_agreement: str | None = None
    """For sources whose terms forbid datasets (Esri, Google, Bing, Mapbox): which agreement allows yours."""

    @model_validator(mode="after")
    def _one_way(self) -> "XyzSource":
        if (self.preset is None) == (self.template is None):
            raise ValueError("either preset or template")
        if self.template is not None and self.credits is None:
            raise ValueError("a template of your own needs credits: author, licence, link")
        return self


class OpenAerial(NetworkSource):
    """The checked-in open aerial sources, for each place the first that covers it and needs no key of its own."""

    type: Literal["open"]
    presets: Annotated[list[str], Field(min_length=1)] | None = None
    """In order of preference; all that need no key if left out."""


class WmtsSource(NetworkSource):
    """Aerial tiles by a WMTS capabilities document."""

    type: Literal["wmts"]
    capabilities: Url
    layer: str
    matrix_set: str | None = None
    """The layer's first in EPSG:3857 if left out."""
    style: str | None = None
    credits: Credits
    key_env: EnvName | None = None
    captured_on: str | None = None


class WmsSource(NetworkSource):
    """Aerial pictures by a WMS capabilities document."""

    type: Literal["wms"]
    capabilities: Url
    layers: Annotated[list[str], Field(min_length=1)]
    credits: Credits
    key_env: EnvName | None = None
    captured_on: str | None = None


class CogSource(NetworkSource):
    """Cloud-optimised GeoTIFFs by address, read in windows."""

    type: Literal["cog"]
    urls: Annotated[list[Url], Field(min_length=1)]
    bands: tuple[int, int, int] | None = None
    scale: tuple[float, float] | None = None
    credits: Credits
    captured_on: str | None = None


class StacSource(NetworkSource):
    """Cloud-optimised GeoTIFFs that a STAC search finds for each place; the newest first."""

    type: Literal["stac"]
    endpoint: Url
    """Root of the STAC API."""
    collections: Annotated[list[str], Field(min_length=1)]
    asset: str = "visual"
    asset_hosts: list[str] = []
    """Hosts beside the endpoint's that assets may lie on, subdomains included."""
    datetime: str | None = None
    """STAC interval, as 2021-01-01/2023-12-31."""
    max_gsd_m: Gsd | None = None
    bands: tuple[int, int, int] | None = None
    scale: tuple[float, float] | None = None
    credits: Credits | None = None
    """Where left out, each item must state its licence and its provider."""


class PmtilesAerial(NetworkSource):
    """Aerial tiles in one PMTiles archive."""

    type: Literal["pmtiles"]
    archive: str
    """A file, or an address read in ranges."""
    credits: Credits
    captured_on: str | None = None


class OpenAerialMap(NetworkSource):
    """Drone orthophotos of OpenAerialMap, by its STAC API."""

    type: Literal["openaerialmap"]
    endpoint: Url = "https://api.imagery.hotosm.org/stac"
    asset_hosts: list[str] = [
        f"{bucket}.s3.{region}amazonaws.com"
        for bucket in ("oin-hotosm-temp", "oin-hotosm")
        for region in ("", "us-east-1.")
    ]
    max_gsd_m: Gsd = 0.1
    """Coarser imagery is no drone view."""


class MapLook(Section):
    """How a map chip is drawn."""

    labels: bool = True
    """Whether names are drawn on the map chip."""
    style: Literal["house", "carto"] = "house"
    """`carto`: in the manner of openstreetmap-carto, which released CVG-Text models were trained on."""


class MapCredits(Section):
    """Whose map data it is. OpenStreetMap's if left out."""

    author: str = "OpenStreetMap contributors"
    licence: str = "ODbL-1.0"
    link: str = "https://www.openstreetmap.org/copyright"
    extracted_on: str | None = None
    """Date of the extract (YYYY-MM-DD); read from the data where it says so."""


class MapFiles(MapLook, MapCredits):
    """Local map files: Overpass JSON, OSM PBF or XML, Overture-style GeoJSON or GeoParquet (.gz and .bz2 allowed)."""

    type: Literal["files"]
    files: Annotated[list[Path], Field(min_length=1)]


class Overture(MapLook, MapCredits, NetworkSource):
    """Overture Maps GeoParquet: a release in a bucket, or a copy of one."""

    type: Literal["overture"]
    release: str
    """Folder or s3:// URL that holds `theme=...` folders, as `s3://overturemaps-us-west-2/release/2026-10-21.0`."""
    s3_endpoint: Url | None = None
    """Of a bucket that is not Amazon's."""
    s3_region: str = "us-west-2"
    author: str = "Overture Maps Foundation, OpenStreetMap contributors"
    link: str = "https://docs.overturemaps.org/attribution/"


class Overpass(MapLook, MapCredits, NetworkSource):
    """OpenStreetMap through an Overpass server: for small builds only, the public one allows 10,000 requests a day."""

    type: Literal["overpass"]
    endpoint: Url = "https://overpass-api.de/api/interpreter"


class PmtilesMap(MapLook, MapCredits, NetworkSource):
    """Vector tiles (Protomaps basemap schema) in one PMTiles archive."""

    type: Literal["pmtiles"]
    archive: str
    """A file, or an address read in ranges."""


class WorldMap(Section):
    """The map of the synthetic world."""

    type: Literal["world"]
    seed: int = 0
    labels: bool = True


StreetConfig = Annotated[
    FolderSource | WorldStreet | Panoramax | Mapillary | KartaView | GoogleStreet, Field(discriminator="type")
]
AerialConfig = Annotated[
    RasterSource
    | WorldAerial
    | XyzSource
    | OpenAerial
    | WmtsSource
    | WmsSource
    | CogSource
    | StacSource
    | PmtilesAerial
    | OpenAerialMap,
    Field(discriminator="type"),
]
MapConfig = Annotated[MapFiles | WorldMap | Overture | Overpass | PmtilesMap, Field(discriminator="type")]
SourceKind = Literal["street", "aerial", "drone", "map"]
KINDS: tuple[SourceKind, ...] = get_args(SourceKind)


class Sources(Section):
    """The sources of a build, by kind and name."""

    street: dict[Name, StreetConfig]
    aerial: dict[Name, AerialConfig] = {}
    drone: dict[Name, AerialConfig] = {}
    """Finer imagery from above; a site's drone chip is centred on its first street view."""
    map: dict[Name, MapConfig] = {}
