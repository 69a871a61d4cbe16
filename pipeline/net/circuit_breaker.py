"""Health of a host: whether to send requests to it now, and whether to retry."""

import asyncio
import time
from collections.abc import Callable

from pipeline.errors import OutageError, SiteError
from pipeline.net import outages
from pipeline.net.outages import FailedShare, OutageRules
from schemas.reasons import Reason

FAILURES = 10
"""A host counts as down after this many consecutive failures, over all requests."""
FREE_RETRIES = 50
"""Retries of a host before its retry share applies."""
LONGEST_PAUSE_S = 60.0
"""Maximum pause between two probes of a host that is down, in seconds."""


class CircuitBreaker:
    """A circuit breaker and a retry budget for one host. It lives in one event loop; each process has its own.

    After `FAILURES` consecutive failures the host counts as down. Requests then wait while one at a time probes it,
    after a pause that doubles. Once it has been down for `patience_s`, requests fail at once, except for an occasional
    probe. So a host that never responds delays a build by little more than `patience_s`, whatever the number of
    requests.

    With `outage`, a host that refuses most of its last requests counts as down as well; and once it has been down for
    `outage.wait_s`, and does not answer a last probe, requests raise `OutageError`, which stops the build, so that
    sites do not fail one by one.

    Args:
        host: Its name, for messages.
        patience_s: Time a host may be down before requests fail at once.
        retry_share: Retries allowed for each request, beyond the first `FREE_RETRIES`.
        clock: Monotonic time, seconds. The event loop must use the same.
        outage: What a build does when it is out of order.
    """

    def __init__(
        self,
        host: str,
        patience_s: float,
        retry_share: float,
        clock: Callable[[], float] = time.monotonic,
        outage: OutageRules | None = None,
    ) -> None:
        self._host = host
        self._clock = clock
        self._outage = outage
        self._patience = outage.wait_s if outage is not None else patience_s
        self._bad = FailedShare(outage)
        self._share = retry_share
        self._requests = 0
        self._retries = 0
        self._failures = 0
        self._last = ""
        self._down_since: float | None = None
        self._probe_at = 0.0
        self._pause = 0.0
        self._probing = False
        self._news = asyncio.Event()

    @property
    def down(self) -> bool:
        """Whether only probes may reach the host."""
        return self._down_since is not None

    async def admit(self) -> bool:
        """Wait until the host may be contacted. True: the caller is the probe and must report the outcome.

        Raises:
            SiteError: UNREACHABLE, it has been down too long.
            OutageError: the same, in a build.
        """
        while True:
            now = self._clock()
            if self._down_since is None:
                return False
            if not self._probing and now >= self._probe_at:
                self._probing = True
                return True
            patience_ends = self._down_since + self._patience
            if self._outage is not None and self._probing:
                patience_ends += LONGEST_PAUSE_S  # the last probe may yet be answered
            if now >= patience_ends:
                raise self._too_long(now - self._down_since)
            until = patience_ends if self._probing else min(self._probe_at, patience_ends)
            news = self._news
            try:
                await asyncio.wait_for(news.wait(), until - now)
            except TimeoutError:
                continue

    def _too_long(self, seconds: float) -> Exception:
        if self._outage is not None:
            return OutageError(
                f"{self._host} has been out of order for {seconds:.0f} s (limits.outage_wait_s): {self._last}. "
                "Finished work is kept; start the build again when it answers"
            )
        return SiteError(
            Reason.UNREACHABLE,
            f"{self._host} has not answered for longer than network.max_wait_s; last: {self._last}",
        )

    def answered(self) -> None:
        """Record a response that is no refusal."""
        self._requests += 1
        self._failures = 0
        self._bad.note(False)
        self._probing = False
        if self.down:
            self._down_since = None
            self._bad.clear()
            outages.resume(self._host)
            self._tell()

    def failed(self, what: str, *, probe: bool) -> None:
        """Record a failure of the connection or the server."""
        self._failures += 1
        self._bad.note(True)
        self._bad_news(what, probe=probe)

    def refused(self, what: str, *, probe: bool) -> None:
        """Record that the host refused a request, or asked for fewer: most of its last ones must be, for an outage."""
        if self._outage is None:
            self.answered()
            return
        self._failures = 0
        self._bad.note(True)
        self._bad_news(what, probe=probe)

    def _bad_news(self, what: str, *, probe: bool) -> None:
        now = self._clock()
        self._requests += 1
        self._last = what
        if self._down_since is None:
            if self._failures < FAILURES and not self._bad.too_great:
                return
            self._down_since = now
            self._pause = min(5.0, max(self._patience / 10.0, 0.1))
            outages.pause(self._host, what)
        elif probe:
            self._pause = min(self._pause * 2.0, LONGEST_PAUSE_S)
        else:
            return  # asked before it counted as down
        self._probing = False
        self._probe_at = now + self._pause
        patience_ends = self._down_since + self._patience
        if self._outage is not None and now < patience_ends:  # the last probe is when the wait is over
            self._probe_at = min(self._probe_at, patience_ends)
        self._tell()

    def give_up(self) -> None:
        """Record that the probe was not sent."""
        self._probing = False
        self._tell()

    def may_retry(self) -> bool:
        """Whether the retry budget allows another retry; counts it."""
        if self._retries >= FREE_RETRIES + self._share * self._requests:
            return False
        self._retries += 1
        return True

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
