"""How often, and after what pauses, a request is made again."""

import asyncio
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from pipeline.errors import BuildStopped, MachineError, SiteError
from pipeline.net.base import Request, Response, Verdict
from pipeline.net.circuit_breaker import FAILURES, FREE_RETRIES
from pipeline.stopping import clear_stop, request_stop
from schemas.reasons import Reason
from tests.net.rawserver import MakeSession, RawServer, said, said_json, silent
from tests.net.virtual_time import JumpingLoop, ScriptedHost, Silence, ask_in_virtual_time, reply

OK = said(200, b"fine")
FINE = reply(200, b"fine")
NOW = datetime.now(UTC)


def http_date(offset_s: float) -> str:
    return format_datetime(NOW + timedelta(seconds=offset_s), usegmt=True)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_passing_fault_is_tried_again(status: int, server: RawServer, make_session: MakeSession) -> None:
    url = server.on("/a", said(status), said(status), OK)
    assert make_session().fetch(Request(url)).body == b"fine"
    assert server.count("/a") == 3


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, Reason.REFUSED),
        (401, Reason.REFUSED),
        (403, Reason.REFUSED),
        (404, Reason.GONE),
        (410, Reason.GONE),
        (501, Reason.SERVER_ERROR),
    ],
)
def test_a_lasting_fault_is_not(status: int, reason: Reason, server: RawServer, make_session: MakeSession) -> None:
    url = server.on("/a/b", said_json(status, {"message": "because"}))
    with pytest.raises(SiteError) as caught:
        make_session().fetch(Request(url, params=(("q", "not shown"),)))
    assert caught.value.reason is reason
    assert caught.value.detail == f'127.0.0.1/a/b: status {status}: {{"message": "because"}}'
    assert server.count("/a/b") == 1


def test_words_do_not_say_how_often_something_in_passing_was_met_before(
    server: RawServer, make_session: MakeSession
) -> None:
    told = []
    for number, before in enumerate(([], [said(503)], [said(503), said(500)])):
        url = server.on(f"/{number}", *before, said(404))
        with pytest.raises(SiteError) as caught:
            make_session({"tries": 3, "max_wait_s": 0.01}).fetch(Request(url))
        assert server.count(f"/{number}") == len(before) + 1
        told.append((caught.value.reason, caught.value.detail.replace(f"/{number}", "/x")))
    assert set(told) == {(Reason.GONE, "127.0.0.1/x: status 404")}


def test_tries_end(server: RawServer, make_session: MakeSession) -> None:
    url = server.on("/a", said(503))
    with pytest.raises(SiteError, match=r"^server_error: 127\.0\.0\.1/a: status 503, at try 4$"):
        make_session({"tries": 4}).fetch(Request(url))
    assert server.count("/a") == 4


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"retry_after": "1"}, 1.0),
        ({"retry_after": http_date(86_402), "date": http_date(86_400)}, 2.0),  # its clock is a day off
        ({"retry_after": http_date(-86_400)}, 0.0),
        ({}, 0.0),
        ({"retry_after": "-5"}, 0.0),
        ({"retry_after": "soon"}, 0.0),
    ],
)
def test_a_server_that_asks_to_wait_is_obeyed(headers: dict[str, Any], pause: float) -> None:
    with_backoff, slowed = 0.5, 0.001

    async def scenario(_: JumpingLoop, host: ScriptedHost) -> None:
        answer = await host.fetch(host.on("/a", reply(429, **headers), FINE))
        assert answer.body == b"fine"
        first, second = (at for _, at in host.seen)
        assert pause <= second - first <= pause + with_backoff + slowed

    ask_in_virtual_time(scenario, {"max_wait_s": 3.0, "tries": 2})


@pytest.mark.parametrize("headers", [{"retry_after": "1000000000"}, {"retry_after": http_date(7_200)}])
def test_a_server_that_asks_too_much_is_given_up(headers: dict[str, Any]) -> None:
    async def scenario(loop: JumpingLoop, host: ScriptedHost) -> None:
        started = loop.time()
        url = host.on("/a", reply(429, **headers))
        with pytest.raises(SiteError, match=r"asks to wait \d+ s, more than network.max_wait_s \(5\)") as caught:
            await host.fetch(url)
        with pytest.raises(SiteError, match="asked for a pause"):
            await host.fetch(host.on("/other", FINE))
        assert caught.value.reason is Reason.RATE_LIMITED
        assert loop.time() == started
        assert len(host.seen) == 1

    ask_in_virtual_time(scenario, {"max_wait_s": 5.0})


def test_the_pause_is_for_all_requests_of_the_host() -> None:
    async def scenario(_: JumpingLoop, host: ScriptedHost) -> None:
        slow = asyncio.ensure_future(host.fetch(host.on("/slow", reply(429, retry_after="1"), FINE)))
        await asyncio.sleep(0.1)
        await host.fetch(host.on("/quick", FINE))
        await slow
        times = [at for _, at in host.seen]
        assert times[1] - times[0] >= 1.0

    ask_in_virtual_time(scenario, {"max_wait_s": 3.0})


def by_body(status: int, _headers: Any, body: bytes) -> Verdict:
    if b'"code": 190' in body:
        return Verdict("fatal", Reason.REFUSED, "Invalid OAuth 2.0 Access Token")
    if b'"code": 100' in body:
        return Verdict("final", Reason.REFUSED, "invalid parameter")
    if b'"code": 4' in body:
        return Verdict("again", Reason.RATE_LIMITED, "request limit reached")
    return Verdict("ok") if status == 200 else Verdict("again", Reason.SERVER_ERROR)


def test_bodies_count_before_statuses(server: RawServer, make_session: MakeSession) -> None:
    session = make_session(judge=by_body)
    with pytest.raises(SiteError, match="invalid parameter"):
        session.fetch(Request(server.on("/a", said_json(500, {"code": 100}))))
    assert server.count("/a") == 1
    assert session.fetch(Request(server.on("/b", said_json(200, {"code": 4}), said(500), OK))).body == b"fine"
    with pytest.raises(MachineError, match=r"test refuses all requests: .*Invalid OAuth"):
        session.fetch(Request(server.on("/c", said_json(500, {"code": 190}))))
    assert server.count("/c") == 1
    with pytest.raises(MachineError):
        session.fetch_many([Request(server.origin + path) for path in ("/b", "/c", "/b")])


def test_a_judge_that_cannot_parse_leaves_it_to_the_status(server: RawServer, make_session: MakeSession) -> None:
    def parses(_status: int, _headers: Any, body: bytes) -> Verdict:
        int(body)
        return Verdict("ok")

    session = make_session(judge=parses)
    with pytest.raises(SiteError) as caught:
        session.fetch(Request(server.on("/a", said(200, b"<html>"))))
    assert caught.value.reason is Reason.BAD_ANSWER
    assert server.count("/a") == 3
    with pytest.raises(SiteError) as caught:
        session.fetch(Request(server.on("/b", said(404, b"<html>"))))
    assert caught.value.reason is Reason.GONE


def test_retries_of_a_host_have_a_budget(server: RawServer, make_session: MakeSession) -> None:
    flaky = [answer for _ in range(FREE_RETRIES + 10) for answer in (said(500), OK)]
    url = server.on("/a", *flaky)
    session = make_session({"retry_share": 0.0, "max_wait_s": 0.001})
    answers = [session.fetch(Request(url)) for _ in range(FREE_RETRIES)]
    assert {answer.body for answer in answers} == {b"fine"}
    with pytest.raises(SiteError, match=r"used up \(network\.retry_share\)") as caught:
        session.fetch(Request(url))
    assert caught.value.reason is Reason.SERVER_ERROR


def test_a_host_that_never_answers_holds_nothing_for_long() -> None:
    """Ten failures, then the patience, then faults at once: 2000 requests cost little more than ten."""

    async def scenario(loop: JumpingLoop, host: ScriptedHost) -> None:
        started = loop.time()
        faults = await host.fetch_many([host.on("/a", Silence(0.1))] * 2_000)
        assert {fault.reason for fault in faults if isinstance(fault, SiteError)} == {Reason.UNREACHABLE}
        assert len(faults) == 2_000
        assert "not answered" in str(faults[-1])
        assert "nothing came for 0.1 s" in str(faults[-1])
        assert loop.time() - started < 5
        assert len(host.seen) < FAILURES + 20

    ask_in_virtual_time(scenario, {"max_wait_s": 0.5, "tries": 2}, at_once=4)


def test_a_host_that_comes_back_is_asked_again() -> None:
    async def scenario(loop: JumpingLoop, host: ScriptedHost) -> None:
        url = host.on("/a", *[reply(500)] * (FAILURES + 1), FINE)
        for _ in range(FAILURES):
            with pytest.raises(SiteError):
                await host.fetch(url)
        started = loop.time()
        results = await host.fetch_many([url] * 20)
        assert sum(isinstance(result, Response) for result in results) == 19  # the first probe met the last 500
        assert 0.5 < loop.time() - started < 1.5

    ask_in_virtual_time(scenario, {"max_wait_s": 2.0, "tries": 1})


def stop_once_asked(server: RawServer) -> None:
    while not server.seen:
        time.sleep(0.01)
    request_stop()


@pytest.mark.parametrize("reaction", [silent, said(429, retry_after="3600")])
def test_a_stop_ends_the_waiting(reaction: Any, server: RawServer, make_session: MakeSession) -> None:
    session = make_session({"read_timeout_s": 600, "total_timeout_s": 600, "max_wait_s": 4_000})
    url = server.on("/a", reaction)
    stopping = threading.Thread(target=stop_once_asked, args=(server,))
    stopping.start()
    try:
        with pytest.raises(BuildStopped):
            session.fetch_many([Request(url)])
    finally:
        stopping.join()
        clear_stop()
    assert session.fetch(Request(server.on("/b", OK))).body == b"fine" if reaction is silent else True


def test_a_stop_closes_the_connection(server: RawServer, make_session: MakeSession) -> None:
    gone = threading.Event()

    def watch(connection: socket.socket) -> None:
        silent(connection)
        gone.set()

    session = make_session({"read_timeout_s": 600, "total_timeout_s": 600})
    stopping = threading.Thread(target=stop_once_asked, args=(server,))
    stopping.start()
    try:
        with pytest.raises(BuildStopped):
            session.fetch(Request(server.on("/a", watch)))
    finally:
        stopping.join()
        clear_stop()
    gone.wait()


def test_results_of_many_are_in_order(server: RawServer, make_session: MakeSession) -> None:
    urls = [server.on(f"/{i}", said(200, b"%d" % i) if i % 3 else said(404)) for i in range(30)]
    results = make_session().fetch_many([Request(url) for url in urls])
    for i, result in enumerate(results):
        if i % 3:
            assert isinstance(result, Response)
            assert result.body == b"%d" % i
        else:
            assert isinstance(result, SiteError)
            assert result.reason is Reason.GONE
    assert make_session().fetch_many([]) == []


def test_posts_are_searches_and_tried_again(server: RawServer, make_session: MakeSession) -> None:
    url = server.on("/search", said(503), OK)
    request = Request(url, method="POST", body=b'{"bbox": []}', content_type="application/json")
    assert make_session().fetch(request).body == b"fine"
    assert [(one.method, one.body, one.headers["content-type"]) for one in server.seen] == [
        ("POST", b'{"bbox": []}', "application/json")
    ] * 2


def test_the_client_says_who_it_is(server: RawServer, make_session: MakeSession) -> None:
    make_session().fetch(Request(server.on("/a", OK)))
    assert server.seen[0].headers["user-agent"].startswith("geoscribe/")
    assert server.seen[0].headers["user-agent"].endswith(" (+test@example.org)")
    assert "cookie" not in server.seen[0].headers
