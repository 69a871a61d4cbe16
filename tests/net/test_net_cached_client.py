"""Answers from the cache, and one request for all who ask the same at the same time."""

import asyncio
import gzip
import itertools
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.errors import SiteError
from pipeline.net.base import Request, Response
from pipeline.net.single_flight import SingleFlight
from tests.net.rawserver import MakeSession, RawServer, said
from tests.net.virtual_time import JumpingLoop, run_jumping

KEEP = {"cache_gb": 1}


def test_what_is_immutable_is_asked_for_once(server: RawServer, make_session: MakeSession) -> None:
    url = server.on("/a", said(200, gzip.compress(b"body"), content_encoding="gzip", content_type="image/png"))
    request = Request(url, accept=("image/",), cache="immutable")
    first = make_session(KEEP).fetch(request)
    second = make_session(KEEP).fetch(request)  # another client, the same folder
    assert server.count("/a") == 1
    assert (first.body, first.content_type, first.url, first.cached) == (b"body", "image/png", url, False)
    assert (second.body, second.content_type, second.url, second.cached) == (b"body", "image/png", url, True)


def test_what_has_changed_is_fetched_and_what_has_not_is_not(server: RawServer, make_session: MakeSession) -> None:
    url = server.on(
        "/a",
        said(200, b"one", etag='"1"', last_modified="Sat, 21 Nov 2026 12:00:00 GMT", cache_control="no-cache"),
        said(304, etag='"1"'),
        said(200, b"two", etag='"2"'),
    )
    session = make_session(KEEP)
    answers = [session.fetch(Request(url, cache="validated")) for _ in range(3)]
    assert [(answer.body, answer.cached) for answer in answers] == [(b"one", False), (b"one", True), (b"two", False)]
    assert "if-none-match" not in server.seen[0].headers
    assert server.seen[1].headers["if-none-match"] == '"1"'
    assert server.seen[1].headers["if-modified-since"] == "Sat, 21 Nov 2026 12:00:00 GMT"


def test_a_304_that_nobody_asked_for_is_no_answer(server: RawServer, make_session: MakeSession) -> None:
    with pytest.raises(SiteError, match="status 304"):
        make_session(KEEP).fetch(Request(server.on("/a", said(304)), cache="validated"))


def test_max_age(server: RawServer, make_session: MakeSession) -> None:
    url = server.on("/a", said(200, b"one", cache_control="max-age=60"))
    session = make_session(KEEP)
    assert [session.fetch(Request(url, cache="validated")).cached for _ in range(2)] == [False, True]
    assert not session.fetch(Request(url)).cached  # `never`


@pytest.mark.parametrize("answer", [said(404), said(200, b"<html>", content_type="text/html"), said(503)])
def test_faults_are_not_kept(answer: bytes, server: RawServer, make_session: MakeSession) -> None:
    session = make_session({**KEEP, "tries": 1})
    request = Request(server.on("/a", answer), accept=("image/",), cache="immutable")
    for _ in range(2):
        with pytest.raises(SiteError):
            session.fetch(request)
    assert server.count("/a") == 2


def test_a_key_of_its_own_where_addresses_change(server: RawServer, make_session: MakeSession) -> None:
    session = make_session(KEEP)
    for sig in ("1", "2"):
        url = server.on("/picture", said(200, b"x")) + f"?sig={sig}"
        session.fetch(Request(url, cache="immutable", cache_key="picture 7"))
    session.fetch(Request(server.on("/other", said(200, b"y")), cache="immutable", cache_key="picture 8"))
    assert (server.count("/picture"), server.count("/other")) == (1, 1)
    elsewhere = make_session(KEEP, origins=(server.origin, "https://example.org"))
    elsewhere.fetch(Request(server.origin + "/picture", cache="immutable", cache_key="picture 7"))
    assert server.count("/picture") == 2


def test_requests_that_differ_are_kept_apart(server: RawServer, make_session: MakeSession) -> None:
    url = server.on("/a", said(200, b"x"))
    variants = [
        Request(url, cache="immutable"),
        Request(url, params=(("a", "1"),), cache="immutable"),
        Request(url, accept=("text/plain", "application/octet-stream"), cache="immutable"),
        Request(url, method="POST", body=b"1", content_type="text/plain", cache="immutable"),
        Request(url, method="POST", body=b"2", content_type="text/plain", cache="immutable"),
    ]
    session = make_session(KEEP)
    for _ in range(2):
        session.fetch_many(variants)
    assert len(server.seen) == len(variants)


def test_the_same_at_the_same_time_is_asked_for_once(
    server: RawServer, make_session: MakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined = itertools.count(1)
    all_joined = threading.Event()
    join = SingleFlight.join

    async def counted(single: SingleFlight[Response], key: str, make: Callable[..., Any]) -> Response:
        if next(joined) == 5 + 20:
            all_joined.set()
        return await join(single, key, make)

    def slow(connection: socket.socket) -> None:
        all_joined.wait()
        connection.sendall(said(200, b"body"))

    monkeypatch.setattr(SingleFlight, "join", counted)

    url = server.on("/a", slow)
    session = make_session()
    threads = [threading.Thread(target=session.fetch, args=(Request(url, cache="validated"),)) for _ in range(5)]
    for thread in threads:
        thread.start()
    results = session.fetch_many([Request(url, cache="validated")] * 20)
    for thread in threads:
        thread.join()
    assert all(isinstance(result, Response) and result.body == b"body" for result in results)
    assert server.count("/a") == 1


def test_who_leaves_does_not_end_it_for_the_others() -> None:
    made = 0

    async def make() -> int:
        nonlocal made
        made += 1
        await asyncio.sleep(0.1)
        return made

    async def scenario(_: JumpingLoop) -> None:
        single: SingleFlight[int] = SingleFlight()
        tasks = [asyncio.ensure_future(single.join("k", make)) for _ in range(3)]
        await asyncio.sleep(0.02)
        tasks[0].cancel()
        assert await tasks[1] == 1
        assert await tasks[2] == 1
        assert await single.join("k", make) == 2
        lonely = asyncio.ensure_future(single.join("k", make))
        await asyncio.sleep(0.02)
        lonely.cancel()
        with pytest.raises(asyncio.CancelledError):
            await lonely
        assert await single.join("k", make) == 4
        assert not single._tasks
        assert not single._waiting

    run_jumping(scenario)
