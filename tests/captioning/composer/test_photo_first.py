"""The photo is told first: what rests on the map is little, and what is seen is told as far as it is sure."""

import re

import pytest

from pipeline.captioning.base import Description, Evidence
from pipeline.captioning.composer.composer import Composer
from pipeline.config import captioning as config
from pipeline.errors import SiteError
from schemas.reasons import Reason
from schemas.records import Look
from tests.captioning.composer.made import (
    ANY,
    cue,
    describe,
    site,
)

PHOTO_FIRST = Composer(config.Composer(), seed=0)


def test_a_third_of_the_sentences_at_most_rest_on_the_map_alone(places: list[Evidence]) -> None:
    told = [answer for answer in PHOTO_FIRST.describe(places) if isinstance(answer, Description)]
    assert len(told) > len(places) // 2
    by_site = {place.site.site_id: {cue.cue_id: cue for cue in place.cues} for place in places}
    for place, answer in zip(places, PHOTO_FIRST.describe(places), strict=True):
        cues = by_site[place.site.site_id]
        if not isinstance(answer, Description):
            continue
        for variant in ("long", "short", "street"):
            sentences = [s for s in answer.sentences if s.variant == variant]
            alone = sum(all(cues[i].kind == "map" for i in s.cue_ids) for s in sentences)
            assert alone <= (0 if variant == "street" else 0.34 * len(sentences)), sentences


def test_half_of_what_is_told_shows_from_above(places: list[Evidence]) -> None:
    shown = [
        sentence.shows == "from_above"
        for answer in PHOTO_FIRST.describe(places)
        if isinstance(answer, Description)
        for sentence in answer.sentences
        if sentence.variant == "long"
    ]
    assert sum(shown) >= 0.5 * len(shown)


def test_too_little_seen_is_a_reason_of_its_own() -> None:
    on_map = cue("m1", "map", "road", category="residential", distance_m=3.0, position="ahead")
    (answer,) = PHOTO_FIRST.describe([site([on_map, cue("o1", "object", "tree", position="ahead")])])
    assert isinstance(answer, SiteError)
    assert answer.reason is Reason.TOO_LITTLE_TO_SAY
    assert "1 thing to tell of" in answer.detail


def test_what_a_building_hides_and_what_is_far_is_not_told() -> None:
    seen = [cue("o1", "object", "tree", position="left"), cue("o2", "object", "building", position="ahead")]
    for hidden in (
        {"in_sight": False, "distance_m": 20.0},
        {"in_sight": None, "distance_m": 20.0},
        {"distance_m": 60.0},
    ):
        pond = cue("m1", "map", "water", category="pond", position="right", **hidden)
        assert "pond" not in describe(site([*seen, pond])).long
    assert (
        "pond"
        in describe(site([*seen, cue("m1", "map", "water", category="pond", position="right", distance_m=20.0)])).long
    )


def test_directions_of_one_text_are_all_from_the_standpoint_or_all_by_the_compass() -> None:
    tree = cue("o1", "object", "tree", position="left")
    pond = cue("m1", "map", "water", category="pond", distance_m=20.0, bearing_deg=44.0)
    assert not re.search("north|east", describe(site([tree, pond])).long)
    assert "north-east" in describe(site([pond])).long


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ({"text": "BRSWERY&", "confidence": 0.99, "confirmed": False}, False),
        ({"text": "HSTORIC MOSEUM", "confidence": 0.99, "confirmed": True}, False),
        ({"text": "wiches", "confidence": 1.0, "confirmed": True}, False),
        ({"text": "DENT", "confidence": 1.0, "confirmed": True}, False),
        ({"text": "SOREL", "confidence": 1.0, "confirmed": True}, False),  # one letter from both `sore` and `morel`
        ({"text": "BREWERY", "confidence": 0.98, "confirmed": False}, True),
        ({"text": "NORRONA", "confidence": 1.0, "confirmed": True}, True),
        ({"text": "NORRONA", "confidence": 1.0, "confirmed": False}, False),
        ({"text": "MITROCLUB", "confidence": 1.0, "confirmed": True}, False),
        ({"text": "NITRO CLUB", "confidence": 0.8, "confirmed": False}, True),
        ({"text": "ACKALOPE", "confidence": 1.0, "confirmed": True}, False),
        ({"text": "1137", "confidence": 1.0, "confirmed": True}, True),
        ({"text": "1137", "confidence": 1.0, "confirmed": False}, False),
        ({"text": "COFFEE & SW ETS", "confidence": 1.0, "confirmed": True}, False),
        ({"text": "COFFEE & TEA", "confidence": 1.0, "confirmed": True}, True),
    ],
)
def test_a_reading_is_told_if_it_is_a_word_a_name_or_was_read_twice(text: dict[str, object], told: bool) -> None:
    cues = [
        cue("t1", "text", "sign", position="left", **text),
        cue("m1", "map", "poi", category="bar", text="Nitro Club", distance_m=15.0, position="left"),
        cue("m2", "map", "poi", category="clothes", text="Jackalope and Co", distance_m=15.0, position="ahead"),
        cue("o1", "object", "tree", position="ahead"),
    ]
    assert (str(text["text"]) in describe(site(cues)).long) == told


def test_where_the_map_s_names_are_in_another_script_numbers_and_strange_characters_are_not_told() -> None:
    named = cue("m1", "map", "poi", category="cafe", text="서울사우나", distance_m=15.0, position="left")
    tree = cue("o1", "object", "tree", position="ahead")
    for read, script in (("401", "Zyyy"), ("土地", "Hani")):
        sign = cue("t1", "text", "sign", text=read, script=script, position="left", confidence=1.0)
        assert read not in describe(site([named, tree, sign])).long
        assert read in describe(site([tree, sign])).long


def test_what_the_engine_is_not_sure_of_is_not_told_and_walls_take_more() -> None:
    tree = cue("o1", "object", "tree", position="ahead")
    for label, confidence, told in (
        ("bench", 0.72, True),
        ("bench", 0.65, False),
        ("wall", 0.85, False),
        ("wall", 0.95, True),
    ):
        other = cue("o2", "object", label, position="left", confidence=confidence)
        strict = Composer(ANY.model_copy(update={"min_confidence": 0.7}), seed=0)
        assert (label in describe(site([tree, other]), strict).long) == told


@pytest.mark.parametrize(
    ("code", "confidence", "told"),
    [
        ("en", 0.85, "grass"), ("en", 0.75, "greenery"), ("en", 0.65, None),
        ("de", 0.85, "Grasfläche"), ("de", 0.75, "Grün"), ("de", 0.65, None),
    ],
)  # fmt: skip
def test_what_may_be_shrubs_is_told_as_greenery(code: str, confidence: float, told: str | None) -> None:
    cues = [
        cue("o1", "object", "tree", position="ahead"),
        cue("o2", "object", "bench", position="right"),
        cue("o3", "object", "grass", position="left", confidence=confidence),
    ]
    strict = Composer(ANY.model_copy(update={"min_confidence": 0.7, "prompt_set": f"composer-{code}-1"}), seed=0)
    text = describe(site(cues), strict).long
    assert [word for word in ("grass", "greenery", "Grasfläche", "Grün") if re.search(rf"\b{word}\b", text)] == [
        word for word in (told,) if word
    ]


def test_the_road_that_the_photos_show_underfoot_is_seen_and_told_as_the_map_has_it() -> None:
    street = cue("m1", "map", "road", category="residential", distance_m=2.0, bearing_deg=10.0)
    house = cue("o1", "object", "building", position="left", view_id="0")
    ground = cue("o2", "object", "paved ground", position="ahead", view_id="0")
    composer = Composer(config.Composer(), seed=0)
    (refused,) = composer.describe([site([street, house])])
    assert isinstance(refused, SiteError)
    assert refused.reason == Reason.TOO_LITTLE_TO_SAY
    for places in range(20):  # whatever plan and wording the site gets
        told = describe(site([street, house, ground], site_id=f"s{places}"), composer)
        (sentence,) = [s for s in told.sentences if s.variant == "long" and "m1" in s.cue_ids]
        assert "residential street" in sentence.text
        assert "paved" not in told.long
        assert len(told.long.split()) >= 12
        assert {"m1", "o2"} <= set(sentence.cue_ids)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_road_underfoot_that_is_all_that_the_photos_show_is_told_by_itself(share: float) -> None:
    street = cue("m1", "map", "road", category="residential", distance_m=2.0, bearing_deg=10.0)
    ground = cue("o1", "object", "paved ground", position="ahead", view_id="0")
    pond = cue("m2", "map", "water", category="pond", distance_m=20.0, bearing_deg=44.0)
    composer = Composer(config.Composer(min_seen=1, max_map_share=share), seed=0)
    for cues in ([street, ground], [street, ground, pond]):
        told = describe(site(cues), composer)
        assert "residential street" in told.long
        assert "residential street" in told.short
        assert share or "pond" not in told.long
    unseen = Composer(config.Composer(min_seen=0, max_map_share=0.0), seed=0)
    (refused,) = unseen.describe([site([street, pond])])
    assert isinstance(refused, SiteError)
    assert refused.reason is Reason.TOO_LITTLE_TO_SAY


@pytest.mark.parametrize("ground", ["road", "paved ground"])
def test_in_a_park_a_walk_or_a_lawn_that_an_engine_takes_for_a_road_is_not_told(ground: str) -> None:
    park = cue("m1", "map", "green", category="park", distance_m=0.0)
    street = cue("m2", "map", "road", category="residential", distance_m=8.0, bearing_deg=10.0)
    seen = [
        cue("o1", "object", ground, position="ahead", view_id="0"),
        cue("o2", "object", "building", position="left", view_id="0"),
        cue("o3", "object", "tree", position="right", view_id="0"),
    ]
    assert "o1" not in {
        i for sentence in describe(site([park, *seen]), PHOTO_FIRST).sentences for i in sentence.cue_ids
    }
    by_road = describe(site([park, street, *seen]), PHOTO_FIRST)
    assert "o1" in {i for sentence in by_road.sentences for i in sentence.cue_ids}


def test_the_parts_of_a_front_are_told_after_it() -> None:
    parts = [Look(kind="part", value=value, confidence=0.3) for value in ("brick-red", "white")]
    house = cue("o1", "object", "building", position="left", view_id="0", looks=parts)
    tree = cue("o2", "object", "tree", position="right", view_id="0")
    assert "building with brick-red and white parts" in describe(site([house, tree]), PHOTO_FIRST).long
    german = Composer(config.Composer(prompt_set="composer-de-1"), seed=0)
    assert "mit ziegelroten und weißen Teilen" in describe(site([house, tree]), german).long
