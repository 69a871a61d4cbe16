"""The client of an OpenAI-compatible model server. Lives in one event loop.

The server is the user's own, so the rules for public sources (`pipeline.net`) do not apply: plain http, private
networks, and as many requests at once as the configuration says.
"""

import asyncio
import itertools
import os
import time
from collections.abc import Iterator

import aiohttp

from pipeline.captioning.dialogue.model_responses import BrokenError, BusyError, LimitNameError, MissedError, SetUpError
from pipeline.captioning.dialogue.model_servers import Home, Server, Servers
from pipeline.captioning.dialogue.model_wire import described, send
from pipeline.captioning.dialogue.pictures import Picture
from pipeline.captioning.dialogue.requests import RefusedError, Reply, Request
from pipeline.config.captioning import Dialogue
from pipeline.digest import digest
from pipeline.errors import MachineError, SiteError
from pipeline.net import redact, traffic
from schemas.reasons import Reason

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 15.0


class ModelClient:
    """Sends requests, bounded in number for each server; sends them again where that may help."""

    def __init__(self, settings: Dialogue, outage_wait_s: float | None = None) -> None:
        """To be made within the event loop that it is used in.

        Args:
            settings: the build file's section.
            outage_wait_s: how long to wait while no server answers; as long as a reply may take if None.

        Raises:
            MachineError: `key_env` names an environment variable that is not set.
        """
        self._settings = settings
        headers = {}
        if settings.key_env is not None:
            key = os.environ.get(settings.key_env, "").strip()
            if not key:
                raise MachineError(f"no key of the model server: export {settings.key_env}=...")
            redact.remember(key)
            headers["Authorization"] = f"Bearer {key}"
        self._session = aiohttp.ClientSession(
            headers=headers,
            # vLLM closes connections that idle for 5 s; one closed as we send would look like a fault of the server.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=2.0),
            timeout=aiohttp.ClientTimeout(total=settings.reply_timeout_s, sock_connect=settings.connect_timeout_s),
        )
        self._servers = Servers(settings, self._session, outage_wait_s)
        self.sent = 0
        """Requests sent, repetitions included."""

    async def ready(self) -> None:
        """Look whether the servers are there and fit; raises as `Servers.ready` does."""
        await self._servers.ready()

    async def ask(self, request: Request, home: Home) -> Reply:
        """The model's reply.

        503 and 429 mean a full queue and are waited out, for as long as a reply may take; other faults of the server
        and broken connections count against `tries`. A server that turns all requests away for so long, or asks for a
        pause that is longer than an outage may be, is left.

        Raises:
            TooLongError, RefusedError: the server will not have this request.
            SiteError: MODEL_UNREACHABLE, at every try.
            OutageError: no server takes requests.
            MachineError: no server is fit any more.
        """
        tries, pauses = 0, _pauses(request)
        busy_since: float | None = None
        while True:
            server = await self._servers.settle(home)
            async with server.slots:
                try:
                    return await self._post(server, request, home)
                except MissedError:
                    # It keeps too little for this, or is several processes that keep apart, or takes no references.
                    server.keeps_pictures = False  # so that this happens to a request once, and is no try
                    continue
                except LimitNameError:
                    server.limit = "max_completion_tokens"
                    continue
                except BusyError as error:
                    now, asked_s = time.monotonic(), error.after_s or 0.0
                    busy_since = busy_since or now
                    if asked_s > self._servers.patience_s:
                        self._servers.leave(server, f"asks to wait {asked_s:.0f} s ({error})")
                    elif now - busy_since <= self._settings.reply_timeout_s:
                        await asyncio.sleep(max(next(pauses), asked_s))  # in its slot: a full queue wants fewer
                    elif server.replied_at > busy_since:
                        raise SiteError(Reason.MODEL_UNREACHABLE, f"{server.url}: {error}, all the time") from error
                    else:
                        self._servers.leave(server, f"turns all requests away ({error})")
                        busy_since = None
                    continue
                except aiohttp.ClientConnectorError as error:
                    self._servers.down(server, str(error))  # no try: it never got there, and another server may be up
                    continue
                except (BrokenError, aiohttp.ClientError, TimeoutError, OSError) as error:
                    tries += 1
                    fault = described(error)
                    # A cut connection may just have idled too long. If the server is gone, the next try says so.
                    if isinstance(error, TimeoutError):
                        self._servers.down(server, fault)
                    if tries >= self._settings.tries:
                        detail = f"{server.url}: {fault}, at try {tries} of turn {request.name}"
                        raise SiteError(Reason.MODEL_UNREACHABLE, detail) from error
            await asyncio.sleep(next(pauses))

    async def close(self) -> None:
        """End all connections."""
        await self._servers.close()
        await self._session.close()

    async def _post(self, server: Server, request: Request, home: Home) -> Reply:
        held = home.held if server.keeps_pictures else None
        self.sent += 1
        try:
            reply = await send(self._session, server.url, request, held, server.limit)
        except (RefusedError, SetUpError, BrokenError, MissedError) as error:
            # It may be the references that it stumbled over: an older vLLM, or a proxy before one, does not know them.
            if request.refers(held):
                raise MissedError(str(error)) from error
            if isinstance(error, MissedError):
                raise BrokenError(str(error)) from error
            raise
        server.replied_at = time.monotonic()
        used = {"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.completion_tokens}
        traffic.note(server.url, requests=1, **used)
        if home.server is server:
            home.held |= {part.digest for part in request.parts if isinstance(part, Picture)}
        return reply


def _pauses(request: Request) -> Iterator[float]:
    """Pauses that double, each between half and the whole of its length, other ones for other requests."""
    mark = request.key()
    for i in itertools.count():
        share = int(digest(mark, i, length=8), 16) / 16**8
        yield min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**i) * (0.5 + share / 2)
