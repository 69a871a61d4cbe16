"""Sections of the map sources (`pipeline.sources.maps`)."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.base import IS_FILE, DateText, Section, Share
from pipeline.config.sources.base import Credits, NetworkSource, SourceSection, Url


class MapLook(SourceSection):
    """How a map chip is drawn."""

    labels: bool = True
    """Draw names on the map chip."""
    style: Literal["house", "carto"] = "house"
    """Style of the map chip. `house`: our own. `carto`: similar to openstreetmap-carto, on which released CVG-Text
    models were trained."""


class MapCredits(Section):
    """Whom map data is credited to, OpenStreetMap by default, and its date."""

    credits: Credits = Credits(
        author="OpenStreetMap contributors", licence="ODbL-1.0", link="https://www.openstreetmap.org/copyright"
    )
    """Author, licence and link of the map data."""
    extracted_on: DateText | None = None
    """Date of the extract (YYYY-MM-DD). Read from the data where it states one."""


class MapTrust(Section):
    """How far a map is believed that states for each thing how sure it is of it, as Overture's places do."""

    min_confidence: Share = 0.5
    """Things of less confidence are left out; 0 takes all. Whatever is closed, gone or planned is left out anyway."""


class MapFiles(MapLook, MapCredits, MapTrust):
    """Local map files: Overpass JSON, OSM PBF or XML, Overture-style GeoJSON or GeoParquet (.gz and .bz2 allowed)."""

    type: Literal["files"]
    files: Annotated[list[Path], Field(min_length=1), IS_FILE]
    """Paths of the files."""


class Overture(MapLook, MapCredits, MapTrust, NetworkSource):
    """Overture Maps GeoParquet: a release in a bucket, or a copy of one."""

    type: Literal["overture"]
    release: str
    """Folder or s3:// URL that holds `theme=...` folders, such as
    `s3://overturemaps-us-west-2/release/2026-10-21.0`."""
    s3_endpoint: Url | None = None
    """Endpoint of a bucket that is not Amazon's."""
    s3_region: str = "us-west-2"
    """Region of the bucket."""
    credits: Credits = Credits(
        author="Overture Maps Foundation, OpenStreetMap contributors",
        licence="ODbL-1.0",
        link="https://docs.overturemaps.org/attribution/",
    )
    """Author, licence and link of the map data."""


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
