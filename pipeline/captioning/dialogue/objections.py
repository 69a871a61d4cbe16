"""Reads what a server says in place of a reply, in any of the forms that servers have for it."""

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from pipeline.captioning.dialogue.envelope import NoEnvelopeError, in_characters, parse
from pipeline.net import redact

_SAID = 300
"""Characters of a server's words in a message."""
_WEIGHED = 4_000
"""Characters of them that are looked at."""
_DEEP = 5
"""Objects within objects in which an error may be wrapped."""
_TAG = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Objection:
    """An error answer."""

    status: int
    """HTTP status; where that is 200, what the error itself says, or 500."""
    message: str
    """In the server's words, fit for a log; cut."""
    kind: str
    """Its type and its code, as far as they are words."""
    param: str
    """The parameter that it blames."""
    page: bool
    """A web page: from a proxy, not from the model server."""

    @property
    def said(self) -> str:
        """The server's words, as long as a message may have them."""
        return self.message[:_SAID]


def read_objection(status: int, body: bytes) -> Objection:
    """Read the objection in an answer."""
    start = in_characters(body[: 4 * _WEIGHED]).strip()
    if start.startswith("<"):
        return Objection(_status(status, None), clean_words(_TAG.sub(" ", start[:_WEIGHED])), "", "", page=True)
    try:
        error = _unwrapped(parse(body), _DEEP)
    except (NoEnvelopeError, RecursionError):
        error = _Error(start)
    kind = " ".join(word for word in (error.type, error.code) if isinstance(word, str) and not word.isdigit())
    return Objection(
        _status(status, error.code),
        clean_words(error.message),
        clean_words(kind),
        clean_words(error.param) if isinstance(error.param, str) else "",
        page=False,
    )


def clean_words(text: str) -> str:
    """A server's words in one line, without control characters, halves of characters and keys, cut."""
    printable = "".join(c if c.isprintable() else " " for c in text[: 2 * _WEIGHED])
    return redact.clean(" ".join(printable.split()))[:_WEIGHED]


def said(text: str) -> str:
    """A server's words, as long as a message may have them."""
    return clean_words(text)[:_SAID]


@dataclass(frozen=True)
class _Error:
    message: str
    type: Any = None
    code: Any = None
    param: Any = None


def _unwrapped(raw: Any, deep: int) -> _Error:
    """The innermost error of `{"error": {...}}`, `{"detail": ...}`, `{"message": ...}` and what else there is."""
    if isinstance(raw, list) and raw and isinstance(raw[0], dict) and "loc" in raw[0]:  # FastAPI's validation
        where = [str(part) for part in raw[0]["loc"]] if isinstance(raw[0]["loc"], list) else []
        return _Error(f"{'.'.join(where)}: {raw[0].get('msg')}", raw[0].get("type"), None, where[-1] if where else None)
    if isinstance(raw, list) and len(raw) == 1 and deep:
        return _unwrapped(raw[0], deep - 1)
    if not isinstance(raw, dict):
        return _Error(raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False))
    own = _Error("", raw.get("type") or raw.get("error_type"), _code(raw), raw.get("param"))
    inner = next((raw[key] for key in ("error", "detail", "errors") if raw.get(key)), None)
    if inner is not None and deep:
        error = _unwrapped(inner, deep - 1)
        found = replace(error, type=error.type or own.type, code=error.code or own.code, param=error.param or own.param)
    else:
        message = raw.get("message", raw.get("msg"))
        found = replace(own, message=message if isinstance(message, str) else json.dumps(raw, ensure_ascii=False))
    upstream = raw.get("metadata")  # what a router was told by the server behind it
    if isinstance(upstream, dict) and isinstance(upstream.get("raw"), str):
        found = replace(found, message=f"{found.message}: {upstream['raw']}")
    return found


def _code(raw: dict[str, Any]) -> Any:
    return next((raw[key] for key in ("code", "http_status_code", "status") if raw.get(key)), None)


def _status(status: int, code: Any) -> int:
    if status != 200:
        return status
    stated = int(code) if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) == 3 else code
    return stated if isinstance(stated, int) and 400 <= stated < 600 else 500
