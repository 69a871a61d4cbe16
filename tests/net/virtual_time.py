"""Time that passes only where something waits for it: an event loop whose clock jumps, and a client that lives in it.

So what a test says of pauses is exact, costs nothing, and holds on a busy machine.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from yarl import URL

from pipeline.config.network import Network
from pipeline.errors import SiteError
from pipeline.net.addresses import parse_origin
from pipeline.net.base import Provider, Request, Response, Verdict
from pipeline.net.hops import Asked
from pipeline.net.outages import OutageRules
from pipeline.net.rate_limit import LocalRateLimiter
from pipeline.net.retrying_client import RetryingClient
from pipeline.net.transport import Failed, Reply, Transport
from schemas.reasons import Reason

ORIGIN = "https://example.org"


class Jumping(selectors.DefaultSelector):
    """Waits no time at all: moves the loop's clock instead."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        self.now += max(timeout or 0.0, 0.0)
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop with a clock of its own. It must not wait for sockets: it would not."""

    def __init__(self) -> None:
        self.jumping = Jumping()
        super().__init__(self.jumping)

    def time(self) -> float:
        return float(self.jumping.now)


def run_jumping(scenario: Callable[[JumpingLoop], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario in a loop of its own."""
    loop = JumpingLoop()
    try:
        loop.run_until_complete(scenario(loop))
    finally:
        loop.close()


@dataclass(frozen=True)
class Silence:
    """Nothing comes, until the client has waited as long as it does."""

    seconds: float


@dataclass(frozen=True)
class Late:
    """An answer that is whole after some seconds."""

    seconds: float
    reply: Reply


Given = Reply | Silence | Late
Reaction = Given | Callable[[], Given]
"""What comes, or what says so when asked."""


def reply(status: int, body: bytes = b"", **headers: str) -> Reply:
    """A whole answer. Underscores in header names stand for dashes."""
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@dataclass
class ScriptedTransport(Transport):
    """Answers each path with its reactions in turn; the last one repeats."""

    loop: JumpingLoop
    reactions: dict[str, list[Reaction]] = field(default_factory=dict)
    seen: list[tuple[str, float]] = field(default_factory=list)
    """Path and time of each request."""

    async def send(
        self,
        method: str,  # noqa: ARG002 - as `Transport.send`
        url: URL,
        headers: Mapping[str, str],  # noqa: ARG002
        body: bytes | None,  # noqa: ARG002
        max_bytes: int,  # noqa: ARG002
        within_s: float,
    ) -> Reply:
        self.seen.append((url.path, self.loop.time()))
        left = self.reactions[url.path]
        reaction = left.pop(0) if len(left) > 1 else left[0]
        one = reaction if isinstance(reaction, Reply | Silence | Late) else reaction()
        if isinstance(one, Reply):
            return one
        await asyncio.sleep(min(one.seconds, within_s))
        if isinstance(one, Silence):
            raise Failed(Verdict("again", Reason.UNREACHABLE, f"nothing came for {one.seconds:g} s"))
        if one.seconds > within_s:
            raise Failed(Verdict("again", Reason.UNREACHABLE, f"no whole answer within {within_s:g} s"))
        return one.reply


class ScriptedHost:
    """A client, its provider, and the host that it asks."""

    def __init__(
        self,
        loop: JumpingLoop,
        network: Mapping[str, Any],
        provider: Mapping[str, Any],
        outage: OutageRules | None = None,
    ) -> None:
        self.transport = ScriptedTransport(loop)
        self.limiter = LocalRateLimiter(clock=loop.time)
        fields: dict[str, Any] = {"name": "test", "origins": (ORIGIN,), "per_s": 10_000, "at_once": 100}
        self.provider = Provider(**(fields | dict(provider)))
        self.client = RetryingClient(Network(**network), self.transport, self.limiter, loop.time, outage)

    def on(self, path: str, *reactions: Reaction) -> str:
        """Say how to react; the address to ask."""
        self.transport.reactions[path] = list(reactions)
        return ORIGIN + path

    @property
    def seen(self) -> list[tuple[str, float]]:
        """Path and time of each request."""
        return self.transport.seen

    async def fetch(self, url: str) -> Response:
        """As `HttpSession.fetch`."""
        return await self.client.ask(Asked(self.provider, (parse_origin(ORIGIN, allow_loopback=False),), Request(url)))

    async def fetch_many(self, urls: Sequence[str]) -> list[Response | SiteError]:
        """As `HttpSession.fetch_many`."""

        async def one(url: str) -> Response | SiteError:
            try:
                return await self.fetch(url)
            except SiteError as fault:
                return fault

        tasks = [asyncio.ensure_future(one(url)) for url in urls]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            # A fault that nobody asked for is logged with its traceback when the task is collected: at any moment.
            await asyncio.gather(*tasks, return_exceptions=True)


def ask_in_virtual_time(
    scenario: Callable[[JumpingLoop, ScriptedHost], Coroutine[Any, Any, None]],
    network: Mapping[str, Any] | None = None,
    outage: OutageRules | None = None,
    **provider: Any,
) -> None:
    """Run a scenario with a client of these settings: `network=` the build file's section, all else of the provider."""

    async def play(loop: JumpingLoop) -> None:
        host = ScriptedHost(loop, network or {}, provider, outage)
        await scenario(loop, host)
        await host.limiter.close()

    run_jumping(play)
