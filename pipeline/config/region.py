"""Section of a region: a named area of a build."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from pipeline.config.base import Name, Section
from pipeline.config.perception import OcrConfig
from pipeline.config.sampling import Sampling
from pipeline.geo import shape
from schemas.records import Continent, Latitude, Longitude


class RegionPerception(Section):
    """Keys of the section `perception` that a region may set for itself."""

    ocr: OcrConfig
    """Engine that reads text in this region, instead of the build's."""


class RegionCaptioner(Section):
    """Keys of the section `captioner` that a region may set for itself."""

    prompt_set: Name
    """Prompt set for this region, instead of the build's: another language, say. Of the same kind."""


_WIDEST = 180.0
"""Degrees: where west and east are swapped, a box goes the long way round the earth."""


class Region(Section):
    """A named area: a bounding box, a polygon, or a centre with a radius.

    If the build has several sources of a kind, a region names the one to use.
    """

    name: Name
    """Name of the region: part of site ids and of file names."""
    bbox: tuple[Longitude, Latitude, Longitude, Latitude] | None = None
    """West, south, east, north, in degrees. West greater than east means that the box crosses the antimeridian."""
    centre: tuple[Latitude, Longitude] | None = None
    """Latitude and longitude of the centre, in degrees; goes with `radius_m`."""
    radius_m: Annotated[float, Field(gt=0, le=100_000)] | None = None
    """Radius around `centre`, in metres."""
    polygon: str | None = None
    """WKT of a polygon or multipolygon (longitude first), or the path of a GeoJSON file."""
    catalogue: str | None = None
    """Id of a region of the catalogue (`geoscribe regions list`)."""
    street: str | None = None
    """Name of the street source to use. May be left out where the build has only one."""
    aerial: str | None = None
    """Name of the aerial source to use. May be left out where the build has only one."""
    drone: str | None = None
    """Name of the drone source to use. May be left out where the build has only one."""
    map: str | None = None
    """Name of the map source to use. May be left out where the build has only one."""
    continent: Continent | None = None
    """Continent, for the split by continents. If left out, that of the nearest region of the catalogue."""
    sampling: Sampling | None = None
    """Where sites are drawn in this region. Keys that are left out are as in the build's section `sampling`."""
    perception: RegionPerception | None = None
    """The OCR engine of this region, if it is not the build's."""
    captioner: RegionCaptioner | None = None
    """The prompt set of this region, if it is not the build's."""

    @model_validator(mode="after")
    def _one_shape(self) -> "Region":
        if sum(shape is not None for shape in (self.bbox, self.centre, self.polygon)) != 1:
            raise ValueError("a region has one of bbox, polygon, centre")
        if (self.centre is None) != (self.radius_m is None):
            raise ValueError("centre and radius_m go together")
        if self.bbox is not None and self.bbox[1] >= self.bbox[3]:
            raise ValueError("bbox is west, south, east, north, and south must be less than north")
        if self.bbox is not None and not 0.0 < (self.bbox[2] - self.bbox[0]) % 360.0 <= _WIDEST:
            raise ValueError(f"bbox is west, south, east, north, and at most {_WIDEST:.0f} degrees from west to east")
        return self

    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees; west > east across the antimeridian."""
        if self.bbox is not None:
            return self.bbox
        if self.polygon is not None:
            return shape.polygon_bounds(self.polygon)
        return shape.circle_bounds(*self._circle())

    def middle(self) -> tuple[float, float]:
        """Latitude and longitude of the region's middle (of its bounds, where it is no circle), in degrees."""
        if self.centre is not None:
            return self.centre
        west, south, east, north = self.bounds()
        return (south + north) / 2, shape.wrap(west + ((east - west) % 360.0) / 2)

    def contains(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which positions (degrees, longitude in [-180, 180]) lie in the region, its edge included."""
        if self.bbox is not None:
            return shape.in_box(self.bbox, lon, lat)
        if self.polygon is not None:
            return shape.in_polygon(self.polygon, lon, lat)
        return shape.in_circle(*self._circle(), lon, lat)

    def _circle(self) -> tuple[float, float, float]:
        assert self.centre is not None
        assert self.radius_m is not None
        return *self.centre, self.radius_m
