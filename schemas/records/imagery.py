"""Rows of the layer `imagery`: the views of a site, the map features around it, and what was not used."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.reasons import Reason
from schemas.records.base import Heading, Latitude, LayerRow, Longitude, Record
from schemas.records.views import Chip, StreetView

FactKind = Literal[
    "road", "junction", "crossing", "building", "poi", "green", "water", "rail", "stop", "square", "other"
]


class MapFact(Record):
    """A map feature near a site."""

    fact_id: str
    """The map's id of the feature."""
    kind: FactKind
    """Kind of feature."""
    category: str
    """The source's own class, as OSM or Overture name it (`tertiary`, `coffee_shop`, `park`)."""
    name: str | None
    """Name on the map."""
    name_en: str | None
    """English name on the map."""
    distance_m: float
    """Distance from the site to the nearest point of the feature, metres; 0 inside an area."""
    bearing_deg: Heading
    """Bearing of that point from the site, degrees clockwise from north; of the centroid for an area that contains the
    site."""
    axis_deg: Annotated[float, Field(ge=0, lt=180)] | None = None
    """Direction in which a road runs at that point, or the building at it is long, degrees clockwise from north; null
    for other things."""
    building_id: str | None = None
    """The map's id of the building at that point, which `axis_deg` is of; null for roads, and where none is."""
    in_sight: bool | None = None
    """Whether no building on the map stands between the site and the nearest point of the feature (its centroid for an
    area that contains the site); null if the map has no buildings."""
    confidence: float | None = None
    """The map's own confidence that the thing exists, 0 to 1; null where it states none."""


class Considered(Record):
    """A photo that was considered for a site, and the decision."""

    source_id: str
    """The source's id of the photo."""
    lat: Latitude
    """Latitude of the camera, degrees."""
    lon: Longitude
    """Longitude of the camera, degrees."""
    distance_m: float
    """Distance between site and camera, metres."""
    heading_deg: Heading | None
    """Heading, degrees clockwise from north; null if unknown."""
    projection: Literal["perspective", "equirectangular", "fisheye"]
    """Camera projection."""
    captured_at: datetime | None
    """Time of capture; null if unknown."""
    author: str
    """Name to credit."""
    licence: str
    """SPDX identifier, or LicenseRef-..."""
    link: str
    """Page of the photo."""
    score: float
    """Penalty (`pipeline.stages.choosing`); photos are tried in ascending order."""
    verdict: str
    """`chosen`, or why it was not chosen."""


class MissingView(Record):
    """A view that the site lacks, and why."""

    view: Literal["street", "aerial", "drone", "map"]
    """Which view."""
    reason: Reason
    """Reason code."""
    detail: str
    """Details of the reason, in words."""


class ImageryRow(LayerRow):
    """A row of the layer `imagery`: the views of one site. A failed site has empty lists and null chips."""

    layer: ClassVar[str] = "imagery"

    region: str
    """Name of the region."""
    unit: str
    """H3 cell (hexadecimal) of the unit."""
    lat: Latitude
    """Latitude of the site, degrees."""
    lon: Longitude
    """Longitude of the site, degrees."""
    weight: float
    """Inclusion weight."""
    views: list[StreetView]
    """Street views, in the order of their rank."""
    aerial: Chip | None
    """Aerial chip."""
    aerial_scales: list[Chip] = []
    """Further aerial chips with other side lengths."""
    drone: Chip | None = None
    """Drone chip, centred on the first street view."""
    map: Chip | None
    """Map chip."""
    facts: list[MapFact]
    """Map features around the site."""
    charted: list[FactKind] = []
    """Kinds that the map of the place has a layer of, sorted: only of these does its silence mean anything, and only
    for what is worth telling (no plain houses, no driveways)."""
    considered: list[Considered] = []
    """Street photos within the search radius, best first; at most 20."""
    missing: list[MissingView]
    """Views that the site lacks."""
