"""Keys go to the provider and nowhere else."""

import logging
import traceback
from pathlib import Path
from urllib.parse import quote

import pytest

from pipeline.config.network import Network
from pipeline.errors import MachineError, SiteError
from pipeline.net import redact
from pipeline.net.base import Key, Provider, Request
from pipeline.net.keys import mark, missing
from tests.net.rawserver import MakeSession, RawServer, said, said_json

CANARY = "MLY|4242|c0ffee/canary+"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", CANARY)


@pytest.mark.parametrize(
    ("key", "path", "target", "header"),
    [
        (Key("CANARY", header="Authorization", scheme="OAuth "), "/a", "/a?x=1", f"OAuth {CANARY}"),
        (Key("CANARY", query="access_token"), "/a", "/a?x=1&access_token=MLY%7C4242%7Cc0ffee%2Fcanary%2B", None),
        (Key("CANARY", in_path=True), "/t/{key}/1", "/t/MLY%7C4242%7Cc0ffee%2Fcanary%2B/1?x=1", None),
    ],
)
def test_where_a_key_is_put(
    key: Key, path: str, target: str, header: str | None, server: RawServer, make_session: MakeSession
) -> None:
    server.on(target.partition("?")[0], said(200, b"fine"))
    answer = make_session(key=key).fetch(Request(server.origin + path, params=(("x", "1"),)))
    assert server.seen[0].target == target
    assert server.seen[0].headers.get("authorization") == header
    assert "c0ffee" not in answer.url


def test_a_request_may_leave_the_key_out(server: RawServer, make_session: MakeSession) -> None:
    session = make_session(key=Key("CANARY", header="Authorization"))
    session.fetch(Request(server.on("/a", said(200)), send_key=False))
    assert "authorization" not in server.seen[0].headers


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "no key in the environment variable CANARY"),
        ("", "no key"),
        ("  ", "no key"),
        ("two words", "white space"),
        ("a\r\nX-Evil: 1", "white space"),
        ("a\x7fb", "control"),
        ("schlüssel", "ASCII"),
    ],
)
def test_keys_that_cannot_be(
    value: str | None, words: str, server: RawServer, make_session: MakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is None:
        monkeypatch.delenv("CANARY")
    else:
        monkeypatch.setenv("CANARY", value)
    key = Key("CANARY", header="Authorization")
    with pytest.raises(MachineError, match=words) as caught:
        make_session(key=key).fetch(Request(server.on("/a", said(200))))
    assert not server.seen
    assert value is None or not value.strip() or value not in str(caught.value)
    [(what, how)] = missing(Provider("x", (), 1, 1, key=key), Network())
    assert words in what
    assert how


def test_what_is_missing() -> None:
    provider = Provider("x", (), 1, 1, key=Key("CANARY"), wants_contact=True)
    assert missing(provider, Network(contact="a@example.org")) == []
    [(what, how)] = missing(provider, Network())
    assert "x" in what
    assert "network.contact" in how


def echo(status: int, **headers: str) -> bytes:
    return said_json(status, {"error": f"token {CANARY} ({quote(CANARY, safe='')}) is bad"}, **headers)


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize(
    "answer",
    [
        echo(401),
        echo(403),
        echo(503),
        echo(200, content_encoding="x"),
        said(200, CANARY.encode(), content_type=f"text/{CANARY}"),
        said_json(400, "x" * 190 + CANARY),
        said_json(400, {"error": "x" * 3_990 + CANARY}),
        said(302, location=f"https://evil.example/?token={CANARY}"),
        said(302, location=f"https://{quote(CANARY, safe='')}.example/{quote(CANARY)}"),
        said(302, location=f"/{quote(CANARY)}"),
        said(429, retry_after=CANARY),
        f"HTTP/1.1 {CANARY}\r\n\r\n".encode(),
        f"{CANARY}\r\n\r\n".encode(),
    ],
)
def test_a_server_that_repeats_the_key_gives_nothing_away(
    answer: bytes, header: bool, server: RawServer, make_session: MakeSession, caplog: pytest.LogCaptureFixture
) -> None:
    key = Key("CANARY", header="Authorization") if header else Key("CANARY", query="key")
    caplog.set_level(logging.DEBUG)
    with pytest.raises((SiteError, MachineError)) as caught:
        make_session(key=key).fetch(Request(server.on("/a", answer), accept=("image/",)))
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "c0ffee" not in shown
    assert "canary" not in shown


def test_a_wrong_key_stops_the_build(server: RawServer, make_session: MakeSession) -> None:
    url = server.on("/a", echo(401))
    with pytest.raises(MachineError) as caught:
        make_session(key=Key("CANARY", header="Authorization")).fetch(Request(url))
    assert "test refuses all requests" in str(caught.value)
    assert "environment variable CANARY" in str(caught.value)
    assert "token *** (***) is bad" in str(caught.value)
    assert server.count("/a") == 1


def test_no_key_in_an_answer_or_on_disk(server: RawServer, make_session: MakeSession, tmp_path: Path) -> None:
    session = make_session({"cache_gb": 1}, key=Key("CANARY", query="access_token"))
    redirected = server.on("/a", said(302, location=f"/b?access_token={quote(CANARY)}"))
    server.on("/b", said(200, b"fine", link=f"<https://x/?t={CANARY}>", etag=f'"{CANARY}"'))
    answer = session.fetch(Request(redirected, cache="immutable"))
    assert "c0ffee" not in answer.url
    assert "c0ffee" not in str(answer.headers)
    session.fetch(Request(server.on("/next", echo(200)), cache="immutable"))
    session.fetch(Request(server.on("/next", echo(200)), cache="immutable"))
    assert server.count("/next") == 2  # what holds the key is not kept
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert b"c0ffee" not in path.read_bytes()
        assert b"canary" not in path.read_bytes()


def test_marks_tell_keys_apart() -> None:
    assert len(mark("a")) == 8
    assert mark("a") != mark("b")


def test_redaction_knows_what_was_sent(server: RawServer, make_session: MakeSession) -> None:
    make_session(key=Key("CANARY", header="Authorization")).fetch(Request(server.on("/a", said(200))))
    assert redact.clean(f"x {CANARY} y") == "x *** y"
