"""Masks become segments that do not overlap."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.perception.masks import LEAST_SHARE, Bools, Marked, parts, segments, sides
from pipeline.perception.vocabulary import vocabulary

SIDE = 100
WORDS = vocabulary()


def box(top: int, left: int, bottom: int, right: int) -> Bools:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[top:bottom, left:right] = True
    return mask


@st.composite
def marks(draw: st.DrawFn) -> Marked:
    top, left = draw(st.integers(0, SIDE - 2)), draw(st.integers(0, SIDE - 2))
    mask = box(top, left, draw(st.integers(top + 1, SIDE)), draw(st.integers(left + 1, SIDE)))
    return Marked(draw(st.sampled_from(["building", "door", "sky", "car"])), mask, draw(st.floats(0, 1)))


@given(st.lists(marks(), max_size=12))
def test_no_pixel_is_in_two_and_none_is_invented(marked: list[Marked]) -> None:
    found = segments(marked, WORDS)
    if not marked:
        assert found == []
        return
    covered = np.sum([segment.mask for segment in found], axis=0) if found else np.zeros((SIDE, SIDE))
    assert np.max(covered) <= 1
    for segment in found:
        of_class = np.logical_or.reduce([mark.mask for mark in marked if mark.label == segment.label])
        assert (of_class | ~segment.mask).all()
        assert segment.mask.mean() >= LEAST_SHARE
        assert segment.lasting == (segment.label != "car")
    shares = [segment.mask.sum() for segment in found]
    assert shares == sorted(shares, reverse=True)


def test_the_smaller_lies_in_front() -> None:
    house, door = Marked("building", box(10, 10, 90, 90), 0.9), Marked("door", box(60, 40, 90, 55), 0.6)
    found = {segment.label: segment.mask for segment in segments([door, house], WORDS)}
    assert found["door"].sum() == 30 * 15
    assert not found["building"][70, 45]
    assert segments([house, door], WORDS)[1].mask.sum() == 30 * 15


def test_one_thing_marked_twice_is_one() -> None:
    whole, again = Marked("car", box(10, 10, 50, 50), 0.8), Marked("car", box(12, 12, 48, 48), 0.9)
    beside = Marked("car", box(10, 60, 30, 90), 0.7)
    assert [segment.mask.sum() for segment in segments([whole, again, beside], WORDS)] == [1600, 600]


def test_what_stands_within_a_passing_thing_is_part_of_it() -> None:
    bus, hole = box(10, 10, 60, 90), box(20, 20, 40, 70)
    board, pole = Marked("sign", hole, 0.9), Marked("pole", box(5, 50, 95, 53), 0.9)
    rider, beside = Marked("person", box(20, 30, 50, 40), 0.9), Marked("bench", box(55, 88, 90, 99), 0.8)
    marked = [Marked("bus", bus & ~hole, 0.8), board, pole, rider, beside]
    found = {segment.label: segment.mask for segment in segments(marked, WORDS)}
    assert set(found) == {"bus", "pole", "person", "bench"}  # a pole reaches beyond the bus
    assert found["bus"][25, 25]
    assert not found["bus"][25, 51]
    house = Marked("building", bus & ~hole, 0.8)
    assert {segment.label for segment in segments([house, board], WORDS)} == {"building", "sign"}


def test_what_stands_in_the_snow_stays() -> None:
    snow, sign = box(50, 0, 100, 100) & ~box(60, 40, 80, 60), box(60, 40, 80, 60)
    found = {s.label: s for s in segments([Marked("snow", snow, 0.9), Marked("sign", sign, 0.9)], WORDS)}
    assert found["sign"].mask.sum() == sign.sum()


def test_stretches_are_joined_with_the_mean_confidence_of_their_pixels() -> None:
    left, right = Marked("sky", box(0, 0, 30, 20), 0.9), Marked("sky", box(0, 80, 30, 90), 0.6)
    (sky,) = segments([left, right], WORDS)
    assert sky.mask.sum() == 900
    assert sky.confidence == 0.8


def test_crumbs_are_no_parts() -> None:
    mask = box(0, 0, 20, 20) | box(50, 50, 70, 70) | box(90, 90, 92, 92)
    assert [part.sum() for part in parts(mask)] == [400, 400]


def test_ground_is_a_stretch_though_it_is_counted() -> None:
    """Two pieces of road are one road; two trees are two."""
    marked = [
        Marked(label, box(top, left, top + 10, left + 40), 0.8)
        for label, top in (("road", 80), ("tree", 40))
        for left in (0, 60)
    ]
    found = [segment.label for segment in segments(marked, WORDS)]
    assert sorted(found) == ["road", "tree", "tree"]


def street(gap: int, far: int) -> Bools:
    """Houses on either side that get lower towards the middle, joined there by `far` rows, or by nothing."""
    mask = np.zeros((SIDE, SIDE), bool)
    for column in range(SIDE):
        reach = max(0, abs(column - SIDE // 2) - gap)
        mask[50 - reach : 50 + reach // 2, column] = True
    mask[50 - far : 50, SIDE // 2 - gap - 2 : SIDE // 2 + gap + 2] = True
    return mask


def test_the_two_sides_of_a_street_are_two() -> None:
    mask = street(gap=6, far=4)
    left, right = sides(mask)
    assert (left | right == mask).all()
    assert not (left & right).any()
    assert np.nonzero(left)[1].max() < np.nonzero(right)[1].min()
    assert 0.4 < left.sum() / mask.sum() < 0.6


def test_one_house_is_one() -> None:
    gabled = box(30, 10, 90, 90)
    gabled[30:60, 30:70] = False  # a lower middle, but no gap
    low = np.zeros((SIDE, SIDE), bool)
    low[85:90] = True
    low[80:85, :10] = low[80:85, 90:] = True
    for mask in (box(10, 0, 90, 100), gabled, low, box(50, 50, 51, 51)):
        (whole,) = sides(mask)
        assert (whole == mask).all()
