"""One claim and the witnesses: who may contradict what, and that silence contradicts nothing."""

from typing import Any

import pytest

from pipeline.captioning.base import Evidence
from pipeline.captioning.grounding.claims import Witnesses, judge_claim
from pipeline.captioning.language import LANGUAGES, language_of
from pipeline.captioning.witnesses import gather_testimony
from pipeline.config.captioning import Grounding
from schemas.records import Claim, Cue, FactKind, ImageryRow, Look, Note, Position
from tests.captioning.language.cases import cases
from tests.captioning.places import cue, place

languages = pytest.mark.parametrize("code", LANGUAGES)
BOX = [40.0, 100.0, 80.0, 100.0, 80.0, 120.0, 40.0, 120.0]
"""On the left of the main view, some 28 degrees off its axis."""


def site(**changes: Any) -> ImageryRow:
    found = place(views=1).site
    view = found.views[0].model_copy(update={"heading_deg": 0.0} | changes)
    return found.model_copy(update={"views": [view]})


def known(
    *cues: Cue, notes: tuple[Note, ...] = (), charted: tuple[FactKind, ...] = (), code: str = "en", **view: Any
) -> Witnesses:
    heard = gather_testimony(Evidence(site(**view), list(cues)), notes, language_of(code))
    return Witnesses(heard, frozenset(charted), Grounding(), language_of(code))


def claim(text: str, *cites: str, kind: Any = "thing") -> Claim:
    return Claim(text=text, kind=kind, cites=list(cites), outcome="not_witnessed", witnesses=[])


def note(note_id: str, what: str, looks: str = "", text: str | None = None, where: Position | None = None) -> Note:
    return Note(
        note_id=note_id,
        kind="lettering" if text else "thing",
        view_id="1",
        what=what,
        looks=looks,
        text=text,
        side="middle",
        position=where,
        bearing_deg=None,
        depth="near",
    )


def sign(cue_id: str, text: str, **changes: Any) -> Cue:
    return cue(cue_id, text=text, position=Position.AHEAD_LEFT, polygon=BOX, **changes)


@pytest.mark.parametrize(("code", "text"), [(code, text) for code in LANGUAGES for text in cases(code).silent])
def test_silence_contradicts_nothing(code: str, text: str) -> None:
    cues = (cue("o1", label="tree"), sign("t1", "CAFE"), cue("m1", label="road", category="residential"))
    assert judge_claim(claim(text), known(*cues, code=code)).outcome == "not_witnessed"


@languages
def test_what_a_program_or_a_note_says_is_supported_by_it(code: str) -> None:
    what, looks, same, other = cases(code).note
    seen = known(cue("o1", label="building", attribute="brick"), notes=(note("n1", what, looks),), code=code)
    judged = judge_claim(claim(cases(code).brick, kind="look"), seen)
    assert (judged.outcome, judged.witnesses) == ("supported", ["o1"])
    assert judge_claim(claim(same, kind="look"), seen).witnesses == ["n1"]
    assert judge_claim(claim(other, kind="look"), seen).outcome == "not_witnessed"


def test_that_two_things_are_there_says_not_how_they_stand_to_each_other() -> None:
    seen = known(notes=(note("n1", "lamp above the door"), note("n2", "door")))
    assert judge_claim(claim("A lamp is above the door.", kind="relation"), seen).outcome == "not_witnessed"


@pytest.mark.parametrize(
    ("read", "quoted", "outcome"),
    [
        ("ISLAND FARM", "ISLAND FARM", "supported"),
        ("ISLAND FARM", "Island Farm", "supported"),
        ("NITROCLUB", "MITROCLUB", "supported"),  # a letter misread
        ("CAFE ONION", "ONION", "supported"),  # a part of it
        ("SALT 24", "SALT 25", "contradicted"),  # digits are exact
        ("58", "58", "supported"),
        ("58", "53", "contradicted"),
        ("\uc6b0\ub9ac\uc740\ud589", "\uc6b0\ub9ac\uc740\ud589", "supported"),
        ("ISLAND FARM", "PHARMACY", "contradicted"),  # it cites the sign and tells other words
    ],
)
def test_lettering_is_what_was_read_letters_alike_digits_the_same(read: str, quoted: str, outcome: str) -> None:
    judged = judge_claim(claim(f'A sign reads "{quoted}".', "t1", kind="sign"), known(sign("t1", read)))
    assert judged.outcome == outcome
    assert judged.witnesses == ["t1"]


def test_a_sign_that_nobody_read_is_not_contradicted_by_those_that_were() -> None:
    judged = judge_claim(claim('A sign reads "PHARMACY".', kind="sign"), known(sign("t1", "ISLAND FARM")))
    assert judged.outcome == "not_witnessed"


def test_notes_are_as_good_as_ocr_for_lettering_in_any_script() -> None:
    seen = known(notes=(note("w1", "blue sign", text="\u836f\u623f"),))
    assert judge_claim(claim('A blue sign reads "\u836f\u623f".', kind="sign"), seen).witnesses == ["w1"]


def test_what_two_witnesses_read_with_other_digits_is_not_told() -> None:
    seen = known(sign("t1", "ROUTE 119"), notes=(note("w1", "sign", text="ROUTE 179"),))
    judged = judge_claim(claim('A sign reads "ROUTE 179".', kind="sign"), seen)
    assert (judged.outcome, judged.detail) == ("contradicted", '"ROUTE 179" is read "ROUTE 119" as well')


@pytest.mark.parametrize("quoted", ["DOWNTOWN BOULDER", "Downtown Boulder", "DOWNTOWM BOULDER"])
def test_a_sign_of_several_lines_is_read_line_by_line(quoted: str) -> None:
    """What is quoted whole was read in parts, which the writer cites: none of them is another reading."""
    told = claim(f'A sign reads "{quoted}".', "t1", "t2", kind="sign")
    assert judge_claim(told, known(sign("t1", "DOWNTOWN"), sign("t2", "BOULDER"))).outcome == "not_witnessed"
    assert judge_claim(told, known(sign("t1", "PHARMACY"), sign("t2", "BOULDER"))).outcome == "contradicted"


@pytest.mark.parametrize(("quoted", "outcome"), [("SUITE 24 WEST", "not_witnessed"), ("SUITE 25 WEST", "contradicted")])
def test_a_line_with_another_number_is_another_reading(quoted: str, outcome: str) -> None:
    judged = judge_claim(claim(f'A sign reads "{quoted}".', "t1", kind="sign"), known(sign("t1", "SUITE 24")))
    assert judged.outcome == outcome


def test_a_street_has_many_signs_with_a_number_each() -> None:
    right = [240.0, 100.0, 300.0, 100.0, 300.0, 120.0, 240.0, 120.0]
    apart = known(sign("t1", "1137 PEARL"), cue("t2", text="1139 PEARL", position=Position.AHEAD_RIGHT, polygon=right))
    assert judge_claim(claim('A sign reads "1137 PEARL".', "t1", kind="sign"), apart).outcome == "supported"
    beside = known(sign("t1", "1137 PEARL"), sign("t2", "1139 PEARL"))
    assert judge_claim(claim('A sign reads "1137 PEARL".', "t1", kind="sign"), beside).outcome == "contradicted"


def test_a_name_is_whole_words() -> None:
    shop = cue("m1", category="shop", text="Lush", position=Position.LEFT, bearing_deg=270.0, distance_m=30.0)
    seen = known(shop, heading_error_deg=5.0)
    assert judge_claim(claim("Lush is on the right.", kind="name"), seen).outcome == "contradicted"
    assert judge_claim(claim("Lushly grown banks are on the right."), seen).outcome == "not_witnessed"


@pytest.mark.parametrize("text", ["The River Caf\u00e9 is on the left.", "A pub called Railway Tavern is ahead."])
def test_what_is_called_after_water_or_rails_is_none(text: str) -> None:
    assert judge_claim(claim(text, kind="name"), known(charted=("water", "rail"))).outcome == "not_witnessed"
    cafe = cue("m1", category="cafe", text="River Caf\u00e9", distance_m=12.0)
    assert judge_claim(claim(text, kind="name"), known(cafe, charted=("water", "rail"))).outcome != "contradicted"


def test_lettering_on_what_passes_is_not_told() -> None:
    judged = judge_claim(claim('A sign reads "TAXI 24".', kind="sign"), known(sign("t1", "TAXI 24", lasting=False)))
    assert judged.outcome == "contradicted"


@languages
@pytest.mark.parametrize(
    ("where", "outcome"),
    [
        ("left", "supported"),
        ("ahead", "supported"),  # 28 degrees off the axis: people are not so exact
        ("right", "contradicted"),
        ("behind", "contradicted"),
    ],
)
def test_a_side_is_held_against_the_pixels_that_the_thing_has(code: str, where: str, outcome: str) -> None:
    # No heading is needed for what the main view shows.
    seen = known(sign("t1", "ISLAND FARM"), heading_deg=None, code=code)
    told = cases(code).sign_where[where].format("ISLAND FARM")
    assert judge_claim(claim(told, kind="sign"), seen).outcome == outcome


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("en", 'The right-hand window of the shop reads "ISLAND FARM".'),
        ("en", 'A sign with an arrow pointing to the right reads "ISLAND FARM".'),
        ("en", 'The shop "ISLAND FARM" has a tower behind.'),
        ("en", 'Next to "ISLAND FARM", on the right, stands a bank.'),
        ("en", "A bank stands on the right, next to ISLAND FARM."),
        ("de", 'Ein Schild mit einem Pfeil nach rechts trägt "ISLAND FARM".'),
        ("de", 'Rechts neben "ISLAND FARM" steht eine Bank, rechts steht ein Baum.'),
    ],
)
def test_a_side_of_something_else_contradicts_nothing(code: str, text: str) -> None:
    assert judge_claim(claim(text), known(sign("t1", "ISLAND FARM"), code=code)).outcome != "contradicted"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("en", 'Behind lies "ISLAND FARM".'),
        ("en", 'On the right, next to the bank, is "ISLAND FARM".'),
        ("en", 'A sign by the door on the right reads "ISLAND FARM".'),
        ("de", 'Rechts, neben der Bank, liegt "ISLAND FARM".'),
    ],
)
def test_what_is_told_to_be_somewhere_is_no_landmark(code: str, text: str) -> None:
    assert judge_claim(claim(text), known(sign("t1", "ISLAND FARM"), code=code)).outcome == "contradicted"


def test_a_side_in_a_relation_may_be_that_of_one_thing_from_another() -> None:
    told = claim('The bank adjoins "ISLAND FARM" on the right.', kind="relation")
    assert judge_claim(told, known(sign("t1", "ISLAND FARM"))).outcome == "not_witnessed"


def test_a_sign_is_known_by_its_capitals_without_quotation_marks() -> None:
    seen = known(sign("t1", "ISLAND FARM"))
    assert judge_claim(claim("The ISLAND FARM shop is on the right."), seen).outcome == "contradicted"
    assert judge_claim(claim("The Island Farm shop is on the right."), seen).outcome == "not_witnessed"


@pytest.mark.parametrize(
    ("kind", "text", "outcome"),
    [
        ("sign", 'A board reads "ISLAND FARM".', "supported"),
        ("sign", 'A green board reads "ISLAND FARM".', "supported"),
        ("sign", 'A red board reads "ISLAND FARM".', "not_witnessed"),
        ("look", 'The green board "ISLAND FARM" is there.', "supported"),
        ("look", 'The board "ISLAND FARM" is striped.', "not_witnessed"),
        ("thing", 'A clock hangs over the board "ISLAND FARM".', "not_witnessed"),
        ("count", 'There are five boards reading "ISLAND FARM".', "not_witnessed"),
        ("thing", 'The shop "ISLAND FARM" has a striped awning.', "supported"),  # the notes say so
    ],
)
def test_who_read_a_sign_bears_out_its_words_and_no_more(kind: str, text: str, outcome: str) -> None:
    board = note("w1", "green board", text="ISLAND FARM")
    seen = known(sign("t1", "ISLAND FARM"), notes=(board, note("n1", "shop awning", "striped cloth")))
    assert judge_claim(claim(text, kind=kind), seen).outcome == outcome


def test_another_colour_beside_a_sign_may_be_that_of_a_thing_that_is_cited() -> None:
    seen = known(cue("o1", label="building", attribute="brick"), notes=(note("w1", "red sign", text="CAFE ONE"),))
    told = 'A brick building has a red sign reading "CAFE ONE".'
    assert judge_claim(claim(told, "o1", "w1", kind="sign"), seen).outcome == "supported"
    assert judge_claim(claim(told, "w1", kind="sign"), seen).outcome == "not_witnessed"


@pytest.mark.parametrize(
    ("code", "text", "outcome"),
    [
        ("en", "A tree trunk stands near on the left.", "supported"),
        ("en", "A tree trunk stands far off.", "not_witnessed"),
        ("de", "In der Nähe steht ein Baumstamm.", "supported"),
        ("de", "Ein Baumstamm steht in weiter Ferne.", "not_witnessed"),
    ],
)
def test_what_was_noted_near_is_not_borne_out_as_far_off(code: str, text: str, outcome: str) -> None:
    what = {"en": "tree trunk", "de": "Baumstamm"}[code]
    assert judge_claim(claim(text), known(notes=(note("n1", what),), code=code)).outcome == outcome


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("en", 'Far off hangs a sign reading "ISLAND FARM".'),
        ("de", 'In weiter Ferne hängt ein Schild mit "ISLAND FARM".'),
    ],
)
def test_a_sign_that_is_near_is_not_borne_out_as_far_off(code: str, text: str) -> None:
    near, far = (known(sign("t1", "ISLAND FARM", depth=depth), code=code) for depth in ("near", "far"))
    assert judge_claim(claim(text, kind="sign"), near).outcome == "not_witnessed"
    assert judge_claim(claim(text, kind="sign"), far).outcome == "supported"


def test_of_two_places_with_one_name_either_may_be_meant() -> None:
    left = cue("m1", category="cafe", text="Spruce", position=Position.LEFT, bearing_deg=270.0, distance_m=30.0)
    right = cue("m2", category="cafe", text="Spruce", position=Position.RIGHT, bearing_deg=90.0, distance_m=30.0)
    told = claim("The cafe Spruce is on the right.", kind="name")
    assert judge_claim(told, known(left, heading_error_deg=5.0)).outcome == "contradicted"
    assert judge_claim(told, known(right, left, heading_error_deg=5.0)).outcome != "contradicted"


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("The street sign on the mast arm is blue.", "supported"),
        ("The street sign on the mast arm is green.", "not_witnessed"),
        ("A two-story brick house is there.", "supported"),
        ("A single-storey brick house is there.", "not_witnessed"),
    ],
)
def test_a_look_and_a_number_are_borne_out_by_who_has_that_very_one(text: str, outcome: str) -> None:
    notes = (note("n1", "street sign on a mast arm", "blue"), note("n2", "brick house", "two storeys"))
    assert judge_claim(claim(text, kind="look"), known(notes=notes)).outcome == outcome


@languages
@pytest.mark.parametrize(("where", "outcome"), [("left", "supported"), ("right", "contradicted")])
def test_of_two_things_in_a_sentence_each_has_its_own_side(code: str, where: str, outcome: str) -> None:
    seen = known(sign("t1", "ISLAND FARM"), code=code)
    told = cases(code).two_things[where].format("ISLAND FARM")
    assert judge_claim(claim(told, "t1", kind="sign"), seen).outcome == outcome


def test_a_side_from_the_map_allows_for_the_heading_s_error() -> None:
    shop = cue("m1", category="bakery", text="Spruce", position=Position.LEFT, bearing_deg=340.0, distance_m=30.0)
    told = claim("The bakery Spruce is on the right.", "m1", kind="name")
    assert judge_claim(told, known(shop, heading_error_deg=5.0)).outcome == "contradicted"
    assert judge_claim(told, known(shop, heading_error_deg=45.0)).outcome != "contradicted"
    assert judge_claim(told, known(shop, heading_error_deg=180.0)).outcome != "contradicted"
    assert judge_claim(told, known(shop, heading_deg=None)).outcome != "contradicted"


def test_a_side_from_the_map_allows_for_the_position_s_error() -> None:
    shop = cue("m1", category="bakery", text="Spruce", position=Position.LEFT, bearing_deg=300.0, distance_m=12.0)
    told = claim("The bakery Spruce is on the right.", "m1", kind="name")
    assert judge_claim(told, known(shop, heading_error_deg=5.0)).outcome == "contradicted"
    assert judge_claim(told, known(shop, heading_error_deg=5.0, position_error_m=25.0)).outcome != "contradicted"


@pytest.mark.parametrize(
    ("distance", "in_sight", "kind", "outcome"),
    [
        (20.0, True, "thing", "supported"),
        (20.0, None, "thing", "supported"),  # no buildings on the map to hide it
        (20.0, False, "thing", "not_witnessed"),
        (60.0, None, "thing", "not_witnessed"),
        (60.0, False, "map", "supported"),  # which says nothing of its being seen
    ],
)
def test_what_no_one_can_see_the_map_does_not_bear_out_as_seen(
    distance: float, in_sight: bool | None, kind: str, outcome: str
) -> None:
    church = cue("m1", category="church", text=None, distance_m=distance, bearing_deg=0.0, in_sight=in_sight)
    assert judge_claim(claim("A church stands ahead.", "m1", kind=kind), known(church)).outcome == outcome


def test_a_heading_180_degrees_off_contradicts_nothing_that_the_photo_shows() -> None:
    seen = known(sign("t1", "ISLAND FARM"), heading_deg=180.0)
    assert judge_claim(claim('A sign on the left reads "ISLAND FARM".', kind="sign"), seen).outcome == "supported"


def test_a_side_is_contradicted_only_if_nothing_cited_can_be_there() -> None:
    left, right = sign("t1", "CAFE ONE"), cue("t2", text="CAFE TWO", polygon=[240.0, 9, 300, 9, 300, 20, 240, 20])
    told = claim("A cafe is on the right.", "t1", "t2")
    assert judge_claim(told, known(left, right)).outcome != "contradicted"
    assert judge_claim(told, known(left)).outcome == "contradicted"


@languages
@pytest.mark.parametrize(
    ("layout", "kind", "fact"),
    [
        ("roundabout", "junction", ("junction", "roundabout")),
        ("rail", "rail", ("rail", "rail")),
        ("water", "water", ("water", "canal")),
    ],
)
def test_a_map_speaks_by_silence_only_where_its_source_is_complete(
    code: str, layout: str, kind: Any, fact: tuple[Any, str]
) -> None:
    told = claim(cases(code).layouts[layout], kind="road")
    assert judge_claim(told, known(code=code)).outcome == "not_witnessed"
    assert judge_claim(told, known(charted=("road",), code=code)).outcome == "not_witnessed"
    assert judge_claim(told, known(charted=(kind,), code=code)).outcome == "contradicted"
    there = cue("m1", label=fact[0], category=fact[1], text=None, distance_m=20.0, bearing_deg=90.0)
    assert judge_claim(told, known(there, charted=(kind,), code=code)).outcome != "contradicted"


def test_a_place_without_map_heading_or_text_contradicts_nothing() -> None:
    seen = known(heading_deg=None)
    for text in ("A church is on the left.", 'A sign reads "CAFE".', "A river is behind.", "Two trees stand ahead."):
        assert judge_claim(claim(text), seen).outcome == "not_witnessed"


@pytest.mark.parametrize(
    ("code", "text", "outcome"),
    [
        ("en", "A pale building stands on the left.", "supported"),
        ("en", "A red building stands on the left.", "not_witnessed"),
        ("de", "Links steht ein helles Gebäude.", "supported"),
        ("de", "Links steht ein rotes Gebäude.", "not_witnessed"),
    ],
)
def test_a_detector_bears_out_an_unsure_colour_in_the_word_that_it_is_told_by(
    code: str, text: str, outcome: str
) -> None:
    white = Look(kind="colour", value="white", confidence=0.8)
    house = cue("o1", label="building", attribute="white", looks=[white], position=Position.LEFT)
    heard = known(house, code=code)
    assert judge_claim(claim(text), heard).outcome == outcome
    assert heard.heard[0].called == {"en": "a pale building", "de": "ein helles Gebäude"}[code]
    assert "white building" in heard.heard[0].words or "weißes Gebäude" in heard.heard[0].words, "it may be white"
