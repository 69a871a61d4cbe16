"""The direction that a photo's lines run to."""

import math

import cv2
import numpy as np
import pytest

from pipeline.imaging.types import Pixels
from pipeline.imaging.vanishing import VanishingPoint, vanishing_around, vanishing_point

SIZE = (960, 720)


def street(angle_deg: float, hfov_deg: float = 70.0, seed: int = 1) -> Pixels:
    """Fronts with eaves and window rows on both sides of a road that runs off at an angle to the axis."""
    random = np.random.default_rng(seed)
    width, height = SIZE
    focal = width / 2 / math.tan(math.radians(hfov_deg) / 2)
    centre = np.array([width / 2 + focal * math.tan(math.radians(angle_deg)), height / 2 + 20])
    pixels = np.full((height, width, 3), 200, np.uint8)
    for side in (-1, 1):
        for level in np.concatenate([np.linspace(-500, 300, 14), random.uniform(-500, 300, 10)]):
            far = centre + np.array([side * 900, level])
            a, b = centre + 0.12 * (far - centre), centre + 0.95 * (far - centre)
            cv2.line(pixels, tuple(map(int, a)), tuple(map(int, b)), (60, 50, 40), 2, cv2.LINE_AA)
    for x in random.uniform(0, width, 12):
        cv2.line(pixels, (int(x), 100), (int(x), 600), (30, 30, 30), 3)
    return pixels


@pytest.mark.parametrize("angle", [-30.0, -12.0, 0.0, 5.0, 25.0])
@pytest.mark.parametrize("hfov", [60.0, 75.0])
def test_lines_of_a_street_tell_its_direction(angle: float, hfov: float) -> None:
    found = vanishing_point(street(angle, hfov), hfov)
    assert found is not None
    assert abs(found.angle_deg - angle) < 2.0


def test_what_has_no_lines_tells_nothing() -> None:
    noise = np.random.default_rng(3).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    assert vanishing_point(np.full((SIZE[1], SIZE[0], 3), 90, np.uint8), 70.0) is None
    assert vanishing_point(np.asarray(cv2.GaussianBlur(noise, (0, 0), 12), np.uint8), 70.0) is None


def test_two_streets_that_are_told_alike_tell_nothing() -> None:
    both = np.minimum(street(-28.0), street(28.0))
    assert vanishing_point(np.asarray(both), 70.0) is None


def ends(*angles: float, share: float = 0.5) -> list[tuple[float, VanishingPoint]]:
    """Points at angles from a picture's axis, each in the view nearest to it."""
    return [(45.0 * round(a / 45.0), VanishingPoint(a - 45.0 * round(a / 45.0), share)) for a in angles]


@pytest.mark.parametrize(
    ("angles", "street"),
    [
        ([20.0, -160.0], 20.0),
        ([95.0, 94.0, -86.0], -85.67),  # the same street, half a turn on
        ([20.0], None),  # one end may be anything
        ([72.0, 68.0], None),  # two views of one end
        ([20.0, -160.0, 110.0, -70.0], None),  # two streets that are told alike
        ([20.0, -160.0, 110.0], 20.0),
        ([], None),
    ],
)
def test_a_street_is_seen_in_both_directions(angles: list[float], street: float | None) -> None:
    found = vanishing_around(ends(*angles))
    assert (found and found.angle_deg) == (street and pytest.approx(street, abs=0.01))
