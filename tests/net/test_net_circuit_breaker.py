"""When a host counts as down, and what that costs those who ask it."""

import asyncio
import time

import pytest

from pipeline.errors import SiteError
from pipeline.net.circuit_breaker import FAILURES, FREE_RETRIES, CircuitBreaker
from schemas.reasons import Reason


def down(patience_s: float) -> CircuitBreaker:
    health = CircuitBreaker("h", patience_s, 0.1)
    for _ in range(FAILURES):
        assert not health.down
        health.failed("no connection", probe=False)
    assert health.down
    return health


def test_an_answer_starts_the_count_again() -> None:
    health = CircuitBreaker("h", 1.0, 0.1)
    for _ in range(3 * FAILURES):
        health.failed("x", probe=False)
        health.answered()
    assert not health.down


def test_one_probes_while_the_others_wait() -> None:
    async def scenario() -> list[bool]:
        health = down(patience_s=5.0)  # so the first pause is 0.5 s
        waiting = [asyncio.ensure_future(health.admit()) for _ in range(20)]
        done, _ = await asyncio.wait(waiting, timeout=0.3)
        assert not done
        done, _ = await asyncio.wait(waiting, timeout=0.5)
        assert [task.result() for task in done] == [True]
        health.answered()
        return await asyncio.gather(*waiting)

    assert sorted(asyncio.run(scenario())) == [False] * 19 + [True]


def test_a_probe_that_fails_makes_the_next_pause_longer() -> None:
    async def scenario() -> float:
        health = down(patience_s=5.0)
        assert await health.admit()
        health.failed("still down", probe=True)
        started = time.monotonic()
        assert await health.admit()
        return time.monotonic() - started

    assert asyncio.run(scenario()) == pytest.approx(1.0, abs=0.3)


def test_a_probe_that_is_not_made_lets_the_next_one_probe() -> None:
    async def scenario() -> None:
        health = down(patience_s=1.0)
        assert await health.admit()
        second = asyncio.ensure_future(health.admit())
        await asyncio.sleep(0.05)
        health.give_up()
        assert await asyncio.wait_for(second, 1)

    asyncio.run(scenario())


def test_nobody_waits_for_a_host_that_stays_down() -> None:
    async def scenario() -> None:
        health = down(patience_s=0.3)
        started, failed, probes = time.monotonic(), 0, 0
        told = set()
        while time.monotonic() - started < 0.6:
            try:
                if await health.admit():
                    probes += 1
                    health.failed("silence", probe=True)
            except SiteError as fault:
                failed += 1
                told.add((fault.reason, fault.detail.partition(" 1")[0], fault.detail.rpartition(" ")[2]))
                await asyncio.sleep(0.001)
        assert told == {(Reason.UNREACHABLE, "h has not answered", "silence")}
        assert failed > 50  # at once, and not one after a pause each
        assert 1 <= probes <= 4

    asyncio.run(scenario())


def test_retries_are_a_share_of_the_requests() -> None:
    health = CircuitBreaker("h", 1.0, 0.1)
    assert sum(health.may_retry() for _ in range(200)) == FREE_RETRIES
    for _ in range(1_000):
        health.answered()
    assert sum(health.may_retry() for _ in range(200)) == 100
