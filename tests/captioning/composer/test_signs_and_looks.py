"""Which signs are told whole and with their colours, and what is told for its looks."""

import re

import numpy as np
import pytest

from pipeline.captioning.base import Evidence
from pipeline.perception import rle
from schemas.records import Cue, Look
from tests.captioning.composer.made import COMPOSERS, cue, describe, site
from tests.captioning.places import view


def on_view(polygon: list[float], text: str, cue_id: str = "t1") -> Cue:
    return cue(cue_id, "text", "sign", text=text, position="left", polygon=polygon, view_id="0", confidence=1.0)


def box(left: float, top: float, right: float, bottom: float) -> list[float]:
    return [left, top, right, top, right, bottom, left, bottom]


@pytest.mark.parametrize(
    ("polygon", "told"),
    [
        (box(300, 300, 500, 340), True), (box(2, 300, 202, 340), False), (box(15, 300, 215, 340), False),
        (box(430, 300, 630, 340), False), (box(300, 1, 500, 41), False), (box(300, 15, 500, 55), True),
        (box(100, 20, 140, 300), True), (box(100, 12, 140, 300), False),
    ],
    ids=["whole", "at the border", "near it", "right", "cut lengthwise", "under the top", "upright", "upright, cut"],
)  # fmt: skip
def test_a_word_that_the_border_may_cut_is_told_if_the_map_has_it(polygon: list[float], told: bool) -> None:
    seen = view(0, None, b"").model_copy(update={"width": 640, "height": 480})
    cues = [on_view(polygon, "Bäckerei"), cue("o1", "object", "tree", position="ahead")]
    place = Evidence(site(cues).site.model_copy(update={"views": [seen]}), cues)
    assert ("Bäckerei" in describe(place).long) == told
    named = cue("m1", "map", "poi", category="bakery", text="Bäckerei", distance_m=10.0, position="left")
    assert "Bäckerei" in describe(Evidence(place.site, [*cues, named])).long


@pytest.mark.parametrize(
    ("label", "columns", "told"),
    [("car", slice(500, 560), False), ("tree", slice(200, 298), False), ("tree", slice(100, 200), True),
     ("lamp", slice(500, 560), True)],
    ids=["a car at its end", "a tree before its start", "a tree further off", "its own lamp"],
)  # fmt: skip
def test_a_word_that_something_before_it_may_hide_in_part_is_not_told(label: str, columns: slice, told: bool) -> None:
    mask = np.zeros((480, 640), bool)
    mask[250:400, columns] = True
    before = cue("o2", "object", label, position="ahead", view_id="0", mask=rle.encode(mask), lasting=label != "car")
    cues = [on_view(box(300, 300, 500, 340), "Bäckerei"), before, cue("o1", "object", "tree", position="ahead")]
    assert ("Bäckerei" in describe(site(cues)).long) == told


@pytest.mark.parametrize(
    ("text", "confidence", "confirmed", "told"),
    [
        ("Pearl St Mall 1900", 0.91, True, False), ("Pearl St Mall 1900", 0.99, False, False),
        ("Pearl St Mall 1300", 0.99, True, True), ("Pearl St Mall", 0.91, True, True),
    ],
)  # fmt: skip
def test_digits_are_told_that_were_surely_read_the_same_twice(
    text: str, confidence: float, confirmed: bool, told: bool
) -> None:
    sign = cue("t1", "text", "sign", text=text, position="left", confidence=confidence, confirmed=confirmed)
    assert (text in describe(site([sign, cue("o1", "object", "tree", position="ahead")])).long) == told


def test_the_lines_of_a_notice_are_not_told() -> None:
    lines = ["business as a force", "for good", "there with profit", "you can learn more"]
    notice = [on_view(box(100, 100 + 50 * i, 400, 140 + 50 * i), text, f"t{i}") for i, text in enumerate(lines)]
    sign = on_view(box(500, 10, 900, 90), "BAKERY", "t9")
    told = describe(site([*notice, sign, cue("o1", "object", "tree", position="ahead")])).long
    assert "BAKERY" in told
    assert not any(line in told for line in lines)


@pytest.mark.parametrize(
    ("code", "told"),
    [("en", '"BAKERY" in white letters on a red background'), ("de", "„BAKERY“ in weißer Schrift auf rotem Grund")],
)
def test_a_sign_is_told_with_its_colours(code: str, told: str) -> None:
    looks = [
        Look(kind=kind, value=value, confidence=0.9) for kind, value in (("lettering", "white"), ("background", "red"))
    ]
    sign = cue("t1", "text", "sign", text="BAKERY", position="left", looks=looks)
    evidence = site([sign, cue("o1", "object", "tree", position="ahead")])
    assert told in describe(evidence, COMPOSERS[code]).long


@pytest.mark.parametrize(
    ("code", "told"),
    [("en", "a grey road with yellow lines"), ("de", r"graue[n]? Straße mit gelben Linien")],
)
def test_a_road_is_told_with_its_lines_also_under_foot(code: str, told: str) -> None:
    looks = [Look(kind="marking", value="yellow", confidence=0.9), Look(kind="colour", value="grey", confidence=0.9)]
    road = cue("o1", "object", "road", attribute="grey", looks=looks, position="ahead", view_id="0")
    on = cue("m1", "map", "road", category="residential", distance_m=2.0, bearing_deg=10.0)
    evidence = site([road, on, cue("o2", "object", "tree", position="left", view_id="0")])
    assert re.search(told, describe(evidence, COMPOSERS[code]).long)


@pytest.mark.parametrize(
    ("code", "colour", "confidence", "told"),
    [
        ("en", "white", 0.95, "white"), ("en", "white", 0.8, "pale"), ("en", "beige", 0.8, "pale"),
        ("en", "yellow", 0.8, None), ("en", "yellow", 0.95, "yellow"), ("de", "white", 0.8, "hell"),
    ],
)  # fmt: skip
def test_a_light_colour_that_is_less_sure_is_pale(code: str, colour: str, confidence: float, told: str | None) -> None:
    looks = [Look(kind="colour", value=colour, confidence=confidence)]
    house = cue("o1", "object", "building", attribute=colour, looks=looks, position="ahead")
    text = describe(site([house, cue("o2", "object", "tree", position="left")]), COMPOSERS[code]).long
    found = re.findall(r"\b(white|beige|yellow|pale|hell|weiß|gelb)", text)
    assert found == [word for word in (told,) if word]


def test_what_a_shop_sells_is_told_if_its_name_says_so() -> None:
    tree = cue("o1", "object", "tree", position="ahead")
    for name, told in (("Starfish Jewelry", "jeweller's"), ("Starfish", "shop")):
        shop = cue("m1", "map", "poi", category="jewelry_store", text=name, distance_m=10.0, position="left")
        sign = cue("t1", "text", "sign", text="STARFISH", position="left")
        assert re.search(rf"\b{told}\b", describe(site([shop, sign, tree])).long)
        assert ("jewel" in describe(site([shop, sign, tree])).long) == (told != "shop")
