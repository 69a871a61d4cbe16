"""How long an answer may be used again without asking: RFC 9111, for a cache that belongs to one user."""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST_S = 2.0**31
"""More is taken for this (RFC 9111, 1.2.2)."""
LONGEST_GUESS_S = 86_400.0
_GUESS = 0.1
"""Of an answer's age when it was given: RFC 9111, 4.2.2."""
_DIRECTIVE = re.compile(r'([^\s,=";]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^\s,]*))?')
_SECONDS = re.compile(r"[0-9]{1,18}")


def fresh_for(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds from `now`, when it came, for which an answer is fresh; 0: ask every time; None: must not be kept.

    Times are compared with the server's own (`Date`), so that a clock that is wrong does not matter. Without max-age
    and Expires, a tenth of the time since it was last modified, at most a day, is taken for fresh.

    Args:
        headers: Names in lower case. Those of a damaged or hostile server give 0 in doubt.
        now: Seconds since the epoch; only used where there is no `Date`.
    """
    directives = _directives(headers.get("cache-control", ""))
    if "no-store" in directives:
        return None
    if "no-cache" in directives or headers.get("vary", "").strip() == "*":
        return 0.0
    date = _time(headers.get("date", ""))
    date = now if date is None else date
    if "max-age" in directives:
        ages = [_seconds(text) for text in directives["max-age"]]
        lifetime = min(age or 0.0 for age in ages)
    elif "expires" in headers:
        lifetime = (_time(headers["expires"]) or 0.0) - date
    else:
        modified = _time(headers.get("last-modified", ""))
        lifetime = min(_GUESS * (date - modified), LONGEST_GUESS_S) if modified is not None else 0.0
    return max(min(lifetime, LONGEST_S) - (_seconds(headers.get("age", "")) or 0.0), 0.0)


def _directives(text: str) -> dict[str, list[str]]:
    """Values of each directive of a Cache-Control header; an empty string where it has none."""
    found: dict[str, list[str]] = {}
    for name, value in _DIRECTIVE.findall(text):
        found.setdefault(name.lower(), []).append(value.strip('"'))
    return found


def _seconds(text: str) -> float | None:
    return min(float(text), LONGEST_S) if _SECONDS.fullmatch(text.strip()) else None


def _time(text: str) -> float | None:
    """Seconds since the epoch of an HTTP date."""
    try:
        told = parsedate_to_datetime(text)
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
