"""Reads the envelope of a chat answer, whichever OpenAI-compatible server wrote it: the reply's text, end and counts.

Tolerant here, strict later: what a turn's reply must be is for `reading`. Servers differ in where the text stands
(a string, a list of parts, the reasoning's field), in how they say that it ended, and in what they add around the JSON.
"""

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.encoding import encoding_of

Ending = Literal["whole", "cut", "declined", "failed", "other"]

DECLINED = "refusal"
"""Finish reason of a reply in which the model says that it will not."""
NO_END = "none"
"""Finish reason where the server gives none."""

_WHOLE = frozenset(
    {"stop", "stopped", "stop_sequence", "stop_token", "eos", "eos_token", "eos_found", "end_turn", "end_of_turn",
     "complete", "completed", "finished", "done", "s", "im_end", "eot", "eot_id", "end_of_text", "endoftext", "null",
     NO_END}
)  # fmt: skip
_CUT = frozenset(
    {"length", "max_tokens", "max_new_tokens", "max_output_tokens", "max_length", "max_context_length", "model_length",
     "context_length", "token_limit", "incomplete", "model_context_window_exceeded", "repetition_truncation"}
)  # fmt: skip
_FAILED = frozenset(
    {"error", "abort", "aborted", "cancelled", "canceled", "failed", "timeout", "load", "unload", "network_error",
     "insufficient_system_resource"}
)  # fmt: skip
_DECLINED = frozenset(
    {DECLINED, "content_filter", "content_filtered", "safety", "prohibited_content", "recitation", "blocklist", "spii",
     "image_safety", "guardrail_intervened", "sensitive", "moderation"}
)  # fmt: skip
"""The model's own refusal, or a filter behind it."""
_REASONING = ("reasoning_content", "reasoning")
"""Where a message's thoughts stand, by server and version."""
_MOST_TOKENS = 2**31 - 1
_DONE = re.compile(r"(?:\s*data:\s*\[DONE\])+")
_SOLID = re.compile(r"\S")
_DEEP = 4
"""Lists and objects within each other in which a text may stand."""
_LONGEST = 40
"""Characters of a finish reason that are kept."""


class NoEnvelopeError(ValueError):
    """The answer is no chat completion."""


@dataclass(frozen=True)
class Envelope:
    """The content of a chat completion."""

    text: str
    """Text of the first choice, as it came; never with half a character in it."""
    finish_reason: str
    """As the server says it."""
    prompt_tokens: int
    completion_tokens: int
    """0 where the server does not count."""


def ending(finish_reason: str) -> Ending:
    """How a reply ended, by the server's word for it, in any of the spellings that servers have."""
    said = finish_reason.rpartition(".")[2].strip(" <|/>").casefold().replace("-", "_").replace(" ", "_")
    said = said.removeprefix("finish_reason_")
    if said in _WHOLE:
        return "whole"
    if said in _CUT:
        return "cut"
    if said in _DECLINED:
        return "declined"
    return "failed" if said in _FAILED else "other"


def parse(body: bytes) -> Any:
    """The JSON of an answer: with a byte order mark, with `data: [DONE]` behind it, or as server-sent events.

    Raises:
        NoEnvelopeError: there is none, or more than one value.
    """
    text = in_characters(body).strip(" \t\r\n\0")
    if text.startswith(("data:", "event:", ":")):
        return _joined(_events(text))
    value, end = _decoded(text)
    rest = text[end:]
    if rest and not _DONE.fullmatch(rest):
        raise NoEnvelopeError("something behind the JSON")
    return value


def in_characters(body: bytes) -> str:
    """The text of an answer, in whichever encoding of JSON it is, without a byte order mark."""
    return body.decode(encoding_of(body), "replace").lstrip("\ufeff")


def read_envelope(raw: Any) -> Envelope:
    """The first choice of a chat completion.

    Raises:
        NoEnvelopeError: it is none.
    """
    try:
        choice = min(raw["choices"], key=_index)
        message = choice.get("message") or choice["delta"]  # the form of a stream, which some send in one piece
        text = _text(message.get("content"))
        refusal = message.get("refusal") or _refusal(message.get("content"))
        usage = raw.get("usage")
        said = choice.get("finish_reason")
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise NoEnvelopeError("no choices with a message") from error
    counts = usage if isinstance(usage, dict) else {}
    finish_reason = said.strip()[:_LONGEST] if isinstance(said, str) and said.strip() else NO_END
    if not text.strip():
        if isinstance(refusal, str) and refusal:
            text, finish_reason = refusal, DECLINED
        else:  # a server that takes the whole reply for reasoning, as it does where a model closes no thoughts
            text = next((part for key in _REASONING if isinstance(part := message.get(key), str) and part), "")
    return Envelope(
        text=whole_characters(text),
        finish_reason=whole_characters(finish_reason),
        prompt_tokens=_count(counts.get("prompt_tokens")),
        completion_tokens=_count(counts.get("completion_tokens")),
    )


def whole_characters(text: str) -> str:
    """The text with U+FFFD for each half of a character: a surrogate without its other half, which no file can hold."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _decoded(text: str, start: int = 0) -> tuple[Any, int]:
    try:
        return json.JSONDecoder(strict=False).raw_decode(text, start)
    except (ValueError, RecursionError) as error:
        raise NoEnvelopeError(f"no JSON: {error}") from error


def _events(text: str) -> Iterator[dict[str, Any]]:
    for block in re.split(r"\r?\n\s*\r?\n", text):
        lines = [line[5:].strip() for line in block.splitlines() if line.startswith("data:")]
        data = "\n".join(line for line in lines if line != "[DONE]")
        found = _SOLID.search(data)
        while found:  # one event, or several that no empty line parts
            value, end = _decoded(data, found.start())
            found = _SOLID.search(data, end)
            if isinstance(value, dict):
                yield value


def _joined(events: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """One completion of the events of a stream, which some servers send whatever was asked for."""
    pieces: dict[str, list[str]] = defaultdict(list)
    choices: list[Any] = []
    usage = None
    for event in events:
        found = event.get("choices")
        first = min(found, key=_index) if isinstance(found, list) and found else None
        if event.get("error") or (isinstance(first, dict) and "message" in first):
            return event
        usage = event.get("usage") or usage
        if isinstance(first, dict) and _index(first) <= 0:
            choices.append(first)
    for choice in choices:
        delta = choice.get("delta")
        for key, piece in delta.items() if isinstance(delta, dict) else ():
            if isinstance(piece, str) or key == "content":
                pieces[key].append(_part(piece, _DEEP))
    ends = [choice.get("finish_reason") for choice in choices]
    last = next((end for end in reversed(ends) if end), None)
    message = {key: "".join(parts) for key, parts in pieces.items()}
    return {"choices": [{"message": message, "finish_reason": last}] if choices else [], "usage": usage}


def _text(content: Any) -> str:
    """A message's text: given as such, or as a list of parts, of which those of thoughts are left out."""
    if content is None or isinstance(content, str):
        return content or ""
    known = [part for part in content if isinstance(part, str | list | dict)] if isinstance(content, list) else []
    if (content and not known) if isinstance(content, list) else not (isinstance(content, dict) and "text" in content):
        raise TypeError("content is neither text nor a list of parts")
    return _part(content, _DEEP)


def _part(part: Any, deep: int) -> str:
    """The text of a part; of a list of them, or of one whose text is an object in turn, as some have them."""
    if isinstance(part, str):
        return part
    if isinstance(part, list) and deep:
        return "".join(_part(each, deep - 1) for each in part)
    if isinstance(part, dict) and deep and part.get("type", "text") in ("text", "output_text"):
        return _part(part.get("text", part.get("value")), deep - 1)
    return ""


def _refusal(content: Any) -> str | None:
    """The refusal that a model gives in a part of its own."""
    parts = content if isinstance(content, list) else []
    said = [part.get("refusal") for part in parts if isinstance(part, dict) and part.get("type") == "refusal"]
    return "".join(text for text in said if isinstance(text, str)) or None


def _index(choice: Any) -> int:
    """Number of a choice; there may be several, and in any order. Those that do not say count as the first."""
    index = choice.get("index") if isinstance(choice, dict) else None
    return index if type(index) is int else 0


def _count(value: Any) -> int:
    """A number of tokens; servers give null, fractions, texts and nonsense as well."""
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_TOKENS:
        return 0  # NaN compares as false
    return math.ceil(value)
