"""Answers that say 200 and are not what was asked for."""

from typing import Any

import pytest

from pipeline.errors import SiteError
from pipeline.net.base import Request
from schemas.reasons import Reason
from tests.net.rawserver import MakeSession, RawServer, said, said_json

HTML = b"<!DOCTYPE html>\n<html><body>Please log in</body></html>"
IMAGE = ("image/",)
JSON = ("application/json", "application/geo+json")
JPEG = b"\xff\xd8\xff\xe0" + b"x" * 100


@pytest.mark.parametrize(
    ("accept", "answer", "tries", "reason"),
    [
        (IMAGE, said(200, HTML, content_type="image/jpeg"), 3, Reason.BAD_ANSWER),
        (IMAGE, said(200, b"\xef\xbb\xbf  \n<HTML>", content_type="image/png"), 3, Reason.BAD_ANSWER),
        (IMAGE, said(200, HTML), 3, Reason.BAD_ANSWER),
        (IMAGE, said(200, b"Please log in", content_type="text/html; charset=utf-8"), 3, Reason.BAD_ANSWER),
        (IMAGE, said(200, b"", content_type="image/jpeg"), 3, Reason.BAD_ANSWER),
        (IMAGE, said(204), 1, Reason.GONE),
        (IMAGE, said_json(200, {"error": "no such tile"}), 1, Reason.BAD_ANSWER),
        (IMAGE, said(206, JPEG, content_type="image/jpeg"), 1, Reason.BAD_ANSWER),
        (JSON, said(200, HTML, content_type="application/json"), 3, Reason.BAD_ANSWER),
        (JSON, said(200, b"", content_type="application/json"), 3, Reason.BAD_ANSWER),
        (JSON, said(200, JPEG, content_type="image/jpeg"), 1, Reason.BAD_ANSWER),
    ],
)
def test_what_is_not_what_was_asked_for(
    accept: tuple[str, ...], answer: bytes, tries: int, reason: Reason, server: RawServer, make_session: MakeSession
) -> None:
    session = make_session({"max_wait_s": 0.01})
    with pytest.raises(SiteError) as caught:
        session.fetch(Request(server.on("/a", answer), accept=accept))
    assert caught.value.reason is reason
    assert server.count("/a") == tries


@pytest.mark.parametrize(
    ("accept", "answer"),
    [
        (IMAGE, said(200, JPEG, content_type="image/jpeg")),
        (IMAGE, said(200, JPEG, content_type="IMAGE/JPEG; x=y")),
        (IMAGE, said(200, JPEG)),
        (IMAGE, said(200, JPEG, content_type="binary/octet-stream")),
        (JSON, said_json(200, {"features": []})),
        (("application/vnd.mapbox-vector-tile",), said(200, b"", content_type="application/vnd.mapbox-vector-tile")),
        (("text/html",), said(200, HTML, content_type="text/html")),
        ((), said(200, HTML, content_type="text/html")),
        ((), said(204)),
    ],
)
def test_what_is(accept: tuple[str, ...], answer: bytes, server: RawServer, make_session: MakeSession) -> None:
    make_session().fetch(Request(server.on("/a", answer), accept=accept))


def test_an_answer_has_its_type_and_headers(server: RawServer, make_session: MakeSession) -> None:
    url = server.on("/a", said(200, JPEG, content_type="Image/JPEG; q=1", X_Thing="yes"))
    answer = make_session().fetch(Request(url, params=(("a b", "c/d"), ("a", "é&"))))
    assert answer.content_type == "image/jpeg"
    assert answer.headers["x-thing"] == "yes"
    assert answer.url == f"{url}?a%20b=c%2Fd&a=%C3%A9%26"
    assert not answer.cached


FILE = bytes(range(100))


def part(first: int, last: int, total: Any = 100, body: bytes | None = None, status: int = 206) -> bytes:
    return said(status, FILE[first : last + 1] if body is None else body, content_range=f"bytes {first}-{last}/{total}")


@pytest.mark.parametrize(
    ("first", "length", "answer", "header"),
    [
        (10, 20, part(10, 29), "bytes=10-29"),
        (0, 1, part(0, 0), "bytes=0-0"),
        (90, 20, part(90, 99), "bytes=90-109"),
        (10, 20, part(10, 29, "*"), "bytes=10-29"),
        (90, None, part(90, 99), "bytes=90-"),
        (None, 5, part(0, 4), "bytes=0-4"),
    ],
)
def test_ranges(
    first: int | None, length: int | None, answer: bytes, header: str, server: RawServer, make_session: MakeSession
) -> None:
    got = make_session().fetch(Request(server.on("/f", answer), first=first, length=length))
    assert got.body == FILE[first or 0 :][:length]
    assert server.seen[0].headers["range"] == header
    assert server.seen[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("answer", "tries"),
    [
        (said(200, FILE), 1),  # it does not do ranges: the file may be of terabytes
        (said(206, FILE[10:30]), 2),
        (part(11, 30), 2),
        (part(10, 28), 2),
        (part(10, 30), 2),
        (part(10, 29, body=FILE[10:28]), 2),
        (said(206, FILE[10:30], content_range="bytes 10-29"), 2),
        (said(206, FILE[10:30], content_range="items 10-29/100"), 2),
        (said(204), 2),
    ],
)
def test_wrong_ranges(answer: bytes, tries: int, server: RawServer, make_session: MakeSession) -> None:
    session = make_session({"tries": 2, "max_wait_s": 0.01})
    with pytest.raises(SiteError) as caught:
        session.fetch(Request(server.on("/f", answer), first=10, length=20))
    assert caught.value.reason is Reason.BAD_ANSWER
    assert server.count("/f") == tries


def test_a_range_beyond_the_end(server: RawServer, make_session: MakeSession) -> None:
    with pytest.raises(SiteError) as caught:
        make_session().fetch(Request(server.on("/f", said(416)), first=200, length=20))
    assert caught.value.reason is Reason.REFUSED
