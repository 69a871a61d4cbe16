"""The verifier: what it is asked, and what controls tell of it."""

from typing import Any

import pytest

from pipeline.captioning.base import Evidence
from pipeline.captioning.grounding.claims import Witnesses
from pipeline.captioning.grounding.grounding import witnesses_of
from pipeline.captioning.grounding.verification import Heard, Statement, heard, statements, with_answer
from pipeline.captioning.language import LANGUAGES, language_of
from pipeline.config.captioning import Grounding, VerifierFloor
from pipeline.errors import MachineError
from pipeline.reliability import Reliability
from schemas.records import Answer, Claim, Control, Note, Position, Verdict
from tests.captioning.language.cases import cases
from tests.captioning.places import cue, place

TEXTS = cases("en").claims


def claim(text: str) -> Claim:
    return Claim(text=text, kind="thing", cites=[], outcome="not_witnessed", witnesses=[])


def known(code: str = "en", **policy: Any) -> Witnesses:
    seen = Note(
        note_id="w1", kind="lettering", view_id="1", what="board", looks="", text="ISLAND FARM", side="left",
        position=None, bearing_deg=None, depth=None,
    )  # fmt: skip
    evidence = Evidence(place(views=1).site, [cue("t1", text="ISLAND FARM")])
    return witnesses_of(evidence, [seen], Grounding(**policy), code)


def asked(*key: object, code: str = "en") -> list[Statement]:
    return statements([claim(text) for text in cases(code).claims], known(code), *key)


@pytest.mark.parametrize("code", LANGUAGES)
def test_claims_and_controls_stand_in_an_order_that_hangs_on_the_site(code: str) -> None:
    first = asked(1, "a", code=code)
    assert first == asked(1, "a", code=code)
    assert [s.text for s in first] != [s.text for s in asked(1, "b", code=code)]
    assert {s.text for s in first if s.holds is None} == set(cases(code).claims)
    false = [s for s in first if s.holds is False]
    assert 6 <= len(false) <= Grounding().controls
    assert len({s.kind for s in false}) >= 4
    assert any(s.of is None for s in false)  # one thing that nothing speaks of
    reads = language_of(code).rules.sign_reads.format(words="ISLAND FARM")
    assert [s.text for s in first if s.holds] == [reads]  # OCR and notes agree on it


@pytest.mark.parametrize(("code", "told"), [("de", "Hier gibt es einen Baum."), ("en", "There is a tree here.")])
def test_a_true_control_calls_a_thing_by_its_name_in_the_language(code: str, told: str) -> None:
    tree = language_of(code).nouns.called("object", "tree")
    assert tree is not None
    seen = Note(
        note_id="n1", kind="thing", view_id="1", what=tree.plural, looks="", text=None, side="left",
        position=None, bearing_deg=None, depth=None,
    )  # fmt: skip
    evidence = Evidence(place(views=1).site, [cue("o1", label="tree")])
    made = statements([], witnesses_of(evidence, [seen], Grounding(), code), 1)
    assert [s.text for s in made if s.holds] == [told]


def test_each_claim_is_asked_once_and_no_control_is_a_claim() -> None:
    twice = statements([claim(text) for text in (*TEXTS, *TEXTS)], known(), 1)
    assert len({s.text for s in twice}) == len(twice)


def told(text: str, *notes: Note) -> set[str]:
    """All false controls that may be made from a claim."""
    policy = Grounding(controls=30)
    known = witnesses_of(Evidence(place(views=1).site, []), notes, policy, "en")
    made = [statements([claim(text)], known, seed) for seed in range(30)]
    return {s.text for found in made for s in found if s.holds is False and s.of is not None}


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("The road is straight ahead.", "sharply bent ahead"),
        ("A zebra crossing lies on the left.", "level crossing"),
        ("A stair leads down on the far bank on the left.", "car wash"),
        ("The street is paved with dark brick.", "unpaved with"),
        ("A glass tower stands behind the wall.", "straight ahead the"),
        ("Red and blue awnings hang ahead.", "Blue and blue"),
        ("A red tree trunk stands ahead.", "chimney trunk"),
        ("The building has two storeys.", "nine"),
        ('A sign reads "CAFE".', "EFAC"),
        ("A leaning pine tree rises in front of the roofs.", "pine chimney"),
        ("The blue building has three to four storeys.", "three to two"),
        ("A row of white triangles lies at the near edge.", "far off edge"),
    ],
)
def test_a_false_control_reads_like_a_claim(text: str, never: str) -> None:
    made = told(text)
    assert made
    assert not any(never in one for one in made), made


def test_half_a_word_is_not_swapped() -> None:
    assert told("The orange-brown wall is on the left.") == {"The orange-brown wall is on the right."}


def test_a_control_that_turns_out_true_is_not_put() -> None:
    def kiosk(number: int, side: Any, position: Position) -> Note:
        return Note(
            note_id=f"n{number}", kind="thing", view_id="1", what="kiosk", looks="", text=None, side=side,
            position=position, bearing_deg=None, depth="near",
        )  # fmt: skip

    left, right = kiosk(1, "left", Position.LEFT), kiosk(2, "right", Position.RIGHT)
    text = "A kiosk stands on the left."
    assert "A kiosk stands on the right." in told(text, left)
    assert "A kiosk stands on the right." not in told(text, left, right)


@pytest.mark.parametrize(
    "text",
    [
        "Shrubs grow along the front on the left.",
        "Another roof is on the left.",
        "A row of shops lines the left side.",
        "A tall grey street lamp stands on the left.",
    ],
)
def test_what_may_well_be_on_both_sides_is_not_told_of_the_other(text: str) -> None:
    assert not any("right" in one for one in told(text))


def test_something_like_it_on_the_other_side_is_enough_not_to_tell_it_there() -> None:
    text = "A brick wall stands along the far side of the road to the left."
    bushes = Note(
        note_id="n1", kind="thing", view_id="1", what="bushes behind a wall on the far side of the road", looks="",
        text=None, side="right", position=Position.RIGHT, bearing_deg=None, depth="near",
    )  # fmt: skip
    other = "A brick wall stands along the far side of the road to the right."
    assert other in told(text)
    assert other not in told(text, bushes)
    assert other in told(text, bushes.model_copy(update={"position": Position.LEFT}))


def answers(found: list[Statement], claims: Answer, false: Answer, true: Answer) -> dict[str, Answer]:
    return {s.text: claims if s.holds is None else true if s.holds else false for s in found}


@pytest.mark.parametrize(
    ("claims", "false", "true", "believed"),
    [
        ("yes", "no", "yes", True),
        ("yes", "yes", "yes", False),
        ("no", "no", "no", False),
        ("cannot", "cannot", "cannot", False),
        ("yes", "cannot", "yes", True),  # it vouches for nothing untrue: what is out of view it may not know
    ],
)
def test_who_is_believed(claims: Answer, false: Answer, true: Answer, believed: bool) -> None:
    found = asked(1, "a")
    assert heard(found, answers(found, claims, false, true), 0.7).believed is believed


def test_a_control_counts_only_if_what_it_was_made_from_is_true() -> None:
    found = asked(1, "a")
    said = answers(found, "yes", "no", "yes")
    spoilt = next(s for s in found if s.of is not None)
    assert spoilt.of is not None
    said[spoilt.of] = "no"  # the claim itself is false, so what was made of it may be true
    said[spoilt.text] = "yes"
    controls = {c.text: c for c in heard(found, said, 0.7).controls}
    assert not controls[spoilt.text].counted
    assert heard(found, said, 0.7).believed


def test_what_the_verifier_does_not_answer_it_cannot_tell() -> None:
    found = asked(1, "a")
    said = heard(found, {"something else": "yes"}, 0.7)
    assert set(said.answers.values()) == {"cannot"}
    assert with_answer(claim(TEXTS[0]), said) == claim(TEXTS[0]).model_copy(
        update={"verdict": Verdict(answer="cannot", picture=None)}
    )


def test_an_answer_is_one_witness_and_no_answer_overrides_a_contradiction() -> None:
    found = asked(1, "a")
    yes = heard(found, answers(found, "yes", "no", "yes"), 0.7)
    no = heard(found, answers(found, "no", "no", "yes"), 0.7)
    supported = claim(TEXTS[0]).model_copy(update={"outcome": "supported", "witnesses": ["o1"]})
    contradicted = claim(TEXTS[0]).model_copy(update={"outcome": "contradicted", "witnesses": ["t1"]})
    assert with_answer(supported, yes).witnesses == ["o1", "verifier"]
    assert with_answer(supported, no).outcome == "contradicted"
    assert with_answer(contradicted, yes).model_copy(update={"verdict": None}) == contradicted
    assert with_answer(supported, None) == supported


@pytest.mark.parametrize("answer", ["yes", "no", "cannot"])
@pytest.mark.parametrize("believed", [True, False])
def test_every_answer_is_kept_with_the_picture_that_decided_believed_or_not(answer: Answer, believed: bool) -> None:
    said = Heard({TEXTS[0]: answer, TEXTS[1]: answer}, [], believed, {TEXTS[0]: "0@90"})
    one, other, third = (with_answer(claim(text), said) for text in TEXTS[:3])
    assert one.verdict == Verdict(answer=answer, picture="0@90")
    assert other.verdict == Verdict(answer=answer, picture=None)
    assert third.verdict is None
    assert (one.outcome != "not_witnessed") == (believed and answer != "cannot")


def control(holds: bool, answer: Answer, kind: Any = "side", counted: bool = True) -> Control:
    return Control(kind=kind, text="x", holds=holds, answer=answer, counted=counted)


def test_rates_are_by_kind_with_intervals() -> None:
    measured = Reliability()
    measured.add([control(False, "yes"), *(control(False, "no") for _ in range(9)), control(False, "yes", "look")])
    measured.add([control(True, "yes"), control(True, "cannot"), control(False, "yes", counted=False)])
    rate = measured.false_accept("side")
    assert (rate.wrong, rate.of) == (1, 10)
    assert 0.0 < rate.low < 0.1 < rate.high < 0.45
    assert (measured.false_accept().wrong, measured.false_accept().of) == (2, 11)
    assert (measured.false_refuse().wrong, measured.false_refuse().of) == (1, 2)
    assert measured.false_refuse("road").of == 0


def test_a_floor_stops_only_who_is_surely_below_it() -> None:
    floor = VerifierFloor(false_accept=0.2, false_refuse=0.5, min_controls=20)
    few, some, many, deaf = Reliability(), Reliability(), Reliability(), Reliability()
    few.add(control(False, "yes") for _ in range(19))
    few.check(floor)
    some.add([*(control(False, "yes") for _ in range(5)), *(control(False, "no") for _ in range(15))])
    some.check(floor)  # a quarter, but it may well be a tenth
    many.add([*(control(False, "yes") for _ in range(50)), *(control(False, "no") for _ in range(50))])
    with pytest.raises(MachineError, match=r"accepts false controls: 50 of 100 \(40% to 60%\).*false_accept is 20%"):
        many.check(floor)
    deaf.add(control(True, "no") for _ in range(40))
    with pytest.raises(MachineError, match="refuses true controls: 40 of 40"):
        deaf.check(floor)
