"""Pictures as a model gets them; chips turned so that what lies ahead of the camera is at the top."""

import io

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import MachineError
from pipeline.perception.signatures import directions
from tests.retrieval.conftest import field_chip
from tools.retrieval.data.pictures import TURNED_SHARE, picture, turned_orientation


def centre_of(pixels: np.ndarray, colour: tuple[int, int, int]) -> tuple[float, float]:
    """Mean place of a colour's pixels: x to the right and y up of the middle, as shares of half a side."""
    near = np.abs(pixels.transpose(1, 2, 0).astype(int) - colour).max(axis=2) < 60
    y, x = np.nonzero(near)
    half = pixels.shape[1] / 2
    return float((x.mean() + 0.5 - half) / half), float((half - y.mean() - 0.5) / half)


@settings(max_examples=12)
@given(st.floats(0, 359.99), st.sampled_from([48, 64, 101]))
def test_what_lies_ahead_is_at_the_top(heading: float, size: int) -> None:
    data = field_chip("red", "blue", heading, side=256).bytes
    turned = picture(data, size, heading)
    assert turned.shape == (3, size, size)
    x, y = centre_of(turned, (255, 0, 0))
    wanted = 0.5 / TURNED_SHARE
    assert x == pytest.approx(0, abs=0.06)
    assert y == pytest.approx(wanted, abs=0.06)
    assert centre_of(turned, (0, 0, 255))[1] == pytest.approx(-wanted, abs=0.06)
    north = picture(data, size)
    x, y = centre_of(north, (255, 0, 0))
    assert x == pytest.approx(0.5 * np.sin(np.radians(heading)), abs=0.05)
    assert y == pytest.approx(0.5 * np.cos(np.radians(heading)), abs=0.05)


@pytest.mark.parametrize("heading", [0.0, 30.0, 45.0, 200.0])
def test_no_corner_of_a_turned_chip_is_empty(heading: float) -> None:
    white = io.BytesIO()
    PIL.Image.new("RGB", (200, 200), "white").save(white, "PNG")
    assert picture(white.getvalue(), 64, heading).min() == 255


def test_a_picture_that_is_not_square_is_squeezed() -> None:
    wide = io.BytesIO()
    image = PIL.Image.new("RGB", (200, 50), "red")
    image.paste("blue", (100, 0, 200, 50))
    image.save(wide, "PNG")
    found = picture(wide.getvalue(), 32)
    assert found[0, :, :14].min() > 200
    assert found[2, :, 18:].min() > 200


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"GIF89a" + bytes(100)])
def test_a_damaged_picture_is_said(data: bytes) -> None:
    with pytest.raises(MachineError, match="geoscribe verify"):
        picture(data, 32)


def test_a_truncated_picture_is_said() -> None:
    data = field_chip("red", "blue", 0, side=256).bytes
    with pytest.raises(MachineError, match="geoscribe verify"):
        picture(data[: len(data) // 2], 32)


@pytest.mark.parametrize("turn", [0.0, 10.0, 25.0, 90.0, 137.0, 350.0])
def test_the_orientation_signature_turns_with_the_chip(turn: float) -> None:
    """Stripes that run at 40 degrees; the turned histogram is that of the turned picture."""
    side = 256
    y, x = np.mgrid[0:side, 0:side] - side / 2
    angle = np.radians(40.0)
    across = x * np.cos(angle) + y * np.sin(angle)  # y is down: an edge that runs at 40 degrees clockwise of the top
    grey = (127 + 120 * np.sin(across / 6)).astype(np.uint8)
    pixels = np.stack([grey] * 3, axis=2)
    data = io.BytesIO()
    PIL.Image.fromarray(pixels).save(data, "PNG")
    seen = directions(np.ascontiguousarray(picture(data.getvalue(), 128, turn).transpose(1, 2, 0)))
    told = turned_orientation(directions(pixels), turn)
    assert told.sum() == pytest.approx(1, abs=1e-4)
    middle = [np.angle((h * np.exp(2j * np.radians(10 * np.arange(18)))).sum(), deg=True) / 2 for h in (seen, told)]
    assert abs((middle[0] - middle[1] + 90) % 180 - 90) < 3
