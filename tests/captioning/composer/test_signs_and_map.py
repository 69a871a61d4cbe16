"""What becomes of signs and of what the map has: one statement where they agree, no name that must not be told."""

import re

import pytest

from pipeline.errors import SiteError
from tests.captioning.composer.made import (
    COMPOSER,
    cue,
    describe,
    site,
)


def test_a_sign_and_the_map_s_name_become_one_statement() -> None:
    cues = [
        cue("t1", "text", "sign", text="TRIDENT", position="left"),
        cue(
            "m1",
            "map",
            "poi",
            category="coffee_shop",
            text="Trident Booksellers & Café",
            distance_m=12.0,
            position="ahead-left",
        ),
    ]
    description = describe(site(cues))
    (sentence,) = (s for s in description.sentences if s.variant == "long")
    assert sentence.cue_ids == ["t1", "m1"]
    assert "coffee shop" in sentence.text
    assert '"TRIDENT"' in sentence.text
    assert "Booksellers" not in sentence.text


@pytest.mark.parametrize("depth", ["near", "far"])
def test_a_sign_is_not_told_at_the_distance_of_the_map_s_point(depth: str) -> None:
    """A shop's point lies anywhere in its building, and its sign may hang over the pavement."""
    cues = [
        cue("t1", "text", "sign", text="TRIDENT", position="left", depth=depth),
        cue("m1", "map", "poi", category="coffee_shop", text="Trident", distance_m=18.0, position="left", depth="near"),
    ]
    told = describe(site(cues)).long
    assert re.search('coffee shop.*"TRIDENT"|"TRIDENT".*coffee shop|coffee shop reads "TRIDENT"', told)
    assert not re.search(r"\d+ m", told)


def test_a_sign_against_the_map_s_direction_is_told_alone() -> None:
    cues = [
        cue("t1", "text", "sign", text="TRIDENT", position="left"),
        cue("m1", "map", "poi", category="coffee_shop", text="Trident", distance_m=12.0, position="right"),
    ]
    assert [s.cue_ids for s in describe(site(cues)).sentences if s.variant == "long"] == [["t1"]]


def test_names_of_streets_and_places_are_told_only_off_a_sign() -> None:
    on_map = [
        cue("m1", "map", "road", category="residential", text="Walnut Street", distance_m=3.0, position="left"),
        cue("m2", "map", "green", category="park", text="Tapgol Park", distance_m=30.0, position="right"),
        cue("m3", "map", "stop", category="bus_stop", text="Jongno 3-ga", distance_m=20.0, position="ahead"),
        cue("m4", "map", "poi", category="restaurant", text="Walnut Street Grill", distance_m=20.0, position="ahead"),
        cue("m5", "map", "poi", category="pharmacy", text="Boulder Pharmacy", distance_m=20.0, position="ahead"),
        cue("m6", "map", "poi", category="bank", text="Elevations", distance_m=80.0, position="behind"),
        cue("m7", "map", "poi", category="bakery", text="Spruce", distance_m=25.0, position="left"),
    ]
    for number in range(8):
        text = describe(site(on_map, f"s{number}", region="boulder-co"))
        assert not re.search("walnut|tapgol|jongno|boulder|elevations", (text.long + text.short).lower())
        assert "Spruce" not in text.long  # a shop is told where its sign was read
    signed = [*on_map, cue("t1", "text", "sign", text="WALNUT ST", position="ahead")]
    assert re.search('street sign.*"WALNUT ST"', describe(site(signed)).long)


def test_names_of_offices_are_not_told() -> None:
    doctor = cue("m1", "map", "poi", category="general_dentistry", text="Jane Doe", distance_m=9.0, position="left")
    plate = cue("t1", "text", "sign", text="DENTAL CARE", position="left")
    text = describe(site([doctor, plate])).long
    assert "DENTAL CARE" in text
    assert "Doe" not in text


def test_one_sign_read_in_pieces_is_told_once_and_notices_not_at_all() -> None:
    texts = ["ISLAND FARM", "ISLAND FARS", "ISLAND", "SPACE", "FOR LEASE", "NOW OPEN"]
    cues = [cue(f"t{i}", "text", "sign", text=text, position="ahead") for i, text in enumerate(texts)]
    assert re.findall('"([^"]*)"', describe(site(cues)).long) == ["ISLAND FARM"]


def test_what_holds_the_site_has_no_direction() -> None:
    park = cue("m1", "map", "green", category="park", distance_m=0.0, bearing_deg=90.0)
    street = cue("m2", "map", "road", category="residential", distance_m=2.0, bearing_deg=180.0)
    assert "on a residential street in a park" in describe(site([park, street])).long
    assert "east" not in describe(site([park])).long
    answer = COMPOSER.describe(
        [site([cue("m1", "map", "building", category="yes", distance_m=0.0, bearing_deg=90.0)])]
    )[0]
    assert isinstance(answer, SiteError)


def test_a_second_thing_of_a_kind_is_another() -> None:
    cues = [cue("m1", "map", "green", category="garden", distance_m=9.0, position="left")]
    cues.append(cue("m2", "map", "green", category="garden", distance_m=25.0, position="right"))
    assert re.search("a garden.*another garden", describe(site(cues)).long, re.IGNORECASE)


def test_without_a_heading_the_map_is_told_by_the_compass() -> None:
    park = cue("m1", "map", "green", category="playground", distance_m=30.0, bearing_deg=44.0)
    assert re.search("30 m.*north-east", describe(site([park])).long)


def test_a_foreign_sign_is_quoted_with_its_english() -> None:
    cues = [cue("t1", "text", "sign", text="서울사우나", text_en="Seoul Sauna", script="Hang", position="left")]
    assert '"서울사우나" (Seoul Sauna)' in describe(site(cues)).long
