"""What is made of the model's replies, which are kept, and which are paid for twice."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.captioning.dialogue.asking import Captioner, captioner, failed, model, of, written
from tests.captioning.model_standin import USAGE, Seen, StandIn, refusal, reply, say, serving, write_well
from tests.captioning.places import CUES, build_for, place

__all__ = ["captioner", "model"]


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
