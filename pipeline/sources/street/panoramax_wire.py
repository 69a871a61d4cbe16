"""Responses of Panoramax: its search, its coverage tiles, its list of instances."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from pipeline.sources.wire import Id, Moment, Number, Text, Wire

_DIRECTIONS = ("Exif.GPSInfo.GPSImgDirection", "Xmp.GPano.PoseHeadingDegrees", "Xmp.Camera.Yaw", "MAPCompassHeading")
"""Tags of a photo that may have its heading."""


def _is_direction(value: Any) -> bool:
    """Whether a tag's value is a heading; many cameras write 0 where they know none."""
    above, _, below = str(value).partition("/")
    try:
        return float(above) / float(below or 1) % 360.0 != 0.0
    except (ValueError, ZeroDivisionError):
        return False


class _Geometry(Wire):
    coordinates: list[float] = Field(min_length=2)


class Orientation(Wire):
    """The inner geometry of a camera."""

    field_of_view: Number = None
    sensor_array_dimensions: Any = None
    """Width and height of the whole picture, pixels."""
    visible_area: Any = None
    """What a part of a sphere lacks on the left, above, on the right and below, pixels."""


class _Properties(Wire):
    datetime: Moment = None
    licence: Text = Field("", alias="license")
    azimuth: Number = Field(None, alias="view:azimuth")
    orientation: Orientation = Field(Orientation(), alias="pers:interior_orientation")
    producer: Any = Field(None, alias="geovisio:producer")
    accuracy: Number = Field(None, alias="quality:horizontal_accuracy")
    exif: Any = None

    @property
    def heading_guessed(self) -> bool:
        """Whether the server made up the heading: the photo's tags have a position and no direction, or one of 0.

        GeoVisio, which runs the instances, then takes the direction to the next photo of the sequence (its function
        `update_headings`), and gives the tags of the photo beside it.
        """
        if self.azimuth is None or not isinstance(self.exif, Mapping):
            return False
        if not any(str(tag).startswith("Exif.GPSInfo.") for tag in self.exif):
            return False  # tags that lack the position may lack the direction as well
        return not any(_is_direction(self.exif.get(tag)) for tag in _DIRECTIONS)


class _Party(Wire):
    name: Text = ""
    roles: tuple[str, ...] = ()


class _Link(Wire):
    rel: str = ""
    href: str = ""


class _Asset(Wire):
    href: str


class Item(Wire):
    """A photo, as the search describes it (a STAC item)."""

    id: Id
    geometry: _Geometry
    collection: Id | None = None
    providers: tuple[_Party, ...] = ()
    properties: _Properties
    assets: Mapping[str, _Asset] = Field(default_factory=dict)
    links: tuple[_Link, ...] = ()


class Found(Wire):
    """The photos that a search found."""

    features: list[Any]


class Spot(Wire):
    """A point of a coverage tile. It states no licence, and only the id of its author."""

    id: Id
    lat: float
    lon: float
    ts: Moment = None
    heading: Number = None
    type: str = "flat"
    account_id: Text = ""
    first_sequence: Id | None = None


class Instance(Wire):
    """An instance of the federation."""

    url: str


class Instances(Wire):
    """The list of instances."""

    instances: list[Any]
