"""What lies in a region, and the box around it: true on the ellipsoid, and across the antimeridian."""

from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from pipeline.config.region import Region
from pipeline.geo.shape import box_area_m2, in_box

WGS84 = Geod(ellps="WGS84")
FIJI = (
    "MULTIPOLYGON (((179 -18, 180 -18, 180 -16, 179 -16, 179 -18)), "
    "((-180 -18, -179 -18, -179 -16, -180 -16, -180 -18)))"
)


@given(
    lat=st.floats(-89, 89),
    lon=st.floats(-180, 180),
    radius=st.floats(1, 100_000),
    bearing=st.floats(0, 360),
    share=st.floats(0, 2).filter(lambda s: abs(s - 1) > 1e-6),
)
def test_a_circle_holds_what_is_within_its_true_radius_and_its_bounds_hold_it(
    lat: float, lon: float, radius: float, bearing: float, share: float
) -> None:
    region = Region(name="r", centre=(lat, lon), radius_m=radius)
    x, y, _ = WGS84.fwd(lon, lat, bearing, radius * share)
    place = np.array([x]), np.array([y])
    assert region.contains(*place)[0] == (share < 1)
    if share < 1 and abs(lat) < 85:
        assert in_box(region.bounds(), *place)[0]


def test_a_box_may_cross_the_antimeridian() -> None:
    region = Region(name="r", bbox=(179.0, -18.0, -179.0, -16.0))
    lon, lat = np.array([179.5, -179.5, 178.9, 0.0, 180.0]), np.full(5, -17.0)
    assert region.contains(lon, lat).tolist() == [True, True, False, False, True]


def test_polygons_on_both_sides_of_the_antimeridian_are_one_region() -> None:
    region = Region(name="r", polygon=FIJI)
    assert region.bounds() == (179.0, -18.0, -179.0, -16.0)
    assert region.middle() == (-17.0, -180.0)
    lon, lat = np.array([179.5, -179.5, 178.9, 0.0]), np.full(4, -17.0)
    assert region.contains(lon, lat).tolist() == [True, True, False, False]


@given(st.lists(st.tuples(st.integers(-179, 178), st.integers(1, 30)), min_size=1, max_size=5))
def test_the_bounds_of_polygons_hold_them_and_leave_out_the_widest_gap(spans: list[tuple[int, int]]) -> None:
    parts = [shapely.box(west, -1, min(west + width, 180), 1) for west, width in spans]
    region = Region(name="r", polygon=shapely.union_all(parts).wkt)
    west, _, east, _ = region.bounds()
    corners = shapely.get_coordinates(parts)
    assert in_box(region.bounds(), corners[:, 0], corners[:, 1]).all()
    edges = sorted({*corners[:, 0].tolist(), -180.0, 180.0})
    gaps = [b - a for a, b in pairwise(edges) if not shapely.Point((a + b) / 2, 0).within(shapely.union_all(parts))]
    assert (east - west) % 360.0 <= 360.0 - max(gaps, default=0.0) + 1e-9


def test_the_area_of_a_box_is_the_ellipsoid_s_within_a_hundredth() -> None:
    for south in (-70, 0, 45, 80):
        lon, lat = [10, 11, 11, 10], [south, south, south + 1, south + 1]
        area = abs(WGS84.polygon_area_perimeter(lon, lat)[0])
        assert box_area_m2((10, south, 11, south + 1)) == pytest.approx(area, rel=0.01)
    assert box_area_m2((-180, -90, 180, 90)) == pytest.approx(510.06e12, rel=1e-4)
    assert box_area_m2((179, 0, -179, 1)) == pytest.approx(box_area_m2((0, 0, 2, 1)))
