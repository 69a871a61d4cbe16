"""The client between a build and its model servers: what it sends again, what it waits for, where it goes."""

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pipeline.captioning.dialogue.dialogue import DialogueCaptioner
from pipeline.captioning.dialogue.model_client import ModelClient
from pipeline.captioning.dialogue.model_servers import Home
from pipeline.captioning.dialogue.requests import RefusedError, Reply, Request, Sampling
from pipeline.config.captioning import Dialogue
from pipeline.config.running import Limits
from pipeline.errors import MachineError, OutageError, SiteError
from pipeline.net import outages
from prompts.replies import TURNS, reply_schema
from tests.captioning.model_standin import Seen, StandIn, refusal, reply, serving, write_well
from tests.captioning.places import build_for, place

KEYWORDS = {
    "type", "properties", "required", "additionalProperties", "items", "enum", "minItems", "maxItems", "minLength",
    "maxLength", "minimum", "maximum",
}  # fmt: skip
REQUEST = Request("observe 1", Sampling("stand-in", None, 0.4, 0.9, 64), 1, "rules", ("words",), {"type": "object"})


@pytest.fixture
def model() -> Iterator[StandIn]:
    with serving(write_well) as standin:
        yield standin


def ask(settings: Dialogue, *, times: int = 1) -> list[Reply]:
    async def go() -> list[Reply]:
        client = ModelClient(settings)
        try:
            await client.ready()
            return [await client.ask(REQUEST, Home()) for _ in range(times)]
        finally:
            await client.close()

    return asyncio.run(go())


def settings(*urls: str, **more: Any) -> Dialogue:
    return Dialogue.model_validate(
        {"engine": "dialogue", "model": "stand-in", "endpoints": urls, "reply_timeout_s": 5} | more
    )


def first(count: int, answer: Callable[[], web.StreamResponse]) -> Callable[[int, Seen], web.StreamResponse | None]:
    return lambda number, _: answer() if number < count else None


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_passing_faults_are_waited_out(model: StandIn, status: int) -> None:
    model.fault = first(2, lambda: refusal("not now", None, status))
    (came,) = ask(settings(model.url))
    assert came.finish_reason == "stop"
    assert len(model.seen) == 3


def test_a_full_queue_does_not_count_as_a_try(model: StandIn) -> None:
    model.fault = first(3, lambda: refusal("queue full", None, 503))
    ask(settings(model.url, tries=1))


def test_a_server_that_turns_all_away_stops_the_build_and_fails_no_site(model: StandIn) -> None:
    model.fault = lambda *_: refusal("queue full", None, 503)
    with pytest.raises(OutageError, match=r"turns all requests away \(HTTP 503: queue full\)"):
        ask(settings(model.url, reply_timeout_s=0.4))


def test_a_request_that_others_are_preferred_to_is_given_up(model: StandIn) -> None:
    turned_away = replace(REQUEST, name="verify")
    model.fault = lambda _, seen: refusal("queue full", None, 503) if seen.turn == "verify" else None

    async def go() -> None:
        client = ModelClient(settings(model.url, reply_timeout_s=0.4))

        async def others() -> None:
            while True:
                await client.ask(REQUEST, Home())
                await asyncio.sleep(0.01)

        beside = asyncio.create_task(others())
        try:
            await client.ask(turned_away, Home())
        finally:
            beside.cancel()
            await client.close()

    with pytest.raises(SiteError, match=r"model_unreachable.*503: queue full, all the time"):
        asyncio.run(go())


def paused_until(after: str, status: int = 429) -> web.Response:
    answer = refusal("quota used up", None, status)
    answer.headers["Retry-After"] = after
    return answer


@pytest.mark.parametrize("after", ["31536000", "Sat, 21 Nov 2099 12:00:00 GMT"])
def test_a_pause_longer_than_an_outage_may_be_stops_the_build(model: StandIn, after: str) -> None:
    model.fault = lambda *_: paused_until(after)
    with pytest.raises(OutageError, match=r"asks to wait \d{8,10} s \(HTTP 429: quota used up\)"):
        ask(settings(model.url))
    assert len(model.seen) == 1


def test_another_server_does_what_one_wants_no_more_of(model: StandIn) -> None:
    with serving(write_well) as other:
        model.fault = lambda *_: paused_until("31536000")
        assert len(ask(settings(model.url, other.url), times=4)) == 4
        assert (len(model.seen), len(other.seen)) == (1, 4)


@pytest.mark.parametrize(("after", "least_s"), [("1", 1.0), ("Sat, 21 Nov 2020 12:00:00 GMT", 0.0), ("soon", 0.0)])
def test_a_pause_that_is_asked_for_is_made(model: StandIn, after: str, least_s: float) -> None:
    model.fault = first(1, lambda: paused_until(after))
    started = time.monotonic()
    ask(settings(model.url))
    assert time.monotonic() - started >= least_s
    assert len(model.seen) == 2


def test_faults_are_final_after_so_many_tries(model: StandIn) -> None:
    model.fault = lambda *_: refusal("out of memory", None, 500)
    with pytest.raises(SiteError, match=r"out of memory.*at try 2 of turn observe 1"):
        ask(settings(model.url, tries=2))
    assert len(model.seen) == 2


def test_what_is_refused_is_not_sent_again(model: StandIn) -> None:
    model.fault = lambda *_: refusal("bad base64")
    with pytest.raises(RefusedError, match="bad base64"):
        ask(settings(model.url))
    assert len(model.seen) == 1


def test_a_hanging_server_is_left_after_the_timeout() -> None:
    with serving(write_well, delay_s=3) as standin, pytest.raises(SiteError, match="Timeout"):
        ask(settings(standin.url, reply_timeout_s=0.3, tries=2))


def test_a_connection_cut_in_the_middle_is_taken_up_again(model: StandIn) -> None:
    class Cut(web.Response):
        async def prepare(self, request: Any) -> None:
            request.transport.abort()

    model.fault = first(1, Cut)
    ask(settings(model.url))
    assert len(model.seen) == 2


def test_the_newer_name_of_the_limit_is_found_out_by_the_small_request(model: StandIn) -> None:
    model.newer_limit = True
    ask(settings(model.url, tries=1), times=2)
    assert ["max_tokens" in seen.body for seen in model.probes] == [True, False]
    assert [seen.body["max_completion_tokens"] for seen in model.seen] == [64, 64]


def test_the_newer_name_is_found_out_later_too(model: StandIn) -> None:
    model.probe_fault = lambda *_: reply("{}")  # as of a gateway that leads to one model, then to another
    model.newer_limit = True
    ask(settings(model.url, tries=1), times=2)
    assert ["max_tokens" in seen.body for seen in model.seen] == [True, False, False]


def test_a_server_that_calls_itself_vllm_and_takes_no_references(tmp_path: Path) -> None:
    with serving(write_well, keeps=set(), takes_references=False) as old:
        build = build_for([old.url], tmp_path / "w", tries=1)
        assert build.captioner.engine == "dialogue"
        captioner = DialogueCaptioner(build.captioner, build)
        (answer,) = captioner.describe([place(views=1)])
        assert not isinstance(answer, SiteError), answer
        asked = old.turns()
        assert [turn for turn in asked if asked.count(turn) > 1] == [
            "ground",
            "ground",
        ]  # whole, then no more referred to


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_waited_for_before_the_first_place(model: StandIn, status: int) -> None:
    model.probe_fault = first(1, lambda: refusal("queue full", None, status))
    ask(settings(model.url, tries=1))
    assert (len(model.probes), len(model.seen)) == (2, 1)


def test_a_server_that_stays_busy_is_not_taken_for_one_set_up_wrong(
    model: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    model.probe_fault = lambda *_: refusal("queue full", None, 503)
    ask(settings(model.url, reply_timeout_s=0.5))
    assert "is busy all the time (HTTP 503: queue full)" in caplog.text


def test_a_server_that_fails_at_a_small_request_is_none(model: StandIn) -> None:
    model.probe_fault = lambda *_: refusal("CUDA error: device-side assert", None, 500)
    with pytest.raises(MachineError, match=r"no model server answers.*device-side assert, at a small request"):
        ask(settings(model.url, tries=2))
    assert (len(model.probes), len(model.seen)) == (2, 0)


def test_another_server_does_what_one_cannot(model: StandIn) -> None:
    with serving(write_well, probe_fault=lambda *_: refusal("out of memory", None, 500)) as broken:
        ask(settings(broken.url, model.url, tries=1), times=3)
    assert (len(broken.seen), len(model.seen)) == (0, 3)


def test_the_small_request_is_such_as_the_turns_are(model: StandIn) -> None:
    ask(settings(model.url, temperature=0.7, top_p=0.8, reply_tokens=64))
    (small,) = model.probes
    assert small.pictures == 2
    assert small.body["stream"] is False
    assert [small.body[name] for name in ("temperature", "top_p", "max_tokens")] == [0.7, 0.8, 64]
    keywords = json.dumps(small.body["response_format"]["json_schema"]["schema"])
    turns = json.dumps([reply_schema(turn) for turn in TURNS])
    unlike = {word for word in re.findall(r'"(\$?\w+)":', turns) if word[0] == "$" or word in KEYWORDS}
    assert {word for word in unlike if f'"{word}"' not in keywords} <= {"minimum", "maximum"}


def test_a_server_without_a_list_of_models(model: StandIn) -> None:
    model.models = lambda: web.json_response({"detail": "Not Found"}, status=404)
    ask(settings(model.url))
    assert len(model.probes) == 1
    model.probe_fault = lambda *_: web.json_response({"detail": "Not Found"}, status=404)
    with pytest.raises(MachineError, match="no OpenAI-compatible server"):
        ask(settings(model.url))


@pytest.mark.parametrize("listed", ["stand-in", "*", "stand-*"])
def test_a_gateway_lists_patterns(model: StandIn, listed: str) -> None:
    model.models = [{"id": "a\ud800"}, {"id": 3}, {"id": listed}]
    ask(settings(model.url))


def test_what_a_list_of_models_names_is_fit_for_a_message(model: StandIn) -> None:
    model.models = [{"id": "a\ud800\x1b[31m"}, {"id": None}]
    with pytest.raises(MachineError, match="serves a") as caught:
        ask(settings(model.url))
    str(caught.value).encode()
    assert "\x1b" not in str(caught.value)


def test_a_server_that_sends_elsewhere(model: StandIn) -> None:
    model.probe_fault = lambda *_: web.Response(status=308, headers={"Location": "https://models.example/v1"})
    with pytest.raises(MachineError, match=r"308, to https://models\.example/v1"):
        ask(settings(model.url))


def test_a_server_that_does_not_hold_to_schemas_is_told_of(model: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    model.probe_fault = lambda *_: reply("The first is red.")
    ask(settings(model.url))
    assert "does not hold replies to the JSON schema" in caplog.text
    assert "The first is red." in caplog.text


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "At most 1 image(s) may be provided in one request."),
        (400, "something that nobody has heard of"),
        (400, "This model's maximum context length is 16 tokens."),
        (422, "[]"),
        (500, "image input is not supported by this server"),
        (403, "<html>Forbidden</html>"),
    ],
)
def test_what_is_wrong_with_the_set_up_is_known_before_any_place(model: StandIn, status: int, message: str) -> None:
    model.probe_fault = lambda *_: web.Response(text=message, status=status)
    with pytest.raises(MachineError, match=re.escape(message.replace("<html>", "").replace("</html>", ""))):
        ask(settings(model.url))
    assert not model.seen


def test_two_servers_share_the_dialogues(tmp_path: Path) -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(write_well, delay_s=0.01, keeps=set())) for _ in range(2)]
        build = build_for([server.url for server in servers], tmp_path / "w")
        assert build.captioner.engine == "dialogue"
        captioner = DialogueCaptioner(build.captioner, build)
        answers = captioner.describe([place(f"s{i}", views=1) for i in range(8)])
        assert not [answer for answer in answers if isinstance(answer, SiteError)]
        assert [server.turns().count("compose") for server in servers] == [4, 4]
        # A dialogue stays with its server, which has its pictures: each was sent once, to one of them.
        uuids = [server.keeps for server in servers]
        assert not uuids[0] & uuids[1]  # type: ignore[operator]  # both are sets


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_dialogues_go_on_when_a_server_comes_back(tmp_path: Path) -> None:
    port = free_port()
    answers: list[Any] = []
    with serving(write_well, port=port, delay_s=0.05, keeps=set()) as before:
        build = build_for([before.url], tmp_path / "w", at_once=2)
        assert build.captioner.engine == "dialogue"
        captioner = DialogueCaptioner(build.captioner, build)
        places = [place(f"s{i}", views=1) for i in range(6)]
        thread = threading.Thread(target=lambda: answers.extend(captioner.describe(places)))
        thread.start()
        while len(before.seen) < 8:
            time.sleep(0.01)
    while before.url not in outages.paused():
        assert thread.is_alive()
        time.sleep(0.01)
    with serving(write_well, port=port, keeps=set()) as after:
        thread.join()
    assert len(answers) == 6
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert after.seen


def test_the_other_server_takes_over(tmp_path: Path) -> None:
    port = free_port()
    with serving(write_well, delay_s=0.02) as other:
        with serving(write_well, port=port, delay_s=0.02) as failing:
            build = build_for([failing.url, other.url], tmp_path / "w", at_once=2)
            assert build.captioner.engine == "dialogue"
            captioner = DialogueCaptioner(build.captioner, build)
            assert captioner.describe([place("s0", views=1)])
        answers = captioner.describe([place(f"s{i}", views=1) for i in range(6)])
    assert not [answer for answer in answers if isinstance(answer, SiteError)]


def test_a_server_that_stays_away_stops_the_build(tmp_path: Path) -> None:
    with serving(write_well) as standin:
        build = build_for([standin.url], tmp_path / "w", connect_timeout_s=3)
        build = build.model_copy(update={"limits": Limits(outage_wait_s=3)})
        assert build.captioner.engine == "dialogue"
        captioner = DialogueCaptioner(build.captioner, build)
        captioner.describe([place("a", views=1)])
    with pytest.raises(OutageError, match=r"has answered for 3 s.*goes on from here"):
        captioner.describe([place("b", views=1)])
