"""Places, notes and verifiers that are not as they should be: what is still told, and what is not."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.captioning.base import Description, Evidence
from pipeline.captioning.dialogue.dialogue import DialogueCaptioner
from pipeline.errors import SiteError
from schemas.records import Position
from tests.captioning.model_standin import TRUE, Seen, StandIn, say, serving, verify_well, write_well
from tests.captioning.places import CUES, build_for, cue, place

Answer = Callable[..., Description | SiteError]

SCRIPTS = {
    "Hangul": "\ub3d9\ub9bc\ub9e4\ub4ed\uacf5\ubc29",
    "Han": "\u6771\u7433\u7d50\u5de5\u623f",
    "Arabic": "\u0635\u064a\u062f\u0644\u064a\u0629 \u0627\u0644\u0646\u0648\u0631",
    "Thai": "\u0e23\u0e49\u0e32\u0e19\u0e22\u0e32",
    "Cyrillic": "\u0410\u043f\u0442\u0435\u043a\u0430 24",
    "Devanagari": "\u0926\u0935\u093e\u0916\u093e\u0928\u093e",
}


@pytest.fixture
def model() -> Iterator[StandIn]:
    with serving(write_well) as standin:
        yield standin


@pytest.fixture
def answer(model: StandIn, tmp_path: Path) -> Answer:
    def describe(site: Evidence, write: Callable[[Seen], Any]) -> Description | SiteError:
        model.write = write
        build = build_for([model.url], tmp_path / "w")
        assert build.captioner.engine == "dialogue"
        return DialogueCaptioner(build.captioner, build).describe([site])[0]

    return describe


def described(found: Description | SiteError) -> Description:
    assert isinstance(found, Description), found
    assert found.fault is None, (found.fault, found.dropped)
    return found


def observing(**changes: Any) -> Callable[[Seen], Any]:
    """A good writer whose notes on each photo are changed."""

    def write(seen: Seen) -> Any:
        return write_well(seen) | (changes if seen.turn == "observe" else {})

    return write


def composing(said: list[dict[str, Any]], true: set[str], **noted: Any) -> Callable[[Seen], Any]:
    """A writer of these sentences, and a verifier that knows which are true."""
    observe = observing(**noted)

    def write(seen: Seen) -> Any:
        if seen.turn == "verify":
            told = seen.data["statements"]
            return {
                "answers": [
                    {"statement": s["statement"], "answer": "yes" if s["says"] in true | TRUE else "no", "picture": 1}
                    for s in told
                ]
            }
        if seen.turn in ("compose", "repair"):
            return {"long": said, "short": said[:1], "street": said[:1]}
        return observe(seen)

    return write


def changed(site: Evidence, **update: Any) -> Evidence:
    return Evidence(site.site.model_copy(update=update), site.cues)


@pytest.mark.parametrize("script", SCRIPTS)
def test_notes_in_another_script_are_told_in_it(model: StandIn, answer: Answer, script: str) -> None:
    text = SCRIPTS[script]
    first = f'A sign on the left reads "{text}".'
    second = "A long brick wall with a low hedge before it runs along the left of the road."
    writing = [{"text": text, "on": "green sign", "side": "left"}]
    write = composing([say(first, "w1"), say(second)], {first, second}, writing=writing)
    found = described(answer(place(cues=CUES[1:]), write))
    assert first in found.long
    claim = found.sentences[0].claims[0]
    assert (claim.outcome, claim.witnesses) == ("supported", ["w1", "w2", "verifier"])  # both photos' notes have it
    composed = next(seen for seen in model.seen if seen.turn == "compose")
    assert text in {note.get("words") for note in composed.data["notes"]}


def test_words_that_only_the_notes_have_and_the_verifier_cannot_read_are_not_told(answer: Answer) -> None:
    sign, wall = 'A sign on the left reads "PEARL ST".', "A long brick wall with a low hedge runs along the left side."

    def write(seen: Seen) -> Any:
        noted = composing(
            [say(sign, "w1"), say(wall)], {wall}, writing=[{"text": "PEARL ST", "on": "sign", "side": "left"}]
        )
        said = noted(seen)
        if seen.turn == "verify":
            numbers = {s["statement"] for s in seen.data["statements"] if s["says"] == sign}
            said["answers"] = [a | {"answer": "cannot"} if a["statement"] in numbers else a for a in said["answers"]]
        return said

    found = described(answer(place(cues=CUES[1:]), write))
    assert "PEARL" not in found.long
    assert wall in found.long


def test_a_place_without_map_heading_and_text(model: StandIn, answer: Answer) -> None:
    bare = place(views=2, cues=[])
    views = [view.model_copy(update={"heading_deg": None, "hfov_deg": None}) for view in bare.site.views]
    site = changed(bare, aerial=None, map=None, views=views)
    said = say("A long wall of red brick with a low hedge runs along the left side of the road.", "n3")
    found = described(answer(site, composing([said], {said["text"]})))
    assert [turn.turn for turn in found.turns] == ["observe 1", "observe 2", "relate", "compose", "verify 1.0"]
    asked = next(seen for seen in model.seen if seen.turn == "compose")
    assert set(asked.data) == {"notes", "relations"}
    noted = {note["id"]: note for note in asked.data["notes"]}
    assert (noted["n3"].get("where"), noted["n6"].get("where")) == (
        "ahead-left",
        None,
    )  # the second photo's turn: unknown
    assert noted["n6"]["side_of_picture"] == "left"
    assert not {"where", "depth", "side_of_picture"} & noted["n1"].keys()  # the scene lies all around
    assert not any("north" in text or "edge" in text for text in asked.texts)


@pytest.mark.parametrize("ruling", ["clear", "wrong"])
def test_ten_identical_cues_are_told_once_and_ruled_together(model: StandIn, answer: Answer, ruling: str) -> None:
    ten = [cue(f"o{i}", label="statue", position=Position.LEFT) for i in range(1, 11)]
    statue = "A statue stands on the left."
    wall = "A long brick wall with a low hedge before it runs along the left of the road."

    def write(seen: Seen) -> Any:
        if seen.turn == "ground":
            return {"cues": [{"id": one["id"], "ruling": ruling} for one in seen.data["cues"]]}
        return composing([say(statue, "o1", "o7"), say(wall)], {wall, statue} if ruling == "clear" else {wall})(seen)

    found = described(answer(place(cues=ten), write))
    (told,) = next(seen for seen in model.seen if seen.turn == "ground").data["cues"]
    assert (told["id"], told["alike"]) == ("o1", 10)
    assert (statue in found.long) == (ruling == "clear")
    cited = {cue_id for sentence in found.sentences for cue_id in sentence.cue_ids}
    assert cited == ({"o1", "o7"} if ruling == "clear" else set())


def test_a_heading_that_is_known_to_be_wrong_gives_no_sides_from_the_map(model: StandIn, answer: Answer) -> None:
    """The photo looks the other way than its compass says. `stages.heading` finds that out: 180 degrees uncertain."""
    behind = "A bakery stands behind the standpoint, at the end of a long brick wall."
    house = "A tall brick house with a flat roof fills the whole of the left side."
    write = composing([say(behind, "m1"), say(house)], {behind, house})
    bare = place(views=1, cues=[cue("m1", category="bakery", bearing_deg=90.0, position=None)])
    for error, trusted in ((10.0, True), (180.0, False)):
        views = [v.model_copy(update={"heading_deg": 90.0, "heading_error_deg": error}) for v in bare.site.views]
        model.seen.clear()
        found = described(answer(changed(bare, views=views, site_id=f"at {error}"), write))
        assert (behind in found.long) is not trusted  # the map has it straight ahead, if the compass is right
        asked = next(seen for seen in model.seen if seen.turn == "ground")
        assert ("degrees" in asked.data["cues"][0]) is trusted
        assert any("looking towards" in text for text in asked.texts) is trusted


def test_a_photo_taken_indoors_is_no_place(model: StandIn, answer: Answer) -> None:
    found = answer(place(), observing(indoors=True, scene="a shop with shelves"))
    assert isinstance(found, SiteError)
    assert (found.reason, found.detail) == ("indoors", "the main photo shows: a shop with shelves")
    assert set(model.turns()) == {"observe"}  # nothing more is paid for it


def test_what_a_further_photo_shows_indoors_is_not_noted(answer: Answer) -> None:
    def write(seen: Seen) -> Any:
        said = write_well(seen)
        if seen.turn == "observe" and "main view" not in seen.texts[0]:
            thing = {"what": "shelf", "looks": "steel", "side": "left", "depth": "near"}
            return said | {"indoors": True, "things": [thing]}
        return said

    found = described(answer(place(views=2), write))
    assert {note.view_id for note in found.notes} == {"1"}


def test_a_verifier_that_says_no_to_all_is_not_believed_where_no_true_control_can_be_put(answer: Answer) -> None:
    """OCR, map and notes bear the text out; of them no two agree, so that no control is known to be true."""

    def write(seen: Seen) -> Any:
        said = write_well(seen)
        if seen.turn == "verify":
            said["answers"] = [one | {"answer": "no"} for one in said["answers"]]
        return said

    found = described(answer(place(cues=[CUES[0], CUES[3]]), write))
    assert not any(control.holds for control in found.controls)
    assert 'reads "ISLAND FARM"' in found.long
    assert all("verifier" not in claim.witnesses for s in found.sentences for claim in s.claims)


def test_a_verifier_that_finds_a_careless_writer_out_is_believed(answer: Answer) -> None:
    """It says no to everything too, but nothing of it is borne out by anybody."""
    castle = say("A golden castle with three towers stands straight ahead.")

    def write(seen: Seen) -> Any:
        if seen.turn == "verify":
            return verify_well(seen)
        return {"long": [castle, castle], "short": [castle], "street": [castle]} if seen.turn in (
            "compose", "repair") else write_well(seen)  # fmt: skip

    found = answer(place(cues=[CUES[0]]), write)
    assert isinstance(found, Description)
    assert found.fault is not None
    assert found.long == ""


def test_notes_that_are_a_little_too_long_are_cut_and_no_place_is_lost_for_them(model: StandIn, answer: Answer) -> None:
    long = "a corner of " + "very " * 20 + "old houses"
    things = [{"what": f"house {i}", "looks": long, "side": "left", "depth": "near"} for i in range(20)]
    found = described(answer(place(views=1), observing(scene=long, things=things)))
    assert "repair" not in model.turns()
    assert model.turns().count("observe") == 1
    assert len([note for note in found.notes if note.what.startswith("house")]) == 12
    assert found.notes[0].what == long[:80].rsplit(" ", 1)[0]
