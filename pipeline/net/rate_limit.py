"""Rate limits of hosts: requests per second, concurrent requests, requests per day, and pauses that a host asks for.

This is our own code because existing packages (such as aiolimiter) allow bursts of a whole period's requests, and know
neither pauses nor slowing down.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pipeline.errors import SiteError
from pipeline.net.base import Provider
from pipeline.net.quota import DayQuota
from schemas.reasons import Reason

LATE_S = 0.02
"""How much a late request may bring the next ones forward, in seconds: timers are no more exact under load."""
LONGEST_DELAY_S = 60.0
"""Maximum delay between two requests, in seconds."""
LONGEST_HOLD_S = 86_400.0
"""Maximum pause that a host may ask for, in seconds; a longer Retry-After is cut to this."""
_PUSHES_BACK = frozenset({429, 503})
_RECOVERY = 0.9


class Slot(Protocol):
    """The permission to send one request."""

    def seen(self, status: int | None, seconds: float) -> None:
        """Report the outcome, which may slow the host down: status (None without a response) and duration."""
        ...


class RateLimiter(Protocol):
    """Interface of rate limiters."""

    def slot(self, provider: Provider, host: str, key_mark: str | None) -> AbstractAsyncContextManager[Slot]:
        """A context that is entered when one more request may be sent, and left when it is over.

        Limits apply to each host of a provider and, if a key is sent, also to the key over all hosts of the provider.

        Raises:
            SiteError: RATE_LIMITED, the daily quota is used up, or the host asked for too long a pause.
            MachineError: the limits are unknown.
        """
        ...

    async def hold(self, provider: Provider, host: str, seconds: float, *, waited: bool = True) -> None:
        """Block requests to this host for some seconds. Unless `waited`, requests fail instead of waiting."""
        ...

    async def close(self) -> None:
        """Store what must survive. No request may be in progress."""
        ...


class Throttle:
    """When the next request to a host may start. Has no clock: each call is given the time, in seconds.

    This is a token bucket in the form that stores a single time (GCRA, ITU-T I.371): each request moves the time at
    which the next one is due by an interval. At most `per_s` requests (rounded up) start within any second; fewer when
    the host refuses or fails, as in Scrapy's AutoThrottle. AutoThrottle's delay, the response time over `at_once`,
    corresponds to `at_once` concurrent requests. While a host responds, the limit on those keeps the pace better than a
    delay, so the delay is applied only while errors come back, because they come back faster.
    """

    def __init__(self, per_s: float, at_once: int) -> None:
        self._shortest = (1.0 + LATE_S) / per_s  # so that bringing forward does not exceed per_s in any second
        self._at_once = at_once
        self._due = float("-inf")
        self._held_until = float("-inf")
        self._answers = True
        """Whether the last request succeeded."""
        self._delay = 0.0
        self._backoff = 0.0
        """Interval after refusals, in seconds."""
        self._raised_at = float("-inf")

    @property
    def interval(self) -> float:
        """Current interval between two requests, in seconds."""
        return max(self._shortest, self._backoff, 0.0 if self._answers else self._delay)

    def wait(self, now: float) -> float:
        """Seconds until the next request may start."""
        return max(self._due - LATE_S, self._held_until, now) - now

    def take(self, now: float) -> None:
        """Record that a request starts."""
        self._due = max(self._due, now) + self.interval

    def hold(self, until: float) -> None:
        """Block requests until `until`. Never shortens an earlier hold."""
        self._held_until = max(self._held_until, until)

    def seen(self, status: int | None, seconds: float, started: float, now: float) -> None:
        """Record the end of a request that started at that time."""
        self._answers = status is not None and 200 <= status < 400
        mean = min((self._delay + seconds / self._at_once) / 2.0, LONGEST_DELAY_S)
        if self._answers or mean > self._delay:
            self._delay = mean
        if started < self._raised_at:
            return  # it says nothing on the slower pace
        if status in _PUSHES_BACK:
            self._backoff = min(2.0 * self.interval, LONGEST_DELAY_S)
            self._raised_at = now
            self._due = max(self._due, now + self._backoff + LATE_S)
        elif self._answers:
            self._backoff *= _RECOVERY
            if self._backoff < self._shortest:
                self._backoff = 0.0


@dataclass
class _Limit:
    """The limits of one host, or of one key."""

    throttle: Throttle
    places: asyncio.Semaphore
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Lock held by the task that waits for the throttle; the others queue in order."""
    barred_until: float = float("-inf")
    """Until this time requests fail instead of waiting."""


@dataclass(frozen=True)
class _LocalSlot:
    throttle: Throttle
    started: float
    clock: Callable[[], float]

    def seen(self, status: int | None, seconds: float) -> None:
        self.throttle.seen(status, seconds, self.started, self.clock())


class LocalRateLimiter:
    """The rate limiter of one process. It can be created anywhere, but is used from one event loop.

    Args:
        folder: Where the day's requests are counted, for all builds on this machine; in memory if None.
        clock: Seconds that never go back; the event loop must count them alike.
        wall: Seconds since the epoch.
    """

    def __init__(
        self,
        folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._quota = DayQuota(folder / "quota.sqlite" if folder else None, wall)
        self._limits: dict[tuple[str, str, str], _Limit] = {}

    @asynccontextmanager
    async def slot(self, provider: Provider, host: str, key_mark: str | None) -> AsyncIterator[Slot]:
        """See `RateLimiter`."""
        of_host = self._limit(provider, "host", host)
        of_key = self._limit(provider, "key", key_mark) if key_mark is not None else None
        async with of_host.places:
            self._admit(host, of_host)
            self._quota.take(provider, key_mark)
            async with await self._turn(of_host, of_key):
                self._admit(host, of_host)
                yield _LocalSlot(of_host.throttle, self._clock(), self._clock)

    async def hold(self, provider: Provider, host: str, seconds: float, *, waited: bool = True) -> None:
        """See `RateLimiter`."""
        limit, now = self._limit(provider, "host", host), self._clock()
        if waited:
            limit.throttle.hold(now + seconds)
        else:
            limit.barred_until = max(limit.barred_until, now + min(seconds, LONGEST_HOLD_S))

    async def close(self) -> None:
        """See `RateLimiter`."""
        self._quota.close()

    def _admit(self, host: str, limit: _Limit) -> None:
        left = limit.barred_until - self._clock()
        if left > 0.0:
            raise SiteError(Reason.RATE_LIMITED, f"{host} asked for a pause that ends in {left:.0f} s")

    async def _turn(self, of_host: _Limit, of_key: _Limit | None) -> AsyncExitStack:
        """Wait until both limits let a request start. Closing the result releases the key's slot."""
        async with of_host.turn:
            while True:
                await self._pause(of_host.throttle)
                if of_key is None:
                    of_host.throttle.take(self._clock())
                    return AsyncExitStack()
                # Nothing of the key is kept while the host alone has to wait: other hosts want it.
                async with of_key.turn, AsyncExitStack() as place:
                    await place.enter_async_context(of_key.places)
                    await self._pause(of_key.throttle)
                    now = self._clock()
                    if of_host.throttle.wait(now) <= 0.0:
                        of_host.throttle.take(now)
                        of_key.throttle.take(now)
                        return place.pop_all()

    async def _pause(self, throttle: Throttle) -> None:
        while (wait := throttle.wait(self._clock())) > 0.0:
            await asyncio.sleep(wait)

    def _limit(self, provider: Provider, kind: str, whose: str) -> _Limit:
        mark = provider.name, kind, whose
        if mark not in self._limits:
            throttle = Throttle(provider.per_s, provider.at_once)
            self._limits[mark] = _Limit(throttle, asyncio.Semaphore(provider.at_once))
        return self._limits[mark]
