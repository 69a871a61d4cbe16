"""How long an answer is fresh."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.net.cache_control import LONGEST_S, fresh_for

NOW = 1_800_000_000.0


def http_date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)


DATE, EARLIER, LATER = http_date(NOW), http_date(NOW - 7200), http_date(NOW + 7200)


@pytest.mark.parametrize(
    ("cache_control", "expected"),
    [
        ("max-age=60", 60),
        ("MAX-AGE=60, public", 60),
        ('max-age="60"', 60),
        ("private, max-age=60", 60),
        ('private="set-cookie, max-age=9", max-age=60', 60),
        ('extension="no-store", max-age=60', 60),
        ("max-age=60, immutable", 60),
        ("s-maxage=5, max-age=60", 60),
        ("max-age=60, max-age=30", 30),
        ("max-age=60;no-cache", 0),
        ("max-age=99999999999999999", LONGEST_S),
        ("max-age=99999999999999999999999999", 0),
        ("max-age=-1", 0),
        ("max-age=1.5", 0),
        ("max-age=", 0),
        ("max-age", 0),
        ("max-age=6\u0660", 0),
        ("no-cache, max-age=60", 0),
        ('no-cache="set-cookie", max-age=60', 0),
        ("no-store", None),
        ("max-age=60,No-Store", None),
        ('private="a, no-store', None),
        ("immutable", 0),
        ("", 0),
        (",,=,;", 0),
    ],
)
def test_cache_control(cache_control: str, expected: float | None) -> None:
    assert fresh_for({"cache-control": cache_control, "date": DATE}, NOW) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"expires": LATER, "date": DATE}, 7200),
        ({"expires": LATER}, 7200),
        ({"expires": LATER, "date": DATE, "age": "200"}, 7000),
        ({"expires": LATER, "date": DATE, "cache-control": "max-age=5"}, 5),
        ({"expires": "0", "date": DATE, "last-modified": EARLIER}, 0),
        ({"expires": DATE, "date": DATE}, 0),
        ({"expires": "Sunday, 06-Nov-94 08:49:37 GMT", "date": "Sun Nov  6 08:39:37 1994"}, 600),
        ({"last-modified": EARLIER, "date": DATE}, 720),
        ({"last-modified": EARLIER}, 720),
        ({"last-modified": http_date(NOW - 1e9), "date": DATE}, 86_400),
        ({"last-modified": LATER, "date": DATE}, 0),
        ({"last-modified": "yesterday", "date": DATE}, 0),
        ({"cache-control": "max-age=60", "age": "59"}, 1),
        ({"cache-control": "max-age=60", "age": "61"}, 0),
        ({"cache-control": "max-age=60", "age": "-5"}, 60),
        ({"cache-control": "max-age=60", "age": "soon"}, 60),
        ({"cache-control": "max-age=60", "vary": "*"}, 0),
        ({"cache-control": "max-age=60", "vary": "accept-encoding"}, 60),
        ({}, 0),
    ],
)
def test_other_headers(headers: dict[str, str], expected: float) -> None:
    assert fresh_for(headers, NOW) == expected


@given(st.integers(-10 * 86_400, 10 * 86_400), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_server_clock_that_is_wrong_does_not_matter(wrong_by: int, until: int, modified: int) -> None:
    def at(seconds: float) -> str:
        return http_date(NOW + seconds + wrong_by)

    assert fresh_for({"date": at(0), "expires": at(until)}, NOW) == until
    assert fresh_for({"date": at(0), "last-modified": at(-modified)}, NOW) == pytest.approx(min(modified / 10, 86_400))


NAMES = ["cache-control", "expires", "date", "age", "last-modified", "vary", "etag"]
PIECES = [
    "max-age",
    "no-cache",
    "no-store",
    "private",
    "=",
    ",",
    '"',
    "\\",
    "60",
    "-1",
    " ",
    "GMT",
    "0000",
    "99999",
    DATE,
]


@given(
    st.dictionaries(
        st.sampled_from(NAMES), st.one_of(st.text(max_size=50), st.lists(st.sampled_from(PIECES)).map("".join))
    )
)
def test_any_headers_give_a_time_within_bounds(headers: dict[str, str]) -> None:
    seconds = fresh_for(headers, NOW)
    assert seconds is None or 0 <= seconds <= LONGEST_S


@pytest.mark.parametrize("text", ['"' * 50_000, 'a="' + "\\" * 50_000, "=," * 50_000, "a " * 50_000, " " * 50_000])
def test_a_header_made_to_be_slow_is_not(text: str) -> None:
    fresh_for({"cache-control": text, "age": text, "expires": text[:8_190]}, NOW)
