"""What the verifier says of a description: what it refuses goes, and a verifier worth nothing is not believed."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import MachineError
from schemas.records import Verdict
from tests.captioning.dialogue.asking import Captioner, captioner, model, of, written
from tests.captioning.model_standin import NAME, Seen, StandIn, refusal, say, serving, write_well
from tests.captioning.places import build_for, place

__all__ = ["captioner", "model"]


def test_the_good_writer_is_believed(captioner: Captioner) -> None:
    (said,) = written(captioner(), place())
    assert said.fault is None, said.dropped
    assert said.dropped == []
    assert {claim.outcome for sentence in said.sentences for claim in sentence.claims} == {"supported"}


def test_what_the_verifier_refuses_is_taken_out_and_the_rest_stands(model: StandIn, captioner: Captioner) -> None:
    untrue = "There is a tower on the left."

    def write(seen: Seen) -> Any:
        said = write_well(seen)
        if seen.turn == "compose":
            said["long"].insert(1, say(untrue))
        return said

    model.write = write
    (said,) = written(captioner(), place())
    assert said.fault is None
    assert "tower" not in said.long
    assert [(gone.text, gone.claims[0].outcome, gone.why) for gone in said.dropped] == [
        (untrue, "contradicted", [f"'{untrue}': the verifier says no"])
    ]
    assert said.dropped[0].claims[0].verdict == Verdict(answer="no", picture="1")
    assert {c.verdict for s in said.sentences for c in s.claims} == {Verdict(answer="yes", picture="1")}
    assert "repair" not in model.turns()


def test_the_verifier_sees_statements_in_an_order_of_its_own_and_no_text(model: StandIn, captioner: Captioner) -> None:
    (said,) = written(captioner(), place())
    asked = next(seen for seen in model.seen if seen.turn == "verify")
    assert set(asked.data) == {"map", "statements"}
    told = [statement["says"] for statement in asked.data["statements"]]
    claims = list(dict.fromkeys(claim.text for sentence in said.sentences for claim in sentence.claims))
    assert set(claims) < set(told)  # the others are controls
    assert [text for text in told if text in claims] != claims
    agreed = "I have a brick building on the left."  # the detector has it, and the notes
    assert {control.text for control in said.controls} - {agreed} == set(told) - set(claims)
    assert {control.answer for control in said.controls if not control.holds} == {"no"}


def test_a_text_of_which_too_little_stands_is_written_once_more(model: StandIn, captioner: Captioner) -> None:
    def write(seen: Seen) -> Any:
        if seen.turn != "compose":
            return write_well(seen)
        said = [say("A golden castle with three towers stands straight ahead.")] * 2
        return {"long": said, "short": said[:1], "street": said[:1]}

    model.write = write
    (said,) = written(captioner(), place())
    assert said.fault is None
    assert model.turns()[-3:] == ["verify", "repair", "verify"]
    repair = next(seen for seen in model.seen if seen.turn == "repair")
    failed = repair.data["taken_out"][0]["failed"][0]
    assert failed == {
        "claim": "A golden castle with three towers stands straight ahead.",
        "against": ["the verifier says no", "verifier"],
        "picture": 1,
    }
    assert repair.data["notes"]
    assert "castle" not in said.long
    assert any("castle" in gone.text for gone in said.dropped)


def test_a_description_that_stays_untrue_is_kept_with_the_reason(model: StandIn, captioner: Captioner) -> None:
    def write(seen: Seen) -> Any:
        if seen.turn not in ("compose", "repair"):
            return write_well(seen)
        said = [say("A golden castle with three towers stands straight ahead.")] * 2
        return {"long": said, "short": said[:1], "street": said[:1]}

    model.write = write
    (said,) = written(captioner(), place())
    assert model.turns().count("repair") == 1
    assert said.fault is not None
    assert said.fault[0] == "ungrounded"
    assert all("castle" in gone.text for gone in said.dropped)
    assert said.long == ""


@pytest.mark.parametrize("answer", ["yes", "no", "cannot"])
def test_a_verifier_that_answers_alike_to_all_is_not_believed(
    model: StandIn, captioner: Captioner, answer: str
) -> None:
    def write(seen: Seen) -> Any:
        if seen.turn == "verify":
            count = len(seen.data["statements"])
            return {"answers": [{"statement": i, "answer": answer, "picture": 1} for i in range(1, count + 1)]}
        said = write_well(seen)
        if seen.turn in ("compose", "repair"):
            said["long"].append(say("A golden castle with three towers stands straight ahead."))
        return said

    model.write = write
    (said,) = written(captioner(), place())
    assert "castle" not in said.long + said.short + (said.street or "")
    assert all("verifier" not in c.witnesses for s in said.sentences for c in s.claims)


def test_a_verifier_that_answers_for_other_statements_has_said_nothing(model: StandIn, captioner: Captioner) -> None:
    def write(seen: Seen) -> Any:
        if seen.turn == "verify":
            return {"answers": [{"statement": i, "answer": "yes", "picture": 1} for i in range(50, 60)]}
        return write_well(seen)

    model.write = write
    (said,) = written(captioner(), place())
    assert all("verifier" not in c.witnesses for s in said.sentences for c in s.claims)


def test_another_model_may_be_the_verifier(model: StandIn, captioner: Captioner) -> None:
    with serving(write_well) as judge:
        verifier = {"model": NAME, "endpoints": [judge.url]}
        (said,) = written(captioner(verifier=verifier), place())
    assert set(judge.turns()) == {"verify"}
    assert "verify" not in model.turns()
    assert said.fault is None


def test_what_is_wrong_with_the_verifier_is_known_before_the_writer_writes(
    model: StandIn, captioner: Captioner
) -> None:
    with (
        serving(write_well, probe_fault=lambda *_: refusal("At most 1 image(s) may be provided.")) as judge,
        pytest.raises(MachineError, match=r"At most 1 image"),
    ):
        captioner(verifier={"model": NAME, "endpoints": [judge.url]}).describe([place()])
    assert (model.seen, judge.seen) == ([], [])


def test_a_build_stops_whose_verifier_is_below_its_floor(model: StandIn, captioner: Captioner, tmp_path: Path) -> None:
    def write(seen: Seen) -> Any:
        if seen.turn == "verify":
            count = len(seen.data["statements"])
            return {"answers": [{"statement": i, "answer": "yes", "picture": 1} for i in range(1, count + 1)]}
        return write_well(seen)

    model.write = write
    build = build_for([model.url], tmp_path / "w", at_once=1)
    floor = {"false_accept": 0.2, "min_controls": 20}
    policy = build.grounding.model_validate({"verifier_floor": floor})
    with pytest.raises(MachineError, match=r"accepts false controls: \d+ of \d+ .*verifier_floor\.false_accept is 20%"):
        of(build.model_copy(update={"grounding": policy})).describe([place(f"p{i}") for i in range(12)])
