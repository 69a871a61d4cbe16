"""Sections of the street sources (`pipeline.sources.street`)."""

from pathlib import Path
from typing import Annotated, Literal

from pipeline.config.base import IS_FILE, IS_FOLDER, Share
from pipeline.config.sources.base import EnvName, NetworkSource, SourceSection, Url


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
    allowed_hosts: list[str] = ["fbcdn.net"]
    """Hosts, beside the endpoint's, that URLs of pictures may point to, including their subdomains (`host:port` for a
    test server)."""


class KartaView(NetworkSource):
    """Street photos of KartaView, mostly from dash cams. No key."""

    type: Literal["kartaview"]
    endpoint: Url = "https://kartaview.org"
    """Base URL of the API."""
    allowed_hosts: list[str] = ["kartaview.org", "openstreetcam.org"]
    """Hosts, beside the endpoint's, that URLs of pictures may point to, including their subdomains."""


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
