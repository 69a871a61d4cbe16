"""The client between a build and its model servers: what it sends again, what it waits for, where it goes."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pipeline.captioning.dialogue.dialogue import DialogueCaptioner
from pipeline.captioning.dialogue.model_answers import read_answer
from pipeline.captioning.dialogue.model_client import ModelClient
from pipeline.captioning.dialogue.model_servers import Home
from pipeline.captioning.dialogue.requests import RefusedError, Reply, Request, Sampling, TooLongError
from pipeline.config.captioning import Dialogue
from pipeline.errors import MachineError, SiteError
from tests.captioning.model_standin import Seen, StandIn, refusal, serving, write_well
from tests.captioning.places import build_for, place

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
    (reply,) = ask(settings(model.url))
    assert reply.finish_reason == "stop"
    assert len(model.seen) == 3


def test_a_full_queue_does_not_count_as_a_try(model: StandIn) -> None:
    model.fault = first(3, lambda: refusal("queue full", None, 503))
    ask(settings(model.url, tries=1))


def test_a_queue_that_stays_full_is_given_up(model: StandIn) -> None:
    model.fault = lambda *_: refusal("queue full", None, 503)
    with pytest.raises(SiteError, match=r"model_unreachable.*503, all the time"):
        ask(settings(model.url, reply_timeout_s=1))


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


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'{"error": {"message": "too many", "param": "input_tokens"}}', TooLongError),
        (400, b'{"error": {"message": "maximum context length is 5", "param": null}}', TooLongError),
        (413, b"<html>", TooLongError),
        (400, b'{"error": {"message": "bad", "param": null}}', RefusedError),
        (400, b'{"error": "odd"}', RefusedError),
        (400, b"\xff\x00", RefusedError),
        (422, b"[]", RefusedError),
        (404, b'{"error": {"message": "no model"}}', MachineError),
        (403, b"", MachineError),
    ],
)
def test_errors_say_whose_fault_it_is(status: int, body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_answer(status, body, 0.1, "http://x/v1", "observe")


def test_a_server_s_words_are_made_fit_for_a_message() -> None:
    body = b'{"error": {"message": "a\\u001b[31m\\nb ' + b"x" * 5_000 + b'", "param": null}}'
    with pytest.raises(RefusedError) as caught:
        read_answer(400, body, 0.1, "http://x/v1", "observe")
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 400


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
    time.sleep(0.5)
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
        build = build_for([standin.url], tmp_path / "w", reply_timeout_s=3, connect_timeout_s=3)
        assert build.captioner.engine == "dialogue"
        captioner = DialogueCaptioner(build.captioner, build)
        captioner.describe([place("a", views=1)])
    with pytest.raises(MachineError, match=r"has answered for 3 s.*goes on from here"):
        captioner.describe([place("b", views=1)])
