"""Masks keys in all text that is shown or written: messages, logs, URLs."""

import html
import json
import logging
import re
import threading
from urllib.parse import quote, quote_plus

MASK = "***"

_PATTERNS = re.compile(
    r"MLY(?:\||%7C)\d+(?:\||%7C)\w+"
    r"|(?i:(?<=bearer )|(?<=oauth )|(?<=basic ))[\w.~+/|%-]{8,}=*"
    r"|(?i:(?<=[?&]key=)|(?<=[?&]api=)|(?<=[?&]sig=)|(?<=[?&]token=)|(?<=api_key=)|(?<=apikey=)|(?<=access_token=)"
    r"|(?<=access_token\":\")|(?<=signature=)|(?<=x-amz-credential=)|(?<=x-amz-security-token=))[^\s&\"'<>#]+"
)
"""Patterns of keys that were not registered."""


class _Known:
    """Registered keys, and a pattern that finds them."""

    def __init__(self) -> None:
        self.secrets: frozenset[str] = frozenset()
        self.finder: re.Pattern[str] | None = None
        self.lock = threading.Lock()

    def replace(self, secrets: frozenset[str]) -> None:
        self.secrets, self.finder = secrets, _finder(secrets)


_known = _Known()


def remember(secret: str) -> None:
    """Register a value: from now on it is masked everywhere, quoted or not."""
    if secret not in _known.secrets:
        with _known.lock:
            _known.replace(_known.secrets | {secret})


def clean(text: str) -> str:
    """The text with keys masked: the registered ones, and what looks like one."""
    finder = _known.finder
    return _PATTERNS.sub(MASK, finder.sub(MASK, text) if finder else text)


def looks_secret(text: str) -> bool:
    """Whether the text contains something that looks like a key."""
    return _PATTERNS.search(text) is not None


def holds_secret(data: bytes) -> bool:
    """Whether the data contains a registered key, quoted or not."""
    finder = _known.finder
    return finder is not None and finder.search(data.decode("latin-1")) is not None


def install() -> None:
    """Mask keys in the output of the root logger's handlers, tracebacks included. Can be called twice."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(known, _Masking) for known in handler.filters):
            handler.addFilter(_Masking())


class _Masking(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = clean(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:  # a formatter takes this text and does not format the exception again
            record.exc_text = clean(record.exc_text)
        if record.stack_info:
            record.stack_info = clean(record.stack_info)
        return True


def _finder(secrets: frozenset[str]) -> re.Pattern[str] | None:
    forms = {
        form
        for secret in secrets
        for form in (
            secret,
            quote(secret),
            quote(secret, safe=""),
            quote_plus(secret),
            json.dumps(secret)[1:-1],
            json.dumps(secret)[1:-1].replace("/", "\\/"),
            html.escape(secret),
        )
    }
    # Case is ignored for the digits of percent-encodings.
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if forms else None
