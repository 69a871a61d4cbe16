"""The client of everything that is fetched over the network: one a process, for all sources and threads."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import platformdirs
from aiohttp.abc import AbstractResolver

from pipeline.config.network import Network
from pipeline.errors import ConfigError, Problem, SiteError
from pipeline.net.addresses import Origin, parse_origin
from pipeline.net.base import Judge, Key, Provider, Request, Response
from pipeline.net.cache import ResponseCache
from pipeline.net.cached_client import CachedClient
from pipeline.net.hops import Asked
from pipeline.net.loop_thread import LoopThread
from pipeline.net.outages import OutageRules
from pipeline.net.rate_limit import LocalRateLimiter, RateLimiter
from pipeline.net.retrying_client import RetryingClient
from pipeline.net.transport import Transport


def user_agent(network: Network) -> str:
    """The client's name for itself, with whom to turn to."""
    contact = f" (+{network.contact})" if network.contact else ""
    return f"geoscribe/{version('geoscribe')}{contact}"


def cache_folder(network: Network) -> Path:
    """Where answers, and the counts of the day's requests, are kept."""
    return Path(network.cache) if network.cache else platformdirs.user_cache_path("geoscribe")


@dataclass(frozen=True)
class _Parts:
    """The objects that belong to one event loop."""

    loop: asyncio.AbstractEventLoop
    transport: Transport
    limiter: RateLimiter
    client: CachedClient


class _Engine:
    """Makes the parts with the first request; and anew in a process that was forked, which has another loop."""

    def __init__(
        self,
        network: Network,
        limiter: RateLimiter | None,
        resolver: AbstractResolver | None,
        outage: OutageRules | None,
    ) -> None:
        self._network = network
        self._outage = outage
        self._limiter = limiter
        self._resolver = resolver
        self._parts: _Parts | None = None
        self._inherited: list[_Parts] = []
        """Parts of the parent process. They share sockets and files with it, so they are never closed here."""

    async def fetch(self, asked: Asked) -> Response:
        loop = asyncio.get_running_loop()
        if self._parts is None or self._parts.loop is not loop:
            self._inherited += [self._parts] if self._parts else []
            self._parts = self._make(loop)
        return await self._parts.client.fetch(asked)

    def _make(self, loop: asyncio.AbstractEventLoop) -> _Parts:
        network, folder = self._network, cache_folder(self._network)
        max_bytes = int(network.cache_gb * 1e9)
        cache = ResponseCache(folder / "answers", max_bytes) if max_bytes else None
        limiter = self._limiter or LocalRateLimiter(folder)
        transport = Transport(network, user_agent(network), self._resolver)
        client = RetryingClient(network, transport, limiter, outage=self._outage)
        return _Parts(loop, transport, limiter, CachedClient(client, cache))

    async def close(self) -> None:
        if self._parts is not None and self._parts.loop is asyncio.get_running_loop():
            await self._parts.transport.close()
            await self._parts.limiter.close()
            self._parts.client.close()


class HttpClient:
    """Implements `pipeline.net.base.Client` on aiohttp. Threads share it; a process makes its own.

    Args:
        network: The build file's section.
        limiter: Keeps the limits, and is closed with the client; by default those of this process alone.
        resolver: Resolves names, in place of the system's.
        outage: What a build does where a host is out of order.
    """

    def __init__(
        self,
        network: Network,
        limiter: RateLimiter | None = None,
        resolver: AbstractResolver | None = None,
        outage: OutageRules | None = None,
    ) -> None:
        self._network = network
        self._engine = _Engine(network, limiter, resolver, outage)
        self._loop = LoopThread("geoscribe-network", self._engine.close)
        self._sessions: dict[tuple[str, tuple[str, ...], Key | None, bool, Judge | None], HttpSession] = {}
        self._lock = threading.Lock()

    def session(self, provider: Provider) -> "HttpSession":
        """The session of a provider; the same one for the same name, origins, key and way to judge its answers.

        Raises:
            ConfigError: its origins are not addresses that may be asked, or another source that asks there has other
                limits: they could not both be kept.
        """
        provider = replace(provider, at_once=min(provider.at_once, self._network.at_once))
        mark = (provider.name, provider.origins, provider.key, provider.documented_api, provider.judge)
        with self._lock:
            if mark not in self._sessions:
                origins = _origins(provider, self._network)
                _check_limits(provider, [session.provider for session in self._sessions.values()])
                self._sessions[mark] = HttpSession(provider, origins, self._engine, self._loop)
            return self._sessions[mark]

    def close(self) -> None:
        """Cancel what is under way and close all connections. Happens at exit by itself."""
        self._loop.close()


class HttpSession:
    """Implements `pipeline.net.base.Session`."""

    def __init__(self, provider: Provider, origins: tuple[Origin, ...], engine: _Engine, loop: LoopThread) -> None:
        self.provider = provider
        self.origins = origins
        """Where it may be asked, with what `allow` took up."""
        self._own = origins
        self._engine = engine
        self._loop = loop

    def fetch(self, request: Request) -> Response:
        """See `pipeline.net.base.Session.fetch`."""
        return self._loop.run(self._engine.fetch(Asked(self.provider, self.origins, request)))

    def fetch_many(self, requests: Sequence[Request]) -> list[Response | Exception]:
        """See `pipeline.net.base.Session.fetch_many`."""
        return self._loop.run(self._all(requests))

    def allow(self, origin: str) -> None:
        """See `pipeline.net.base.Session.allow`."""
        if origin.rstrip("/") in self.provider.origins:
            return
        # A list that a server on this machine gives may name this machine; no list from elsewhere may.
        more = parse_origin(origin, allow_loopback=all(own.loopback for own in self._own))
        if more not in self.origins:
            self.origins = (*self.origins, more)

    async def _all(self, requests: Sequence[Request]) -> list[Response | Exception]:
        tasks = [asyncio.ensure_future(self._one(request)) for request in requests]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:  # where one found that no request can succeed
                task.cancel()

    async def _one(self, request: Request) -> Response | Exception:
        try:
            return await self._engine.fetch(Asked(self.provider, self.origins, request))
        except SiteError as fault:
            return fault


def _check_limits(provider: Provider, others: Sequence[Provider]) -> None:
    """Limits are kept by the provider's name and the host: those who share both must want the same.

    Raises:
        ConfigError: they do not.
    """
    mine = _rate(provider)
    for other in others:
        shared = other.name == provider.name and set(other.origins) & set(provider.origins)
        if shared and _rate(other) != mine:
            found = f"{mine} beside {_rate(other)} of another source that asks there"
            raise ConfigError([Problem(f"rate of {provider.name}", found, "the same rate in all sources that ask it")])


def _rate(provider: Provider) -> str:
    day = "" if provider.per_day is None else f", {provider.per_day} a day"
    return f"{provider.per_s:g} a second, {provider.at_once} at once{day}"


def _origins(provider: Provider, network: Network) -> tuple[Origin, ...]:
    found, problems = [], []
    for text in provider.origins:
        try:
            found.append(parse_origin(text, allow_loopback=network.allow_loopback))
        except SiteError as fault:
            problems.append(
                Problem(
                    f"addresses of {provider.name}",
                    f"{text} ({fault.detail})",
                    "https:// and a public host name; addresses of this machine where network.allow_loopback is true",
                )
            )
    if problems:
        raise ConfigError(problems)
    return tuple(found)
