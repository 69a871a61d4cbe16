"""The colours of a front's parts: large ones, above its foot, and of no more names than there are paints."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.imaging.types import Pixels
from pipeline.perception.base import Segment
from pipeline.perception.colour_names import colour_boxes
from pipeline.perception.front_colours import front_colours
from pipeline.perception.looks import ViewColours
from pipeline.perception.vocabulary import vocabulary
from tests.examples import examples

HEIGHT, WIDTH = 192, 256
WORDS = vocabulary()
GLASS, ROAD, SKY = (35, 38, 42), (110, 112, 111), (140, 180, 225)
PAINTS = {"white": (245, 245, 243), "yellow": (235, 215, 110), "beige": (225, 200, 165), "brick-red": (150, 80, 60),
          "green": (40, 130, 115), "blue": (45, 75, 140)}  # fmt: skip
FRONT = (slice(50, 150), slice(20, 236))


def front(above: tuple[int, int, int], below: tuple[int, int, int] = GLASS) -> Pixels:
    """A building over its whole width: an upper half with windows, and a shop below."""
    pixels = np.full((HEIGHT, WIDTH, 3), ROAD, np.uint8)
    pixels[:50] = SKY
    house = pixels[FRONT]
    house[:50], house[50:] = above, below
    for left in range(12, 190, 40):
        house[15:35, left : left + 14] = GLASS
    return pixels


def parts(pixels: Pixels, whole: str | None = None) -> list[str]:
    """Colours of parts of the building, the largest first."""
    lightness, a, b = np.moveaxis(cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), -1, 0)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[FRONT] = True
    return [look.value for look in front_colours(mask, np.ones_like(mask), lightness, a, b, whole)]


def told(pixels: Pixels, *, without_openings: bool = False) -> list[tuple[str, str]]:
    """The same with the colours of the whole, as looks of a view's building."""
    sky, mask = np.zeros((HEIGHT, WIDTH), bool), np.zeros((HEIGHT, WIDTH), bool)
    sky[:50], mask[FRONT] = True, True
    building = Segment("building", None, mask, 0.95, True, None, without_openings=without_openings)
    found = ViewColours(pixels, [Segment("sky", None, sky, 0.99, True, None)], WORDS).coloured(building)
    return [(look.kind, look.value) for part in found for look in part.looks]


@pytest.mark.parametrize("paint", sorted(PAINTS))
def test_an_upper_half_has_its_colour_over_a_dark_shop(paint: str) -> None:
    assert parts(front(PAINTS[paint])) == [paint]


def test_what_is_at_the_foot_is_no_part() -> None:
    """A garden wall, a hedge, or paving that was taken for the building."""
    assert parts(front(GLASS, PAINTS["brick-red"])) == []


def test_a_small_part_is_not_told() -> None:
    pixels = front(GLASS)
    pixels[60:80, 30:50] = PAINTS["yellow"]
    assert parts(pixels) == []
    pixels[55:85, 30:110] = PAINTS["yellow"]
    assert parts(pixels) == ["yellow"]


def test_a_wall_with_joints_has_the_colour_of_its_stones() -> None:
    pixels = front(PAINTS["white"])
    pixels[50:150:4] = pixels[50:150, ::5] = (60, 62, 61)
    assert parts(pixels) == ["white"]


def test_two_houses_in_one_mask_are_told_by_their_colours() -> None:
    pixels = front(PAINTS["brick-red"])
    pixels[50:100, 120:236] = PAINTS["green"]
    pixels[70:85, 140:150] = GLASS
    assert sorted(parts(pixels)) == ["brick-red", "green"]
    assert parts(pixels, "brick-red") == ["green"]
    assert parts(pixels, "reddish") == ["green"]


def shopfront(pixels: Pixels) -> Pixels:
    """Two paints over each other, so that the whole has no one colour."""
    pixels[100:150, 20:236] = (225, 200, 165)
    return pixels


@pytest.mark.parametrize(
    ("paint", "looks"),
    [
        ((40, 130, 115), [("part", "green")]), ((70, 120, 50), []), ((45, 75, 140), [("part", "blue")]),
        ((80, 150, 240), []),
    ],
    ids=["green paint", "plants", "blue paint", "sky in panes"],
)  # fmt: skip
def test_what_lies_on_a_building_is_no_part_of_it(paint: tuple[int, int, int], looks: list[tuple[str, str]]) -> None:
    assert told(shopfront(front(paint))) == looks


def test_a_parasol_before_a_house_without_openings_is_no_part_of_it() -> None:
    pixels = front((90, 70, 50), (90, 70, 50))
    pixels[55:80, 30:90] = (235, 120, 30)
    assert told(pixels) == [("part", "orange")]
    assert told(pixels, without_openings=True) == []


def test_red_paving_is_no_red_light() -> None:
    """All that is seen beside the building is of one colour; but for some grey things in the same light."""
    pixels = shopfront(front((40, 130, 115)))
    pixels[50:, :20] = pixels[50:, 236:] = pixels[150:] = (150, 80, 60)
    assert told(pixels) == []
    pixels[150:, 100:150] = (128, 128, 128)
    assert told(pixels) == [("part", "green")]


@examples(30)
@given(
    paints=st.tuples(st.sampled_from(sorted(PAINTS)), st.sampled_from(sorted(PAINTS))),
    gain=st.floats(0.75, 1.05),
    noise=st.integers(0, 2**32 - 1),
)
def test_nothing_is_told_that_was_not_painted(paints: tuple[str, str], gain: float, noise: int) -> None:
    pixels = front(PAINTS[paints[0]])
    pixels[50:100, 120:236] = PAINTS[paints[1]]
    lit = pixels * gain + np.random.default_rng(noise).normal(0, 6, pixels.shape)
    found = parts(np.clip(lit, 0, 255).astype(np.uint8))
    alike = {"white": {"pale", "grey"}, "beige": {"pale", "tan"}, "yellow": {"beige", "tan"}, "brick-red": {"reddish"}}
    assert set(found) <= {name for paint in paints for name in {paint, *alike.get(paint, ())}}
    assert len(found) <= 2
    assert found == parts(np.clip(lit, 0, 255).astype(np.uint8))


@given(st.floats(0, 100), st.floats(0, 120), st.floats(0, 359.99))
def test_a_median_has_one_name_at_most(lightness: float, chroma: float, hue: float) -> None:
    point = [np.array([value], np.float32) for value in (lightness, chroma, hue)]
    names = {box.name for box in colour_boxes("parts") if box.holds(*point)[0]}
    assert len(names) <= 1 or names <= {"brick-red", "reddish", "red", "orange"}
