"""Responses of Mapillary: its search, its pictures, its coverage tiles."""

from typing import Any
from urllib.parse import parse_qs

from pydantic import Field, model_validator

from pipeline.sources.wire import Id, Moment, Number, OptionalId, Text, Wire


class _Geometry(Wire):
    coordinates: list[float] = Field(min_length=2)


class _Creator(Wire):
    username: Text = ""


class Image(Wire):
    """A photo, as the search describes it."""

    id: Id
    captured_at: Moment = None
    camera_type: str | None = None
    camera_parameters: tuple[float, ...] = ()
    """Focal length in units of the longer side, and two coefficients of distortion."""
    is_pano: bool = False
    compass_angle: Number = None
    computed_compass_angle: Number = None
    geometry: _Geometry | None = None
    computed_geometry: _Geometry | None = None
    creator: _Creator = _Creator()
    sequence: OptionalId = None
    quality_score: Number = None
    width: Number = None
    height: Number = None
    thumb_1024_url: str | None = None
    thumb_2048_url: str | None = None
    thumb_original_url: str | None = None

    @model_validator(mode="after")
    def _placed(self) -> "Image":
        if self.geometry is None and self.computed_geometry is None:
            raise ValueError(f"photo {self.id} has no position")
        return self


class Entity(Wire):
    """The addresses of a photo."""

    thumb_1024_url: str | None = None
    thumb_2048_url: str | None = None
    thumb_original_url: str | None = None


class Spot(Wire):
    """A point of a coverage tile. Tiles do not name authors."""

    id: Id
    lat: float
    lon: float
    captured_at: Moment = None
    compass_angle: Number = None
    sequence_id: OptionalId = None
    is_pano: bool = False


class _Cursors(Wire):
    after: str | None = None


class _Paging(Wire):
    cursors: _Cursors = _Cursors()
    next: str | None = None

    def after(self) -> str | None:
        """Where the next page starts. The address given for it is never followed: it may carry a token."""
        if self.next is None:
            return None
        query = self.next.partition("#")[0].partition("?")[2]
        return self.cursors.after or next(iter(parse_qs(query).get("after", [])), None)


class Found(Wire):
    """A page of a search."""

    data: list[Any]
    paging: _Paging = _Paging()
