"""A whole description: what is taken out, what stands, when it may be published."""

from typing import Any

import pytest

from pipeline.captioning.base import Evidence
from pipeline.captioning.grounding.claims import Witnesses
from pipeline.captioning.grounding.grounding import Grounded, ground, text_of, to_verify, witnesses_of
from pipeline.captioning.grounding.parting import parted
from pipeline.captioning.grounding.verification import Heard
from pipeline.captioning.language import LANGUAGES, language_of
from pipeline.config.captioning import Grounding
from schemas.reasons import Reason
from schemas.records import Answer, Claim, Cue, Sentence, Variant
from tests.captioning.language.cases import cases
from tests.captioning.places import cue, place

SOUND = cases("en").sound
languages = pytest.mark.parametrize("code", LANGUAGES)


def said(text: str, *claims: str, variant: Variant = "long", kind: Any = "thing") -> Sentence:
    listed = [Claim(text=c, kind=kind, cites=[], outcome="not_witnessed", witnesses=[]) for c in claims or (text,)]
    return Sentence(variant=variant, text=text, cue_ids=[], claims=listed)


ROAD = cue("m1", label="road", category="residential", text="Mill Lane")


def known(*cues: Cue, code: str = "en", **policy: Any) -> Witnesses:
    return witnesses_of(Evidence(place(views=1).site, list(cues)), [], Grounding(**policy), code)


def judged(
    *sentences: Sentence, untrue: tuple[str, ...] = (), cannot: tuple[str, ...] = (), code: str = "en", **policy: Any
) -> Grounded:
    """The description as a verifier that knows what is untrue, and what cannot be told, leaves it."""
    seen = known(code=code, **policy)
    answers: dict[str, Answer] = {c.text: "yes" for c in to_verify(sentences, seen)}
    answers.update(dict.fromkeys(untrue, "no"))
    answers.update(dict.fromkeys(cannot, "cannot"))
    return ground(sentences, seen, "r", Heard(answers, [], believed=True))


def long_of(found: Grounded) -> str:
    return text_of(found.sentences, "long")


@languages
def test_a_true_description_stands_as_it_is(code: str) -> None:
    first, second = cases(code).sound
    variants = (said(first), said(second), said(first, variant="short"), said(second, variant="street"))
    found = judged(*variants, code=code)
    assert (found.fault, found.dropped) == (None, [])
    assert long_of(found) == f"{first} {second}"


@languages
def test_only_the_sentence_goes_whose_claim_fails(code: str) -> None:
    (first, second), lie = cases(code).sound, cases(code).lie
    found = judged(said(first), said(lie), said(second), untrue=(lie,), code=code)
    assert long_of(found) == f"{first} {second}"
    assert [(gone.text, gone.why) for gone in found.dropped] == [(lie, [f"'{lie}': the verifier says no"])]
    assert found.fault is None


@languages
def test_a_clause_goes_where_it_alone_fails(code: str) -> None:
    text, *claims = cases(code).clause
    found = judged(said(cases(code).sound[0]), said(text, *claims), untrue=(claims[1],), code=code)
    assert long_of(found).endswith(claims[0])
    assert found.dropped[0].text == text


@languages
def test_what_leans_on_a_sentence_that_went_goes_with_it(code: str) -> None:
    (first, second), (lie, leaning) = cases(code).sound, cases(code).leaning
    found = judged(said(first), said(lie), said(leaning), said(second), untrue=(lie,), code=code)
    assert long_of(found) == f"{first} {second}"
    assert found.dropped[1].why == ["it leans on a sentence that was taken out"]


@pytest.mark.parametrize(("level", "stands"), [("lenient", True), ("witnessed", False), ("strict", False)])
def test_levels_differ_in_what_nobody_witnesses(level: str, stands: bool) -> None:
    vague = "A palm tree grows behind the wall."
    found = judged(said(SOUND[0]), said(SOUND[1]), said(vague), cannot=(vague,), level=level)
    assert (vague in long_of(found)) is stands


def test_strict_wants_a_second_witness_for_what_must_be_exact() -> None:
    text = 'A board on the left reads "ISLAND FARM".'
    for level, stands in (("witnessed", True), ("strict", False)):
        found = judged(said(SOUND[0]), said(SOUND[1]), said(text, kind="sign"), level=level)
        assert (text in long_of(found)) is stands


def test_a_claim_that_cannot_be_understood_by_itself_is_put_as_its_sentence() -> None:
    text = "Waterloo, on the left, is a white brick building with a round red sign."
    sentence = said(text, "A brick building is on the left.", "Its sign is red.", "There is a sign beside it.")
    (found,) = parted([sentence], language_of("en"))
    assert [claim.text for claim in found.claims] == ["A brick building is on the left.", text]


@pytest.mark.parametrize("text", ["Two stone lions sit on the left.", "Stone lions sit between the door and the road."])
def test_what_a_sentence_says_and_no_claim_does_is_put_to_the_verifier_as_it_stands(text: str) -> None:
    sentence = said(text, "Stone lions are there.")
    seen = known()
    assert [c.text for c in to_verify([sentence], seen)] == ["Stone lions are there.", text]
    found = judged(said(SOUND[0]), said(SOUND[1]), sentence, untrue=(text,))
    assert "lions" not in long_of(found)


@pytest.mark.parametrize(("code", "text"), [(code, text) for code in LANGUAGES for text in cases(code).broken])
def test_what_no_description_may_say_goes_even_if_it_is_true(code: str, text: str) -> None:
    sound = cases(code).sound
    found = judged(*map(said, sound), said(text), code=code)
    assert long_of(found) == " ".join(sound)
    assert found.dropped[0].why[0].startswith(cases(code).broken[text])


@languages
def test_a_place_s_name_is_no_hedging(code: str) -> None:
    sound, told, name = cases(code).sound, cases(code).place_name, cases(code).place_named
    for cues, stands in (([cue("m1", category="museum", text=name, distance_m=9.0)], True), ([], False)):
        seen = known(*cues, code=code)
        sentences = [*map(said, sound), said(told)]
        answers: dict[str, Answer] = {c.text: "yes" for c in to_verify(sentences, seen)}
        found = ground(sentences, seen, "r", Heard(answers, [], believed=True))
        assert (told in long_of(found)) is stands, found.dropped


@pytest.mark.parametrize(
    ("told", "cues", "stands"),
    [
        ("The road is called Mill Lane.", [ROAD], False),
        ('A sign reads "Mill Lane".', [ROAD, cue("t1", text="MILL LN")], True),
        ("The bakery Spruce is near.", [cue("m1", category="bakery", text="Spruce", distance_m=20.0)], True),
        ("The bakery Spruce is near.", [cue("m1", category="bakery", text="Spruce", distance_m=200.0)], False),
        ("Boulder Dental is near.", [cue("m1", category="dentist", text="Boulder Dental", distance_m=20.0)], True),
        ("The shop Paris Foods is near.", [cue("m1", category="shop", text="Foods of Paris", distance_m=20.0)], False),
        ("Probably Better is on the left.", [cue("m1", category="bar", text="Probably Better", distance_m=9.0)], True),
        ("PERHAPS BLUE is on the left.", [cue("m1", category="bar", text="Perhaps Blue", distance_m=9.0)], True),
        ("Maybe Baby is on the left.", [cue("t1", text="MAYBE BABY"), cue("t2", text="Maybe Baby")], True),
        ("Maybe a bar is on the left.", [cue("t1", text="MAYBE"), cue("t2", text="Maybe")], False),
        ("Maybe Baby is on the left.", [], False),
    ],
)
def test_names_that_may_be_told(told: str, cues: list[Cue], stands: bool) -> None:
    seen = known(*cues)
    answers: dict[str, Answer] = {c.text: "yes" for c in to_verify([said(told), *map(said, SOUND)], seen)}
    found = ground([*map(said, SOUND), said(told)], seen, "boulder", Heard(answers, [], believed=True))
    assert (told in long_of(found)) is stands, found.dropped


def test_said_twice_is_said_once() -> None:
    found = judged(said(SOUND[0]), said(SOUND[1]), said(SOUND[0].replace("brick", "brick ")))
    assert long_of(found) == " ".join(SOUND)
    assert found.dropped[0].why == ["it is said twice"]


def test_the_short_text_is_made_from_the_long_one_where_nothing_of_it_stands() -> None:
    lie = "A tower rises behind."
    found = judged(said(SOUND[0]), said(SOUND[1]), said(lie, variant="short"), untrue=(lie,))
    assert text_of(found.sentences, "short") == " ".join(SOUND)
    assert found.fault is None


def test_too_little_to_say_and_ungrounded_are_two_reasons() -> None:
    found = judged(said("A wall is there."), cannot=("A wall is there.",))
    assert found.fault is not None
    assert found.fault[0] is Reason.TOO_LITTLE_TO_SAY
    lies = ("A tower rises behind.", "A castle is ahead.", "A moat is on the left.")
    found = judged(*map(said, lies), untrue=lies)
    assert found.fault is not None
    assert found.fault[0] is Reason.UNGROUNDED
    assert "3 of 3 claims are contradicted" in found.fault[1]


@languages
def test_a_text_in_another_language_is_not_published(code: str) -> None:
    foreign = "stara kamienica obok wysokiej topoli przed murem bez okien pod dachem blaszanym."
    found = judged(said(foreign), said(foreign, variant="short"), code=code)
    assert found.fault is not None
    assert found.fault[0] is Reason.UNGROUNDED


def test_judging_is_repeatable() -> None:
    lie = "A tower rises behind."
    sentences = [said(SOUND[0]), said(lie), said(SOUND[1])]
    assert judged(*sentences, untrue=(lie,)) == judged(*sentences, untrue=(lie,))
