"""Overlap of chips against polygons in their own frames, and what is made of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import Polygon

from pipeline.geo.frame import LocalFrame
from pipeline.geo.overlaps import (
    Chips,
    Floats,
    find_overlaps,
    from_lists,
    shares_between,
    thinned,
)


def outline(lat: float, lon: float, side: float, seen_from: LocalFrame) -> Polygon:
    h = side / 2
    corners = LocalFrame(lat, lon).to_degrees([-h, h, h, -h], [-h, -h, h, h])
    return Polygon(zip(*seen_from.to_metres(*corners), strict=True))


@given(
    st.floats(-80, 80), st.floats(-180, 180), st.floats(-150, 150), st.floats(-150, 150), st.floats(40, 200),
    st.floats(40, 200),
)  # fmt: skip
def test_shares_are_those_of_the_outlines(
    lat: float, lon: float, east: float, north: float, side_a: float, side_b: float
) -> None:
    frame = LocalFrame(lat, lon)
    lon_b, lat_b = (float(d) for d in frame.to_degrees(east, north))
    a = Chips(np.array([lat]), np.array([lon]), np.array([side_a]))
    b = Chips(np.array([lat_b]), np.array([lon_b]), np.array([side_b]))
    wanted = outline(lat, lon, side_a, frame).intersection(outline(lat_b, lon_b, side_b, frame)).area
    share = wanted / min(side_a, side_b) ** 2
    assert shares_between(a, b)[0] == pytest.approx(share, abs=0.005)
    assert shares_between(b, a)[0] == pytest.approx(share, abs=0.005)


def shares_within(chips: Chips) -> Floats:
    """All with all, n x n."""
    i, j = (grid.ravel() for grid in np.indices((len(chips), len(chips))))
    return shares_between(chips[i], chips[j]).reshape(len(chips), len(chips))


def places(n: int, seed: int, spread: float = 0.01) -> Chips:
    random = np.random.default_rng(seed)
    # On both sides of the antimeridian, where degrees jump and metres do not.
    lon = (180 + random.uniform(-spread, spread, n) + 180) % 360 - 180
    return Chips(random.uniform(-spread, spread, n), lon, random.uniform(80, 160, n))


def test_all_pairs_are_found_and_no_other() -> None:
    chips = places(300, 1)
    dense = shares_within(chips)
    found = find_overlaps(chips, 0.1)
    for row in range(len(chips)):
        wanted = np.flatnonzero((dense[row] > 0.1) & (np.arange(len(chips)) != row))
        assert found.of(row).tolist() == wanted.tolist()
        assert found.share[found.start[row] : found.start[row + 1]] == pytest.approx(dense[row][wanted])
    above = found.above(0.4)
    assert [set(above.of(row).tolist()) for row in range(300)] == [
        set(np.flatnonzero((dense[row] > 0.4) & (np.arange(300) != row)).tolist()) for row in range(300)
    ]


def test_the_far_side_of_the_earth_does_not_overlap() -> None:
    a = Chips(np.array([0.0]), np.array([0.0]), np.array([100.0]))
    assert shares_between(a, Chips(np.array([0.0]), np.array([180.0]), np.array([100.0])))[0] == 0


def test_a_subset_has_its_own_row_numbers() -> None:
    lists = [
        (np.array([1, 2]), np.array([0.5, 0.2])),
        (np.array([0]), np.array([0.5])),
        (np.array([0]), np.array([0.2])),
    ]
    subset = from_lists(lists).among(np.array([2, 0]))
    assert subset.of(0).tolist() == [1]
    assert subset.of(1).tolist() == [0]
    assert subset.share.tolist() == [0.2, 0.2]


@given(st.integers(0, 1_000))
def test_a_thinned_gallery_has_no_close_pair_and_lacks_none_that_would_fit(seed: int) -> None:
    chips = places(80, seed, 0.004)
    near = find_overlaps(chips)
    kept = thinned(near, np.random.default_rng(seed).permutation(80), 0.25)
    shares = shares_within(chips) - np.eye(80)
    assert not (shares[kept][:, kept] > 0.25).any()
    assert ((shares[~kept][:, kept] > 0.25).any(axis=1)).all()


def test_chips_that_only_touch_do_not_overlap() -> None:
    frame = LocalFrame(48.0, 11.0)
    lon, lat = frame.to_degrees([0.0, 100.5], [0.0, 0.0])
    assert shares_within(Chips(lat, lon, np.full(2, 100.0)))[0, 1] == 0
