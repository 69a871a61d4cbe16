"""Distances between places anywhere on the globe."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

Floats = NDArray[np.float64]

EARTH_KM = 6371.0
"""Radius of the sphere that CVG-Text's evaluation measures distances on; ours does the same."""


def haversine_km(lat_a: Floats, lon_a: Floats, lat_b: Floats, lon_b: Floats) -> Floats:
    """Great-circle distance in kilometres on a sphere of 6371 km; positions in degrees, arrays broadcast."""
    phi_a, phi_b = np.radians(lat_a), np.radians(lat_b)
    h = np.sin((phi_b - phi_a) / 2) ** 2
    h = h + np.cos(phi_a) * np.cos(phi_b) * np.sin(np.radians(lon_b - lon_a) / 2) ** 2
    return np.asarray(EARTH_KM * 2 * np.arctan2(np.sqrt(h), np.sqrt(1 - h)))


def unit_vectors(lat: Floats, lon: Floats) -> Floats:
    """Points on the unit sphere, n x 3; chords between them increase with great-circle distance."""
    phi, lam = np.radians(lat), np.radians(lon)
    return np.column_stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])


def earth_centred(lat: Floats, lon: Floats) -> Floats:
    """Positions on the WGS84 ellipsoid, given in degrees, in metres from the earth's centre, n x 3 (EPSG:4978)."""
    return np.column_stack(_to_metres().transform(lon, lat, np.zeros(len(lat))))


@cache
def _to_metres() -> Transformer:
    """From degrees to metres. Threads may share it; to make it takes milliseconds."""
    return Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
