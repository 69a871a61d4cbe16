"""Plates and telephone numbers that an engine read in parts."""

import pytest

from pipeline.perception.base import TextBox
from pipeline.perception.cues import fuse
from pipeline.perception.fragments import without_fragments
from tests.perception.test_cues import site, view


def box(text: str, left: float, top: float = 100.0, height: float = 20.0) -> TextBox:
    right, bottom = left + 0.6 * height * len(text), top + height
    return TextBox(text, 0.99, (left, top, right, top, right, bottom, left, bottom), "Latn", confirmed=True)


@pytest.mark.parametrize(
    "parts",
    [
        [box("83", 100), box("9465", 150)],
        [box("83", 120, 75), box("9465", 110, 100)],
        [box("733", 100), box("7052", 145)],
        [box("02", 100), box("733", 135), box("7052", 180)],
        [box("(303)", 100), box("555", 165), box("0199", 210)],
        [box("서울", 100), box("83", 150), box("9465", 190)],
    ],
)
def test_parts_of_a_plate_or_a_number_go_together(parts: list[TextBox]) -> None:
    shop = box("BAKERY", 100, 300)
    assert without_fragments([*parts, shop]) == [shop]


@pytest.mark.parametrize(
    "texts",
    [
        [box("83", 100), box("9465", 600)],
        [box("83", 100), box("9465", 150, 300)],
        [box("957", 100), box("MAIN", 150)],
        [box("SINCE", 100), box("1902", 180)],
        [box("10", 100), box("AM", 140), box("22", 175), box("PM", 215)],
    ],
)
def test_numbers_that_stand_apart_or_by_words_stay(texts: list[TextBox]) -> None:
    assert without_fragments(texts) == texts


def test_no_cue_is_made_of_a_part() -> None:
    place = site(view("0"))
    found = fuse(place, {"0": [box("83", 100), box("9465", 150), box("BAKERY", 100, 300)]}, {}, "ocr", "seg")
    assert [cue.text for cue in found] == ["BAKERY"]
    assert found[0].confirmed
