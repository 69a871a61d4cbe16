"""Finds the JSON in a reply's text: alone, or behind a model's thoughts, in a code fence, among other words."""

import json
import re
from typing import Any

_THOUGHTS = r"think|thinking|thought|thoughts|reasoning|analysis|seed:think"
_START = re.compile(rf"<(?:{_THOUGHTS})>|\[THINK\]|◁think▷|<\|channel\|>analysis", re.IGNORECASE)
_END = re.compile(rf"</(?:{_THOUGHTS})>|\[/THINK\]|◁/think▷|<\|channel\|>final(?:<\|message\|>)?", re.IGNORECASE)
"""How models that think aloud mark the start and the end of it, each family in its own way."""
_MOST_CHARACTERS = 2**20
"""A reply of 8,192 tokens is far below."""
_MOST_STARTS = 64
"""Places at which an object may begin that are tried, so that the work is bounded."""


def answer_in(text: str) -> Any:
    """The JSON value that a reply is, or the last object in it where other words stand around.

    Raw control characters in strings pass: some grammars let a model write them.

    Raises:
        ValueError: there is no JSON, or it cannot be told from a draft in thoughts that have no end.
        RecursionError: it is nested too deep.
    """
    bare = text.strip("\ufeff \t\r\n\0")
    try:
        return json.loads(bare, strict=False)
    except ValueError:
        ends = [match.end() for match in _END.finditer(bare)]
        said = bare[ends[-1] :] if ends else bare
        found = None if _START.search(said) or len(said) > _MOST_CHARACTERS else _last_object(said)
        if found is None:
            raise
        return found


def _last_object(text: str) -> dict[str, Any] | None:
    """The last JSON object in a text; None if something behind it looks like the start of another."""
    decoder = json.JSONDecoder(strict=False)
    found, at = None, 0
    for _ in range(_MOST_STARTS):
        at = text.find("{", at)
        if at < 0:
            return found
        try:
            found, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            found, at = None, at + 1
    return None
