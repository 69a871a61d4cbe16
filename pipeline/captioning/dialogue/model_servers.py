"""The model servers of a build: which of them are up, and which one a dialogue goes to."""

import asyncio
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import aiohttp

from pipeline.captioning.dialogue.envelope import NoEnvelopeError, parse
from pipeline.captioning.dialogue.model_probe import UnansweredError, probe
from pipeline.captioning.dialogue.model_responses import SetUpError
from pipeline.captioning.dialogue.model_wire import described, read_capped
from pipeline.captioning.dialogue.objections import said
from pipeline.captioning.dialogue.requests import LimitName
from pipeline.captioning.dialogue.slots import slots_of
from pipeline.config.captioning import Dialogue
from pipeline.errors import MachineError, OutageError
from pipeline.net import outages

_NO_LIST = (404, 405, 429, 501)
"""Statuses of a server that has no list of its models, or none now: what it serves, the small request shows."""
_AGAIN_S = (0.2, 1.0, 2.0, 5.0)
"""Pauses between looks at a server that is down; the last one over and over."""


class Server:
    """One server, as this process sees it."""

    def __init__(self, url: str, at_once: int) -> None:
        self.url = url.rstrip("/")
        self.slots = slots_of(self.url, at_once)
        self.up = True
        self.dialogues = 0
        """Under way."""
        self.keeps_pictures = False
        """Whether pictures may be referred to by `uuid`, as vLLM allows."""
        self.limit: LimitName = "max_tokens"
        self.falls = 0
        """How often it was down: what it kept before is gone."""
        self.replied_at = float("-inf")
        """When its last reply came, by the monotonic clock."""
        self.watcher: asyncio.Task[None] | None = None


class Home:
    """Where a dialogue is held: it stays with one server, which keeps its pictures and the start of its prompts."""

    def __init__(self) -> None:
        self.server: Server | None = None
        self.falls = 0
        self.held: frozenset[str] = frozenset()
        """Digests of the pictures that the server has been sent."""

    def move(self, server: Server | None) -> None:
        """To another server, or (None) to none."""
        if self.server is not None:
            self.server.dialogues -= 1
        if server is not None:
            server.dialogues += 1
            self.falls = server.falls
        self.server, self.held = server, frozenset()


class Servers:
    """All servers of a build. Lives in one event loop."""

    def __init__(self, settings: Dialogue, session: aiohttp.ClientSession, outage_wait_s: float | None = None) -> None:
        self._settings = settings
        self.patience_s = settings.reply_timeout_s if outage_wait_s is None else outage_wait_s
        self._session = session
        self._all = [Server(url, settings.at_once) for url in dict.fromkeys(settings.endpoints)]
        self._turn = 0
        self._back = asyncio.Event()
        """Set when a server answers again, cleared when one falls."""
        self._looked = asyncio.Lock()
        self._ready = False
        self._fault: MachineError | None = None

    async def ready(self) -> None:
        """Look at every server and have it do a small request, once.

        Raises:
            MachineError: none answers, or one that does is not what the build needs.
        """
        async with self._looked:
            if self._ready:
                return
            faults = await asyncio.gather(*(self._look_first(server) for server in self._all))
            if all(faults):
                raise MachineError(
                    f"no model server answers: {'; '.join(f for f in faults if f)}. Start one (geoscribe serve CONFIG) "
                    "and, when it says that it is ready, the build again; or correct endpoints in the build file"
                )
            for server, fault in zip(self._all, faults, strict=True):
                if fault:
                    self.down(server, fault)
            self._ready = True

    async def settle(self, home: Home) -> Server:
        """The dialogue's server; another one if it has none or that one is down. Waits while all are.

        Raises:
            MachineError: none came back within the time that a reply may take, or one came back as another model's.
        """
        try:
            async with asyncio.timeout(self.patience_s):
                while self._fault is None and not any(server.up for server in self._all):
                    await self._back.wait()
        except TimeoutError:
            urls = ", ".join(server.url for server in self._all)
            raise OutageError(
                f"no model server has answered for {self.patience_s:g} s: {urls}. Start them and the "
                "build again; it goes on from here, with all replies that it has"
            ) from None
        if self._fault is not None:
            raise self._fault
        if home.server is None or not home.server.up or home.falls != home.server.falls:
            home.move(self._next())
        assert home.server is not None
        return home.server

    def down(self, server: Server, why: str) -> None:
        """Send nothing more to a server until it answers again."""
        if server.up:
            outages.pause(server.url, f"it does not answer ({why})")
            server.up = False
            server.falls += 1
            self._back.clear()
            server.watcher = asyncio.create_task(self._watch(server))

    def leave(self, server: Server, why: str) -> None:
        """Leave a server that takes no requests, nor will soon, to the others.

        Raises:
            OutageError: there is no other.
        """
        if not any(other.up for other in self._all if other is not server):
            raise OutageError(
                f"{server.url} {why}. Finished work is kept; start the build again when the server takes requests"
            )
        self.down(server, why)

    async def close(self) -> None:
        """Stop looking."""
        watchers = [server.watcher for server in self._all if server.watcher is not None]
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)

    def _next(self) -> Server:
        """The server with the fewest dialogues among those that are up; equals take turns."""
        self._turn += 1
        order = [self._all[(self._turn + i) % len(self._all)] for i in range(len(self._all))]
        return min((server for server in order if server.up), key=lambda server: server.dialogues)

    async def _watch(self, server: Server) -> None:
        pauses = iter(_AGAIN_S)
        pause = 0.0
        while True:
            pause = next(pauses, pause)
            await asyncio.sleep(pause)
            try:
                if await self._look(server) is not None:
                    continue
                server.up = True
                outages.resume(server.url)
            except MachineError as error:
                self._fault = error
            self._back.set()
            return

    async def _look_first(self, server: Server) -> str | None:
        async with server.slots:  # another prompt set may be at work there
            return await self._look(server)

    async def _look(self, server: Server) -> str | None:
        """Probe a server: None if it is fit for the build, else why it does not answer.

        Raises:
            SetUpError: it answers, and is not fit.
        """
        timeout = aiohttp.ClientTimeout(total=self._settings.connect_timeout_s)
        try:
            async with self._session.get(f"{server.url}/models", timeout=timeout, allow_redirects=False) as answer:
                status, kind = answer.status, answer.content_type
                body = await read_capped(answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return f"{server.url}: {described(error)}"
        if status in (401, 403):
            raise SetUpError(
                f"{server.url} refuses the key (HTTP {status}): set key_env in the build file, and the key in the "
                "variable that it names"
            )
        if status not in _NO_LIST:
            if status >= 500:
                return f"{server.url}: HTTP {status}"
            models = _models(body) if status == 200 else None
            if models is None:
                words = said(body[:1_024].decode("utf-8", "replace"))[:80]
                raise SetUpError(
                    f"{server.url} is no OpenAI-compatible server: GET {server.url}/models gave HTTP {status}, {kind}: "
                    f"{words}. The build file's endpoints are addresses as http://127.0.0.1:8000/v1"
                )
            self._check(server, models)
        try:
            server.limit = await probe(self._session, server.url, self._settings)
        except UnansweredError as error:
            return f"{server.url}: {error}"
        return None

    def _check(self, server: Server, models: Sequence[dict[str, Any]]) -> None:
        name = self._settings.model
        found = next((model for model in models if _is(name, model.get("id"))), None)
        if found is None:
            names = ", ".join(said(str(model.get("id"))) for model in models[:5]) or "nothing"
            raise SetUpError(f"{server.url} serves {names}, not {name!r}, as the build file has it")
        length, wanted = found.get("max_model_len"), self._settings.serve.max_model_len
        if isinstance(length, int) and length < wanted:
            raise SetUpError(
                f"{server.url} takes {length} tokens, captioner.serve.max_model_len is {wanted}: lower that, or start "
                "the server with more"
            )
        server.keeps_pictures = found.get("owned_by") == "vllm"


def _is(name: str, listed: Any) -> bool:
    """Whether a model is one that is listed; gateways list patterns, as `openai/*`."""
    return isinstance(listed, str) and (listed == name or ("*" in listed and fnmatchcase(name, listed)))


def _models(body: bytes) -> list[dict[str, Any]] | None:
    try:
        models = parse(body)["data"]
    except (NoEnvelopeError, LookupError, TypeError):
        return None
    return models if isinstance(models, list) and all(isinstance(model, dict) for model in models) else None
