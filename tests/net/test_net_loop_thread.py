"""The event loop's thread: starts late, ends by itself."""

import asyncio
import gc
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from pipeline.config.network import Network
from pipeline.errors import BuildStopped, ConfigError, MachineError, SiteError
from pipeline.net.base import Provider, Request
from pipeline.net.client import HttpClient
from pipeline.net.loop_thread import LoopThread
from pipeline.net.status import OK
from pipeline.stopping import clear_stop, request_stop
from schemas.reasons import Reason
from tests.net.rawserver import MakeSession, RawServer, said, silent

START = """
import os, sys, threading
from pipeline.config.network import Network
from pipeline.errors import BuildStopped
from pipeline.net.base import Provider, Request
from pipeline.net.client import HttpClient
origin = sys.argv[1]
client = HttpClient(Network(allow_loopback=True, cache=sys.argv[2]))
session = client.session(Provider("test", (origin,), 1000, 10))
def get(path="/a"):
    return session.fetch(Request(origin + path, cache="immutable")).body
def stopped():
    try:
        get("/silent")
    except BuildStopped:
        pass
"""


def network_threads() -> int:
    return sum(thread.name == "geoscribe-network" for thread in threading.enumerate())


def test_nothing_starts_before_the_first_request(server: RawServer) -> None:
    before = network_threads()  # a process keeps the registries, and so the networks, of its builds
    client = HttpClient(Network(allow_loopback=True, cache_gb=0))
    session = client.session(Provider("test", (server.origin,), 1000, 10))
    assert network_threads() == before
    session.fetch(Request(server.on("/a", said(200))))
    assert network_threads() == before + 1
    client.close()
    client.close()
    assert network_threads() == before
    with pytest.raises(RuntimeError, match="closed"):
        session.fetch(Request(server.origin + "/a"))


def test_a_session_is_the_same_for_the_same_provider(server: RawServer, make_session: MakeSession) -> None:
    client = HttpClient(Network(allow_loopback=True))
    first = client.session(Provider("test", (server.origin,), 1, 1))
    assert client.session(Provider("test", (server.origin,), 1, 1)) is first
    assert client.session(Provider("other", (server.origin,), 1, 1)) is not first


def test_two_sources_of_a_host_judge_its_answers_each_in_its_own_way(server: RawServer) -> None:
    client = HttpClient(Network(allow_loopback=True, cache_gb=0))
    lenient = client.session(Provider("test", (server.origin,), 100, 10, judge=lambda *_: OK))
    strict = client.session(Provider("test", (server.origin,), 100, 10, documented_api=True))
    request = Request(server.on("/a", said(404)))
    assert lenient.fetch(request).status == 404
    with pytest.raises(SiteError) as caught:
        strict.fetch(request)
    assert caught.value.reason is Reason.GONE
    client.close()


def test_two_sources_of_one_provider_cannot_have_different_limits(server: RawServer) -> None:
    client = HttpClient(Network(allow_loopback=True, cache_gb=0))
    client.session(Provider("test", (server.origin,), 1, 1))
    with pytest.raises(ConfigError, match="rate of test: found 5 a second, 1 at once beside 1 a second, 1 at once"):
        client.session(Provider("test", (server.origin, "https://pictures.example.org"), 5, 1))
    client.session(Provider("test", ("https://elsewhere.example.org",), 5, 1))


@pytest.mark.filterwarnings("error")
def test_what_nobody_holds_any_more_ends(server: RawServer) -> None:
    gc.collect()
    before = network_threads()
    client = HttpClient(Network(allow_loopback=True, cache_gb=0))
    session = client.session(Provider("test", (server.origin,), 1000, 10))
    session.fetch(Request(server.on("/a", said(200))))
    del client
    gc.collect()
    assert network_threads() == before + 1
    session.fetch(Request(server.origin + "/a"))
    del session
    gc.collect()
    while network_threads() > before:  # for ever, where it did not end
        time.sleep(0.01)


@pytest.mark.parametrize(
    "script",
    [
        "assert get() == b'fine'",
        "get(); client.close()",
        # A request that is never answered is under way, in a daemon thread, when the interpreter exits.
        "threading.Thread(target=stopped, daemon=True).start(); get('/begun')",
        "get(); sys.exit(0)",
        """
pid = os.fork() if get() else 0
if pid == 0:
    assert session.fetch(Request(origin + "/b")).body == b"child"
    os._exit(7)  # as multiprocessing does
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
assert get() == b"fine"
""",
    ],
    ids=["left open", "closed", "under way", "exit", "fork"],
)
def test_an_interpreter_exits_without_a_word(script: str, server: RawServer, tmp_path: object) -> None:
    def once_silence_is_asked_for(connection: socket.socket) -> None:
        while not server.count("/silent"):
            time.sleep(0.01)
        connection.sendall(said(200))

    server.on("/a", said(200, b"fine"))
    server.on("/b", said(200, b"child"))
    server.on("/silent", silent)
    server.on("/begun", once_silence_is_asked_for)
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            START + script,
            server.origin,
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_threads_share_a_client(server: RawServer, make_session: MakeSession) -> None:
    session = make_session()
    url = server.on("/a", said(200, b"fine"))
    bodies: list[bytes] = []
    ask: Callable[[], None] = lambda: bodies.extend(session.fetch(Request(url)).body for _ in range(10))  # noqa: E731
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == [b"fine"] * 80


def test_a_call_that_is_stopped_and_fails_is_not_logged_later(caplog: pytest.LogCaptureFixture) -> None:
    """Else a traceback is written by whatever collects the task, in the midst of what that does."""
    begun = threading.Event()

    async def full() -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            raise MachineError("the disk is full")

    async def closing() -> None:
        pass

    def stop() -> None:
        begun.wait()
        request_stop()

    loop = LoopThread("test", closing)
    stopper = threading.Thread(target=stop)
    stopper.start()
    try:
        with pytest.raises(BuildStopped):
            loop.run(full())
    finally:
        stopper.join()
        clear_stop()
    loop.close()
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []
