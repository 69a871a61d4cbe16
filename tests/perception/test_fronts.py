"""Low masks without openings are walls, low trees are vegetation, and only those."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.imaging.types import Pixels
from pipeline.perception.base import Segment
from pipeline.perception.fronts import LOW, doubted, far_end, is_low, settled
from pipeline.perception.masks import Bools
from pipeline.perception.vocabulary import vocabulary
from tests.examples import examples

HEIGHT, WIDTH, HORIZON = 240, 320, 110
FOCAL_PX = 250.0
WORDS = vocabulary()
STONE: Pixels = np.full((HEIGHT, WIDTH, 3), 150, np.uint8)


def street(tall: float, *, horizon: int = HORIZON, aside: float = 2.0) -> tuple[Bools, Bools]:
    """What runs along the right of a street, and the street, from a camera of height 1.

    Args:
        tall: height, in heights of the camera.
        horizon: row.
        aside: distance from the camera's axis, in heights of the camera.
    """
    rows = np.arange(HEIGHT)[:, None]
    right = np.maximum(np.arange(WIDTH) - WIDTH // 2, 0)
    foot, top = horizon + right / aside, horizon - right / aside * (tall - 1)
    side = (rows <= foot) & (rows >= top) & (right >= 25)
    return side, (rows > horizon + 2) & ~side


@given(st.floats(0.5, 8.0), st.integers(70, 170), st.floats(1.0, 3.0))
@examples(30)
def test_the_height_over_level_ground_is_that_of_the_thing_wherever_the_horizon_is(
    tall: float, horizon: int, aside: float
) -> None:
    side, ground = street(tall, horizon=horizon, aside=aside)
    if is_low(side, far_end(ground), LOW):
        assert tall <= LOW * 1.05
    elif side[0].mean() == 0:  # all of it is seen
        assert tall > LOW * 0.75


def test_what_hides_its_own_foot_or_goes_on_beyond_the_view_is_of_no_known_height() -> None:
    side, ground = street(2.0)
    hidden = side & (np.arange(HEIGHT)[:, None] < HORIZON)
    assert is_low(side, far_end(ground), LOW)
    assert not is_low(hidden, far_end(ground), LOW)
    cut = side.copy()
    cut[:, WIDTH // 2 + 40 :] |= np.arange(HEIGHT)[:, None] < HORIZON
    assert not is_low(cut, far_end(ground), LOW)
    ground[20:23] = True  # crumbs along a roof
    assert is_low(side, far_end(ground), LOW)
    across = np.zeros_like(side)
    across[60:130] = True
    assert not is_low(across, far_end(np.arange(HEIGHT)[:, None] * np.ones(WIDTH) >= 130), LOW)  # who knows how far off


def told(pixels: Pixels, tall: float, *more: Segment) -> list[str]:
    side, ground = street(tall)
    seen = [segment("building", side), segment("road", ground), *more]
    return [found.label for found in settled(seen, pixels, WORDS)]


def segment(label: str, mask: Bools) -> Segment:
    return Segment(label, None, mask, 0.9, WORDS[label].lasting, None)


def with_windows(count: int) -> Pixels:
    pixels = STONE.copy()
    for i in range(count):
        pixels[100:120, 220 + 30 * i : 235 + 30 * i] = 30
    return pixels


def on_the_right(label: str) -> Segment:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[100:115, 260:290] = True
    return segment(label, mask)


@pytest.mark.parametrize(
    ("pixels", "tall", "more", "label"),
    [
        (STONE, 1.8, [], "wall"), (with_windows(1), 1.8, [], "wall"), (with_windows(3), 1.8, [], "building"),
        (STONE, 5.0, [], "building"), (STONE, 1.8, [on_the_right("sign")], "building"),
        (STONE, 1.8, [on_the_right("door")], "building"), (STONE, 1.8, [on_the_right("lamp")], "wall"),
    ],
    ids=["bare", "a shadow", "windows", "tall", "with a sign", "with a door", "a lamp before it"],
)  # fmt: skip
def test_a_low_mask_without_openings_is_a_wall(pixels: Pixels, tall: float, more: list[Segment], label: str) -> None:
    assert told(pixels, tall, *more)[0] == label


@pytest.mark.parametrize(("tall", "label"), [(1.6, "vegetation"), (4.0, "tree")])
def test_a_low_tree_is_told_as_vegetation(tall: float, label: str) -> None:
    side, ground = street(tall)
    found = settled([segment("tree", side), segment("road", ground)], STONE, WORDS)
    assert [other.label for other in found] == [label, "road"]


def test_without_ground_or_a_word_for_walls_nothing_changes() -> None:
    side, ground = street(1.8)
    alone = [segment("building", side)]
    assert settled(alone, STONE, WORDS) == alone
    seen = [*alone, segment("road", ground)]
    assert settled(seen, STONE, {label: term for label, term in WORDS.items() if label != "wall"}) == seen


def test_a_high_building_without_openings_is_less_sure() -> None:
    side, ground = street(4.5)
    blind, road = settled([segment("building", side), segment("road", ground)], STONE, WORDS)
    assert blind.label == "building"
    assert blind.confidence == segment("building", side).confidence  # against what other engines see
    assert doubted(blind).confidence == pytest.approx(0.8 * blind.confidence)
    assert doubted(road) == road == segment("road", ground)


def test_a_building_without_openings_that_two_engines_saw_is_as_sure_as_any() -> None:
    side, ground = street(4.5)
    blind = settled([segment("building", side), segment("road", ground)], STONE, WORDS)[0]
    seen = replace(blind, seen_by=("one", "two"))
    assert doubted(seen) == seen
