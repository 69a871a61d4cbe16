"""The dialogue with a stand-in for the model: what is asked, what is made of the replies, what is paid for twice."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pipeline.captioning.base import Description, Evidence
from pipeline.captioning.dialogue.dialogue import DialogueCaptioner
from pipeline.config.build import Build
from pipeline.errors import BuildStopped, MachineError, SiteError
from pipeline.stopping import clear_stop, request_stop
from schemas.records import Position, Verdict
from tests.captioning.model_standin import NAME, USAGE, Seen, StandIn, refusal, reply, say, serving, write_well
from tests.captioning.places import CUES, build_for, cue, place

Captioner = Callable[..., DialogueCaptioner]


@pytest.fixture
def model() -> Iterator[StandIn]:
    with serving(write_well) as standin:
        yield standin


@pytest.fixture
def captioner(model: StandIn, tmp_path: Path) -> Captioner:
    def make(url: str = "", **dialogue: Any) -> DialogueCaptioner:
        return of(build_for([url or model.url], tmp_path / "w", **dialogue))

    return make


def of(build: Build) -> DialogueCaptioner:
    assert build.captioner.engine == "dialogue"
    return DialogueCaptioner(build.captioner, build)


def written(captioner: DialogueCaptioner, *places: Evidence) -> list[Description]:
    answers = captioner.describe(places)
    assert all(isinstance(answer, Description) for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, Description)]


def failed(captioner: DialogueCaptioner, *places: Evidence) -> SiteError:
    answer = captioner.describe(places)[0]
    assert isinstance(answer, SiteError), answer
    return answer


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


def test_the_good_writer_is_believed(captioner: Captioner) -> None:
    (said,) = written(captioner(), place())
    assert said.fault is None, said.dropped
    assert said.dropped == []
    assert {claim.outcome for sentence in said.sentences for claim in sentence.claims} == {"supported"}


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


def test_ablations_are_single_turns(model: StandIn, captioner: Captioner) -> None:
    written(captioner(prompt_set="single-turn-en-2"), place("a"))
    written(captioner(prompt_set="plain-en-2"), place("b"))
    single, _, plain, checked = model.seen
    assert "map" not in checked.data
    assert [c["id"] for c in single.data["cues"]] == [c.cue_id for c in CUES]
    assert plain.data == {}
    assert single.turn == plain.turn == "compose"


def test_finished_turns_are_never_paid_for_twice(model: StandIn, captioner: Captioner) -> None:
    places = [place("a"), place("b")]
    first = written(captioner(), *places)
    sent = len(model.seen)
    again = captioner()
    assert written(again, *places) == first  # turns and their latencies among them
    assert (len(model.seen), again.requests_sent) == (sent, 0)
    written(captioner(), places[0].__class__(places[0].site, list(CUES[:2])))
    assert model.turns()[sent:].count("observe") == 0  # the same photo, not asked about again


def test_kept_replies_need_no_server(tmp_path: Path) -> None:
    with serving(write_well) as standin:
        build = build_for([standin.url], tmp_path / "w")
        first = written(of(build), place())
    assert written(of(build), place()) == first


def test_a_damaged_reply_is_asked_for_again(model: StandIn, captioner: Captioner, tmp_path: Path) -> None:
    (first,) = written(captioner(), place())
    for file in (tmp_path / "w" / "replies").rglob("*.json"):
        file.write_bytes(file.read_bytes()[:40])
    sent = len(model.seen)
    (second,) = written(captioner(), place())
    assert second.long == first.long
    assert len(model.seen) == 2 * sent


def test_the_reply_file_has_what_was_asked_and_what_it_took(captioner: Captioner, tmp_path: Path) -> None:
    written(captioner(revision="abc"), place())
    kept = [json.loads(file.read_text()) for file in (tmp_path / "w" / "replies").rglob("*.json")]
    composed = next(file for file in kept if file["asked"]["turn"] == "compose")
    assert composed["asked"]["revision"] == "abc"
    assert composed["asked"]["temperature"] == 0.4
    assert composed["reply"]["prompt_tokens"] == 100
    assert composed["reply"]["latency_s"] >= 0


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (lambda: reply("{"), "bad_reply"),
        (lambda: reply('["no object"]'), "bad_reply"),
        (lambda: reply('{"cues": {}}'), "bad_reply"),
        (lambda: reply('{"cues": [{"id": "t1", "ruling": "perhaps"}]}'), "bad_reply"),
        (lambda: reply("[" * 100_000), "bad_reply"),
        (lambda: reply('{"cues": {"t1": "cl', "length"), "reply_cut"),
    ],
)
def test_a_bad_reply_is_asked_for_once_more_with_another_seed(
    model: StandIn, captioner: Captioner, bad: Callable[[], web.Response], reason: str
) -> None:
    model.fault = lambda _, seen: bad() if seen.turn == "ground" else None
    error = failed(captioner(), place())
    asked = [seen for seen in model.seen if seen.turn == "ground"]
    assert error.reason == reason
    assert "ground" in error.detail
    assert len({seen.body["seed"] for seen in asked}) == len(asked) == 2
    model.fault = lambda _, seen: bad() if seen.body["seed"] == asked[0].body["seed"] else None
    written(captioner(temperature=0.5), place())


def around(change: Callable[[dict[str, Any]], Any]) -> Callable[[int, Seen], web.Response]:
    """A good writer's replies as another server or model would give them."""

    def fault(_: int, seen: Seen) -> web.Response:
        text = json.dumps(write_well(seen), ensure_ascii=False)
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        answer = {"choices": [choice], "usage": dict(USAGE)}
        given = change(answer)
        return web.Response(
            text=given if isinstance(given, str) else json.dumps(answer), content_type="application/json"
        )

    return fault


def text_of(answer: dict[str, Any]) -> str:
    return str(answer["choices"][0]["message"]["content"])


def put(answer: dict[str, Any], text: Any, **more: Any) -> None:
    answer["choices"][0]["message"] = {"role": "assistant", "content": text, **more}


@pytest.mark.parametrize(
    "change",
    [
        lambda a: put(a, "<think>Is there {a sign}?</think>\n\n" + text_of(a)),
        lambda a: put(a, None, reasoning_content=text_of(a)),
        lambda a: put(a, f"```json\n{text_of(a)}\n```"),
        lambda a: put(a, [{"type": "text", "text": text_of(a)}]),
        lambda a: a["choices"][0].update(finish_reason="eos_token"),
        lambda a: a["choices"][0].update(finish_reason=None),
        lambda a: a["choices"][0].pop("finish_reason") and None,
        lambda a: a.update(usage=None),
        lambda a: a["usage"].update(prompt_tokens=None, completion_tokens=2.5),
        lambda a: "\ufeff" + json.dumps(a) + "\n\ndata: [DONE]\n",
    ],
)
def test_replies_are_read_as_servers_and_models_give_them(
    model: StandIn, captioner: Captioner, change: Callable[[dict[str, Any]], Any]
) -> None:
    model.fault = around(change)
    (said,) = written(captioner(prompt_set="single-turn-en-2"), place(views=1))
    assert 'reads "ISLAND FARM"' in said.long
    assert model.turns() == ["compose", "verify"]
    assert written(captioner(prompt_set="single-turn-en-2"), place(views=1)) == [said]  # from what was kept


def test_a_model_that_declines_is_asked_once_more_and_quoted(model: StandIn, captioner: Captioner) -> None:
    model.fault = around(lambda a: put(a, None, refusal="I'm sorry, I can't help with that."))
    error = failed(captioner(prompt_set="single-turn-en-2"), place(views=1))
    assert error.reason == "model_refused"
    assert "I'm sorry, I can't help with that." in error.detail
    assert len({seen.body["seed"] for seen in model.seen}) == len(model.seen) == 2


HALF = '{"indoors": false, "scene": "a\\ud800b", "road": "", "things": [], "writing": []}'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HALF, "bad_reply"),  # spelt in the reply's own JSON
        (HALF.replace("scene", "\\udfff"), "bad_reply"),
        ('{"\ud800": 1}', "bad_reply"),  # in the text itself
        (HALF.replace("\\ud800", "\ud800"), None),  # the same, where it does no harm
    ],
)
def test_halves_of_characters_end_no_build(model: StandIn, captioner: Captioner, text: str, reason: str | None) -> None:
    model.fault = lambda _, seen: reply(text) if seen.turn == "observe" else None
    for _ in range(2):  # and not when it starts again, either
        (answer,) = captioner().describe([place(views=1)])
        assert getattr(answer, "reason", None) == reason
        str(answer).encode()


def test_a_description_has_no_character_that_cannot_be_read(model: StandIn, captioner: Captioner) -> None:
    def write(seen: Seen) -> Any:
        said = write_well(seen)
        if seen.turn == "compose":
            said["long"][0]["text"] = "A sign with \ud83d on it."
        return said

    model.write = write
    model.fault = lambda _, seen: reply(json.dumps(write(seen), ensure_ascii=False))
    error = failed(captioner(), place(views=1))
    assert (error.reason, "U+FFFD" in error.detail) == ("bad_reply", True)


def test_faults_are_never_kept(model: StandIn, captioner: Captioner, tmp_path: Path) -> None:
    answers = [
        lambda: refusal("something that nobody has heard of"),
        lambda: web.Response(text="<html>Forbidden</html>", status=403),
        lambda: refusal("out of memory", None, 500),
        lambda: refusal("This model's maximum context length is 4096 tokens.", "input_tokens"),
    ]
    for answer in answers:
        model.fault = lambda _, __, answer=answer: answer()  # type: ignore[misc]
        failed(captioner(tries=1, prompt_set="single-turn-en-2"), place(views=1))
    assert not list((tmp_path / "w" / "replies").rglob("*.json"))
    model.fault = lambda *_: None
    written(captioner(prompt_set="single-turn-en-2"), place(views=1))


def test_descriptions_beyond_the_limit_are_refused(model: StandIn, captioner: Captioner) -> None:
    def write(seen: Seen) -> Any:
        said = write_well(seen)
        if seen.turn == "compose":
            claims = {"claims": said["long"][0]["claims"]}
            said["short"] = [say("A house with a red roof and a blue door. " * 5) | claims] * 2
        return said

    model.write = write
    error = failed(captioner(), place())
    assert error.reason == "too_long"
    assert "short" in error.detail


def test_control_characters_in_a_reply_do_no_harm(model: StandIn, captioner: Captioner) -> None:
    text = '{"indoors": false, "scene": "a\nb", "road": "\tc", "things": [], "writing": []}'
    model.fault = lambda _, seen: reply(text) if seen.turn == "observe" else None
    written(captioner(), place())
    assert next(seen for seen in model.seen if seen.turn == "ground").data["notes"][0]["what"] == "a b"


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
