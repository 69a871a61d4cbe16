"""The server: three ports, one flow for every request: limits, fault, answer, log."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TextIO

from aiohttp import web

from pipeline.digest import digest
from tools.dev.standin import fault_responses, google, kartaview, mapillary, overpass, panoramax, tiles, wmts
from tools.dev.standin.buckets import Buckets
from tools.dev.standin.faults import Fault
from tools.dev.standin.log import Entry
from tools.dev.standin.scene import Scene
from tools.dev.standin.web import KEY_PARAMETERS, Ask, Refused, Reply, Route

ROUTES = [
    route for module in (panoramax, mapillary, kartaview, google, tiles, wmts, overpass) for route in module.ROUTES
]
_MOST_BODY = 10 * 2**20
_NO_ANSWER = Reply(b"nobody answers here\n", "text/plain", 404)


@dataclass(frozen=True)
class _Met:
    """Identity, attempt and fault of a request, found before it is answered."""

    identity: str
    attempt: int
    fault: Fault | None
    limited: bool


class Server:
    """Answers requests. For one event loop; answers are made in a few threads."""

    def __init__(self, scene: Scene, log: TextIO, threads: int = 2) -> None:
        self._scene = scene
        self._log = log
        self._pool = ThreadPoolExecutor(threads)
        self._buckets = Buckets(scene.dealer.plan.limits)
        self._in_flight: Counter[str] = Counter()

    def apis(self) -> web.Application:
        """The application at the APIs' port."""
        return self._application([route for route in ROUTES if not route.pictures])

    def pictures(self) -> web.Application:
        """The application at the pictures' port."""
        return self._application([route for route in ROUTES if route.pictures])

    def trap(self) -> web.Application:
        """The application where no request may arrive."""
        return self._application([], trap=True)

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(cancel_futures=True)

    def _application(self, routes: list[Route], *, trap: bool = False) -> web.Application:
        application = web.Application(client_max_size=_MOST_BODY)
        for route in routes:
            application.router.add_route(route.method, route.pattern, self._handler(route))
        application.router.add_route("*", "/{rest:.*}", self._handler(None, trap=trap))
        return application

    def _handler(
        self, route: Route | None, *, trap: bool = False
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._handle(request, route, trap=trap)

        return handle

    async def _handle(self, request: web.Request, route: Route | None, *, trap: bool) -> web.StreamResponse:
        """Answer a request, whatever it is, and log it."""
        arrived = time.monotonic()
        host = "{}:{}".format(*request.get_extra_info("sockname")[:2])
        self._in_flight[host] += 1
        in_flight = self._in_flight[host]
        status, met = 0, _Met("", 1, None, limited=False)
        try:
            ask = Ask(
                scene=self._scene,
                method=request.method,
                path=request.path,
                names=dict(request.match_info),
                query=dict(request.query),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=await request.read(),
            )
            response, status, met = await self._answer(request, ask, route)
            return response
        finally:
            self._in_flight[host] -= 1
            entry = Entry(
                arrived_s=round(arrived, 6),
                seconds=round(time.monotonic() - arrived, 6),
                host=host,
                method=request.method,
                path=request.path,
                query={name: "***" if name in KEY_PARAMETERS else value for name, value in request.query.items()},
                key_in_url=self._scene.key in request.path_qs or bool(KEY_PARAMETERS & set(request.query)),
                provider=route.provider if route else None,
                part=route.part if route else None,
                identity=met.identity,
                attempt=met.attempt,
                fault=met.fault,
                limited=met.limited,
                status=status,
                in_flight=in_flight,
                user_agent=request.headers.get("User-Agent"),
                if_none_match=request.headers.get("If-None-Match"),
                trap=trap,
            )
            self._log.write(entry.model_dump_json() + "\n")
            self._log.flush()

    async def _answer(
        self, request: web.Request, ask: Ask, route: Route | None
    ) -> tuple[web.StreamResponse, int, _Met]:
        if route is None:
            response, status = await fault_responses.send(request, _NO_ANSWER, None, 0.0)
            return response, status, _Met(ask.meant, 1, None, limited=False)
        identity = f"{route.provider}/{route.part} {route.meant(ask)}"
        async with AsyncExitStack() as stack:
            client = route.provider, _client(ask, request)
            if not self._buckets.enter(client):
                response, status = await fault_responses.send(
                    request, fault_responses.too_many(route.provider), None, 0.0
                )
                return response, status, _Met(identity, 1, None, limited=True)
            stack.callback(self._buckets.leave, client)
            fault, attempt = self._scene.dealer.request(route.provider, route.part, ask.path, identity)
            ask = replace(ask, fault=fault)
            reply = fault_responses.instead(ask, route.provider)
            if reply is None:
                made = await asyncio.get_running_loop().run_in_executor(self._pool, _made, route, ask)
                reply = fault_responses.spoilt(made, fault, identity)
            response, status = await fault_responses.send(request, reply, fault, self._scene.dealer.plan.slow_s)
        return response, status, _Met(identity, attempt, fault, limited=False)


def _made(route: Route, ask: Ask) -> Reply:
    try:
        return route.answer(ask)
    except Refused as refused:
        return refused.reply


def _client(ask: Ask, request: web.Request) -> str:
    """The client that asks: by key, or by address."""
    key = ask.headers.get("authorization") or next((ask.query[k] for k in KEY_PARAMETERS if k in ask.query), None)
    return digest(key) if key else str(request.remote)
