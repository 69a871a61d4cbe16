"""The local metric frame of a site: azimuthal equidistant on WGS84, x east and y north in metres from the site.

Distances and bearings from the site are true, and within a chip of some hundred metres the scale error is below 1e-8.
A window in Web Mercator (EPSG:3857) has no such scale: its metre shrinks with the cosine of the latitude.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import ArrayLike
from pyproj import Transformer

from pipeline.geo.point import Floats


@lru_cache(maxsize=256)
def _transformer(crs: str) -> Transformer:
    return Transformer.from_crs("OGC:CRS84", crs, always_xy=True)


@dataclass(frozen=True)
class LocalFrame:
    """A frame centred on a WGS84 position in degrees."""

    lat: float
    lon: float

    @cached_property
    def crs(self) -> str:
        """PROJ string. Eight decimals correspond to a millimetre."""
        return f"+proj=aeqd +lat_0={self.lat:.8f} +lon_0={self.lon:.8f} +datum=WGS84 +units=m +no_defs"

    def to_metres(self, lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
        """Metres east and north of the centre, from degrees."""
        x, y = _transformer(self.crs).transform(np.asarray(lon, float), np.asarray(lat, float))
        return np.asarray(x), np.asarray(y)

    def to_degrees(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Longitude and latitude, from metres east and north of the centre."""
        lon, lat = _transformer(self.crs).transform(np.asarray(x, float), np.asarray(y, float), direction="INVERSE")
        return np.asarray(lon), np.asarray(lat)

    def chip_bbox(self, size_px: int, gsd_m: float, bearing: float = 0.0) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees around a square chip; west > east across the antimeridian.

        `bearing` is the direction of its upper edge's middle from its centre, degrees clockwise from north.
        """
        turn = np.radians(bearing)
        half = size_px * gsd_m / 2 * float(abs(np.cos(turn)) + abs(np.sin(turn)))
        lon, lat = self.to_degrees([-half, -half, half, half, 0, 0], [-half, half, half, -half, -half, half])
        offset = (lon - self.lon + 180.0) % 360.0 - 180.0
        west, east = (float((self.lon + shift + 180.0) % 360.0 - 180.0) for shift in (offset.min(), offset.max()))
        return west, float(lat.min()), east, float(lat.max())


def axes_turned(x: float, y: float, bearing: float) -> tuple[float, float]:
    """The same point, x metres east and y metres north, along axes of which the second points to `bearing`."""
    cosine, sine = float(np.cos(np.radians(bearing))), float(np.sin(np.radians(bearing)))
    return x * cosine - y * sine, x * sine + y * cosine


def bearing_deg(x: float, y: float) -> float:
    """Direction of a point x metres east and y metres north, degrees clockwise from north in [0, 360)."""
    return float(np.degrees(np.arctan2(x, y)) % 360.0) % 360.0
