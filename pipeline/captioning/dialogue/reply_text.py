"""Finds the JSON in a reply's text: alone, or behind a model's thoughts, in a code fence, among other words."""

import json
import re
from typing import Any, NamedTuple

_THOUGHTS = r"think|thinking|thought|thoughts|reasoning|analysis|seed:think"
_START = re.compile(rf"<(?:{_THOUGHTS})>|\[THINK\]|◁think▷|<\|channel\|>analysis", re.IGNORECASE)
_END = re.compile(rf"</(?:{_THOUGHTS})>|\[/THINK\]|◁/think▷|<\|channel\|>final(?:<\|message\|>)?", re.IGNORECASE)
"""How models that think aloud mark the start and the end of it, each family in its own way."""
_MOST_CHARACTERS = 2**20
"""A reply of 8,192 tokens is far below."""
_MOST_MARKS = 8
_MOST_STARTS = 64
"""Marks, and places at which an object may begin, that are tried: so that the work is bounded."""


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
        found = _after_thoughts(bare)
        if found is None:
            raise
        return found


def _after_thoughts(text: str) -> dict[str, Any] | None:
    """The last object behind the thoughts, if there are any. A mark of thoughts within the object is lettering."""
    ends = [match.end() for match in _END.finditer(text)][-_MOST_MARKS:]
    for start in (*reversed(ends), 0):
        if len(text) - start > _MOST_CHARACTERS:
            return None
        found = _last_object(text, start)
        if found is not None and found.end >= max(ends, default=0):
            return None if _START.search(text, start, found.begin) else found.value
    return None


class _Object(NamedTuple):
    value: dict[str, Any]
    begin: int
    end: int


def _last_object(text: str, at: int) -> _Object | None:
    """The last JSON object from a place on; None if something behind it looks like the start of another."""
    decoder = json.JSONDecoder(strict=False)
    found = None
    for _ in range(_MOST_STARTS):
        begin = text.find("{", at)
        if begin < 0:
            return found
        try:
            value, at = decoder.raw_decode(text, begin)
            found = _Object(value, begin, at)
        except (ValueError, RecursionError):
            found, at = None, begin + 1
    return None
