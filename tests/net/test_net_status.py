"""What statuses and Retry-After mean."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.net.status import by_status, retry_after
from schemas.reasons import Reason

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (200, "ok", None),
        (204, "ok", None),
        (206, "ok", None),
        (304, "final", Reason.BAD_ANSWER),
        (400, "final", Reason.REFUSED),
        (401, "final", Reason.REFUSED),
        (403, "final", Reason.REFUSED),
        (404, "final", Reason.GONE),
        (408, "again", Reason.UNREACHABLE),
        (410, "final", Reason.GONE),
        (425, "again", Reason.SERVER_ERROR),
        (429, "again", Reason.RATE_LIMITED),
        (451, "final", Reason.REFUSED),
        (500, "again", Reason.SERVER_ERROR),
        (501, "final", Reason.SERVER_ERROR),
        (502, "again", Reason.SERVER_ERROR),
        (503, "again", Reason.SERVER_ERROR),
        (504, "again", Reason.SERVER_ERROR),
        (505, "final", Reason.SERVER_ERROR),
    ],
)
def test_verdicts_of_statuses(status: int, kind: str, reason: Reason | None) -> None:
    verdict = by_status(status, {}, b"")
    assert (verdict.kind, verdict.reason) == (kind, reason)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("1000000000", 1e9),
        ("9" * 18, 1e18),
        ("9" * 5_000, None),
        ("-5", None),
        ("1e9", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("", None),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0),
        ("Sat, 21 Nov 2026 12:00:30", 30),
        ("Sat, 99 Nov 2026 12:00:30 GMT", None),
        ("Sat, 21 Nov 99999 12:00:30 GMT", None),
    ],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text}, NOW) == (None if seconds is None else pytest.approx(seconds))


def test_no_retry_after() -> None:
    assert retry_after({}) is None


@given(st.timedeltas(timedelta(days=-3), timedelta(days=3)), st.integers(0, 100))
def test_a_date_counts_from_the_servers_own_clock(skew: timedelta, wait: int) -> None:
    theirs = NOW + skew
    headers = {
        "date": format_datetime(theirs, usegmt=True),
        "retry-after": format_datetime(theirs + timedelta(seconds=wait), usegmt=True),
    }
    assert retry_after(headers, NOW) == pytest.approx(wait, abs=1)


@given(st.text())
def test_any_text_is_read_without_a_fault(text: str) -> None:
    found = retry_after({"retry-after": text, "date": text}, NOW)
    assert found is None or found >= 0
