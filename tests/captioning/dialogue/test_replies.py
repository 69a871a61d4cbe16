"""Replies that are kept: what is found again, and what becomes of files that are no replies."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.captioning.dialogue.replies import ReplyCache
from pipeline.captioning.dialogue.requests import Reply, Request, Sampling
from pipeline.storage import open_store

REQUEST = Request("compose", Sampling("m", "abc", 0.4, 0.9, 64), 7, "rules", ("words",), {"type": "object"})
REPLY = Reply(text='{"a": "é \ufffd"}', finish_reason="eos_token", prompt_tokens=5, completion_tokens=2, latency_s=0.5)


@pytest.fixture
def cache(tmp_path: Path) -> ReplyCache:
    return ReplyCache(open_store(str(tmp_path)))


def kept(folder: Path) -> Path:
    (file,) = (folder / "replies").rglob("*.json")
    return file


def test_a_reply_is_found_again(cache: ReplyCache, tmp_path: Path) -> None:
    assert cache.find(REQUEST) is None
    cache.keep(REQUEST, REPLY)
    assert cache.find(REQUEST) == REPLY
    assert ReplyCache(open_store(str(tmp_path))).find(REQUEST) == REPLY


def test_files_of_earlier_versions_are_read(cache: ReplyCache, tmp_path: Path) -> None:
    cache.keep(REQUEST, REPLY)
    file = kept(tmp_path)
    raw = json.loads(file.read_text())
    file.write_text(json.dumps(raw | {"fault": None, "said": ""}))
    assert cache.find(REQUEST) == REPLY
    file.write_text(json.dumps(raw | {"reply": None, "fault": "refused", "said": "HTTP 400: some passing thing"}))
    assert cache.find(REQUEST) is None


@pytest.mark.parametrize(
    "damage",
    [
        b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"asked": {}}', b'{"reply": {"text": "a"}}',
        lambda text: text.replace("eos_token", "\\ud800"),
        lambda text: text.replace('"seed":7', '"seed":8'),
        lambda text: text.replace('"completion_tokens":2', '"completion_tokens":-2'),
        lambda text: text.replace('"latency_s":0.5', '"latency_s":NaN'),
        lambda text: text.replace('"prompt_tokens":5', '"prompt_tokens":null'),
        lambda text: text[:-9],
        lambda text: text.replace('"turn":"compose"', '"turn":["compose"]'),
    ],
)  # fmt: skip
def test_what_is_no_reply_goes_and_is_asked_for_again(
    cache: ReplyCache, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: object
) -> None:
    cache.keep(REQUEST, REPLY)
    file = kept(tmp_path)
    file.write_bytes(damage if isinstance(damage, bytes) else damage(file.read_text()).encode())  # type: ignore[operator]
    assert cache.find(REQUEST) is None
    assert "asking again" in caplog.text
    cache.keep(REQUEST, REPLY)  # which a file that stayed would prevent
    assert cache.find(REQUEST) == REPLY


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=80), cut=st.integers(0, 400))
def test_any_bytes_are_survived(cache: ReplyCache, tmp_path: Path, data: bytes, cut: int) -> None:
    cache.keep(REQUEST, REPLY)
    file = kept(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(whole[:cut] + data)
    assert cache.find(REQUEST) in (None, REPLY)
    cache.keep(REQUEST, REPLY)
    assert cache.find(REQUEST) == REPLY
