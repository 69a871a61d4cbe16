"""The dialogue on one place: turn by turn, each with what the turns before it brought.

Every turn is one request: the same rules (system), the same pictures, then the turn's data. So a server that keeps
the start of prompts works through rules, pictures and earlier data once; and what the model said before comes back to
it as data, never as its own words, whatever it may have been talked into. What was written is put to a verifier claim
by claim, without the text; code takes out what fails; only where too little is left is the writer asked once more.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from pipeline.captioning.base import Description, Evidence, NotDescribedError
from pipeline.captioning.dialogue.loads import loads
from pipeline.captioning.dialogue.model_servers import Home
from pipeline.captioning.dialogue.noting import notes_of
from pipeline.captioning.dialogue.pictures import Picture, pictures_of
from pipeline.captioning.dialogue.quoting import cues_data, model_text, model_words, notes_data, to_json, usable
from pipeline.captioning.dialogue.reading import sentences_of
from pipeline.captioning.dialogue.requests import RefusedError, TooLongError
from pipeline.captioning.dialogue.turn_requests import Ask, DialogueSetup, Models, ReplyT, TurnRequests
from pipeline.captioning.directions import with_sure_directions
from pipeline.captioning.grounding.claims import Witnesses
from pipeline.captioning.grounding.grounding import VARIANTS, Grounded, ground, text_of, to_verify, witnesses_of
from pipeline.captioning.grounding.parting import parted
from pipeline.captioning.grounding.verification import Heard, Statement, heard, statements
from pipeline.captioning.language import language_of
from pipeline.captioning.tokens import count_clip_tokens
from pipeline.errors import SiteError
from pipeline.perception.directions import trusted_heading
from prompts import replies
from prompts.replies import STATEMENTS, Composition, Observation, Relations, Rulings, Verification
from schemas.reasons import Reason
from schemas.records import Answer, Cue, Note, Sentence, StreetView, Turn

T = TypeVar("T")
_ORDER: dict[str, int] = {turn: i for i, turn in enumerate(replies.TURNS)}


async def describe(setup: DialogueSetup, ask: Ask, evidence: Evidence, verifier: Ask | None = None) -> Description:
    """The whole dialogue on a site.

    With everything first; with fewer views, then fewer cues, where that is more than the model takes. `verifier`
    answers the turn `verify`, if it is not the writer.

    Raises:
        NotDescribedError: BAD_REPLY, REPLY_CUT or TOO_LONG at the second attempt of a turn, PROMPT_TOO_LONG, INDOORS,
            MODEL_REFUSED, MODEL_UNREACHABLE.
        SiteError: what is wrong with a picture.
        MachineError: no model server that can be used.
    """
    pictures = await asyncio.to_thread(pictures_of, evidence.site, setup.settings)
    main = next((view for view in evidence.site.views if view.projection == "perspective"), None)
    tries = loads(pictures, with_sure_directions(usable(evidence.cues), main))
    home, elsewhere = Home(), Home()
    models = Models((ask, home), (verifier, elsewhere) if verifier else (ask, home))
    requests = TurnRequests(setup, models, evidence)
    at, refused = 0, False
    try:
        while True:
            try:
                answer = await _Dialogue(setup, requests, evidence, *tries[at]).run()
                return replace(answer, turns=_in_order(requests.turns.values(), pictures))
            except TooLongError as error:
                # Our own estimate costs nothing and may be met again; the server is asked only once more.
                at = at + 1 if error.estimated else (at + len(tries)) // 2
                if at >= len(tries) or (refused and not error.estimated):
                    raise SiteError(Reason.PROMPT_TOO_LONG, str(error)) from error
                refused = refused or not error.estimated
            except RefusedError as error:
                raise SiteError(Reason.MODEL_REFUSED, str(error)) from error
    except SiteError as error:
        raise NotDescribedError(error.reason, error.detail, _in_order(requests.turns.values(), pictures)) from error
    finally:
        home.move(None)
        elsewhere.move(None)


class _Dialogue:
    """One dialogue with a load of pictures and cues. Single use."""

    def __init__(
        self,
        setup: DialogueSetup,
        requests: TurnRequests,
        evidence: Evidence,
        pictures: Sequence[Picture],
        cues: Sequence[Cue],
    ) -> None:
        self._setup = setup
        self._requests = requests
        self._evidence = evidence
        self._pictures = pictures
        self._cues = list(cues)
        self._notes: list[Note] = []
        self._numbers = {picture.view_id: i for i, picture in enumerate(pictures, start=1) if picture.view_id}
        self._captions = [
            setup.templates.picture(number=i, kind=p.kind, direction=p.direction, metres=p.metres, octant=p.octant)
            for i, p in enumerate(pictures, start=1)
        ]
        views = {view.view_id: view for view in evidence.site.views}
        self._views = [views[picture.view_id] for picture in pictures if picture.view_id]
        self._answers: dict[str, Answer] = {}
        self._decided: dict[str, str] = {}

    async def run(self) -> Description:
        taken = self._setup.prompt_set.turns
        known: dict[str, Any] = {}
        if "observe" in taken:
            seen = await self._observations()
            if seen and seen[0][1].indoors:
                raise SiteError(Reason.INDOORS, f"the main photo shows: {model_text(seen[0][1].scene)}")
            road = language_of(self._setup.prompt_set.language).rules.road
            self._notes = notes_of([(view, noted) for view, noted in seen if not noted.indoors], road)
            known["notes"] = notes_data(self._notes, self._numbers)
        if self._setup.prompt_set.cues and self._cues:
            known["cues"] = self._cue_data(self._cues)
        if "ground" in taken and self._cues:
            rulings = await self._turn(Rulings, "ground", known)
            known["rulings"] = self._rule(rulings)
        if "relate" in taken:
            relations = await self._turn(Relations, "relate", known)
            known["relations"] = model_words(relations.model_dump(mode="json"))
        witnesses = await asyncio.to_thread(
            witnesses_of,
            Evidence(self._evidence.site, self._cues),
            self._notes,
            self._setup.policy,
            self._setup.prompt_set.language,
        )
        language = witnesses.language
        written = parted(sentences_of(await self._turn(Composition, "compose", known), self._offered()), language)
        heard = await self._verified(written, witnesses)
        found = await self._ground(written, witnesses, heard)
        if found.fault is not None and "repair" in taken:
            data = known | self._to_mend(found)
            again = parted(sentences_of(await self._turn(Composition, "repair", data), self._offered()), language)
            heard = await self._verified(again, witnesses, heard)
            mended = await self._ground(again, witnesses, heard)
            found = replace(mended, dropped=[*found.dropped, *mended.dropped])
        return self._description(found, heard)

    async def _observations(self) -> list[tuple[StreetView, Observation]]:
        seen = await together(*(self._observe(i, view) for i, view in enumerate(self._views)))
        return list(zip(self._views, seen, strict=True))

    async def _observe(self, index: int, view: StreetView) -> Observation:
        parts = (self._captions[index], self._pictures[index], self._setup.templates.ask("observe", ""))
        return await self._requests.reply(Observation, "observe", f"observe {view.view_id}", parts, len(self._cues))

    def _rule(self, rulings: Rulings) -> list[dict[str, str]]:
        """Leave out the cues that are not there or will not stay, and tell the rulings that are not `clear`."""
        ruled = {ruling.id: ruling.ruling for ruling in rulings.cues}
        alike = self._alike()
        told = [
            {"id": cue.cue_id, "ruling": ruled.get(cue.cue_id, "unseen")}
            for cue in self._cues
            if cue.cue_id == alike[cue.cue_id] and ruled.get(cue.cue_id, "unseen") != "clear"
        ]
        gone = {ruling["id"] for ruling in told if ruling["ruling"] != "unseen"}
        # What was read or seen in a photo, and is not there for a model that looks, was not; the map may know better.
        gone |= {ruling["id"] for ruling in told if ruling["id"][0] != "m"}
        self._cues = [cue for cue in self._cues if alike[cue.cue_id] not in gone]
        return told

    def _alike(self) -> dict[str, str]:
        """For each cue the id of the one that stands for it in the data."""
        heads: dict[str, str] = {}
        found: dict[str, str] = {}
        for cue in self._cues:
            (data,) = self._cue_data([cue])
            mark = str({key: value for key, value in data.items() if key not in ("id", "degrees", "metres")})
            found[cue.cue_id] = heads.setdefault(mark, cue.cue_id)
        return found

    async def _verified(
        self, written: Sequence[Sentence], known: Witnesses, before: Heard | None = None
    ) -> Heard | None:
        """The verifier's verdicts on all claims; those that it was asked before are not asked again."""
        setup = self._setup
        if "verify" not in setup.prompt_set.turns:
            return None
        number = 1 if before is None else 2
        claims = [claim for claim in to_verify(written, known) if claim.text not in self._answers]
        asked = statements(claims, known, setup.seed, self._evidence.site.site_id, number)
        asked = [one for one in asked if model_text(one.text)]
        for start in range(0, len(asked), STATEMENTS):
            self._answers |= await self._put(asked[start : start + STATEMENTS], f"verify {number}.{start}")
        said = heard(asked, self._answers, setup.policy.believed_above)
        if before is None:
            return replace(said, decided=self._decided)
        return Heard({**before.answers, **said.answers}, [*before.controls, *said.controls],
                     before.believed and said.believed, self._decided)  # fmt: skip

    async def _put(self, asked: Sequence[Statement], name: str) -> dict[str, Answer]:
        numbered = [{"statement": i, "says": model_text(one.text)} for i, one in enumerate(asked, start=1)]
        data: dict[str, Any] = {}
        mapped = [cue for cue in self._cues if cue.kind == "map"]
        if mapped and self._setup.prompt_set.cues:
            data["map"] = self._cue_data(mapped)
        reply = await self._turn(Verification, "verify", data | {"statements": numbered}, name)
        told = {asked[answer.statement - 1].text: answer for answer in reply.answers if answer.statement <= len(asked)}
        names = {number: name for name, number in self._named().items()}
        self._decided |= {text: names[answer.picture] for text, answer in told.items() if answer.picture in names}
        return {text: answer.answer for text, answer in told.items()}

    def _named(self) -> dict[str, int]:
        """Numbers of the pictures by their names in a verdict."""
        return {picture.view_id or picture.kind: i for i, picture in enumerate(self._pictures, start=1)}

    async def _ground(self, written: Sequence[Sentence], known: Witnesses, said: Heard | None) -> Grounded:
        region, most = self._evidence.site.region, self._setup.most_tokens["short"]
        return await asyncio.to_thread(ground, written, known, region, said, most)

    def _to_mend(self, found: Grounded) -> dict[str, Any]:
        """The sentences that stand and those taken out, with the claim that failed and who speaks against it."""
        numbers = self._named()
        kept = [{"variant": s.variant, "text": model_text(s.text)} for s in found.sentences]
        out = [
            {
                "variant": gone.variant,
                "text": model_text(gone.text),
                "failed": [
                    {"claim": model_text(c.text), "against": [model_text(c.detail or c.outcome), *c.witnesses]}
                    | ({"picture": numbers[c.verdict.picture]} if c.verdict and c.verdict.picture else {})
                    for c in gone.claims
                    if c.outcome != "supported"
                ],
                "why": model_words(gone.why),
            }
            for gone in found.dropped
        ]
        return {"kept": kept, "taken_out": out}

    async def _turn(self, kind: type[ReplyT], turn: replies.Turn, data: dict[str, Any], name: str = "") -> ReplyT:
        """A turn that is shown all pictures."""
        shown = [part for pair in zip(self._captions, self._pictures, strict=True) for part in pair]
        asked = self._setup.templates.ask(turn, to_json(data) if data else "")
        return await self._requests.reply(kind, turn, name or turn, (*shown, asked), len(self._cues))

    def _cue_data(self, cues: Sequence[Cue]) -> list[dict[str, Any]]:
        return cues_data(cues, self._numbers, trusted_heading(self._views[0]) if self._views else None)

    def _offered(self) -> frozenset[str]:
        return frozenset([*(cue.cue_id for cue in self._cues), *(note.note_id for note in self._notes)])

    def _description(self, found: Grounded, heard: Heard | None) -> Description:
        long, short, street = (text_of(found.sentences, variant) for variant in VARIANTS)
        return Description(
            long=long,
            short=short,
            street=street or None,
            long_tokens=count_clip_tokens(long),
            short_tokens=count_clip_tokens(short),
            street_tokens=count_clip_tokens(street) if street else 0,
            sentences=found.sentences,
            dropped=found.dropped,
            notes=self._notes,
            controls=heard.controls if heard else [],
            language=self._setup.prompt_set.language,
            fault=found.fault,
        )


def _in_order(turns: Iterable[Turn], pictures: Sequence[Picture]) -> list[Turn]:
    """As turns are taken; photos are observed at once, so they are put in the order in which they were shown."""
    views = [picture.view_id for picture in pictures]

    def order(turn: Turn) -> tuple[int, int, str]:
        name, _, part = turn.turn.partition(" ")
        return _ORDER[name], views.index(part) if part in views else 0, part

    return sorted(turns, key=order)


async def together(*coroutines: Coroutine[Any, Any, T]) -> list[T]:
    """Results of all, in order; the first error ends the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
