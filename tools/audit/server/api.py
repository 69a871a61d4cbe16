"""The page's API. Every change needs a session and its CSRF token; every answer is JSON or a picture."""

import logging
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import Row

from pipeline.captioning.tokens import count_clip_tokens
from pipeline.errors import MachineError, OutageError
from schemas.records import Variant
from tools.audit.adjudication import both_decisions
from tools.audit.checks import check_text, refusals
from tools.audit.decisions import decide, skip, task_of, undo
from tools.audit.people import Person
from tools.audit.plan_file import PLAN_NAME
from tools.audit.queue import progress, set_aside, take
from tools.audit.records import REASON_WORDS, Decision
from tools.audit.server.room import Room
from tools.audit.shown import options_of, shown_sample
from tools.audit.view import mask_png, option_picture, picture_of, task_view

log = logging.getLogger(__name__)
AHEAD = 3
"""Tasks that are given at a time: one to show, the others to load ahead."""
_MOST_BROKEN = 20
_KINDS = {b"\xff\xd8": "image/jpeg", b"\x89P": "image/png", b"RI": "image/webp"}


class Wanted(BaseModel):
    """Which tasks the page asks for."""

    model_config = ConfigDict(extra="forbid")

    plan: Annotated[str, StringConstraints(pattern=PLAN_NAME)] | None = None
    count: Annotated[int, Field(ge=1, le=AHEAD + 1)] = AHEAD


class Draft(BaseModel):
    """A text that is being edited."""

    model_config = ConfigDict(extra="forbid")

    variant: Variant
    text: Annotated[str, StringConstraints(max_length=20_000)]


def api(room: Room, person_of: Callable[[Request], Person], changing: Callable[[Request], Person]) -> APIRouter:
    """The routes.

    Args:
        room: what is open: database, dataset.
        person_of: the person of a request; refuses strangers.
        changing: the same, for requests that change something: they need the CSRF token too.
    """
    router = APIRouter(prefix="/api")

    @router.post("/next")
    def next_tasks(wanted: Wanted, person: Annotated[Person, Depends(changing)]) -> dict[str, Any]:
        room.follow_revision(person.alias)
        views = _readable(room, wanted, person)
        return {"tasks": views, "progress": [_progress(p) for p in progress(room.desk, person)]}

    @router.post("/tasks/{task_id}/decision")
    def decided(task_id: str, decision: Decision, person: Annotated[Person, Depends(changing)]) -> dict[str, Any]:
        if decision.edits or decision.claims:
            wrong = refusals(shown_sample(_task(room, task_id, person), room.library), decision)
            if wrong:
                raise HTTPException(422, "; ".join(wrong))
        try:
            return {"seq": decide(room.desk, person, task_id, decision)}
        except ValueError as error:
            raise HTTPException(422, str(error)) from error

    @router.post("/tasks/{task_id}/skip")
    def skipped(task_id: str, person: Annotated[Person, Depends(changing)]) -> dict[str, Any]:
        return {"seq": skip(room.desk, person, task_id)}

    @router.post("/undo")
    def undone(person: Annotated[Person, Depends(changing)]) -> dict[str, Any]:
        task_id = undo(room.desk, person)
        return {"task": _view(room, _task(room, task_id, person), person) if task_id else None}

    @router.post("/tasks/{task_id}/check")
    def checked(task_id: str, draft: Draft, person: Annotated[Person, Depends(changing)]) -> dict[str, Any]:
        sample = shown_sample(_task(room, task_id, person), room.library)
        findings = check_text(sample, draft.variant, draft.text)
        return {
            "tokens": count_clip_tokens(draft.text),
            "findings": [{"level": finding.level, "text": finding.text} for finding in findings],
        }

    @router.get("/tasks/{task_id}/pictures/{role}")
    def picture(task_id: str, role: str, person: Annotated[Person, Depends(person_of)]) -> Response:
        image = picture_of(shown_sample(_task(room, task_id, person), room.library), role)
        if image is None:
            raise HTTPException(404, "no such picture")
        return _image(image.bytes)

    @router.get("/tasks/{task_id}/options/{index}")
    def option(task_id: str, index: int, person: Annotated[Person, Depends(person_of)]) -> Response:
        options = options_of(_task(room, task_id, person))
        if not 0 <= index < len(options):
            raise HTTPException(404, "no such option")
        aerial = option_picture(room.library.sample(options[index]))
        if aerial is None:
            raise HTTPException(404, "no such picture")
        return _image(aerial)

    @router.get("/tasks/{task_id}/masks/{cue_id}")
    def mask(task_id: str, cue_id: str, person: Annotated[Person, Depends(person_of)]) -> Response:
        png = mask_png(shown_sample(_task(room, task_id, person), room.library), cue_id)
        if png is None:
            raise HTTPException(404, "no such mask")
        return _image(png)

    @router.get("/reasons")
    def reasons(person: Annotated[Person, Depends(person_of)]) -> dict[str, str]:
        del person
        return {reason.value: words for reason, words in REASON_WORDS.items()}

    return router


def _readable(room: Room, wanted: Wanted, person: Person) -> list[dict[str, Any]]:
    """The next tasks that can be read, leased to the person.

    One that a passing fault hides stays in the queue: the next request tries it again. A broken one is set aside.

    Raises:
        OutageError: none can be read now.
        MachineError: the dataset is not where it was.
    """
    outage, unread = None, list[str]()
    for _ in range(_MOST_BROKEN):
        views, missed = [], False
        for row in take(room.desk, person, count=wanted.count, plan=wanted.plan, without=unread):
            library = room.library
            try:
                views.append(_view(room, row, person))
                continue
            except OutageError as error:
                room.check_dataset()
                log.warning("sample %s cannot be read now: %s", row.sample_id, error)
                outage = error
                unread.append(row.task_id)
            except (KeyError, MachineError) as error:  # this sample, and not the queue
                room.check_dataset()
                room.follow_revision(person.alias, at_once=True)
                if room.library is library:
                    log.warning("sample %s is left out: %s", row.sample_id, error)
                    set_aside(room.desk, person.alias, [row.task_id], "broken", str(error))
            missed = True
        if views or not missed:
            break
    if outage is not None and not views:
        raise outage
    return views


def _view(room: Room, task: Row[Any], person: Person) -> dict[str, Any]:
    return task_view(task, room.library) | {"decisions": both_decisions(room.desk, task, person)}


def _task(room: Room, task_id: str, person: Person) -> Row[Any]:
    """A task that is the person's now, or that they have decided."""
    with room.desk.reading() as connection:
        task = task_of(connection, task_id)
    if person.alias not in (task.lease_by, task.decided_by) and person.role != "lead":
        raise HTTPException(403, "the task is not yours")
    return task


def _image(data: bytes) -> Response:
    kind = _KINDS.get(data[:2])
    if kind is None:
        raise HTTPException(404, "no picture that a browser shows")
    return Response(data, media_type=kind, headers={"Cache-Control": "private, max-age=3600"})


def _progress(found: Any) -> dict[str, Any]:
    lots = [
        {"name": lot.name, "n": lot.n, "good": lot.good, "bad": lot.bad, "outcome": lot.outcome} for lot in found.lots
    ]
    return {"plan": found.plan, "open": found.open, "decided": found.decided, "total": found.total, "lots": lots}
