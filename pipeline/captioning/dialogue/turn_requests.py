"""One turn of a dialogue: its request, the attempts at a reply that can be read, and the record of each."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from pipeline.captioning.base import Evidence
from pipeline.captioning.dialogue.model_servers import Home
from pipeline.captioning.dialogue.pictures import Picture
from pipeline.captioning.dialogue.reading import BadReplyError, read_reply
from pipeline.captioning.dialogue.requests import Reply, Request, Sampling, TooLongError
from pipeline.captioning.dialogue.templates import Templates
from pipeline.config.captioning import Dialogue, Grounding
from pipeline.digest import digest
from pipeline.errors import SiteError
from prompts import replies
from prompts.loader import PromptSet
from prompts.replies import reply_schema
from schemas.records import Turn, Variant

ReplyT = TypeVar("ReplyT", bound=replies.Reply)
Ask = Callable[[Request, Home], Awaitable[Reply]]

_ATTEMPTS = 2
_STREET_TOKENS = 300


@dataclass(frozen=True)
class DialogueSetup:
    """Settings, prompts and templates that all dialogues of a build share."""

    settings: Dialogue
    policy: Grounding
    seed: int
    prompt_set: PromptSet
    templates: Templates

    def sampling(self, turn: replies.Turn) -> Sampling:
        """How a turn's replies are drawn."""
        said = self.settings
        if turn == "verify":
            judge = said.verifier
            model, revision = (judge.model, judge.revision) if judge else (said.model, said.revision)
            return Sampling(model, revision, judge.temperature if judge else 0.0, 1.0, said.reply_tokens)
        return Sampling(said.model, said.revision, said.temperature, said.top_p, said.reply_tokens)

    @property
    def most_tokens(self) -> dict[Variant, int]:
        """CLIP tokens that each description may have."""
        return {"long": self.settings.long_tokens, "short": self.settings.short_tokens, "street": _STREET_TOKENS}


@dataclass(frozen=True)
class Models:
    """The models that answer the turns, each with the server that holds the dialogue's pictures."""

    writer: tuple[Ask, Home]
    verifier: tuple[Ask, Home]

    def of(self, turn: replies.Turn) -> tuple[Ask, Home]:
        """The model that answers a turn."""
        return self.verifier if turn == "verify" else self.writer


class TurnRequests:
    """Puts the turns of one dialogue to its models."""

    def __init__(self, setup: DialogueSetup, models: Models, evidence: Evidence) -> None:
        self._setup = setup
        self._models = models
        self._evidence = evidence
        self.turns: dict[str, Turn] = {}
        """The record of each request, by its key."""

    async def reply(
        self, kind: type[ReplyT], turn: replies.Turn, name: str, parts: tuple[str | Picture, ...], cues: int
    ) -> ReplyT:
        """The reply to a turn, read.

        Args:
            kind: what the reply becomes.
            turn: which turn.
            name: the turn's name in the record; unique within the dialogue.
            parts: texts and pictures, in order.
            cues: how many cues the parts tell of, for the message if they are too long.

        Raises:
            SiteError: the fault of the last attempt's reply.
            TooLongError: the request is longer than the model takes.
            RefusedError: the model refuses.
        """
        setup = self._setup
        asked = (setup.seed, self._evidence.site.site_id, self._evidence.draw, name)
        ask, home = self._models.of(turn)
        fault: BadReplyError | None = None
        for attempt in range(_ATTEMPTS):
            request = Request(
                name=name,
                sampling=setup.sampling(turn),
                seed=int(digest(*asked, attempt), 16) % 2**31,
                system=setup.templates.system,
                parts=parts,
                schema=reply_schema(turn),
            )
            self._check_length(request, cues)
            reply = await ask(request, home)
            self.turns[request.key()] = Turn(
                turn=name,
                model=request.sampling.model,
                revision=request.sampling.revision,
                seed=request.seed,
                temperature=request.sampling.temperature,
                top_p=request.sampling.top_p,
                prompt_tokens=reply.prompt_tokens,
                completion_tokens=reply.completion_tokens,
                latency_s=reply.latency_s,
                finish_reason=reply.finish_reason,
            )
            try:
                read = read_reply(turn, reply, setup.most_tokens)
            except BadReplyError as error:
                fault = error
            else:
                assert isinstance(read, kind)
                return read
        assert fault is not None
        raise SiteError(fault.reason, fault.detail)

    def _check_length(self, request: Request, cues: int) -> None:
        settings = self._setup.settings
        tokens, most = request.tokens(), settings.serve.max_model_len - settings.reply_tokens
        if tokens > most:
            said = f"turn {request.name}: about {tokens} tokens with {cues} cues, at most {most} allowed"
            raise TooLongError(said, estimated=True)
