"""The plain pages: sign in, start, guidelines, report; and the shell of the desk, whose island does the rest."""

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.quantity import quantity
from tools.audit import people
from tools.audit.people import Person
from tools.audit.plans import all_plans
from tools.audit.queue import progress
from tools.audit.records import DISAGREEMENTS, MOST_MS, NOTE_LENGTH, REASON_WORDS
from tools.audit.report import render
from tools.audit.server.doors import Doors
from tools.audit.server.security import COOKIE, SESSION_S

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)


def page(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page of a template."""
    return HTMLResponse(_TEMPLATES.get_template(name).render(**values), status, {"Cache-Control": "no-store"})


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form. Files are no use here, so no parser of theirs is needed."""
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace")))


def pages(doors: Doors, *, secure: bool) -> APIRouter:
    """The routes."""
    router = APIRouter(default_response_class=HTMLResponse)

    def signed_in(person: Person, to: str) -> Response:
        answer = RedirectResponse(to, 303)
        cookie = doors.sessions.cookie(person, doors.room.desk.clock())
        answer.set_cookie(COOKIE, cookie, max_age=SESSION_S, httponly=True, samesite="strict", secure=secure)
        return answer

    @router.get("/")
    def start(request: Request) -> Response:
        person = doors.session(request)
        if person is None and doors.alone is not None:
            return signed_in(doors.alone, "/")
        if person is None:
            return RedirectResponse("/login", 303)
        return page(
            "start.html.jinja",
            person=person,
            plans=progress(doors.room.desk, person),
            dataset=doors.room.library.dataset,
            samples=quantity(len(doors.room.library.facts), "sample"),
            csrf=doors.sessions.csrf(request.cookies[COOKIE]),
        )

    @router.get("/login")
    def login(request: Request) -> Response:
        del request
        if doors.alone is not None:
            return RedirectResponse("/", 303)
        return page("login.html.jinja", fault="")

    @router.post("/login")
    def enter(request: Request, form: Annotated[dict[str, str], Depends(_form)]) -> Response:
        doors.check_origin(request)
        client = request.client.host if request.client else ""
        if not doors.tries.allow(client):
            return page("login.html.jinja", 429, fault="Too many tries; wait a minute.")
        person = people.by_token(doors.room.desk, form.get("token", "").strip())
        if person is None:
            return page("login.html.jinja", 403, fault="Nobody has that token.")
        return signed_in(person, "/")

    @router.post("/logout")
    def leave(request: Request, form: Annotated[dict[str, str], Depends(_form)]) -> Response:
        doors.check_origin(request)
        answer = RedirectResponse("/login", 303)
        if form.get("csrf") == doors.sessions.csrf(request.cookies.get(COOKIE, "")):
            answer.delete_cookie(COOKIE)
        return answer

    @router.get("/desk")
    def desk(request: Request) -> Response:
        person = doors.person(request)
        with doors.room.desk.reading() as connection:
            queues = {DISAGREEMENTS, *(plan.name for plan in all_plans(connection))}
        if request.query_params.get("plan", DISAGREEMENTS) not in queues:
            raise HTTPException(404, "There is no such queue.")
        settings = {
            "person": person.alias,
            "role": person.role,
            "csrf": doors.sessions.csrf(request.cookies[COOKIE]),
            "reasons": {reason.value: words for reason, words in REASON_WORDS.items()},
            "noteLength": NOTE_LENGTH,
            "mostMs": MOST_MS,
        }
        return page("desk.html.jinja", settings=json.dumps(settings))

    @router.get("/guidelines")
    def guidelines(request: Request) -> Response:
        doors.person(request)
        return page("guidelines.html.jinja", reasons=REASON_WORDS)

    @router.get("/report")
    def report(request: Request) -> Response:
        person = doors.person(request)
        if person.role != "lead":
            return page(
                "refused.html.jinja",
                403,
                title="Refused",
                why="Only a lead sees the report: it tells how far annotators can be trusted.",
            )
        return HTMLResponse(render(doors.room.figures()))

    return router
