"""Yellow lines on a road are told from what is as yellow, and from what is as thin."""

import cv2
import numpy as np
import pytest

from pipeline.imaging.types import Pixels
from pipeline.perception.markings import markings

HEIGHT, WIDTH = 192, 256
ROAD = np.zeros((HEIGHT, WIDTH), bool)
ROAD[90:] = True
Point = tuple[int, int]
Colour = tuple[int, int, int]
PAINT, ASPHALT = (200, 160, 60), (110, 110, 112)


def street() -> Pixels:
    pixels = np.full((HEIGHT, WIDTH, 3), (150, 180, 220), np.uint8)
    pixels[90:] = ASPHALT
    return pixels


def line(pixels: Pixels, start: Point, end: Point, colour: Colour, width: int = 3) -> None:
    cv2.line(pixels, start, end, colour, width)


def found(pixels: Pixels) -> list[str]:
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return [look.value for look in markings(ROAD, *np.moveaxis(lab, -1, 0))]


def test_a_yellow_line_in_sun_and_in_shade() -> None:
    pixels = street()
    line(pixels, (60, 185), (120, 100), PAINT)
    assert found(pixels) == ["yellow"]
    assert found((pixels * 0.75).astype(np.uint8)) == ["yellow"]


@pytest.mark.parametrize("colour", [(240, 240, 238), (200, 60, 50), (95, 105, 60)], ids=["white", "red", "moss"])
def test_lines_of_other_colours_are_not_told(colour: tuple[int, int, int]) -> None:
    pixels = street()
    line(pixels, (60, 185), (120, 100), colour)
    assert found(pixels) == []


def test_a_yellow_kerb_square_or_tactile_pavement_is_no_line() -> None:
    kerb = street()
    line(kerb, (0, 90), (255, 90), PAINT)  # road on one side only
    assert found(kerb) == []
    square = street()
    square[120:170, 60:140] = PAINT
    line(square, (200, 185), (220, 150), PAINT, 2)
    assert found(square) == []


def test_a_strip_of_sun_between_houses_is_no_line() -> None:
    dark = (street() * 0.3).astype(np.uint8)
    line(dark, (60, 185), (120, 100), (255, 235, 190))
    assert found(dark) == []


def test_a_white_line_on_a_road_that_the_sky_makes_blue_is_not_yellow() -> None:
    shade = street()
    shade[90:] = (48, 60, 84)
    line(shade, (60, 185), (120, 100), (124, 122, 116))
    assert found(shade) == []


def test_sand_as_dark_as_the_road_is_no_line() -> None:
    strip = street()
    line(strip, (60, 185), (120, 100), (130, 108, 72))
    assert found(strip) == []


def test_no_road_has_no_lines() -> None:
    nothing = np.zeros((4, 4), np.float32)
    assert markings(np.zeros((4, 4), bool), nothing, nothing, nothing) == []
