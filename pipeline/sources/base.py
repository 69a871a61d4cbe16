"""The interface of sources. A source is made once a process from its configuration and shared by threads."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pipeline.config.imagery import Imagery
from pipeline.config.region import Region
from pipeline.geo.point import Floats, Point
from pipeline.imaging.lens import Crop, Fisheye
from pipeline.imaging.types import Camera, Pixels
from pipeline.net.base import Provider
from schemas.reasons import Reason
from schemas.records import FactKind, MapFact


@dataclass(frozen=True)
class Photo:
    """A street photo that a source knows of; its bytes are not read yet."""

    source_id: str
    """Unique within the source."""
    position: Point
    heading_deg: float | None
    """Optical axis (perspective) or image centre (equirectangular), clockwise from north."""
    hfov_deg: float | None
    """Horizontal field of view; 360 for a panorama; None if it is not recorded."""
    projection: Literal["perspective", "equirectangular", "fisheye"]
    captured_at: datetime | None
    author: str
    licence: str
    link: str
    sequence: str | None = None
    """The source's id of the capture sequence (drive, walk) that it is of."""
    lens: Crop | Fisheye | None = None
    """The part of the sphere that an equirectangular photo shows, if not the whole; the model of a fisheye. None for a
    fisheye whose model is not recorded: then nothing in it has a bearing."""
    hfov_along_long_side: bool = False
    """The field of view is that of the longer side, whichever that is."""
    position_error_m: float | None = None
    """By how much the position may be off, as the source says."""
    heading_guessed: bool = False
    """Whether the source is known to have made up the heading from the track, as the photo's own tags have none."""
    quality: float | None = None
    """The source's own score, 0 to 1; None where it has none."""
    redistributable: bool = True
    picture: str | None = None
    """Where its bytes are, for the source's own use; stored nowhere, as such addresses expire."""
    size_bytes: int | None = field(default=None, compare=False)
    """Size of its file, where that is known before it is read."""
    unusable: tuple[Reason, str] | None = None
    """Why it may not be used, where what the source says of it is enough to know."""


@dataclass(frozen=True)
class RasterChip:
    """Pixels from above: north up, centred on the site, at the ground sample distance asked for."""

    pixels: Pixels
    covered: float
    """Share of the chip that the source covers, 0 to 1."""
    source_id: str
    """Files or tiles it came from, joined by a space."""
    author: str
    licence: str
    link: str
    captured_at: datetime | None
    redistributable: bool = True
    native_gsd_m: float | None = None
    """Metres a pixel of what it was made from, see `schemas.records.ChipInfo`; None where it is drawn."""
    datum_accuracy_m: float | None = None
    """Accuracy of the transformation to WGS 84, metres; see `schemas.records.ChipInfo`."""


@dataclass(frozen=True)
class Road:
    """A piece of road to draw sites from."""

    road_id: str
    """Unique within the source."""
    category: str
    """`highway` class in OSM's words."""
    lon: Floats
    lat: Floats
    """Vertices, in degrees."""


class Source(Protocol):
    """Attributes and methods that all sources have."""

    name: str
    """As in the configuration."""
    synthetic: bool
    """True when its pictures are drawn and not taken."""

    def fingerprint(self) -> str:
        """Changes whenever what the source would give changes; part of every recipe made from it."""
        ...


class StreetSource(Source, Protocol):
    """Street-level photos."""

    def candidates(self, region: Region) -> Iterator[Photo]:
        """All photos of a region, in any order: what sites are sampled from.

        Raises:
            SiteError: the source could not be asked.
        """
        ...

    def near(self, point: Point, radius_m: float) -> list[Photo]:
        """Photos within a radius, nearest first; ties by id.

        Photos that cannot be used for what the source says of them (licence, position) are among them, with
        `unusable` set.

        Raises:
            SiteError: the source could not be asked.
        """
        ...

    def read(self, photo: Photo) -> bytes:
        """The photo's encoded bytes, as they came.

        Raises:
            SiteError: it cannot be had.
        """
        ...


@runtime_checkable
class KnowsTruth(Protocol):
    """A street source that can say what is in a view of a photo of its own."""

    def truth(self, photo: Photo, camera: Camera) -> str:
        """JSON `{"texts": [...], "objects": [...]}`; see `pipeline.perception.oracle`."""
        ...


class AerialSource(Source, Protocol):
    """Pictures from above."""

    def chip(self, point: Point, size_px: int, gsd_m: float) -> RasterChip:
        """A chip centred on a point.

        Raises:
            SiteError: NO_OVERLAP, ALL_NODATA, BLANK_TILE, READ_FAILED, or a reason of the network.
        """
        ...


class MapSource(Source, Protocol):
    """Map features around a point, and a picture of them."""

    def around(self, point: Point, radius_m: float) -> list[MapFact]:
        """Things within a radius, nearest first. Names are given as the map has them."""
        ...

    def charted(self) -> frozenset[FactKind]:
        """The kinds of fact that it has a layer of; see `schemas.records.ImageryRow`. Asked after `chip`.

        Raises:
            SiteError: the source could not be asked.
        """
        ...

    def chip(self, point: Point, size_px: int, gsd_m: float) -> RasterChip:
        """The map drawn in the aerial chip's frame and scale.

        Raises:
            SiteError: NO_OVERLAP or EMPTY_MAP, or a reason of the network.
        """
        ...


@runtime_checkable
class HasRoads(Protocol):
    """A map source that sites can be sampled along the roads of."""

    def roads(self, region: Region) -> Iterator[Road]:
        """The roads of a region, in an order that depends on the map alone; they may reach beyond it.

        Raises:
            SiteError: the source could not be asked.
        """
        ...


@runtime_checkable
class Networked(Protocol):
    """A source that is asked over the network. Making one asks nothing; a wrong setting is a `ConfigError` then."""

    name: str

    def provider(self) -> Provider:
        """The service that it sends requests to, with its limits."""
        ...

    def requests(self, lat: Floats, lon: Floats, imagery: Imagery) -> int:
        """Upper estimate of how many requests the sites at these positions take together, with a cache."""
        ...

    def probe(self, region: Region) -> str:
        """One cheap request: reachable, key valid, licence stated; returns what it found, in a line.

        Raises:
            SiteError: it cannot be reached, or does not answer as documented.
            MachineError: the key is refused.
        """
        ...


@runtime_checkable
class Lists(Protocol):
    """A source over the network that can be asked for all it has in a region: its photos, or the map's roads."""

    def listing_requests(self, region: Region) -> tuple[Provider, int]:
        """The service that `candidates` or `roads` sends requests to, and an upper estimate of their number."""
        ...


@runtime_checkable
class KnowsArea(Protocol):
    """An aerial source that is known to have imagery in some places and none in others."""

    def covers(self, lat: Floats, lon: Floats) -> NDArray[np.bool_]:
        """Whether positions in degrees lie in its area. Makes no network requests."""
        ...


@runtime_checkable
class AsksSeveral(Protocol):
    """A source over the network that asks several providers."""

    def requests_by_provider(self, lat: Floats, lon: Floats, imagery: Imagery) -> list[tuple[Provider, int]]:
        """As `Networked.requests`, provider by provider."""
        ...
