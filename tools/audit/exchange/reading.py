"""Reads a JSON file that another tool wrote, record by record: memory does not grow with what is in it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from pipeline.errors import ConfigError, Problem

T = TypeVar("T")
MOST_BYTES = 1_000_000_000
"""Of a file. Argilla's records hold their pictures, some 0.3 MB each."""
_SPACE = re.compile(r"[ \t\r\n]*")
_FIND_END = json.JSONDecoder().raw_decode


def read_records(form: type[T], file: Path, readable: str, allowed: str) -> Iterator[T]:
    """The records of a JSON array, one at a time.

    Args:
        form: what each is to be.
        file: where it is.
        readable: what the file is called where it cannot be read.
        allowed: the same where its content is something else.

    Raises:
        ConfigError: it cannot be read, is too large, or is something else.
    """
    checked = TypeAdapter(form)
    text = _text(file, readable, allowed)
    for n, (start, end) in enumerate(_extents(text, file, allowed)):
        try:
            yield checked.validate_json(text[start:end])
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, (n, *f['loc'])))}: {f['msg']}" for f in error.errors()[:3])
            raise _refused(file, faults, allowed) from error


def _text(file: Path, readable: str, allowed: str) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError([Problem("FILE", f"{file} ({error.strerror})", readable)]) from error
    if len(data) > MOST_BYTES:
        raise _refused(file, f"more than {MOST_BYTES:,} bytes", f"at most as many: {allowed}")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _refused(file, f"not UTF-8 at byte {error.start}", allowed) from error


def _extents(text: str, file: Path, allowed: str) -> Iterator[tuple[int, int]]:
    """Start and end of each record."""
    at = _after_space(text, 0)
    if text[at : at + 1] != "[":
        raise _refused(file, "not a JSON array", allowed)
    at = _after_space(text, at + 1)
    closed = text[at : at + 1] == "]"
    while not closed:
        try:
            _, end = _FIND_END(text, at)
        except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
            raise _refused(file, f"not JSON: {error}", allowed) from error
        yield at, end
        at = _after_space(text, end)
        if text[at : at + 1] not in ("]", ","):
            raise _refused(file, f"no comma after character {end}", allowed)
        closed = text[at] == "]"
        at = at if closed else _after_space(text, at + 1)
    if _after_space(text, at + 1) != len(text):
        raise _refused(file, f"more after character {at + 1}", allowed)


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None, "it matches nothing as well"
    return found.end()


def _refused(file: Path, why: str, allowed: str) -> ConfigError:
    return ConfigError([Problem("FILE", f"{file} ({why})", allowed)])
