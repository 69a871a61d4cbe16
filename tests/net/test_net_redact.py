"""Keys stand in no text."""

import io
import logging
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.net import redact

SECRET = 'MLY|4242|c0ffee/+ "canary"'


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    before = redact._known.secrets
    yield
    redact._known.replace(before)


@pytest.mark.parametrize(
    "form",
    [SECRET, quote(SECRET), quote(SECRET, safe=""), quote(SECRET, safe="").lower(), quote_plus(SECRET)],
)
def test_a_known_key_is_masked_in_every_quoting(form: str) -> None:
    redact.remember(SECRET)
    assert redact.clean(f"see {form} there") == "see *** there"


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8), st.text())
def test_no_known_key_is_left(secret: str, around: str) -> None:
    redact.remember(secret)
    for form in (secret, quote(secret, safe="")):
        cleaned = redact.clean(f"{around} {form} {around}")
        assert secret not in cleaned.replace(redact.MASK, "") or secret in around


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a MLY|123|abcdef0 b", "a *** b"),
        ("a MLY%7C123%7Cabcdef0 b", "a *** b"),
        ("https://h/p?access_token=abc&x=1", "https://h/p?access_token=***&x=1"),
        ("https://h/p?x=1&key=abc", "https://h/p?x=1&key=***"),
        ("https://h/p?api=abc#f", "https://h/p?api=***#f"),
        ("https://h/p?api_key=abc def", "https://h/p?api_key=*** def"),
        ("https://h/p?X-Amz-Signature=abc&y=2", "https://h/p?X-Amz-Signature=***&y=2"),
        ("Authorization: Bearer abcdefgh.ijk", "Authorization: Bearer ***"),
        ("Authorization: OAuth abcdefgh|ijk", "Authorization: OAuth ***"),
        ('{"access_token":"abc"}', '{"access_token":"***"}'),
        ("monkey=3, the key is missing, keys=4", "monkey=3, the key is missing, keys=4"),
    ],
)
def test_what_looks_like_a_key_is_masked(text: str, left: str) -> None:
    assert redact.clean(text) == left


def test_holds_secret() -> None:
    redact.remember("canary-key-123")
    assert redact.holds_secret(b'{"next": "https://x/?t=canary-key-123"}')
    assert not redact.holds_secret(b"\xff\xd8nothing")


def test_logs_are_masked_with_their_tracebacks() -> None:
    redact.remember("canary-key-123")
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        redact.install()
        redact.install()
        assert len(handler.filters) == 1
        log = logging.getLogger("some.library")
        log.warning("asking %s with %d", "https://x/?k=canary-key-123", 1)
        try:
            int("canary-key-123")
        except ValueError:
            log.exception("failed")
        log.warning("100% of canary-key-123")
    finally:
        root.removeHandler(handler)
    text = written.getvalue()
    assert "canary" not in text
    assert text.count(redact.MASK) >= 3
    assert "ValueError" in text
    assert "https://x/?k=*** with 1" in text
