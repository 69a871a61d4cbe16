"""Colours are told where pixels are sure, and not where they are not."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.imaging.types import Pixels
from pipeline.perception.base import Segment
from pipeline.perception.colour_names import ColourBox, colour_boxes
from pipeline.perception.looks import ViewColours
from pipeline.perception.vocabulary import vocabulary
from tests.examples import examples

HEIGHT, WIDTH = 192, 256
WORDS = vocabulary()
SKY = (140, 180, 225)


def view(*walls: tuple[int, int, int]) -> Pixels:
    """Sky above walls side by side, with dark windows and a grey roof, above a grey road."""
    pixels = np.full((HEIGHT, WIDTH, 3), (110, 112, 111), np.uint8)
    pixels[:60] = SKY
    width = WIDTH // len(walls)
    for i, wall in enumerate(walls):
        house = pixels[60:150, i * width : (i + 1) * width]
        house[:] = wall
        house[:15] = (90, 92, 95)
        for left in range(8, width - 20, 30):
            house[30:50, left : left + 12] = house[60:80, left : left + 12] = (35, 38, 42)
    return pixels


def seen(label: str, rows: slice, columns: slice, confidence: float = 0.95) -> Segment:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[rows, columns] = True
    return Segment(label, None, mask, confidence, WORDS[label].lasting, None)


SKY_SEEN = seen("sky", slice(0, 60), slice(0, WIDTH))
HOUSES = seen("building", slice(60, 150), slice(0, WIDTH))


def colours(pixels: Pixels, segment: Segment, *, sky: bool = True) -> list[str | None]:
    found = ViewColours(pixels, [SKY_SEEN] if sky else [], WORDS).coloured(segment)
    for part in found:
        assert [look.value for look in part.looks if look.kind == "colour"] == [part.attribute][: bool(part.attribute)]
    return [part.attribute for part in found]


@given(st.floats(0, 100), st.floats(0, 120), st.floats(0, 359.99))
def test_a_colour_has_one_name_at_most(lightness: float, chroma: float, hue: float) -> None:
    point = [np.array([value], np.float32) for value in (lightness, chroma, hue)]
    assert len({box.name for box in colour_boxes() if box.holds(*point)[0]}) <= 1


def test_boxes_of_two_names_leave_a_gap() -> None:
    """Else a pixel between two colours would be sure of one."""

    def apart(a: tuple[float, float], b: tuple[float, float], turn: bool = False) -> bool:
        shifts = (0, 360, -360) if turn else (0,)
        ranges = [(low, high if low <= high else high + 360) for low, high in (a, b)]
        return all(ranges[0][1] < ranges[1][0] + s or ranges[1][1] + s < ranges[0][0] for s in shifts)

    def gap(a: ColourBox, b: ColourBox) -> bool:
        return apart(a.lightness, b.lightness) or apart(a.chroma, b.chroma) or apart(a.hue, b.hue, turn=True)

    assert [(a.name, b.name) for a, b in combinations(colour_boxes(), 2) if a.name != b.name and not gap(a, b)] == []


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((250, 250, 248), "white"), ((225, 205, 170), "beige"), ((150, 80, 60), "brick-red"), ((200, 30, 35), "red"),
        ((235, 120, 30), "orange"), ((220, 185, 70), "yellow"), ((60, 130, 70), "green"), ((40, 80, 180), "blue"),
        ((150, 190, 215), "blue"), ((110, 50, 130), "purple"), ((240, 170, 170), "pink"),
        ((128, 128, 128), "grey"), ((20, 20, 22), None), ((90, 70, 50), None), ((170, 160, 140), "pale"),
    ],
)  # fmt: skip
def test_a_plain_house_has_the_name_of_its_walls(rgb: tuple[int, int, int], name: str | None) -> None:
    assert colours(view(rgb), HOUSES) == [name]


def test_a_row_of_houses_is_one_for_each_colour() -> None:
    found = ViewColours(view((220, 185, 70), (150, 80, 60)), [SKY_SEEN], WORDS).coloured(HOUSES)
    assert sorted((part.attribute, round(float(np.nonzero(part.mask)[1].mean()), -1)) for part in found) == [
        ("brick-red", 190.0), ("yellow", 60.0),
    ]  # fmt: skip
    assert (np.sum([part.mask for part in found], axis=0) == HOUSES.mask).all()
    assert {part.confidence for part in found} == {0.95}


def test_what_is_beside_a_coloured_house_is_a_building_without_colour() -> None:
    found = ViewColours(view((150, 80, 60), (90, 70, 50), (90, 71, 50)), [SKY_SEEN], WORDS).coloured(HOUSES)
    assert [part.attribute for part in found] == ["brick-red", None]
    assert (found[0].mask | found[1].mask == HOUSES.mask).all()
    assert not (found[0].mask & found[1].mask).any()


def test_a_sliver_of_a_view_has_columns_enough() -> None:
    """What is left of a picture 200 times as high as wide is some pixels wide, and less where colours are read."""
    strip = np.full((1_024, 3, 3), 240, np.uint8)
    house = Segment("building", None, np.ones(strip.shape[:2], bool), 0.95, WORDS["building"].lasting, None)
    (part,) = ViewColours(strip, [], WORDS).coloured(house)
    assert part.mask.shape == strip.shape[:2]


def test_two_colours_in_one_place_are_none() -> None:
    stripes = view((128, 128, 128))
    stripes[75:150, ::8] = stripes[75:150, 1::8] = stripes[75:150, 2::8] = stripes[75:150, 3::8] = (220, 185, 70)
    stripes[75:150, 4::8] = stripes[75:150, 5::8] = stripes[75:150, 6::8] = stripes[75:150, 7::8] = (40, 80, 180)
    assert colours(stripes, HOUSES) == [None]


@pytest.mark.parametrize(
    "segment",
    [
        seen("tree", slice(60, 150), slice(0, WIDTH)), seen("car", slice(60, 150), slice(0, WIDTH)),
        seen("building", slice(60, 150), slice(0, WIDTH), 0.7), seen("awning", slice(60, 70), slice(0, 8)),
    ],
    ids=["nobody says so", "passing", "not sure to be one", "small"],
)  # fmt: skip
def test_of_some_things_no_colour_is_told(segment: Segment) -> None:
    assert colours(view((150, 80, 60)), segment) == [None]


def test_light_that_has_a_colour_tells_none() -> None:
    house = view((220, 185, 70))
    assert colours(house, HOUSES) == ["yellow"]
    assert colours((house * 0.25).astype(np.uint8), HOUSES) == [None]  # night
    warm = np.clip(house * np.array([1.0, 0.72, 0.4]), 0, 255).astype(np.uint8)
    assert colours(warm, HOUSES) == [None]
    lamps = (house * 0.55).astype(np.uint8)
    lamps[:60] = 20
    assert colours(lamps, HOUSES, sky=False) == [None]  # no sky, and darker than day


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((150, 80, 60), "brick-red"), ((250, 250, 248), "pale"), ((95, 97, 96), "grey"), ((70, 80, 100), "grey"),
        ((150, 120, 112), "reddish"), ((150, 130, 125), None), ((150, 140, 110), None), ((150, 118, 85), None),
    ],
    ids=["brick", "in the sun", "asphalt", "asphalt in the shade", "faded brick", "stone", "sand", "under lamps"],
)  # fmt: skip
def test_ground_is_grey_pale_or_reddish_and_not_painted(rgb: tuple[int, int, int], name: str | None) -> None:
    pixels = view((128, 128, 128))
    pixels[150:] = rgb
    assert colours(pixels, seen("pavement", slice(150, HEIGHT), slice(0, WIDTH))) == [name]


def test_a_dashboard_before_a_road_does_not_colour_it() -> None:
    road = seen("road", slice(150, HEIGHT), slice(0, WIDTH))
    pixels = view((128, 128, 128))
    pixels[150:] = (110, 112, 111)
    assert colours(pixels, road) == ["grey"]
    pixels[150:158] = (176, 160, 140)  # what is seen of a road of sandy concrete
    assert colours(pixels, road) == [None]


def test_a_door_or_a_pier_of_brick_is_no_wall() -> None:
    pixels = view((220, 215, 205))
    pixels[60:150, 120:142] = (150, 80, 60)
    assert "wall" not in {part.label for part in ViewColours(pixels, [SKY_SEEN], WORDS).coloured(HOUSES)}
    pixels = view((220, 215, 205))
    pixels[60:150, :26] = (150, 80, 60)  # a pot that the border cuts
    assert "wall" not in {part.label for part in ViewColours(pixels, [SKY_SEEN], WORDS).coloured(HOUSES)}


def test_brick_without_openings_within_something_wider_is_a_gate_or_a_panel_of_it() -> None:
    pixels = view((220, 215, 205))
    pixels[60:150, 80:160] = (150, 80, 60)
    assert {part.label for part in ViewColours(pixels, [SKY_SEEN], WORDS).coloured(HOUSES)} == {"building"}
    pixels[60:150, :160] = (150, 80, 60)
    found = ViewColours(pixels, [SKY_SEEN], WORDS).coloured(HOUSES)
    assert ("wall", "brick-red") in {(part.label, part.attribute) for part in found}


def test_what_is_on_either_side_of_a_house_with_a_colour_is_a_house_of_its_own() -> None:
    yellow = view((110, 85, 60), (235, 200, 90), (110, 85, 60))
    left, middle, right = sorted(
        ViewColours(yellow, [SKY_SEEN], WORDS).coloured(HOUSES), key=lambda part: int(part.mask.any(axis=0).argmax())
    )
    assert [part.attribute for part in (left, middle, right)] == [None, "yellow", None]
    assert not left.mask[:, WIDTH // 2 :].any()
    assert not right.mask[:, : WIDTH // 2].any()


def test_white_walls_in_the_shade_are_not_grey() -> None:
    shaded = view((112, 122, 140))  # white paint under a blue sky
    assert colours(shaded, HOUSES) == [None]
    partly = view((128, 128, 128))
    partly[75:150, 100:120] = (250, 250, 248)  # a strip of sun on it
    assert "grey" not in colours(partly, HOUSES)


def test_brick_that_the_border_cuts_or_that_has_no_windows_is_a_wall() -> None:
    whole = seen("building", slice(60, 150), slice(40, WIDTH - 40))
    blind = view((150, 80, 60))
    blind[75:150] = (150, 80, 60)
    for pixels, house, label in (
        (view((150, 80, 60)), whole, "building"),
        (view((150, 80, 60)), HOUSES, "wall"),
        (blind, whole, "wall"),
    ):
        (found,) = ViewColours(pixels, [SKY_SEEN], WORDS).coloured(house)
        assert (found.label, found.attribute) == (label, "brick-red")
    blind[60:150] = (220, 185, 70)
    (yellow,) = ViewColours(blind, [SKY_SEEN], WORDS).coloured(HOUSES)
    assert yellow.label == "building"


def test_a_lit_window_and_a_garden_wall_do_not_colour_the_building_above() -> None:
    house = view((90, 70, 50))
    house[120:150] = (220, 185, 70)
    assert colours(house, HOUSES) == [None]
    house[90:150] = (220, 185, 70)  # as high as the lamps of a shop light a wall
    assert colours(house, HOUSES) == [None]
    house[80:150] = (220, 185, 70)
    assert colours(house, HOUSES) == ["yellow"]


PAINTS = {"white": (250, 250, 248), "beige": (225, 205, 170), "brick-red": (150, 80, 60), "red": (200, 30, 35),
          "yellow": (220, 185, 70), "green": (60, 130, 70), "blue": (40, 80, 180), "grey": (128, 128, 128)}  # fmt: skip


@pytest.mark.parametrize(
    ("rgb", "name"), [((235, 120, 30), None), ((250, 250, 248), "white"), ((150, 80, 60), "brick-red")]
)
def test_a_building_without_openings_has_no_colour_of_cloth(rgb: tuple[int, int, int], name: str | None) -> None:
    """An orange parasol in the mask of the houses behind it."""
    assert colours(view(rgb), replace(HOUSES, without_openings=True)) == [name]


def test_the_sky_in_a_house_s_glass_is_not_its_colour() -> None:
    assert colours(view((80, 150, 240)), HOUSES) == [None]
    assert colours(view((150, 190, 215)), HOUSES) == ["blue"]  # painted boards


@examples(40)
@given(
    paint=st.sampled_from(sorted(PAINTS)),
    gain=st.floats(0.7, 1.1),
    tint=st.tuples(st.floats(0.95, 1.05), st.floats(0.98, 1.02), st.floats(0.93, 1.07)),
)
def test_under_other_light_a_wall_keeps_its_colour_or_has_none(
    paint: str, gain: float, tint: tuple[float, float, float]
) -> None:
    lit = np.clip(view(PAINTS[paint]) * gain * np.array(tint), 0, 255).astype(np.uint8)
    alike = {  # what it is to anybody
        "white": {"grey", "pale"},
        "beige": {"pale", "yellow"},
        "red": {"brick-red"},
        "brick-red": {"red"},
    }
    assert set(colours(lit, HOUSES)) <= {paint, None} | alike.get(paint, set())


@examples(40)
@given(st.sampled_from(list(combinations(sorted(PAINTS.keys() - {"grey"}), 2))), st.integers(0, 2**32 - 1))
def test_a_mask_whose_pixels_disagree_has_no_colour(paints: tuple[str, str], seed: int) -> None:
    """Each block has one of two paints by chance. Grey is left out: that is what windows and shade look like."""
    mixed = view((0, 0, 0))
    blocks = np.random.default_rng(seed).integers(0, 2, (HEIGHT // 2, WIDTH // 2))
    which = np.kron(blocks, np.ones((2, 2), int)).astype(bool)
    house = mixed[75:150]
    house[:] = np.where(which[75:150, :, None], PAINTS[paints[0]], PAINTS[paints[1]])
    (found,) = colours(mixed, seen("building", slice(75, 150), slice(0, WIDTH)))
    assert found is None or (found == "pale" and set(paints) == {"white", "beige"})


@pytest.mark.parametrize(
    ("name", "rows", "columns", "colour"),
    [
        ("lund/05.jpg", (0.2, 0.8), (0.0, 0.3), "yellow"),
        ("lund/10.jpg", (0.15, 0.6), (0.7, 1.0), "white"),
        ("seoul_jongno/c18063659.jpg", (0.1, 0.75), (0.7, 1.0), "brick-red"),
        ("lund/05.jpg", (0.35, 0.7), (0.7, 1.0), None),  # white walls in the shade look grey
    ],
)  # fmt: skip
def test_street_photos(
    corpus: Path, name: str, rows: tuple[float, float], columns: tuple[float, float], colour: str | None
) -> None:
    with Image.open(corpus / "street" / name) as image:
        photo = np.asarray(image.convert("RGB").resize((640, 480)))
    mask = np.zeros((480, 640), bool)
    mask[round(rows[0] * 480) : round(rows[1] * 480), round(columns[0] * 640) : round(columns[1] * 640)] = True
    sky = np.zeros_like(mask)
    sky[:60, 250:350] = True
    around = [Segment("sky", None, sky, 0.99, True, None)]
    found = ViewColours(photo, around, WORDS).coloured(Segment("building", None, mask, 0.95, True, None))
    assert {part.attribute for part in found} - {None} == ({colour} - {None})


def test_opencv_s_lab_is_the_one_that_the_boxes_are_in() -> None:
    """CIE L* 0 to 100, a* and b* of red in sRGB are 53.2, 80.1, 67.2 (D65)."""
    red = cv2.cvtColor(np.array([[[1, 0, 0]]], np.float32), cv2.COLOR_RGB2LAB)[0, 0]
    np.testing.assert_allclose(red, (53.2, 80.1, 67.2), atol=0.2)


GREEN, TEAL_ROAD = (40, 130, 115), (84, 104, 100)


@pytest.mark.parametrize("colour", ["green", "blue"])
def test_a_cast_of_the_camera_that_makes_the_road_greenish_gives_no_front_its_colour(colour: str) -> None:
    paint = {"green": GREEN, "blue": (45, 75, 140)}[colour]
    road = seen("road", slice(150, HEIGHT), slice(0, WIDTH))

    def told(pixels: Pixels) -> list[tuple[str, str]]:
        found = ViewColours(pixels, [SKY_SEEN, road], WORDS).coloured(HOUSES)
        return [(look.kind, look.value) for part in found for look in part.looks]

    whole = view(paint)
    assert ("colour", colour) in told(whole)
    whole[150:] = TEAL_ROAD
    assert told(whole) == []
    in_part = view(PAINTS["brick-red"], (35, 38, 42), paint)
    assert colour in {value for _, value in told(in_part)}
    in_part[150:] = TEAL_ROAD
    assert {value for _, value in told(in_part)} == {"brick-red"}
