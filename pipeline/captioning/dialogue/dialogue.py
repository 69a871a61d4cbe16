"""Descriptions by a vision-language model on an OpenAI-compatible server, in progressive turns.

A prompt set (`prompts/`) has the turns and their words; `turns` holds the dialogue on one place, `model_client` talks
to the servers, `replies` keeps what came.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.captioning.base import Description, Evidence, prompt_set_of
from pipeline.captioning.dialogue.model_client import ModelClient
from pipeline.captioning.dialogue.model_servers import Home
from pipeline.captioning.dialogue.quoting import ORDERS
from pipeline.captioning.dialogue.replies import ReplyCache
from pipeline.captioning.dialogue.requests import Reply, Request
from pipeline.captioning.dialogue.templates import Templates
from pipeline.captioning.dialogue.turn_requests import DialogueSetup
from pipeline.captioning.dialogue.turns import describe, together
from pipeline.captioning.grounding.grounding import VERSION
from pipeline.captioning.language import language_of
from pipeline.config import captioning as config
from pipeline.config.build import Build
from pipeline.digest import digest, digest_file
from pipeline.errors import SiteError
from pipeline.net.loop_thread import LoopThread
from pipeline.reliability import Reliability
from pipeline.storage import open_store

_ELSEWHERE = {"endpoints", "key_env", "at_once", "connect_timeout_s", "reply_timeout_s", "tries", "serve"}
"""Settings on which no word depends."""


class DialogueCaptioner:
    """Writes descriptions by asking a model. Shared by a process's threads, which share its servers' room."""

    name = "dialogue 2"

    def __init__(self, settings: config.Dialogue, build: Build) -> None:
        """Loads the prompt set and fills in each of its templates. Asks no server.

        Raises:
            ConfigError: there is no such prompt set, it is not a dialogue's, there are no rules for its language, or a
                template is malformed.
        """
        prompt_set = prompt_set_of(settings.prompt_set, "dialogue")
        self.prompt_set = prompt_set.name
        self.model: str | None = settings.model + (f"@{settings.revision}" if settings.revision else "")
        self.room: int | None = settings.at_once * len(settings.endpoints)
        self._fingerprint = digest(
            self.name,
            prompt_set.digest,
            language_of(prompt_set.language).digest,
            digest_file(ORDERS),
            settings.model_dump(mode="json", exclude=_ELSEWHERE),
            settings.serve.max_model_len,
            VERSION,
            build.grounding,
            build.seed,
        )
        setup = DialogueSetup(settings, build.grounding, build.seed, prompt_set, Templates(prompt_set, settings))
        self._writer = _Writer(settings, self.room, build, setup)
        self._loop = LoopThread("model", self._writer.close)

    def fingerprint(self) -> str:
        """Changes with version, contents of prompt set and language, model, sampling, limits, seed and policy."""
        return self._fingerprint

    @property
    def requests_sent(self) -> int:
        """Requests to the servers so far, repetitions included; replies that were kept are none."""
        return self._writer.sent

    def describe(self, sites: Sequence[Evidence]) -> list[Description | SiteError]:
        """A description a site, or the reason why there is none. What one site gets does not depend on the others.

        Raises:
            MachineError: no model server that can be used, a verifier below its floor, or the workspace cannot be
                written.
            BuildStopped: the user stopped the build.
        """
        return self._loop.run(self._writer.describe(sites)) if sites else []


@dataclass(frozen=True)
class _Parts:
    """The objects that belong to one event loop."""

    loop: asyncio.AbstractEventLoop
    client: ModelClient
    verifier: ModelClient | None
    """Client of another model that judges, if there is one."""
    cache: ReplyCache
    room: asyncio.Semaphore
    """For dialogues under way, and so for their pictures."""


class _Writer:
    """The captioner's side within the event loop. Its parts are made with the first call, and anew after a fork."""

    def __init__(self, settings: config.Dialogue, room: int, build: Build, setup: DialogueSetup) -> None:
        self._settings = settings
        self._room = room
        self._workspace = build.workspace
        self._outage_wait_s = build.limits.outage_wait_s
        self._setup = setup
        self._parts: _Parts | None = None
        self._reliability = Reliability()

    @property
    def sent(self) -> int:
        if self._parts is None:
            return 0
        return self._parts.client.sent + (self._parts.verifier.sent if self._parts.verifier else 0)

    async def describe(self, sites: Sequence[Evidence]) -> list[Description | SiteError]:
        parts = await self._made()
        answers: dict[int, Description | SiteError] = {}
        queue = iter(range(len(sites)))

        async def work() -> None:
            for i in queue:
                async with parts.room:
                    answers[i] = await self._answer(sites[i])

        await together(*(work() for _ in range(min(len(sites), self._room))))
        return [answers[i] for i in range(len(sites))]

    async def close(self) -> None:
        if self._parts is not None and self._parts.loop is asyncio.get_running_loop():
            await self._parts.client.close()
            if self._parts.verifier is not None:
                await self._parts.verifier.close()

    async def _answer(self, site: Evidence) -> Description | SiteError:
        verifier = self._ask_verifier if self._settings.verifier else None
        try:
            answer = await describe(self._setup, self._ask_writer, site, verifier)
        except SiteError as error:
            return error
        self._reliability.add(answer.controls)
        self._reliability.check(self._setup.policy.verifier_floor)
        return answer

    async def _ask_writer(self, request: Request, home: Home) -> Reply:
        parts = await self._made()
        return await self._ask(parts, parts.client, request, home, parts.verifier)

    async def _ask_verifier(self, request: Request, home: Home) -> Reply:
        parts = await self._made()
        assert parts.verifier is not None
        return await self._ask(parts, parts.verifier, request, home)

    async def _ask(
        self, parts: _Parts, client: ModelClient, request: Request, home: Home, next_asked: ModelClient | None = None
    ) -> Reply:
        """From what was kept, else from a server; and kept. What is wrong with who is asked next is known before."""
        found = await asyncio.to_thread(parts.cache.find, request)
        if found is not None:
            return found
        await together(*(one.ready() for one in (client, next_asked) if one is not None))
        reply = await client.ask(request, home)
        await asyncio.to_thread(parts.cache.keep, request, reply)
        return reply

    async def _made(self) -> _Parts:
        loop = asyncio.get_running_loop()
        if self._parts is None or self._parts.loop is not loop:
            cache = ReplyCache(open_store(self._workspace))
            other = self._settings.verifier
            judge = ModelClient(self._settings.model_copy(update=dict(other)), self._outage_wait_s) if other else None
            writer = ModelClient(self._settings, self._outage_wait_s)
            self._parts = _Parts(loop, writer, judge, cache, asyncio.Semaphore(self._room))
        return self._parts
