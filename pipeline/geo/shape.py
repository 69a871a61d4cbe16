"""Geometry of regions on the globe: points in circles, boxes and polygons, and their bounding boxes.

Polygons lie between longitudes -180 and 180; one that crosses the antimeridian is cut there into two (RFC 7946, 3.1.9).
"""

import math
from functools import lru_cache

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod
from shapely.geometry.base import BaseGeometry

from pipeline.geo.point import Floats

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees; west > east across the antimeridian."""

_WGS84 = Geod(ellps="WGS84")
_MEAN_RADIUS_M = 6_371_008.8
_FLATTENING_ERROR = 0.006
"""Maximum relative difference between a distance on the sphere and on WGS84."""


def in_box(box: Box, lon: Floats, lat: Floats) -> NDArray[np.bool_]:
    """Whether each position lies in a box, edges included."""
    west, south, east, north = box
    across = (lon >= west) & (lon <= east) if west <= east else (lon >= west) | (lon <= east)
    inside: NDArray[np.bool_] = across & (lat >= south) & (lat <= north)
    return inside


def in_circle(lat: float, lon: float, radius_m: float, lons: Floats, lats: Floats) -> NDArray[np.bool_]:
    """Whether each position lies within a distance (geodesic on WGS84) of a centre."""
    # The geodesic is dear, so it is asked only where the sphere leaves it open.
    phi, phis = math.radians(lat), np.radians(lats)
    chord = np.sin((phis - phi) / 2) ** 2 + math.cos(phi) * np.cos(phis) * np.sin(np.radians(lons - lon) / 2) ** 2
    near = 2 * _MEAN_RADIUS_M * np.arcsin(np.sqrt(np.minimum(chord, 1.0)))
    inside: NDArray[np.bool_] = near <= radius_m * (1 - _FLATTENING_ERROR)
    edge = np.flatnonzero(~inside & (near <= radius_m * (1 + _FLATTENING_ERROR)))
    _, _, exact = _WGS84.inv(np.full(len(edge), lon), np.full(len(edge), lat), lons[edge], lats[edge])
    inside[edge] = np.asarray(exact) <= radius_m
    return inside


def circle_bounds(lat: float, lon: float, radius_m: float) -> Box:
    """A bounding box of a circle."""
    dlat = radius_m / 110_500.0  # no degree of latitude, nor of longitude at the equator, is shorter on WGS84
    dlon = dlat / max(math.cos(math.radians(min(abs(lat) + dlat, 89.0))), 1e-6)
    return wrap(lon - dlon), max(lat - dlat, -90.0), wrap(lon + dlon), min(lat + dlat, 90.0)


def wrap(lon: float) -> float:
    """The same longitude within [-180, 180)."""
    return (lon + 180.0) % 360.0 - 180.0


def in_polygon(wkt: str, lon: Floats, lat: Floats) -> NDArray[np.bool_]:
    """Whether each position lies in polygons, edges included."""
    inside: NDArray[np.bool_] = shapely.intersects_xy(_parsed(wkt), lon, lat)
    return inside


def polygon_bounds(wkt: str) -> Box:
    """The smallest bounding box of polygons: the circle of latitude without their widest gap."""
    parts = shapely.bounds(shapely.get_parts(_parsed(wkt)))
    west: list[float] = []
    east: list[float] = []
    for left, right in sorted((float(part[0]), float(part[2])) for part in parts):
        if east and left <= east[-1]:
            east[-1] = max(east[-1], right)
        else:
            west.append(left)
            east.append(right)
    gaps = [(west[(i + 1) % len(west)] - east[i]) % 360.0 for i in range(len(west))]
    widest = gaps.index(max(gaps))
    south, north = float(parts[:, 1].min()), float(parts[:, 3].max())
    return west[(widest + 1) % len(west)], south, east[widest], north


def box_area_m2(box: Box) -> float:
    """Area of a box in square metres, on the sphere of WGS84's mean radius; within 0.7 % of the ellipsoid's."""
    west, south, east, north = box
    band = math.sin(math.radians(north)) - math.sin(math.radians(south))
    width = 360.0 if east - west == 360.0 else (east - west) % 360.0
    return math.radians(width) * band * _MEAN_RADIUS_M**2


@lru_cache(maxsize=256)
def _parsed(wkt: str) -> BaseGeometry:
    geometry = shapely.from_wkt(wkt)
    shapely.prepare(geometry)
    return geometry
