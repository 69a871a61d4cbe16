"""The limits of one process, by a clock that jumps to whatever is waited for."""

import asyncio
import contextlib
import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MachineError, SiteError
from pipeline.net.base import Provider
from pipeline.net.quota import RESERVED, DayQuota
from pipeline.net.rate_limit import LATE_S, LONGEST_DELAY_S, LocalRateLimiter, Throttle
from schemas.reasons import Reason
from tests.examples import examples
from tests.net.virtual_time import JumpingLoop, run_jumping

DAY = 86_400.0


def run(play: Callable[[JumpingLoop, LocalRateLimiter], Coroutine[Any, Any, None]]) -> None:
    run_jumping(lambda loop: play(loop, LocalRateLimiter(clock=loop.time)))


def provider(name: str = "p", per_s: float = 10.0, at_once: int = 4, per_day: int | None = None) -> Provider:
    return Provider(name, ("https://example.org",), per_s, at_once, per_day)


def most_in(times: list[float], window: float) -> int:
    """Most of these times within any window (half open)."""
    return max(bisect_left(times, start + window) - n for n, start in enumerate(times))


class Log:
    """What a host sees."""

    def __init__(self) -> None:
        self.starts: list[float] = []
        self.under_way = self.most = 0

    async def request(
        self, loop: JumpingLoop, limiter: LocalRateLimiter, whom: Provider, host: str, key: str | None, takes: float
    ) -> None:
        async with limiter.slot(whom, host, key):
            self.starts.append(loop.time())
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            try:
                await asyncio.sleep(takes)
            finally:
                self.under_way -= 1


times = st.floats(0.0, 3.0)


@examples(60)
@given(
    per_s=st.floats(0.3, 300.0),
    at_once=st.integers(1, 20),
    requests=st.lists(st.tuples(times, times, st.booleans()), min_size=1, max_size=60),
)
def test_never_more_requests_in_a_second_or_at_once_than_allowed(
    per_s: float, at_once: int, requests: list[tuple[float, float, bool]]
) -> None:
    log = Log()

    async def play(loop: JumpingLoop, limiter: LocalRateLimiter) -> None:
        async def one(after: float, takes: float, gives_up: bool) -> None:
            await asyncio.sleep(after)
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5 if gives_up else None):
                    await log.request(loop, limiter, provider(per_s=per_s, at_once=at_once), "a", None, takes)

        async with asyncio.TaskGroup() as group:
            for request in requests:
                group.create_task(one(*request))

    run(play)
    assert most_in(log.starts, 1.0) <= max(-(-per_s // 1), 1)
    assert log.most <= at_once


def test_goes_as_fast_as_allowed() -> None:
    log = Log()

    async def play(loop: JumpingLoop, limiter: LocalRateLimiter) -> None:
        whom = provider(per_s=50, at_once=64)
        await asyncio.gather(*(log.request(loop, limiter, whom, "a", None, 0.0) for _ in range(501)))

    run(play)
    assert log.starts[-1] - log.starts[0] == pytest.approx(10.0, rel=0.03)


@examples(30)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["k1", "k2"]), times), min_size=2, max_size=60))
def test_what_applies_to_a_key_is_shared_by_all_hosts(requests: list[tuple[str, str, float]]) -> None:
    logs = {name: Log() for name in ("a", "b", "k1", "k2")}

    async def play(loop: JumpingLoop, limiter: LocalRateLimiter) -> None:
        async def one(host: str, key: str, takes: float) -> None:
            async with limiter.slot(provider(), host, key):
                for log in (logs[host], logs[key]):
                    log.starts.append(loop.time())
                    log.under_way += 1
                    log.most = max(log.most, log.under_way)
                await asyncio.sleep(takes)
                logs[host].under_way -= 1
                logs[key].under_way -= 1

        await asyncio.gather(*(one(*request) for request in requests))

    run(play)
    for log in logs.values():
        if log.starts:
            assert most_in(log.starts, 1.0) <= 10
            assert log.most <= 4


def test_providers_and_hosts_have_limits_of_their_own() -> None:
    log = Log()

    async def play(loop: JumpingLoop, limiter: LocalRateLimiter) -> None:
        whom = [(provider(name, per_s=0.1), host) for name in ("p", "q") for host in ("a", "b")]
        await asyncio.gather(*(log.request(loop, limiter, p, host, None, 0.0) for p, host in whom))
        assert loop.time() == 1000.0

    run(play)


def test_a_hold_is_a_minimum_for_everybody() -> None:
    log = Log()

    async def play(loop: JumpingLoop, limiter: LocalRateLimiter) -> None:
        whom = provider(per_s=100)
        waiting = [asyncio.create_task(log.request(loop, limiter, whom, "a", None, 0.0)) for _ in range(3)]
        await limiter.hold(whom, "a", 30.0)
        await limiter.hold(whom, "a", 5.0)  # never shortens an earlier one
        await asyncio.sleep(20.0)
        await limiter.hold(whom, "a", 20.0)
        other = asyncio.create_task(log.request(loop, limiter, whom, "b", None, 0.0))
        await asyncio.gather(*waiting, other)

    run(play)
    at_b, *at_a = log.starts
    assert at_b == pytest.approx(1020.0)
    assert min(at_a) >= 1040.0


def test_a_hold_that_nobody_waits_for_fails_those_who_ask_and_those_who_queue() -> None:
    async def play(loop: JumpingLoop, limiter: LocalRateLimiter) -> None:
        whom = provider(per_s=1, at_once=2)

        async def one(host: str) -> None:
            async with limiter.slot(whom, host, None):
                pass

        await one("a")
        queued = [asyncio.create_task(one("a")) for _ in range(4)]
        await asyncio.sleep(0.5)
        await limiter.hold(whom, "a", 1e9, waited=False)
        ends = await asyncio.gather(*queued, return_exceptions=True)
        assert [getattr(end, "reason", None) for end in ends] == [Reason.RATE_LIMITED] * 4
        assert loop.time() < 1005.0
        await one("b")
        with pytest.raises(SiteError, match=r"a asked for a pause that ends in 86\d{3} s"):
            await one("a")
        await asyncio.sleep(86_400.0)
        await one("a")

    run(play)


def test_a_host_on_hold_does_not_keep_the_key_from_other_hosts() -> None:
    done: dict[str, float] = {}

    async def play(loop: JumpingLoop, limiter: LocalRateLimiter) -> None:
        async def one(host: str) -> None:
            async with limiter.slot(provider(at_once=2), host, "key"):
                done[host] = loop.time()

        await limiter.hold(provider(), "a", 60.0)
        held = [asyncio.create_task(one("a")) for _ in range(4)]
        await asyncio.sleep(1.0)
        await one("b")
        await asyncio.gather(*held)

    run(play)
    assert done["b"] < 1002.0
    assert done["a"] >= 1060.0


def test_a_hold_is_kept_by_who_already_waits_for_the_key() -> None:
    async def play(loop: JumpingLoop, limiter: LocalRateLimiter) -> None:
        whom = provider(per_s=1)
        async with limiter.slot(whom, "b", "key"):
            pass
        waiting = asyncio.create_task(Log().request(loop, limiter, whom, "a", "key", 0.0))
        await asyncio.sleep(0.5)
        await limiter.hold(whom, "a", 10.0)
        await waiting
        assert loop.time() >= 1010.5

    run(play)


def test_those_who_give_up_leave_nothing_behind() -> None:
    async def play(loop: JumpingLoop, limiter: LocalRateLimiter) -> None:
        whom = provider(per_s=5, at_once=2)
        log = Log()
        for _ in range(20):
            some = [asyncio.create_task(log.request(loop, limiter, whom, "a", "k", 3.0)) for _ in range(6)]
            await asyncio.sleep(0.45)
            for task in some:
                task.cancel()
            await asyncio.gather(*some, return_exceptions=True)
        assert log.under_way == 0
        await asyncio.gather(*(log.request(loop, limiter, whom, "a", "k", 0.1) for _ in range(4)))
        assert log.most == 2

    run(play)


def test_in_order_of_asking() -> None:
    order: list[int] = []

    async def play(loop: JumpingLoop, limiter: LocalRateLimiter) -> None:
        async def one(number: int) -> None:
            async with limiter.slot(provider(at_once=3), "a", "k"):
                order.append(number)
                await asyncio.sleep(number * 0.37 % 1)

        await asyncio.gather(*(one(number) for number in range(40)))

    run(play)
    assert order == list(range(40))


# How a host is slowed down.


def test_faults_are_met_at_the_pace_of_answers() -> None:
    throttle = Throttle(per_s=100, at_once=2)
    fastest = throttle.interval
    assert fastest == pytest.approx(0.01 * (1 + LATE_S))
    for now in range(20):
        throttle.seen(200, 1.0, now, now + 1)
        assert throttle.interval == fastest  # the limit of those under way sees to the rest
    for status in (404, 500, None):
        throttle.seen(status, 0.001, 20, 20)
        assert throttle.interval == pytest.approx(0.5, rel=0.01)  # quick as it came
    throttle.seen(None, 30.0, 20, 50)
    assert throttle.interval == pytest.approx((0.5 + 15.0) / 2, rel=0.01)
    for now in range(50, 80):
        throttle.seen(200, 0.001, now, now)
    throttle.seen(404, 0.001, 80, 80)
    assert throttle.interval == fastest


def test_a_host_that_fails_at_once_is_not_hammered() -> None:
    log = Log()

    async def play(loop: JumpingLoop, limiter: LocalRateLimiter) -> None:
        async def one(status: int | None, takes: float) -> None:
            async with limiter.slot(provider(per_s=1000), "a", None) as slot:
                log.starts.append(loop.time())
                await asyncio.sleep(takes)
                slot.seen(status, takes)

        await asyncio.gather(*(one(200, 2.0) for _ in range(40)))
        log.starts.clear()
        await asyncio.gather(*(one(None, 0.0) for _ in range(21)))

    run(play)
    # The first four, before anything is known of them, and then one each half second: as many as with good answers.
    assert log.starts[-1] - log.starts[0] == pytest.approx(16 * 2.0 / 4, rel=0.05)


@pytest.mark.parametrize("status", [429, 503])
def test_refusals_slow_down_and_successes_recover(status: int) -> None:
    throttle = Throttle(per_s=10, at_once=4)
    fastest = throttle.interval
    throttle.take(0.0)
    throttle.take(0.09)
    throttle.seen(status, 0.01, 0.0, 0.1)
    throttle.seen(status, 0.01, 0.09, 0.11)  # set off before the first was known: not slowed down twice
    assert throttle.interval == pytest.approx(2 * fastest)
    assert throttle.wait(0.1) == pytest.approx(2 * fastest)  # for the very next one
    throttle.seen(200, 0.01, 0.09, 0.12)  # likewise nothing new
    assert throttle.interval == pytest.approx(2 * fastest)
    for n in range(1, 20):
        throttle.seen(status, 0.01, n * 100, n * 100)
    assert throttle.interval == LONGEST_DELAY_S
    steps = 0
    while throttle.interval > fastest:
        throttle.seen(200, 0.01, 1e6 + steps, 1e6 + steps)
        steps += 1
    assert 20 < steps < 100


@given(
    st.floats(0.01, 1000),
    st.integers(1, 64),
    st.lists(st.tuples(st.sampled_from([None, 200, 206, 304, 404, 429, 500, 503]), st.floats(0, 1e6)), max_size=50),
)
def test_the_interval_stays_within_its_bounds(per_s: float, at_once: int, seen: list[tuple[int | None, float]]) -> None:
    throttle = Throttle(per_s, at_once)
    now = 0.0
    for status, seconds in seen:
        throttle.seen(status, seconds, now, now + seconds)
        now += seconds
        assert (1 + LATE_S) / per_s <= throttle.interval <= max(LONGEST_DELAY_S, (1 + LATE_S) / per_s)


def test_answers_slow_the_whole_host_down() -> None:
    log = Log()

    async def play(loop: JumpingLoop, limiter: LocalRateLimiter) -> None:
        whom = provider(per_s=10)
        async with limiter.slot(whom, "a", None) as slot:
            slot.seen(429, 0.1)
        for _ in range(3):
            await log.request(loop, limiter, whom, "a", None, 0.0)

    run(play)
    gaps = [after - before for before, after in zip([1000.0, *log.starts], log.starts, strict=False)]
    assert all(gap > 0.18 for gap in gaps)


# Requests a day.


def take_all(quota: DayQuota, whom: Provider, key: str | None = None) -> int:
    for taken in range(10_000):
        try:
            quota.take(whom, key)
        except SiteError as fault:
            if fault.reason is Reason.RATE_LIMITED:
                return taken
            raise
    raise AssertionError("there is no end to it")


def test_the_days_quota_ends_with_when_it_renews() -> None:
    quota = DayQuota(None, lambda: 10 * DAY + 5)
    assert take_all(quota, provider(per_day=120)) == 120
    with pytest.raises(SiteError, match=r"120 requests a day of p are used up; they renew at 1970-01-12 00:00 UTC$"):
        quota.take(provider(per_day=120), None)
    assert take_all(quota, provider(per_day=120), "key") == 120
    quota.take(provider(), None)
    quota.close()


@pytest.mark.parametrize("closed", [True, False])
def test_quota_survives_restarts_and_kills(tmp_path: Path, closed: bool) -> None:
    file = tmp_path / "cache" / "quota.sqlite"
    whom = provider(per_day=1000)
    allowed = 0
    for _ in range(5):
        quota = DayQuota(file, lambda: 10 * DAY)
        for _ in range(60):
            quota.take(whom, None)
            allowed += 1
        if closed:
            quota.close()
    last = DayQuota(file, lambda: 10 * DAY)
    allowed += take_all(last, whom)
    last.close()
    # A kill loses what was reserved, and never gives more.
    assert allowed == 1000 if closed else 1000 - 5 * RESERVED <= allowed <= 1000


@examples(30)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40), st.booleans()), max_size=12))
def test_builds_share_the_days_quota(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, bool]]
) -> None:
    file = tmp_path_factory.mktemp("quota") / "quota.sqlite"
    whom = provider(per_day=300)
    quotas = [DayQuota(file, lambda: 10 * DAY) for _ in range(3)]
    allowed = 0
    for who, requests, closes in steps:
        for _ in range(requests):
            with suppress(SiteError):
                quotas[who].take(whom, "key")
                allowed += 1
        if closes:
            quotas[who].close()
    allowed += sum(take_all(quota, whom, "key") for quota in quotas)
    for quota in quotas:
        quota.close()
    assert allowed == 300


def test_a_clock_that_is_set_back_gives_no_new_quota(tmp_path: Path) -> None:
    now = [10 * DAY + 5]
    file = tmp_path / "quota.sqlite"
    whom = provider(per_day=100)
    quota = DayQuota(file, lambda: now[0])
    quota.take(whom, None)
    now[0] = 9 * DAY
    assert take_all(quota, whom) == 99
    quota.close()
    again = DayQuota(file, lambda: now[0])
    with pytest.raises(SiteError, match=r"they renew at 1970-01-12 00:00 UTC .*clock was later"):
        again.take(whom, None)
    now[0] = 11 * DAY
    assert take_all(again, whom) == 100
    again.close()


def test_a_quota_file_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(MachineError, match=r"network\.cache"):
        DayQuota(tmp_path / "file" / "quota.sqlite").take(provider(per_day=5), None)
    (tmp_path / "quota.sqlite").write_bytes(b"no database " * 1000)
    with pytest.raises(MachineError, match=r"quota.sqlite.* is damaged .*delete it"):
        DayQuota(tmp_path / "quota.sqlite").take(provider(per_day=5), None)


ODD_QUOTAS = {
    "another table": "DROP TABLE taken; CREATE TABLE taken (x)",
    "a view": "DROP TABLE taken; CREATE VIEW taken AS SELECT 1 AS x",
    "a trigger": "CREATE TRIGGER odd BEFORE INSERT ON taken BEGIN SELECT raise(ABORT, 'x'); END",
    "a foreign table": "CREATE TABLE more (x)",
    "a text for a count": "UPDATE taken SET requests = 'x'",
    "a count below zero": "UPDATE taken SET requests = -1000",
    "a text for a day": "UPDATE taken SET day = 'today'",
    "a day beyond all years": "UPDATE taken SET day = 100000000",
    "nothing for a day": "INSERT INTO taken VALUES (x'ff', 'k', 10, 3)",
}


@pytest.mark.parametrize("harm", ODD_QUOTAS.values(), ids=ODD_QUOTAS.keys())
def test_a_sound_quota_file_with_odd_content_goes_on_with_a_warning(
    harm: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, whom = tmp_path / "quota.sqlite", provider(per_day=100)
    quota = DayQuota(file, lambda: 10 * DAY)
    quota.take(whom, None)
    quota.close()
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.executescript(harm)
    again = DayQuota(file, lambda: 10 * DAY)
    assert take_all(again, whom) in {99, 100}
    again.close()
    assert "quota.sqlite" in caplog.text


def test_the_pacer_counts_the_day(tmp_path: Path) -> None:
    async def play(loop: JumpingLoop, _: LocalRateLimiter) -> None:
        counting = LocalRateLimiter(tmp_path, clock=loop.time, wall=lambda: 0.0)
        for _n in range(3):
            async with counting.slot(provider(per_day=3), "a", None):
                pass
        with pytest.raises(SiteError, match="1970-01-02"):
            await counting.slot(provider(per_day=3), "a", None).__aenter__()
        await counting.close()

    run(play)
