"""Interprets HTTP statuses, and how long a server asks to wait."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pipeline.net.base import Verdict
from schemas.reasons import Reason

OK = Verdict("ok")

AGAIN = {
    408: Reason.UNREACHABLE,  # the server waited for us in vain
    425: Reason.SERVER_ERROR,  # too early
    429: Reason.RATE_LIMITED,
    500: Reason.SERVER_ERROR,
    502: Reason.SERVER_ERROR,
    503: Reason.SERVER_ERROR,
    504: Reason.SERVER_ERROR,
}
"""Statuses for which a retry may succeed (RFC 9110, 6585, 8470)."""


def by_status(status: int, headers: Mapping[str, str], body: bytes) -> Verdict:  # noqa: ARG001 - a `Judge`
    """The verdict on a status as HTTP defines it."""
    if 200 <= status < 300:
        return OK
    if status in AGAIN:
        return Verdict("again", AGAIN[status])
    if status in {404, 410}:
        return Verdict("final", Reason.GONE)
    if 400 <= status < 500:
        return Verdict("final", Reason.REFUSED)
    if status >= 500:
        return Verdict("final", Reason.SERVER_ERROR)
    return Verdict("final", Reason.BAD_ANSWER)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that the server asks to wait (RFC 9110, 10.2.3), or None.

    A date is relative to the server's own `Date`, so wrong clocks do no harm.

    Args:
        headers: Names in lower case.
        now: Replaces this machine's clock, which is used if the server sends no date.
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,18}", text):
        return float(text)
    until = _date(text)
    if until is None:
        return None
    since = _date(headers.get("date", "")) or now or datetime.now(UTC)
    return max((until - since).total_seconds(), 0.0)


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
