"""The dialogue with a stand-in for the model: what is asked in which turn, and what it hangs on."""

import threading
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pipeline.errors import BuildStopped
from pipeline.stopping import clear_stop, request_stop
from schemas.records import Position
from tests.captioning.dialogue.asking import Captioner, captioner, failed, model, of, written
from tests.captioning.model_standin import Seen, StandIn, refusal, serving, write_well
from tests.captioning.places import CUES, build_for, cue, place

__all__ = ["captioner", "model"]


def test_a_place_goes_through_all_turns(model: StandIn, captioner: Captioner) -> None:
    (said,) = written(captioner(), place(views=2))
    assert [turn.turn for turn in said.turns] == [
        "observe 1", "observe 2", "ground", "relate", "compose", "verify 1.0"
    ]  # fmt: skip
    assert 'reads "ISLAND FARM"' in said.long
    assert said.street
    assert {sentence.variant for sentence in said.sentences} == {"long", "short", "street"}
    assert said.sentences[0].cue_ids == ["t1"]
    assert all(turn.model == "stand-in" and turn.finish_reason == "stop" for turn in said.turns)
    assert [seen.pictures for seen in model.seen[:4]] == [1, 1, 4, 4]


def test_instructions_are_the_system_s_and_all_data_the_user_s(model: StandIn, captioner: Captioner) -> None:
    written(captioner(), place("a"), place("b"))
    assert len({seen.system for seen in model.seen}) == 1  # so that a server keeps it
    for seen in model.seen:
        assert [message["role"] for message in seen.body["messages"]] == ["system", "user"]
        assert "ISLAND FARM" not in seen.system
        assert set(seen.body) == {
            "model", "messages", "temperature", "top_p", "max_tokens", "seed", "stream", "response_format"
        }  # fmt: skip


def test_what_the_model_refuses_it_is_not_given_again(model: StandIn, captioner: Captioner) -> None:
    rulings = {"t1": "wrong", "o1": "clear", "o2": "passing", "m1": "unseen", "m99": "clear"}

    def write(seen: Seen) -> Any:
        ruled = [{"id": cue_id, "ruling": ruling} for cue_id, ruling in rulings.items()]
        return {"cues": ruled} if seen.turn == "ground" else write_well(seen)

    model.write = write
    (said,) = written(captioner(), place())
    composed = next(seen for seen in model.seen if seen.turn == "compose")
    assert composed.data["rulings"] == [
        {"id": "t1", "ruling": "wrong"}, {"id": "o2", "ruling": "passing"}, {"id": "m1", "ruling": "unseen"}
    ]  # fmt: skip
    cited = {cue_id for sentence in said.sentences for cue_id in sentence.cue_ids}
    assert cited == {"o1", "m1"}  # the map may know what is hidden; the others were not offered


def test_ablations_are_single_turns(model: StandIn, captioner: Captioner) -> None:
    written(captioner(prompt_set="single-turn-en-2"), place("a"))
    written(captioner(prompt_set="plain-en-2"), place("b"))
    single, _, plain, checked = model.seen
    assert "map" not in checked.data
    assert [c["id"] for c in single.data["cues"]] == [c.cue_id for c in CUES]
    assert plain.data == {}
    assert single.turn == plain.turn == "compose"


def test_seeds_hang_on_place_turn_and_attempt_alone(model: StandIn, captioner: Captioner, tmp_path: Path) -> None:
    def seeds() -> list[int]:
        return sorted(seen.body["seed"] for seen in model.seen)

    written(captioner(), place("a"), place("b"))
    first = seeds()
    assert len(set(first)) == len(first)
    model.seen.clear()
    written(of(build_for([model.url], tmp_path / "other", at_once=1)), place("b"))
    written(of(build_for([model.url], tmp_path / "other")), place("a"))
    assert seeds() == first


def test_too_much_for_the_model_is_trimmed(model: StandIn, captioner: Captioner) -> None:
    many = [cue(f"t{i}", text=f"Sign number {i} of a long row", position=Position.LEFT) for i in range(1, 60)]
    serve = {"max_model_len": 10_400}
    written(captioner(serve=serve, view_pixels=1_204_224), place(views=4, cues=many, size=(1024, 768)))
    grounds = [seen for seen in model.seen if seen.turn == "ground"]
    assert grounds[-1].pictures < 6
    error = failed(captioner(serve={"max_model_len": 2_048}), place("b", cues=many))
    assert error.reason == "prompt_too_long"


def test_a_server_that_finds_the_prompt_too_long_is_asked_once_more(model: StandIn, captioner: Captioner) -> None:
    too_long = "This model's maximum context length is 4096 tokens."
    model.fault = lambda _, seen: refusal(too_long, "input_tokens") if seen.pictures > 3 else None
    written(captioner(), place(views=4))
    model.fault = lambda _, seen: refusal(too_long, "input_tokens") if seen.turn == "ground" else None
    asked = model.turns().count("ground")
    assert failed(captioner(), place("b", views=4)).reason == "prompt_too_long"
    assert model.turns().count("ground") - asked == 2
    asked = len(model.seen)
    failed(captioner(), place("b", views=4))
    assert model.turns()[asked:] == ["ground", "ground"]  # a refusal costs nothing, and the server may take more by now


def test_black_photos_are_described_from_what_else_there_is(captioner: Captioner) -> None:
    written(captioner(), place(black=True))


def test_requests_in_flight_are_bounded_over_all_threads(tmp_path: Path) -> None:
    with serving(write_well, delay_s=0.02) as standin:
        captioner = of(build_for([standin.url], tmp_path / "w", at_once=3))
        threads = [
            threading.Thread(target=written, args=(captioner, *(place(f"{t}{i}", 4) for i in range(3)))) for t in "abc"
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert standin.most_at_once == 3
        assert standin.turns().count("verify") == 9


def test_pictures_are_sent_once_to_a_server_that_keeps_them(tmp_path: Path) -> None:
    with serving(write_well, keeps=set()) as standin:
        written(of(build_for([standin.url], tmp_path / "w")), place(views=2))
    sent = [
        part["uuid"]
        for seen in standin.seen
        for part in seen.body["messages"][1]["content"]
        if part["type"] == "image_url" and part["image_url"] is not None
    ]
    assert len(sent) == len(set(sent)) == 4


def test_a_picture_that_the_server_forgot_is_sent_again(tmp_path: Path) -> None:
    with serving(write_well, keeps=set()) as standin:

        def forget(_: int, seen: Seen) -> web.Response | None:
            if seen.turn == "relate":
                assert standin.keeps is not None
                standin.keeps.clear()
            return None

        standin.fault = forget
        written(of(build_for([standin.url], tmp_path / "w")), place())


def test_a_stop_ends_the_dialogues_and_what_came_is_kept(tmp_path: Path) -> None:
    def stop_in_the_middle(number: int, _: Seen) -> None:
        if number == 8:
            request_stop()

    with serving(write_well, delay_s=0.05) as standin:
        standin.fault = stop_in_the_middle
        build = build_for([standin.url], tmp_path / "w", at_once=2)
        captioner = of(build)
        try:
            with pytest.raises(BuildStopped):
                captioner.describe([place(f"a{i}") for i in range(40)])
        finally:
            clear_stop()
        kept = len(list((tmp_path / "w" / "replies").rglob("*.json")))
        assert kept >= 4
        assert len(standin.seen) < 40


def test_the_fingerprint_hangs_on_what_the_words_hang_on(captioner: Captioner) -> None:
    usual = captioner().fingerprint()
    same: list[dict[str, Any]] = [{"at_once": 3}, {"tries": 2}, {"url": "http://10.0.0.1:8000/v1"}, {"key_env": "KEY"}]
    other: list[dict[str, Any]] = [
        {"temperature": 0.1},
        {"revision": "abc"},
        {"prompt_set": "plain-en-2"},
        {"view_pixels": 100_352},
        {"serve": {"max_model_len": 8_192}},
    ]
    assert {captioner(**change).fingerprint() for change in same} == {usual}
    assert len({captioner(**change).fingerprint() for change in other} | {usual}) == len(other) + 1
    assert captioner(revision="abc").model == "stand-in@abc"
