"""The signatures are what their formulas say, and change as they say when a picture is turned or shifted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.imaging.types import Pixels
from pipeline.perception.signatures import (
    COLOUR_BINS,
    DIRECTIONS,
    FLOOR,
    RINGS,
    SIDE_PX,
    colours,
    directions,
    signatures,
    spectrum,
)
from tests.examples import examples


def texture(seed: int, grain: float = 2.0) -> Pixels:
    """Coloured noise of a grain, without borders: what leaves on one side comes in on the other."""
    noise = np.random.default_rng(seed).normal(size=(3, SIDE_PX, SIDE_PX))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE_PX), np.fft.fftfreq(SIDE_PX)))
    smooth = np.fft.ifft2(np.fft.fft2(noise) * np.exp(-2 * (np.pi * grain * frequency) ** 2)).real
    return np.asarray(np.clip(128 + 40 * smooth / smooth.std(), 0, 255).transpose(1, 2, 0), np.uint8)


def stripes(bearing_deg: float, cycles: float = 12) -> Pixels:
    """Stripes that run along a bearing, clockwise from the top."""
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX] / SIDE_PX
    across = x * np.cos(np.radians(bearing_deg)) + y * np.sin(np.radians(bearing_deg))
    grey = 128 + 100 * np.sin(2 * np.pi * cycles * across)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


seeds = st.integers(0, 2**32)
turns = st.integers(1, 3)


@given(seeds, turns)
@examples(10)
def test_a_turn_by_90_degrees(seed: int, turn: int) -> None:
    picture = texture(seed)
    turned = np.ascontiguousarray(np.rot90(picture, turn))
    np.testing.assert_array_equal(colours(turned), colours(picture))
    np.testing.assert_allclose(directions(turned), np.roll(directions(picture), turn * DIRECTIONS // 2), atol=2e-5)
    np.testing.assert_allclose(spectrum(turned), spectrum(picture), atol=2e-5)


@given(seeds, st.integers(0, SIDE_PX), st.integers(0, SIDE_PX))
@examples(10)
def test_a_shift(seed: int, down: int, right: int) -> None:
    picture = texture(seed)
    shifted = np.roll(picture, (down, right), axis=(0, 1))
    np.testing.assert_array_equal(colours(shifted), colours(picture))
    np.testing.assert_allclose(directions(shifted), directions(picture), atol=0.002)  # all but the border
    loud = (spectrum(picture) > -3) & (np.arange(RINGS) >= 3)  # the lowest hold few frequencies
    np.testing.assert_allclose(spectrum(shifted)[loud], spectrum(picture)[loud], atol=0.25)  # the window moves


@given(seeds)
@examples(10)
def test_a_mirror_turns_directions_round_and_leaves_the_rest(seed: int) -> None:
    picture = texture(seed)
    mirrored = np.ascontiguousarray(picture[:, ::-1])
    np.testing.assert_array_equal(colours(mirrored), colours(picture))
    np.testing.assert_allclose(directions(mirrored), np.roll(directions(picture)[::-1], 1), atol=2e-5)
    np.testing.assert_allclose(spectrum(mirrored), spectrum(picture), atol=2e-5)


@pytest.mark.parametrize("bearing", range(0, 180, 10))
def test_stripes_stand_in_the_bin_of_their_bearing(bearing: int) -> None:
    found = directions(stripes(bearing))
    assert int(found.argmax()) == bearing // 10
    assert found.max() > 0.8


@pytest.mark.parametrize("ring", [2, 5, 10, 20])
def test_stripes_stand_in_the_ring_of_their_frequency(ring: int) -> None:
    found = spectrum(stripes(0, cycles=(ring + 0.5) * SIDE_PX / 2 / RINGS))
    assert int(found.argmax()) == ring


def test_a_finer_grain_has_more_power_in_high_rings() -> None:
    fine, coarse = spectrum(texture(1, 1.0)), spectrum(texture(1, 4.0))
    assert (fine[12:24] > coarse[12:24] + 1).all()


def test_colours_are_counted_channel_by_channel() -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[..., 0] = 255
    picture[:2, :, 1] = 16
    found = colours(picture)
    assert found[COLOUR_BINS - 1] == 1.0
    assert (found[COLOUR_BINS], found[COLOUR_BINS + 1]) == (0.5, 0.5)
    assert found[2 * COLOUR_BINS] == 1.0


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 255))
@examples(20)
def test_a_flat_picture_of_any_shape_has_neither_direction_nor_texture(height: int, width: int, value: int) -> None:
    flat = np.full((height, width, 3), value, np.uint8)
    assert not directions(flat).any()
    assert (spectrum(flat) == FLOOR).all()
    assert colours(flat).sum() == 3.0


def test_a_picture_has_three_of_fixed_length() -> None:
    found = signatures("aerial", texture(1)[:, :100])
    assert [(s.view_id, s.kind, len(s.values)) for s in found] == [
        ("aerial", "colour", 48), ("aerial", "orientation", 18), ("aerial", "spectrum", 32),
    ]  # fmt: skip
    assert all(float(np.float32(value)) == value for s in found for value in s.values)
