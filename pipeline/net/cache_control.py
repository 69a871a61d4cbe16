"""Computes how long a response may be reused without a request: RFC 9111, for a private cache."""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST_S = 2.0**31
"""Larger values are cut to this (RFC 9111, 1.2.2)."""
LONGEST_GUESS_S = 86_400.0
_GUESS = 0.1
"""Heuristic freshness as a share of the response's age (RFC 9111, 4.2.2)."""
_DIRECTIVE = re.compile(r'([^\s,=";]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^\s,]*))?')
_SECONDS = re.compile(r"[0-9]{1,18}")


def fresh_for(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds for which a response is fresh. 0: revalidate each time. None: must not be stored.

    Times are compared with the server's own clock (`Date`), so a wrong clock does not matter. Without max-age and
    Expires, a response is fresh for a tenth of the time since its last modification, at most a day.

    Args:
        headers: Names in lower case. Malformed ones give 0.
        now: Time of receipt, seconds since the epoch; used only without a `Date`.
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
    """An HTTP date as seconds since the epoch."""
    try:
        told = parsedate_to_datetime(text)
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
