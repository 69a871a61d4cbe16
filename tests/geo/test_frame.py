"""The local frame against geodesics."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from pipeline.geo.frame import LocalFrame, bearing_deg

GEOD = Geod(ellps="WGS84")
PLACES = {"lat": st.floats(-89, 89), "lon": st.floats(-180, 180)}


@given(**PLACES, bearing=st.floats(0, 359.99), distance=st.floats(1, 5000))
def test_distances_and_bearings_from_the_centre_are_true(
    lat: float, lon: float, bearing: float, distance: float
) -> None:
    frame = LocalFrame(round(lat, 8), round(lon, 8))
    far_lon, far_lat, _ = GEOD.fwd(frame.lon, frame.lat, bearing, distance)
    x, y = (float(value) for value in frame.to_metres(far_lon, far_lat))
    assert math.hypot(x, y) == pytest.approx(distance, abs=1e-3)
    assert abs((bearing_deg(x, y) - bearing + 180) % 360 - 180) * math.pi / 180 * distance < 1e-3
    back_lon, back_lat = frame.to_degrees(x, y)
    assert GEOD.inv(far_lon, far_lat, float(back_lon), float(back_lat))[2] < 1e-3


@given(**PLACES)
def test_chip_bbox_holds_the_corners(lat: float, lon: float) -> None:
    frame = LocalFrame(lat, lon)
    west, south, east, north = frame.chip_bbox(512, 0.3)
    corner = 512 * 0.3 / 2
    lons, lats = frame.to_degrees([-corner, corner, corner, -corner], [-corner, -corner, corner, corner])
    assert south - 1e-9 <= lats.min()
    assert lats.max() <= north + 1e-9
    inside = (lons - west) % 360 <= (east - west) % 360 + 1e-9
    near_edge = np.minimum((lons - west) % 360, (west - lons) % 360) < 1e-9
    assert (inside | near_edge).all()


@pytest.mark.parametrize(("x", "y", "bearing"), [(0, 1, 0), (1, 0, 90), (0, -1, 180), (-1, 0, 270), (-1e-20, 1, 0)])
def test_bearings_are_clockwise_from_north_and_below_360(x: float, y: float, bearing: float) -> None:
    assert bearing_deg(x, y) == pytest.approx(bearing)
    assert bearing_deg(x, y) < 360
