"""Limits that several processes share."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from pipeline.errors import MachineError, SiteError
from pipeline.net import rate_limit_service as limits_service
from pipeline.net.base import Provider
from pipeline.net.rate_limit import LATE_S, LocalRateLimiter, Throttle
from pipeline.net.rate_limit_service import serve_limits
from pipeline.net.remote_rate_limit import RemoteRateLimiter
from schemas.reasons import Reason

WORKER = """
import asyncio, sys, time
from pipeline.net.base import Provider
from pipeline.net.remote_rate_limit import RemoteRateLimiter
address, requests, per_s, at_once, takes = sys.argv[1], int(sys.argv[2]), *map(float, sys.argv[3:])
whom = Provider("p", (), per_s, int(at_once))

async def work():
    limiter = RemoteRateLimiter(address)
    async def one():
        async with limiter.slot(whom, "host", "key") as slot:
            print(time.monotonic(), +1, flush=True)  # the machine's clock: the same for all processes
            await asyncio.sleep(takes)
            slot.seen(200, takes)
            print(time.monotonic(), -1, flush=True)
    await asyncio.gather(*(one() for _ in range(requests)))
    await limiter.close()

asyncio.run(work())
"""


def provider(per_s: float = 1000.0, at_once: int = 4, per_day: int | None = None) -> Provider:
    return Provider("p", (), per_s, at_once, per_day)


@contextmanager
def worker(address: str, requests: int, per_s: float, at_once: int, takes: float) -> Iterator[subprocess.Popen[str]]:
    numbers = [str(n) for n in (requests, per_s, at_once, takes)]
    command = [sys.executable, "-c", WORKER, address, *numbers]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@dataclass
class Clock:
    """Time of the service that stands until it is moved on."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the services that the test starts. What they wait for comes soon after it was moved on to that."""
    made = Clock()
    monkeypatch.setattr(limits_service, "LocalRateLimiter", partial(LocalRateLimiter, clock=made))
    return made


async def heard(limiter: RemoteRateLimiter) -> None:
    """Return when the service has done all that was said to it on this connection."""
    async with limiter.slot(Provider("another", (), 1000.0, 1), "host", None):
        pass


def test_three_processes_together_keep_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    granted: list[float] = []  # by the service's own clock: how long a grant is on its way depends on the machine
    take = Throttle.take

    def noted(throttle: Throttle, now: float) -> None:
        granted.append(now)
        take(throttle, now)

    monkeypatch.setattr(Throttle, "take", noted)
    with (
        serve_limits() as address,
        worker(address, 40, 60, 3, 0.02) as a,
        worker(address, 40, 60, 3, 0.02) as b,
        worker(address, 40, 60, 3, 0.02) as c,
    ):
        events: list[tuple[float, int]] = []
        for process in (a, b, c):
            out, error = process.communicate()
            assert process.returncode == 0, error
            events += [(float(at), int(change)) for at, change in map(str.split, out.splitlines())]
    events.sort()
    assert sum(change > 0 for _, change in events) == 120
    of_host = granted[::2]  # each request is taken from the host's bucket and from the key's
    assert granted[1::2] == of_host
    assert len(of_host) == 120
    for n, start in enumerate(of_host):
        for m in range(n + 1, len(of_host)):
            assert (m - n) / 60 <= of_host[m] - start + LATE_S
    under_way = most = 0
    for _, change in events:
        under_way += change
        most = max(most, under_way)
    assert most <= 3


async def enters(limiter: RemoteRateLimiter, whom: Provider, seconds: float | None = None) -> bool:
    """Whether a slot is granted in time; without a time, waits for as long as it takes."""
    try:
        async with asyncio.timeout(seconds), limiter.slot(whom, "host", "key"):
            return True
    except TimeoutError:
        return False


def test_what_a_killed_worker_held_is_free_at_once() -> None:
    async def play(address: str, process: subprocess.Popen[str]) -> None:
        limiter = RemoteRateLimiter(address)
        await limiter.hold(provider(), "elsewhere", 0.0)  # connects
        assert not await enters(limiter, provider(at_once=2), 0.1)
        os.kill(process.pid, signal.SIGKILL)
        assert await enters(limiter, provider(at_once=2))
        await limiter.close()

    with serve_limits() as address, worker(address, 10, 1000, 2, 1000.0) as process:
        assert process.stdout is not None
        for _ in range(2):  # two requests are under way now, eight wait
            assert process.stdout.readline().endswith(" 1\n")
        asyncio.run(play(address, process))


def test_one_who_gives_up_waiting_frees_the_place() -> None:
    async def play(address: str) -> None:
        limiter = RemoteRateLimiter(address)
        async with limiter.slot(provider(at_once=1), "host", None):
            waiting = [asyncio.create_task(enters(limiter, provider(at_once=1), 0.05)) for _ in range(5)]
            await asyncio.gather(*waiting)
        for _ in range(20):
            assert await enters(limiter, provider(at_once=1))
        await limiter.close()

    with serve_limits() as address:
        asyncio.run(play(address))


def test_what_one_worker_was_told_to_leave_alone_no_other_asks() -> None:
    async def play(address: str) -> None:
        one, other = RemoteRateLimiter(address), RemoteRateLimiter(address)
        assert await enters(other, provider())
        await one.hold(provider(), "host", 3_600.0, waited=False)
        for limiter in one, other:  # the first asks after the hold, on the same connection
            with pytest.raises(SiteError, match="host asked for a pause that ends in 3600 s") as caught:
                await enters(limiter, provider())
            assert caught.value.reason is Reason.RATE_LIMITED
            await limiter.close()

    with serve_limits() as address:
        asyncio.run(play(address))


def test_a_hold_of_one_worker_holds_all(clock: Clock) -> None:
    async def play(address: str) -> None:
        one, other = RemoteRateLimiter(address), RemoteRateLimiter(address)
        assert await enters(other, provider())
        clock.now += 1.0
        await one.hold(provider(), "host", 0.3)
        await heard(one)
        waiting = [asyncio.create_task(enters(limiter, provider())) for limiter in (one, other)]
        clock.now += 0.29
        for limiter in (one, other) * 3:
            await heard(limiter)
        assert not any(task.done() for task in waiting)
        clock.now += 0.02
        assert await asyncio.gather(*waiting) == [True, True]
        await one.close()
        await other.close()

    with serve_limits() as address:
        asyncio.run(play(address))


def test_refusals_slow_all_workers_down(clock: Clock) -> None:
    async def play(address: str) -> None:
        one, other = RemoteRateLimiter(address), RemoteRateLimiter(address)
        whom = provider(per_s=5.0)
        async with one.slot(whom, "host", None) as slot:
            slot.seen(429, 0.01)
        await heard(one)
        waiting = asyncio.create_task(enters(other, whom))
        clock.now += 0.39
        for _ in range(3):
            await heard(other)
        assert not waiting.done()
        clock.now += 0.05
        assert await waiting
        await one.close()
        await other.close()

    with serve_limits() as address:
        asyncio.run(play(address))


def test_the_days_quota_is_told_as_to_a_single_process(tmp_path: Path) -> None:
    async def play(address: str) -> None:
        limiter = RemoteRateLimiter(address)
        whom = provider(per_day=3)
        for _ in range(3):
            assert await enters(limiter, whom)
        with pytest.raises(SiteError, match="3 requests a day of p are used up; they renew at") as spent:
            await enters(limiter, whom)
        assert spent.value.reason is Reason.RATE_LIMITED
        await limiter.close()

    with serve_limits(tmp_path) as address:
        asyncio.run(play(address))
    with serve_limits(tmp_path) as address, pytest.raises(SiteError, match="used up"):
        asyncio.run(a_worker_enters(address, provider(per_day=3)))
    (tmp_path / "quota.sqlite").write_bytes(b"no database " * 1000)
    with serve_limits(tmp_path) as address, pytest.raises(MachineError, match="is damaged"):
        asyncio.run(a_worker_enters(address, provider(per_day=3)))


async def a_worker_enters(address: str, whom: Provider) -> bool:
    limiter = RemoteRateLimiter(address)
    try:
        return await enters(limiter, whom)
    finally:
        await limiter.close()


def test_without_the_driver_nothing_goes_on() -> None:
    async def play() -> None:
        context = serve_limits()
        address = context.__enter__()
        limiter = RemoteRateLimiter(address)
        async with limiter.slot(provider(at_once=1), "host", None) as slot:
            waiting = asyncio.create_task(enters(limiter, provider(at_once=1)))
            await asyncio.sleep(0.05)
            await asyncio.to_thread(context.__exit__, None, None, None)
            with pytest.raises(MachineError, match=r"driver at .* is gone: nothing more is fetched"):
                await waiting
            slot.seen(200, 0.1)  # what is under way ends in peace
        with pytest.raises(MachineError, match="is gone"):
            await enters(limiter, provider())
        await limiter.close()
        with pytest.raises(MachineError, match=r"cannot be reached at 127\.0\.0\.1:"):
            await enters(RemoteRateLimiter(address), provider())

    asyncio.run(play())


def test_a_wrong_token_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    with serve_limits() as address:
        place, _, token = address.partition("/")
        for wrong in ("", "0" * len(token), token[:-1], token + "0"):
            with pytest.raises(MachineError, match="does not know this worker"):
                asyncio.run(a_worker_enters(f"{place}/{wrong}", provider()))
    assert token not in caplog.text
    assert "wrong token" in caplog.text


@pytest.mark.parametrize(
    "said",
    [
        b"x" * 1_000_000,
        b"\n" * 10,
        b'{"op": "ask"}\n',
        b'{"op": "seen", "number": 1, "status": 200, "seconds": NaN}\n',
        b"[" * 10_000 + b"\n",
        b'{"op": "hold", "provider": "p", "per_s": 0, "at_once": 1, "per_day": null, "host": "h", "seconds": 1}\n',
        b"\xff\xfe\n",
    ],
)
def test_a_worker_that_talks_nonsense_is_cut_off_alone(said: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with serve_limits() as address:
        place, _, token = address.partition("/")
        host, _, port = place.rpartition(":")
        for greeting in (b"", token.encode() + b"\n"):
            with socket.create_connection((host, int(port))) as connection:
                try:
                    connection.sendall(greeting + said + b"\n")
                    while connection.recv(1000):
                        pass
                except ConnectionError:
                    pass  # cut off while it still talked
        assert asyncio.run(a_worker_enters(address, provider()))
    assert "limits of the build" in caplog.text


def test_who_says_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_service, "GREETING_S", 0.1)
    with serve_limits() as address:
        host, _, port = address.partition("/")[0].rpartition(":")
        with socket.create_connection((host, int(port))) as connection:
            assert connection.recv(10) == b""


def test_serves_where_workers_are() -> None:
    with serve_limits(near="localhost") as address:
        assert address.startswith(("127.0.0.1:", "::1:"))
    with pytest.raises(MachineError, match=r"reaches no\.such\.host\.invalid"):
        serve_limits(near="no.such.host.invalid").__enter__()
