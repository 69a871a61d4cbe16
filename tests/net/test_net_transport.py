"""Servers that misbehave on the wire."""

import gzip
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable

import pytest

from pipeline.errors import SiteError
from pipeline.net.base import Request
from schemas.reasons import Reason
from tests.net.rawserver import MakeSession, RawServer, said, silent


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def hang_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def slow_loris(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(100):
        connection.sendall(b"x")
        time.sleep(0.05)


def slow_head(connection: socket.socket) -> None:
    for letter in b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" * 10:
        connection.sendall(bytes([letter]))
        time.sleep(0.05)


def stops_midway(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
    silent(connection)


CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\nabc"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
CUT_CHUNKED = CHUNKED + b"5\r\nabc"
BOMB = gzip.compress(b"\0" * 30_000_000)


@pytest.mark.parametrize(
    ("reaction", "patience", "reason", "words"),
    [
        (reset, {}, Reason.UNREACHABLE, "the connection"),
        (hang_up, {}, Reason.UNREACHABLE, "the connection"),
        (silent, {"read_timeout_s": 0.2}, Reason.UNREACHABLE, "nothing came for 0.2 s"),
        (stops_midway, {"read_timeout_s": 0.2}, Reason.UNREACHABLE, "nothing came for 0.2 s"),
        (slow_loris, {"total_timeout_s": 0.5}, Reason.UNREACHABLE, "no whole answer within 0.5 s"),
        (slow_head, {"total_timeout_s": 0.5}, Reason.UNREACHABLE, "no whole answer within 0.5 s"),
        (CUT, {}, Reason.UNREACHABLE, "cut off"),
        (CUT_CHUNKED, {}, Reason.UNREACHABLE, "cut off"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", {}, Reason.BAD_ANSWER, "not HTTP"),
        (b"\x00\x01\x02\r\n\r\n", {}, Reason.BAD_ANSWER, "not HTTP"),
        (said(200, b"x", filler="y" * 9_000), {}, Reason.BAD_ANSWER, "not HTTP"),
        (said(200, b"x", **{f"h{i}": "y" for i in range(200)}), {}, Reason.BAD_ANSWER, "not HTTP"),
        (said(200, b"no gzip", content_encoding="gzip"), {}, Reason.BAD_ANSWER, "decompressed"),
        (said(200, b"not asked for", content_encoding="br"), {}, Reason.BAD_ANSWER, "brotli"),
    ],
)
def test_faults_that_a_later_try_may_not_meet(
    reaction: bytes | Callable[[socket.socket], None],
    patience: dict[str, float],
    reason: Reason,
    words: str,
    server: RawServer,
    make_session: MakeSession,
) -> None:
    session = make_session({"tries": 2, "max_wait_s": 0.05} | patience)
    url = server.on("/picture", reaction)
    with pytest.raises(SiteError, match=words) as caught:
        session.fetch(Request(url))
    assert caught.value.reason is reason
    assert "127.0.0.1/picture" in caught.value.detail
    assert "at try 2" in caught.value.detail
    server.on("/picture", reaction, said(200, b"good"))
    later = make_session({"tries": 8, "max_wait_s": 0.05} | patience)  # on a busy machine good answers are late too
    assert later.fetch(Request(url)).body == b"good"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (said(200, b"x" * 1_001), Reason.ANSWER_TOO_LARGE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nabc", Reason.ANSWER_TOO_LARGE),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 1_001, Reason.ANSWER_TOO_LARGE),
        (CHUNKED + b"1f4\r\n" + b"x" * 500 + b"\r\n1f5\r\n" + b"x" * 501 + b"\r\n0\r\n\r\n", Reason.ANSWER_TOO_LARGE),
        (said(200, gzip.compress(b"x" * 1_001), content_encoding="gzip"), Reason.ANSWER_TOO_LARGE),
        (said(200, zlib.compress(b"x" * 1_001), content_encoding="deflate"), Reason.ANSWER_TOO_LARGE),
        (said(200, b"x", content_encoding="gzip, gzip"), Reason.BAD_ANSWER),
    ],
)  # fmt: skip
def test_faults_that_are_final(answer: bytes, reason: Reason, server: RawServer, make_session: MakeSession) -> None:
    url = server.on("/big", answer)
    with pytest.raises(SiteError) as caught:
        make_session().fetch(Request(url, max_bytes=1_000))
    assert caught.value.reason is reason
    assert server.count("/big") == 1


def test_a_body_as_long_as_it_may_be(server: RawServer, make_session: MakeSession) -> None:
    session = make_session()
    body = b"x" * 1_000
    for answer in (said(200, body), said(200, gzip.compress(body), content_encoding="gzip")):
        assert session.fetch(Request(server.on("/fits", answer), max_bytes=1_000)).body == body


def test_a_bomb_is_stopped_by_its_ratio(server: RawServer, make_session: MakeSession) -> None:
    url = server.on("/bomb", said(200, BOMB, content_encoding="gzip", content_type="application/json"))
    with pytest.raises(SiteError, match="200 times") as caught:
        make_session().fetch(Request(url, max_bytes=1_000_000_000))
    assert caught.value.reason is Reason.ANSWER_TOO_LARGE


def test_gzip_is_asked_for_and_unpacked(server: RawServer, make_session: MakeSession) -> None:
    text = b'{"a": 1}' * 1_000
    url = server.on("/json", said(200, gzip.compress(text), content_encoding="gzip", content_type="application/json"))
    assert make_session().fetch(Request(url, accept=("application/json",))).body == text
    assert server.seen[0].headers["accept-encoding"] == "gzip, deflate"
    assert server.seen[0].headers["accept"] == "application/json"


def test_a_long_error_page_is_read_in_part(server: RawServer, make_session: MakeSession) -> None:
    url = server.on("/gone", said(404, b"x" * 10_000_000))
    with pytest.raises(SiteError) as caught:
        make_session().fetch(Request(url, max_bytes=100))
    assert caught.value.reason is Reason.GONE


def test_nobody_listens(make_session: MakeSession) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        origin = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(SiteError) as caught:
            make_session(origins=(origin,)).fetch(Request(f"{origin}/x"))
    assert caught.value.reason is Reason.UNREACHABLE


def test_a_connection_that_is_not_taken_up(make_session: MakeSession) -> None:
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # one may wait; who comes then hears nothing
        first.connect(full.getsockname())
        origin = f"http://127.0.0.1:{full.getsockname()[1]}"
        session = make_session({"connect_timeout_s": 0.2, "tries": 1}, origins=(origin,))
        with pytest.raises(SiteError, match=r"no connection within 0\.2 s") as caught:
            session.fetch(Request(f"{origin}/x"))
    assert caught.value.reason is Reason.UNREACHABLE


def test_connections_are_kept(make_session: MakeSession) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    connections = 0
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            nonlocal connections
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                connections += 1
                with connection:
                    while connection.recv(65_536):
                        connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
        session = make_session(origins=(origin,))
        for _ in range(5):
            session.fetch(Request(f"{origin}/x"))
    assert connections == 1
