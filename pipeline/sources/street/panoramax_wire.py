"""Responses of Panoramax: its search, its coverage tiles, its list of instances."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from pipeline.sources.wire import Id, Moment, Number, Text, Wire


class _Geometry(Wire):
    coordinates: list[float] = Field(min_length=2)


class Orientation(Wire):
    """The inner geometry of a camera."""

    field_of_view: Number = None
    sensor_array_dimensions: Any = None
    """Of the whole picture, pixels."""
    visible_area: Any = None
    """Of a part of a sphere: how much is missing left, above, right and below, pixels."""


class _Properties(Wire):
    datetime: Moment = None
    licence: Text = Field("", alias="license")
    azimuth: Number = Field(None, alias="view:azimuth")
    orientation: Orientation = Field(Orientation(), alias="pers:interior_orientation")
    producer: Any = Field(None, alias="geovisio:producer")
    accuracy: Number = Field(None, alias="quality:horizontal_accuracy")


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
