"""When a host counts as down, and what that costs those who ask it."""

import asyncio

import pytest

from pipeline.errors import SiteError
from pipeline.net.circuit_breaker import FAILURES, FREE_RETRIES, CircuitBreaker
from schemas.reasons import Reason
from tests.net.virtual_time import JumpingLoop, run_jumping


def down(loop: JumpingLoop, patience_s: float) -> CircuitBreaker:
    health = CircuitBreaker("h", patience_s, 0.1, loop.time)
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
    async def scenario(loop: JumpingLoop) -> None:
        health = down(loop, patience_s=5.0)  # so the first pause is 0.5 s
        waiting = [asyncio.ensure_future(health.admit()) for _ in range(20)]
        done, _ = await asyncio.wait(waiting, timeout=0.49)
        assert not done
        done, _ = await asyncio.wait(waiting, timeout=0.02)
        assert [task.result() for task in done] == [True]
        health.answered()
        assert sorted(await asyncio.gather(*waiting)) == [False] * 19 + [True]

    run_jumping(scenario)


def test_a_probe_that_fails_makes_the_next_pause_longer() -> None:
    async def scenario(loop: JumpingLoop) -> None:
        health = down(loop, patience_s=5.0)
        assert await health.admit()
        health.failed("still down", probe=True)
        failed = loop.time()
        assert await health.admit()
        assert loop.time() - failed == pytest.approx(1.0)

    run_jumping(scenario)


def test_a_probe_that_is_not_made_lets_the_next_one_probe() -> None:
    async def scenario(loop: JumpingLoop) -> None:
        health = down(loop, patience_s=1.0)
        assert await health.admit()
        second = asyncio.ensure_future(health.admit())
        await asyncio.sleep(0.05)
        assert not second.done()
        health.give_up()
        given_up = loop.time()
        assert await second
        assert loop.time() == given_up

    run_jumping(scenario)


def test_nobody_waits_for_a_host_that_stays_down() -> None:
    async def scenario(loop: JumpingLoop) -> None:
        health = down(loop, patience_s=0.3)
        started, probes, waits = loop.time(), 0, []
        told = set()
        while loop.time() - started < 0.6:
            asked = loop.time()
            try:
                if await health.admit():
                    probes += 1
                    health.failed("silence", probe=True)
            except SiteError as fault:
                waits.append((asked - started, loop.time() - asked))
                told.add((fault.reason, fault.detail))
                await asyncio.sleep(0.001)
        said = "h has not answered for longer than network.max_wait_s; last: silence"
        assert told == {(Reason.UNREACHABLE, said)}  # the same for each site: rows hold it
        assert len(waits) > 50  # at once, and not one after a pause each
        assert all(wait == 0.0 for asked, wait in waits if asked > 0.3)
        assert 1 <= probes <= 4

    run_jumping(scenario)


def test_retries_are_a_share_of_the_requests() -> None:
    health = CircuitBreaker("h", 1.0, 0.1)
    assert sum(health.may_retry() for _ in range(200)) == FREE_RETRIES
    for _ in range(1_000):
        health.answered()
    assert sum(health.may_retry() for _ in range(200)) == 100
