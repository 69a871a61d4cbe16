"""Responses of Panoramax: its search, its coverage tiles, its list of instances."""

import math
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from pipeline.imaging.lens import Crop
from pipeline.sources.street.places import Fault
from pipeline.sources.wire import Id, Moment, Number, OptionalId, Text, Wire
from schemas.reasons import Reason

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
    """Margins that a part of a sphere lacks on the left, above, on the right and below, pixels."""


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
    collection: OptionalId = None
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
    first_sequence: OptionalId = None


class Instance(Wire):
    """An instance of the federation."""

    url: str


class Instances(Wire):
    """The list of instances."""

    instances: list[Any]


def crop_of(orientation: Orientation) -> tuple[Crop | None, Fault | None]:
    """The part of a sphere that a photo shows, if it says so; or why what it says cannot be, or cannot be read."""
    size, missing = _numbers(orientation.sensor_array_dimensions, 2), _numbers(orientation.visible_area, 4)
    if not orientation.visible_area or (missing is not None and not any(missing)):
        return None, None
    if size is None or missing is None:
        said = f"{orientation.visible_area!r} of {orientation.sensor_array_dimensions!r}"[:200]
        return None, (Reason.WRONG_ASPECT, f"visible_area: {said} cannot be read")
    (width, height), (left, top, right, bottom) = size, missing
    crop = Crop(width, height, left, top, width - left - right, height - top - bottom)
    fault = crop.fault()
    return (None, (Reason.WRONG_ASPECT, f"visible_area: {fault}")) if fault else (crop, None)


def _numbers(value: Any, count: int) -> list[float] | None:
    """Numbers, also where they are given as texts."""
    if not isinstance(value, list) or len(value) != count or any(isinstance(part, bool) for part in value):
        return None
    try:
        found = [float(part) for part in value]
    except (TypeError, ValueError, OverflowError):
        return None
    return found if all(map(math.isfinite, found)) else None
