"""Turned chips show what lies in a direction at their top."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.imaging.turn import drawn_bearing, larger_side, north_up, turned


@given(st.floats(0, 359.99), st.integers(32, 65), st.floats(0.2, 0.9))
def test_what_lies_in_a_direction_is_above_the_middle(bearing: float, size: int, far: float) -> None:
    """A spot at that bearing in a north-up picture is straight up, as far from the middle as it was."""
    side = larger_side(size)
    assert side >= size * math.sqrt(2)
    assert (side - size) % 2 == 0
    distance = far * size / 2
    x = side / 2 + distance * math.sin(math.radians(bearing)) - 0.5
    y = side / 2 - distance * math.cos(math.radians(bearing)) - 0.5
    rows, columns = np.mgrid[0:side, 0:side]
    spot = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
    pixels = np.repeat(spot[:, :, None], 3, axis=2).astype(np.uint8)
    found = turned(pixels, bearing, size)[:, :, 0].astype(float)
    assert found.shape == (size, size)
    middle = (np.mgrid[0:size, 0:size] * found).sum(axis=(1, 2)) / found.sum()
    assert middle[1] == pytest.approx(size / 2 - 0.5, abs=0.3)
    assert middle[0] == pytest.approx(size / 2 - 0.5 - distance, abs=0.8)  # near the edge a part of the spot is cut off


@given(st.floats(0, 359.99), st.integers(16, 64))
def test_no_corner_of_a_chip_is_empty(bearing: float, size: int) -> None:
    side = larger_side(size)
    assert (turned(np.full((side, side, 3), 200, np.uint8), bearing, size) == 200).all()


@given(st.floats(1, 359))
def test_a_chip_is_turned_back_to_north(bearing: float) -> None:
    x, y = np.meshgrid(np.arange(96), np.arange(96))
    pixels = np.stack([2 * x, 2 * y, x + y], axis=2).astype(np.uint8)
    back = north_up(turned(pixels, bearing, 96), bearing)
    assert back.shape == pixels.shape
    assert np.abs(back[32:64, 32:64].astype(int) - pixels[32:64, 32:64]).max() <= 4


def test_directions_without_a_view_differ_and_stay() -> None:
    found = [drawn_bearing(f"town-{number}") for number in range(200)]
    assert found == [drawn_bearing(f"town-{number}") for number in range(200)]
    assert len(set(found)) > 100
    assert all(0 <= bearing < 360 for bearing in found)
