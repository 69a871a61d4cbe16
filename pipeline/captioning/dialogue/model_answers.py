"""What a model server's answers mean: a reply, or whose fault it is that there is none."""

import json
import re
from typing import Any

from pipeline.captioning.dialogue.requests import RefusedError, Reply, TooLongError
from pipeline.errors import MachineError
from pipeline.net import redact

_SAID = 300
_NO_VISION = re.compile(
    r"(?i)not a multi-?modal model|not support(ed)? (image|vision|multi-?modal)|at most 0 image|no image input"
)
_SCHEMA = re.compile(r"(?i)grammar|json.?schema|response_format|structured.?output|guided")
_MISSED = re.compile(r"(?i)cache miss for image")


class MissedError(Exception):
    """The server no longer keeps a picture that was referred to."""


class BusyError(Exception):
    """The server's queue is full."""


class BrokenError(Exception):
    """The server failed at this request; it may not the next time."""


def read_answer(status: int, body: bytes, latency_s: float, server: str, turn: str) -> Reply:
    """The reply in a server's answer to a chat request.

    Raises:
        TooLongError, RefusedError: this request will never do.
        MissedError, BusyError, BrokenError: it may do, sent again.
        MachineError: no request of this build will do until somebody mends the server or the build file.
    """
    if status in (429, 503):
        raise BusyError(f"HTTP {status}")
    if status >= 500:
        raise BrokenError(f"HTTP {status}: {said(body)}")
    if status == 200:
        return _reply(body, latency_s)
    message, param = _error(body)
    if status in (401, 403):
        raise MachineError(f"{server} refuses the key (HTTP {status}): set captioner.key_env and the key in it")
    if status == 404:
        raise MachineError(f"{server} does not serve the model of captioner.model: {message}")
    if _MISSED.search(message):
        raise MissedError(message)
    if status == 413 or param in ("input_tokens", "max_tokens") or "maximum context length" in message:
        raise TooLongError(message, estimated=False)
    if _NO_VISION.search(message):
        raise MachineError(f"{server} serves a model that takes no pictures: {message}. Name a vision-language model")
    if param == "image":
        raise MachineError(
            f"{server} takes fewer pictures than the build shows: {message}. Start it with `geoscribe serve`, or lower "
            "captioner.most_views"
        )
    if _SCHEMA.search(message):
        raise MachineError(
            f"{server} refuses the reply schema of turn {turn}: {message}. Start it with `geoscribe serve`, which "
            "chooses the backend that takes these schemas"
        )
    if status in {400, 422}:
        raise RefusedError(f"HTTP {status}: {message}")
    raise BrokenError(f"HTTP {status}: {message}")


def said(body: bytes) -> str:
    """The first words of what a server said, fit for a message."""
    words = " ".join(body[: 4 * _SAID].decode("utf-8", "replace").split())
    return clean_words(words)


def clean_words(text: str) -> str:
    """A server's words without control characters and keys, cut."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return redact.clean(printable)[:_SAID]


def _reply(body: bytes, latency_s: float) -> Reply:
    try:
        raw: Any = json.loads(body)
        choice = raw["choices"][0]
        usage = raw.get("usage") or {}
        return Reply(
            text=choice["message"]["content"] or "",
            finish_reason=choice["finish_reason"] or "none",
            prompt_tokens=usage.get("prompt_tokens", 0),
            completion_tokens=usage.get("completion_tokens", 0),
            latency_s=latency_s,
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise BrokenError(f"an answer that is no chat completion: {said(body)}") from error


def _error(body: bytes) -> tuple[str, str | None]:
    """Message and parameter of an error, `{"error": {"message": ..., "param": ...}}`."""
    try:
        error: Any = json.loads(body)["error"]
        return clean_words(str(error["message"])), error.get("param")
    except (ValueError, LookupError, TypeError, AttributeError):
        return said(body), None
