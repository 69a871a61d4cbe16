"""What a semantic model says that cannot be is left out, and what can be stays."""

import cv2
import numpy as np
import pytest

from pipeline.imaging.types import Pixels
from pipeline.perception.base import Segment
from pipeline.perception.clearness import is_blurred, is_night
from pipeline.perception.plausible import plausible
from pipeline.perception.vocabulary import parse, vocabulary

HEIGHT, WIDTH = 120, 160
WORDS = vocabulary()
DAY: Pixels = np.full((HEIGHT, WIDTH, 3), 150, np.uint8)
GREEN = (70, 110, 50)


def seen(label: str, rows: slice, columns: slice, confidence: float = 0.9) -> Segment:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[rows, columns] = True
    return Segment(label, None, mask, confidence, WORDS[label].lasting, None)


def scene(*more: Segment) -> list[Segment]:
    """Sky, a row of houses with a wall of windows, a road, and what stands before them."""
    taken = np.logical_or.reduce([segment.mask for segment in more]) if more else np.zeros((HEIGHT, WIDTH), bool)
    found = [
        seen("sky", slice(0, 40), slice(0, WIDTH)), seen("building", slice(40, 80), slice(0, WIDTH)),
        seen("road", slice(80, HEIGHT), slice(0, WIDTH)),
    ]  # fmt: skip
    for segment in found:
        segment.mask[taken] = False
    return [*found, *more]


def labels(*more: Segment) -> list[str]:
    return sorted({s.label for s in plausible(scene(*more), day(*more), WORDS)} - {"sky", "road"})


def day(*more: Segment) -> Pixels:
    """A grey view, green where something grows."""
    pixels = DAY.copy()
    for segment in more:
        if WORDS[segment.label].group == "plant":
            pixels[segment.mask] = GREEN
    return pixels


ODD = {
    "a house in the clouds": seen("house", slice(10, 20), slice(30, 60)),
    "a house in a corner of the sky": seen("house", slice(0, 20), slice(0, 60)),
    "a tree in the clouds": seen("tree", slice(10, 20), slice(30, 60)),
    "a manhole taken for a house": seen("house", slice(95, 110), slice(30, 60)),
    "a cone taken for a sign": seen("sign", slice(95, 105), slice(30, 36)),
    "a road in the air": seen("path", slice(10, 20), slice(30, 60)),
    "a tree in a window": seen("tree", slice(50, 60), slice(30, 45)),
    "a flag from above, taken for an awning": seen("awning", slice(0, 45), slice(30, 60)),
    "a dashboard taken for a wall": seen("wall", slice(100, HEIGHT), slice(100, WIDTH)),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_cannot_be_is_left_out(odd: str) -> None:
    assert labels(ODD[odd]) == ["building"]


EVEN = {
    "a lamp against the sky": seen("lamp", slice(5, 39), slice(30, 33)),
    "a flag against the sky": seen("flag", slice(10, 20), slice(30, 40)),
    "a branch that hangs into the view": seen("tree", slice(0, 20), slice(0, 60)),
    "an awning on a house": seen("awning", slice(60, 70), slice(30, 60)),
    "a sign on a house": seen("sign", slice(50, 60), slice(30, 60)),
    "a tree before a house": seen("tree", slice(30, 85), slice(30, 60)),
    "a hedge at the foot of a view": seen("hedge", slice(70, HEIGHT), slice(0, 40)),
    "a tower that rises into the sky": seen("tower", slice(5, 80), slice(70, 90)),
    "a person on the road": seen("person", slice(90, 110), slice(70, 78)),
}


@pytest.mark.parametrize("even", EVEN)
def test_what_can_be_stays(even: str) -> None:
    assert EVEN[even].label in labels(EVEN[even])


def test_a_sky_seen_in_a_window_is_none_and_one_between_roofs_is() -> None:
    def kept(hole: Segment) -> list[str]:
        building = seen("building", slice(0, HEIGHT), slice(0, WIDTH))
        building.mask[hole.mask] = False
        return [segment.label for segment in plausible([building, hole], DAY, WORDS)]

    assert kept(seen("sky", slice(40, 60), slice(40, 60))) == ["building"]
    assert kept(seen("sky", slice(0, 60), slice(40, 60))) == ["building", "sky"]


def grounds(*shares: tuple[str, int, float]) -> list[tuple[str, float]]:
    """Labels and confidences of made ground that a foot of the view, 100 columns wide, is said to be in stripes."""
    left, made = 0, []
    for label, columns, confidence in shares:
        made.append(seen(label, slice(80, HEIGHT), slice(left, left + columns), confidence))
        left += columns
    return [(s.label, s.confidence) for s in plausible(made, day(*made), WORDS)]


def test_where_the_model_wavers_the_ground_is_paved() -> None:
    assert grounds(("road", 50, 0.8), ("pavement", 50, 0.6)) == [("paved ground", 0.7)]
    assert grounds(("road", 80, 0.8), ("pavement", 20, 0.6)) == [("road", 0.8), ("pavement", 0.6)]
    assert grounds(("road", 95, 0.8), ("pavement", 5, 0.6)) == [("road", 0.8)]
    assert grounds(("road", 95, 0.8), ("pavement", 5, 0.85)) == [("road", 0.8), ("pavement", 0.85)]
    assert grounds(("road", 100, 0.8)) == [("road", 0.8)]
    assert grounds(("grass", 50, 0.8), ("pavement", 50, 0.6)) == [("grass", 0.8), ("pavement", 0.6)]


def test_a_vocabulary_without_a_word_for_it_keeps_what_was_said() -> None:
    words = parse("lasting: [{one: road, kin: ground}, {one: pavement, kin: ground}]\npassing: []", where="words.yaml")
    made = [seen("road", slice(80, HEIGHT), slice(0, 50)), seen("pavement", slice(80, HEIGHT), slice(50, 100))]
    assert [segment.label for segment in plausible(made, DAY, words)] == ["pavement", "road"]


def test_what_is_black_shows_nothing() -> None:
    pixels = DAY.copy()
    pixels[40:80, :80] = 8
    left, right = (seen("building", slice(40, 80), half) for half in (slice(0, 80), slice(80, WIDTH)))
    assert [segment.mask[60, 100] for segment in plausible([left, right], pixels, WORDS)] == [True]


@pytest.mark.parametrize(
    ("pixels", "sky", "night"),
    [
        (np.full((HEIGHT, WIDTH, 3), 150, np.uint8), None, False),
        (np.full((HEIGHT, WIDTH, 3), 30, np.uint8), None, True),
        (np.full((HEIGHT, WIDTH, 3), 30, np.uint8), 220, False),  # a street in the shade below a bright sky
        (np.full((HEIGHT, WIDTH, 3), 150, np.uint8), 5, True),  # a lit street below a black one
    ],
)
def test_night_is_known_by_the_sky_and_else_by_the_whole(pixels: Pixels, sky: int | None, *, night: bool) -> None:
    pixels = pixels.copy()
    found = []
    if sky is not None:
        pixels[:40] = sky
        found = [seen("sky", slice(0, 40), slice(0, WIDTH))]
    assert is_night(pixels, found) == night


def test_a_lit_window_makes_no_day() -> None:
    pixels = np.full((HEIGHT, WIDTH, 3), 30, np.uint8)
    pixels[:, :70] = 250
    assert is_night(pixels, [])


def test_at_night_only_what_is_sure_counts_and_hardly_a_wall() -> None:
    pixels = np.full((HEIGHT, WIDTH, 3), 50, np.uint8)
    found = [seen("building", slice(0, 80), slice(0, 80), 0.75), seen("house", slice(0, 80), slice(80, WIDTH), 0.85)]
    wall = seen("wall", slice(80, HEIGHT), slice(0, WIDTH), 0.85)
    assert [segment.label for segment in plausible([*found, wall], pixels, WORDS)] == ["house"], (
        "a wall is a lit window"
    )


def test_greenery_is_green_and_a_tree_may_be_bare() -> None:
    for label, paint, told in (
        ("vegetation", (120, 80, 70), False), ("hedge", (90, 90, 90), False), ("vegetation", GREEN, True),
        ("grass", (150, 165, 120), True), ("tree", (90, 80, 75), True),
    ):  # fmt: skip
        plant = seen(label, slice(30, 85), slice(30, 60))
        pixels = DAY.copy()
        pixels[plant.mask] = paint
        assert (label in {s.label for s in plausible(scene(plant), pixels, WORDS)}) == told, (label, paint)


def test_a_blurred_view_is_one_that_a_further_blur_changes_little() -> None:
    rng = np.random.default_rng(0)
    sharp = np.repeat(np.repeat(rng.integers(0, 256, (30, 40, 3), np.uint8), 12, axis=0), 12, axis=1)
    moved = cv2.blur(sharp, (31, 1))
    views = (sharp, moved, cv2.blur(sharp, (25, 25)), DAY)
    blurred = [is_blurred(np.asarray(pixels, np.uint8)) for pixels in views]
    assert blurred == [False, True, True, False]
    assert not is_blurred(sharp // 8), "a faint picture is not a blurred one"
    unsure = seen("building", slice(40, 80), slice(0, WIDTH), 0.75)
    assert plausible([unsure], np.ascontiguousarray(moved[:HEIGHT, :WIDTH]), WORDS) == []
