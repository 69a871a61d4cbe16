"""The dialogue on one place: turn by turn, each with what the turns before it brought.

Every turn is one request: the same rules (system), the same pictures, then the turn's data. So a server that keeps
the start of prompts works through rules and pictures once; and what the model said before comes back to it as data,
never as its own words, whatever it may have been talked into.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pipeline.captioning.base import Description, Evidence, NotDescribedError
from pipeline.captioning.dialogue.model_servers import Home
from pipeline.captioning.dialogue.pictures import Picture, pictures_of
from pipeline.captioning.dialogue.quoting import cue_data, model_words, to_json, usable
from pipeline.captioning.dialogue.reading import VARIANTS, BadReplyError, read_reply, sentences_of, text_of
from pipeline.captioning.dialogue.requests import RefusedError, Reply, Request, Sampling, TooLongError
from pipeline.captioning.dialogue.templates import Templates
from pipeline.captioning.grounding import grounding
from pipeline.captioning.tokens import count_clip_tokens
from pipeline.config.captioning import Dialogue, Grounding
from pipeline.digest import digest
from pipeline.errors import SiteError
from prompts import replies
from prompts.loader import PromptSet
from prompts.replies import Composition, Observation, Relations, Review, Rulings, reply_schema
from schemas.reasons import Reason
from schemas.records import Cue, Sentence, Turn, Variant, Verdict

T = TypeVar("T")
ReplyT = TypeVar("ReplyT", bound=replies.Reply)
Ask = Callable[[Request, Home], Awaitable[Reply]]

_ATTEMPTS = 2
_STREET_TOKENS = 300
_ORDER: dict[str, int] = {turn: i for i, turn in enumerate(replies.TURNS)}


@dataclass(frozen=True)
class Craft:
    """What all dialogues of a build share."""

    settings: Dialogue
    policy: Grounding
    seed: int
    prompt_set: PromptSet
    templates: Templates

    @property
    def sampling(self) -> Sampling:
        """How replies are drawn."""
        said = self.settings
        return Sampling(said.model, said.revision, said.temperature, said.top_p, said.reply_tokens)

    @property
    def most_tokens(self) -> dict[Variant, int]:
        """CLIP tokens that each description may have."""
        return {"long": self.settings.long_tokens, "short": self.settings.short_tokens, "street": _STREET_TOKENS}


async def describe(craft: Craft, ask: Ask, evidence: Evidence) -> Description:
    """The whole dialogue on a site.

    With everything first; with fewer views, then fewer cues, where that is more than the model takes.

    Raises:
        NotDescribedError: BAD_REPLY, REPLY_CUT or TOO_LONG at the second attempt of a turn, PROMPT_TOO_LONG,
            MODEL_REFUSED, MODEL_UNREACHABLE.
        SiteError: what is wrong with a picture.
        MachineError: no model server that can be used.
    """
    pictures = await asyncio.to_thread(pictures_of, evidence.site, craft.settings)
    cues = usable(evidence.cues)
    loads = _loads(pictures, cues)
    turns: dict[str, Turn] = {}
    home = Home()
    at, refused = 0, False
    try:
        while True:
            try:
                answer = await _Dialogue(craft, ask, evidence, *loads[at], home, turns).run()
                return replace(answer, turns=_in_order(turns.values(), pictures))
            except TooLongError as error:
                # Our own estimate costs nothing and may be met again; the server is asked only once more.
                at = at + 1 if error.estimated else (at + len(loads)) // 2
                if at >= len(loads) or (refused and not error.estimated):
                    raise SiteError(Reason.PROMPT_TOO_LONG, str(error)) from error
                refused = refused or not error.estimated
            except RefusedError as error:
                raise SiteError(Reason.MODEL_REFUSED, str(error)) from error
    except SiteError as error:
        raise NotDescribedError(error.reason, error.detail, _in_order(turns.values(), pictures)) from error
    finally:
        home.move(None)


def _loads(pictures: Sequence[Picture], cues: Sequence[Cue]) -> list[tuple[list[Picture], list[Cue]]]:
    """What to show, from everything down to the main view, the chips and a quarter of the cues."""
    views = [picture for picture in pictures if picture.kind == "street"]
    chips = [picture for picture in pictures if picture.kind != "street"]
    loads = [([*views[:most], *chips], list(cues)) for most in range(len(views), 1, -1)]
    return loads + [([*views[:1], *chips], _first_of_each_kind(cues, share)) for share in (1.0, 0.5, 0.25)]


def _first_of_each_kind(cues: Sequence[Cue], share: float) -> list[Cue]:
    """The first of the texts, of the objects and of what is on the map: cues come by falling weight."""
    kept: list[Cue] = []
    for kind in ("text", "object", "map"):
        alike = [cue for cue in cues if cue.kind == kind]
        kept += alike[: max(1, round(len(alike) * share))]
    return kept


class _Dialogue:
    """One dialogue with a load of pictures and cues. Single use."""

    def __init__(
        self,
        craft: Craft,
        ask: Ask,
        evidence: Evidence,
        pictures: Sequence[Picture],
        cues: Sequence[Cue],
        home: Home,
        turns: dict[str, Turn],
    ) -> None:
        self._craft = craft
        self._ask = ask
        self._evidence = evidence
        self._pictures = pictures
        self._cues = list(cues)
        self._home = home
        self._turns = turns
        self._numbers = {picture.view_id: i for i, picture in enumerate(pictures, start=1) if picture.view_id}
        self._captions = [
            craft.templates.picture(number=i, kind=p.kind, direction=p.direction, metres=p.metres, octant=p.octant)
            for i, p in enumerate(pictures, start=1)
        ]

    async def run(self) -> Description:
        taken = self._craft.prompt_set.turns
        known: dict[str, Any] = {}
        if "observe" in taken:
            known["notes"] = await self._notes()
        if "ground" in taken and self._cues:
            rulings = await self._turn(Rulings, "ground", known | self._cue_data(), self._cues)
            self._cues = [cue for cue in self._cues if _accepted(cue, rulings)]
        shown = self._cues if self._craft.prompt_set.cues else []
        known |= self._cue_data() if shown else {}
        if "relate" in taken:
            relations = await self._turn(Relations, "relate", known, shown)
            known["relations"] = model_words(relations.model_dump(mode="json"))
        sentences = sentences_of(await self._turn(Composition, "compose", known, shown))
        faults = await self._faults(sentences, shown) if "review" in taken else []
        verdicts = await self._judge(sentences)
        faults += [{"why": why} for why in grounding.to_mend(verdicts)]
        if "repair" in taken and faults:
            data = self._texts(sentences, shown) | {"faults": faults}
            sentences = sentences_of(await self._turn(Composition, "repair", data, shown))
            verdicts = await self._judge(sentences)
        return self._description(sentences, verdicts)

    async def _notes(self) -> list[dict[str, Any]]:
        views = [(i, picture) for i, picture in enumerate(self._pictures, start=1) if picture.kind == "street"]
        seen = await together(*(self._observe(i, picture) for i, picture in views))
        return [
            {"picture": i, **model_words(note.model_dump(mode="json"))}
            for (i, _), note in zip(views, seen, strict=True)
        ]

    async def _observe(self, number: int, picture: Picture) -> Observation:
        parts = (self._captions[number - 1], picture, self._craft.templates.ask("observe", ""))
        return await self._reply(Observation, "observe", f"observe {picture.view_id}", parts, [])

    async def _faults(self, sentences: Sequence[Sentence], shown: Sequence[Cue]) -> list[dict[str, Any]]:
        review = await self._turn(Review, "review", self._texts(sentences, shown), [])
        return [model_words(fault.model_dump(mode="json")) for fault in review.faults]

    async def _judge(self, sentences: Sequence[Sentence]) -> list[Verdict]:
        accepted = Evidence(self._evidence.site, self._cues)
        language = self._craft.prompt_set.language
        return await asyncio.to_thread(grounding.judge, sentences, accepted, self._craft.policy, language)

    async def _turn(self, kind: type[ReplyT], turn: replies.Turn, data: dict[str, Any], cues: Sequence[Cue]) -> ReplyT:
        """A turn that is shown all pictures; its reply may refer to `cues`."""
        shown = [part for pair in zip(self._captions, self._pictures, strict=True) for part in pair]
        asked = self._craft.templates.ask(turn, to_json(data) if data else "")
        return await self._reply(kind, turn, turn, (*shown, asked), [cue.cue_id for cue in cues])

    async def _reply(
        self,
        kind: type[ReplyT],
        turn: replies.Turn,
        name: str,
        parts: tuple[str | Picture, ...],
        offered: Sequence[str],
    ) -> ReplyT:
        craft = self._craft
        asked = (craft.seed, self._evidence.site.site_id, self._evidence.draw, name)
        fault: BadReplyError | None = None
        for attempt in range(_ATTEMPTS):
            request = Request(
                name=name,
                sampling=craft.sampling,
                seed=int(digest(*asked, attempt), 16) % 2**31,
                system=craft.templates.system,
                parts=parts,
                schema=reply_schema(turn, offered),
            )
            self._check_length(request)
            reply = await self._ask(request, self._home)
            self._turns[request.key()] = Turn(
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
                read = read_reply(turn, reply, offered, craft.most_tokens)
            except BadReplyError as error:
                fault = error
            else:
                assert isinstance(read, kind)
                return read
        assert fault is not None
        raise SiteError(fault.reason, fault.detail)

    def _check_length(self, request: Request) -> None:
        settings = self._craft.settings
        tokens, most = request.tokens(), settings.serve.max_model_len - settings.reply_tokens
        if tokens > most:
            said = f"turn {request.name}: about {tokens} tokens with {len(self._cues)} cues, at most {most} allowed"
            raise TooLongError(said, estimated=True)

    def _cue_data(self) -> dict[str, Any]:
        return {"cues": [cue_data(cue, self._numbers) for cue in self._cues]}

    def _texts(self, sentences: Sequence[Sentence], shown: Sequence[Cue]) -> dict[str, Any]:
        """The descriptions as data, with the cues that they had."""
        numbered = [
            {"variant": variant, "sentence": i, "text": model_words(said.text), "cues": said.cue_ids}
            for variant in VARIANTS
            for i, said in enumerate(s for s in sentences if s.variant == variant)
        ]
        return (self._cue_data() if shown else {}) | {"descriptions": numbered}

    def _description(self, sentences: list[Sentence], verdicts: list[Verdict]) -> Description:
        long, short, street = (text_of(sentences, variant) for variant in VARIANTS)
        return Description(
            long=long,
            short=short,
            street=street,
            long_tokens=count_clip_tokens(long),
            short_tokens=count_clip_tokens(short),
            street_tokens=count_clip_tokens(street),
            sentences=sentences,
            language=self._craft.prompt_set.language,
            verdicts=verdicts,
            fault=grounding.fault_of(verdicts, self._craft.policy),
        )


def _in_order(turns: Iterable[Turn], pictures: Sequence[Picture]) -> list[Turn]:
    """As turns are taken; photos are observed at once, so they are put in the order in which they were shown."""
    views = [picture.view_id for picture in pictures]

    def order(turn: Turn) -> tuple[int, int]:
        name, _, view = turn.turn.partition(" ")
        return _ORDER[name], views.index(view) if view else 0

    return sorted(turns, key=order)


def _accepted(cue: Cue, rulings: Rulings) -> bool:
    """What the map has may be hidden from the street; what was read or seen in a photo must be there."""
    ruling = rulings.cues[cue.cue_id]
    return ruling == "clear" or (cue.kind == "map" and ruling == "unseen")


async def together(*coroutines: Coroutine[Any, Any, T]) -> list[T]:
    """Results of all, in order; the first error ends the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
