"""The colours of letters and of what is behind them: true under other light, and none where pixels are not sure."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.imaging.types import Pixels
from pipeline.perception.base import TextBox
from pipeline.perception.lettering import with_looks
from tests.examples import examples

WHITE, BLACK, RED, BLUE, GREEN, YELLOW = (
    (245, 245, 242), (20, 20, 22), (190, 25, 35), (25, 60, 150), (20, 110, 60), (235, 200, 40),
)  # fmt: skip
Colour = tuple[int, int, int]


def sign(letters: Colour, behind: Colour, size: float = 1.5) -> tuple[Pixels, TextBox]:
    pixels = np.full((160, 320, 3), (128, 120, 110), np.uint8)
    pixels[40:120, 30:290] = behind
    cv2.putText(pixels, "BAKERY", (50, 95), cv2.FONT_HERSHEY_SIMPLEX, size, letters, round(3 * size), cv2.LINE_AA)
    (width, height), _ = cv2.getTextSize("BAKERY", cv2.FONT_HERSHEY_SIMPLEX, size, round(3 * size))
    left, top, right, bottom = 46.0, 91.0 - height, 54.0 + width, 99.0
    return pixels, TextBox("BAKERY", 0.99, (left, top, right, top, right, bottom, left, bottom), "Latn")


def looks(pixels: Pixels, box: TextBox) -> dict[str, str]:
    return {look.kind: look.value for look in with_looks([box], pixels)[0].looks}


@pytest.mark.parametrize(
    ("letters", "behind", "told"),
    [
        (WHITE, RED, ("white", "red")), (WHITE, BLACK, ("white", "dark")), (BLACK, WHITE, ("black", "light")),
        (WHITE, BLUE, ("white", "blue")), (YELLOW, GREEN, ("yellow", "green")), (RED, WHITE, ("red", "light")),
        (BLACK, YELLOW, ("black", "yellow")),
    ],
)  # fmt: skip
def test_letters_and_background(letters: Colour, behind: Colour, told: tuple[str, str]) -> None:
    assert looks(*sign(letters, behind)) == dict(zip(("lettering", "background"), told, strict=True))


def test_little_contrast_and_small_letters_tell_nothing() -> None:
    assert looks(*sign((120, 120, 120), (100, 100, 100))) == {}
    assert "lettering" not in looks(*sign(WHITE, RED, size=0.25))


def test_of_a_number_in_a_disc_no_colour_is_told() -> None:
    """The edge of its box lies on the disc's rim."""
    pixels, box = sign(BLACK, WHITE)
    assert looks(pixels, replace(box, text="50")) == {}


def test_a_motley_background_is_not_told() -> None:
    pixels, box = sign(WHITE, BLACK)
    noise = np.random.default_rng(3).integers(0, 2, (160, 320, 1)) > 0
    motley = np.where((pixels == BLACK).all(axis=-1, keepdims=True) & noise, (150, 40, 60), pixels).astype(np.uint8)
    assert "background" not in looks(motley, box)


@examples(30)
@given(
    pair=st.sampled_from([(WHITE, RED, "red"), (WHITE, BLUE, "blue"), (WHITE, BLACK, "dark"), (BLACK, WHITE, "light")]),
    gain=st.floats(0.6, 1.1),
    tint=st.tuples(st.floats(0.95, 1.05), st.just(1.0), st.floats(0.92, 1.08)),
)
def test_other_light_tells_the_same_or_nothing(
    pair: tuple[Colour, Colour, str], gain: float, tint: tuple[float, float, float]
) -> None:
    letters, behind, name = pair
    pixels, box = sign(letters, behind)
    found = looks(np.clip(pixels * gain * np.array(tint), 0, 255).astype(np.uint8), box)
    assert found.get("background", name) == name
    assert found.get("lettering") in ({None, "white", "light"} if letters is WHITE else {None, "black", "dark"})
