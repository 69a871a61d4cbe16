"""Requests with redirects, rate limits, retries and the interpretation of responses."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from yarl import URL

from pipeline.config.network import Network
from pipeline.errors import MachineError, OutageError, SiteError
from pipeline.net import keys, redact, traffic
from pipeline.net.addresses import Origin, check, parse_url
from pipeline.net.base import Provider, Request, Response, Verdict
from pipeline.net.circuit_breaker import CircuitBreaker
from pipeline.net.hops import Asked, Hop, first_hop, next_hop, redirect_target
from pipeline.net.outages import OutageRules
from pipeline.net.rate_limit import RateLimiter
from pipeline.net.robots import LONGEST as LONGEST_ROBOTS
from pipeline.net.robots import Robots, robots_verdict
from pipeline.net.status import OK, retry_after
from pipeline.net.transport import Failed, Reply, Transport
from pipeline.net.validation import excerpt, judge, media_type
from schemas.reasons import Reason

MOST_REDIRECTS = 3
_HOST_FAULTS = frozenset({Reason.UNREACHABLE, Reason.SERVER_ERROR})
"""Reasons that count towards a host being down."""
_REFUSALS = frozenset({Reason.REFUSED, Reason.RATE_LIMITED})
"""Reasons that count towards an outage where most of the last requests have them."""
_LONGEST_DETAIL = 500
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
"""Maximum pause between two attempts if the server does not ask for one, in seconds."""


@dataclass(frozen=True)
class _Try:
    """The outcome of one attempt."""

    verdict: Verdict
    reply: Reply | None
    origin: Origin
    took_s: float = 0.0
    """Duration on the wire, in seconds."""


class RetryingClient:
    """Sends requests to providers. It lives in one event loop.

    Maximum duration of a request after its rate limits let it start: `tries` times `total_timeout_s`, plus the pauses
    between them: `max_wait_s` if the server asks for it, else at most 30 s. With the defaults this is 30 minutes,
    for a server that responds slowly and asks for pauses. A silent host takes 160 s, because an attempt ends after
    `read_timeout_s`. All requests to a silent host together take about 6 minutes; see `CircuitBreaker`.

    Args:
        network: The section of the build file.
        transport: Sends the requests.
        limiter: Applies the rate limits.
        clock: Monotonic time, seconds. The event loop must use the same.
        outage: What a build does where a host is out of order; without it, requests to such a host fail.
    """

    def __init__(
        self,
        network: Network,
        transport: Transport,
        limiter: RateLimiter,
        clock: Callable[[], float] = time.monotonic,
        outage: OutageRules | None = None,
    ) -> None:
        self._network = network
        self._outage = outage
        self._clock = clock
        self._transport = transport
        self._limiter = limiter
        self._queues: dict[tuple[str, str], asyncio.Semaphore] = {}
        self._hosts: dict[Origin, CircuitBreaker] = {}
        self._robots = Robots(network.max_wait_s, clock)

    async def ask(self, asked: Asked) -> Response:
        """Send a request, with retries, and return an accepted response.

        Raises:
            SiteError: with the reason of the last attempt, or why there was none.
            MachineError: a fatal verdict, or no key.
            OutageError: the host is out of order, or wants no more requests, for longer than the build waits.
        """
        provider, request = asked.provider, asked.request
        shown = parse_url(request.url)
        where = f"{shown.raw_host or ''}{shown.raw_path}"
        key = keys.read(provider, provider.key) if provider.key and request.send_key else None
        for number in range(1, self._network.tries + 1):
            try:
                url, done = await self._try(asked, key)
            except SiteError as fault:
                detail = _detail(where, fault.detail)
                if self._outage is not None and fault.reason is Reason.RATE_LIMITED:  # and so would all other sites be
                    raise OutageError(f"{detail}. Finished work is kept; start the build again by then") from None
                raise SiteError(fault.reason, detail) from None
            if done.verdict.kind == "ok" and done.reply:
                return _answer(done.reply, url, key)
            failed = SiteError(done.verdict.reason or Reason.BAD_ANSWER, _detail(where, _what(done)))
            if done.verdict.kind == "fatal":
                raise MachineError(_how_to_mend(provider, failed.detail))
            if done.verdict.kind == "final":
                raise failed
            pause = retry_after(done.reply.headers) if done.reply else None
            if pause:
                await self._hold(provider, done.origin, pause, failed.detail)
            if number == self._network.tries:
                # The only message with a number, as it is the same in each run: rows hold these words.
                raise SiteError(failed.reason, f"{failed.detail}, at try {number}") if number > 1 else failed
            if not self._health(done.origin).may_retry():
                raise SiteError(
                    failed.reason, f"{failed.detail}; the retry budget of this host is used up (network.retry_share)"
                )
            backoff = min(_FIRST_PAUSE_S * 2 ** (number - 1), _LONGEST_PAUSE_S, self._network.max_wait_s)
            await asyncio.sleep((pause or 0.0) + random.uniform(0, backoff))  # noqa: S311 - spreads the load, no secret
        raise AssertionError("the last try returns or raises")

    async def _hold(self, provider: Provider, origin: Origin, seconds: float, what: str) -> None:
        longest = max(self._network.max_wait_s, self._outage.wait_s if self._outage is not None else 0.0)
        if seconds > longest:
            await self._limiter.hold(provider, origin.host, seconds, waited=False)
            if self._outage is not None:
                raise OutageError(
                    f"{what}; it asks to wait {seconds:.0f} s, more than limits.outage_wait_s ({longest:g}). Finished "
                    "work is kept; start the build again by then"
                )
            raise SiteError(
                Reason.RATE_LIMITED,
                f"{what}; it asks to wait {seconds:.0f} s, more than network.max_wait_s ({longest:g})",
            )
        await self._limiter.hold(provider, origin.host, seconds)

    async def _try(self, asked: Asked, key: str | None) -> tuple[URL, _Try]:
        """One attempt, including redirects, and the URL that responded."""
        hop = first_hop(asked, key)
        left = self._network.total_timeout_s
        for _ in range(MOST_REDIRECTS + 1):
            origin = check(hop.url, asked.origins)
            if not asked.provider.documented_api:
                await self._permit(asked, origin, hop.url)
            done = await self._exchange(asked, hop, origin, key, left)
            left = max(left - done.took_s, 0.1)
            location = redirect_target(done.reply)
            if location is None:
                return hop.url, done
            assert done.reply is not None
            hop = next_hop(asked, hop, done.reply.status, location, origin)
        what = f"redirected more than {MOST_REDIRECTS} times, at last to {hop.url.raw_host}{hop.url.raw_path}"
        return hop.url, _Try(Verdict("final", Reason.BAD_ANSWER, what), None, origin)

    async def _exchange(self, asked: Asked, hop: Hop, origin: Origin, key: str | None, within_s: float) -> _Try:
        """Send one request as soon as the host's health and limits allow it."""
        # As many as may be under way go on to wait for their turn. So when the host goes down, the others learn of it
        # here, and not one by one at the pace of its limits.
        whose = asked.provider.name, origin.host
        async with self._queues.setdefault(whose, asyncio.Semaphore(asked.provider.at_once)):
            return await self._in_turn(asked, hop, origin, key, within_s)

    async def _in_turn(self, asked: Asked, hop: Hop, origin: Origin, key: str | None, within_s: float) -> _Try:
        health = self._health(origin)
        key_mark = keys.mark(key) if key else None
        while True:
            probe = await health.admit()
            try:
                async with self._limiter.slot(asked.provider, origin.host, key_mark) as slot:
                    if health.down and not probe:
                        continue  # it went down while this waited for its turn
                    done = await self._send(asked, hop, origin, key, within_s)
                    slot.seen(done.reply.status if done.reply else None, done.took_s)
                    if done.verdict.kind == "again" and done.verdict.reason in _HOST_FAULTS:
                        health.failed(_what(done), probe=probe)
                    elif done.verdict.reason in _REFUSALS and done.reply is not None:
                        health.refused(_what(done), probe=probe)
                    else:
                        health.answered()
                    if health.down and self._outage is not None:
                        continue  # nothing is lost: it is sent again when the host answers
                    return done
            except BaseException:
                if probe:
                    health.give_up()
                raise

    async def _send(self, asked: Asked, hop: Hop, origin: Origin, key: str | None, within_s: float) -> _Try:
        started = self._clock()
        try:
            reply = await self._transport.send(
                hop.method, hop.url, hop.headers, hop.body, asked.request.max_bytes, within_s
            )
        except Failed as failed:
            traffic.note(asked.provider.name, requests=1)
            return _Try(failed.verdict, None, origin, self._clock() - started)
        traffic.note(asked.provider.name, requests=1, bytes=len(reply.body))
        took_s = self._clock() - started
        if redirect_target(reply) is not None or (reply.status == 304 and asked.validators):
            return _Try(OK, reply, origin, took_s)
        return _Try(judge(asked.provider, asked.request, reply, with_key=key is not None), reply, origin, took_s)

    async def _permit(self, asked: Asked, origin: Origin, url: URL) -> None:
        root = f"{origin.scheme}://{url.raw_authority}"

        async def read() -> str:
            provider = replace(asked.provider, documented_api=True, judge=robots_verdict)
            request = Request(f"{root}/robots.txt", send_key=False)
            answer = await self.ask(Asked(provider, asked.origins, request))
            return answer.body[:LONGEST_ROBOTS].decode("utf-8", "replace") if answer.status < 300 else ""

        await self._robots.permit(root, str(url), read)

    def _health(self, origin: Origin) -> CircuitBreaker:
        if origin not in self._hosts:
            network = self._network
            self._hosts[origin] = CircuitBreaker(
                origin.name, network.max_wait_s, network.retry_share, self._clock, self._outage
            )
        return self._hosts[origin]


def _answer(reply: Reply, url: URL, key: str | None) -> Response:
    shown, headers = str(url), reply.headers
    if key:
        shown = redact.clean(shown)
        headers = {name: redact.clean(value) for name, value in headers.items()}
    return Response(reply.body, reply.status, media_type(reply), headers, shown)


def _what(done: _Try) -> str:
    if done.reply is None:
        return done.verdict.detail
    said = done.verdict.detail or excerpt(done.reply)
    return f"status {done.reply.status}" + (f": {said}" if said else "")


def _detail(where: str, what: str) -> str:
    """One line, masked before it is cut, because a cut could leave half of a key."""
    text = redact.clean(f"{where}: {what}")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_LONGEST_DETAIL]


def _how_to_mend(provider: Provider, what: str) -> str:
    said = f"{provider.name} refuses all requests: {what}"
    if provider.key is None:
        return said
    return f"{said}. Check the key in the environment variable {provider.key.env}: is it valid, and for this service?"
