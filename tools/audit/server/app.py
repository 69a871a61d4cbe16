"""The application: routes, sessions, and how errors become answers."""

from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteError

from pipeline.errors import ConfigError, MachineError
from tools.audit.decisions import ConflictError, UnknownTaskError
from tools.audit.people import Person
from tools.audit.server.api import api
from tools.audit.server.doors import Doors
from tools.audit.server.pages import page, pages
from tools.audit.server.room import Room
from tools.audit.server.security import Bucket, Guard, sessions_of

STATIC = Path(__file__).parent.parent / "static"
"""The built page; `make audit-page` builds it from `tools/audit/web`."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_BURST, _PER_S = 240.0, 60.0
"""Requests of a session: a sample takes some 12 with its pictures."""


def make_app(
    room: Room, *, alone: Person | None = None, hosts: Iterable[str] = LOOPBACK, secure: bool = False
) -> FastAPI:
    """The desk's application.

    Args:
        room: what is open.
        alone: the one person of a desk on loopback without tokens; None where people sign in with a token.
        hosts: host names that it answers to; `*` for all, behind a proxy that checks them.
        secure: whether it is reached by https only: cookies are never sent otherwise, and what comes so is refused.
    """
    app = FastAPI(title="geoscribe audit", docs_url=None, redoc_url=None, openapi_url=None)
    doors = Doors(room, sessions_of(room.desk), alone)
    bucket = Bucket(burst=_BURST, per_s=_PER_S)
    app.add_middleware(Guard, hosts=hosts, bucket=bucket, is_session=doors.is_session, secure=secure)
    app.include_router(api(room, doors.person, doors.changing))
    app.include_router(pages(doors, secure=secure))
    app.mount("/static", StaticFiles(directory=STATIC, check_dir=False), name="static")

    @app.exception_handler(RequestValidationError)
    def nonsense(_: Request, error: RequestValidationError) -> Response:
        # Not what was sent: half a character or a NaN in it cannot be sent back.
        return JSONResponse({"detail": "; ".join(dict.fromkeys(fault["msg"] for fault in error.errors()))}, 422)

    @app.exception_handler(ConflictError)
    def conflict(_: Request, error: ConflictError) -> Response:
        return JSONResponse({"detail": str(error)}, 409)

    @app.exception_handler(UnknownTaskError)
    def unknown(_: Request, error: UnknownTaskError) -> Response:
        return JSONResponse({"detail": str(error)}, 404)

    @app.exception_handler(KeyError)
    def gone(_: Request, error: KeyError) -> Response:
        return JSONResponse({"detail": f"sample {error} is no longer in the dataset as it was"}, 410)

    @app.exception_handler(MachineError)
    def machine(_: Request, error: MachineError) -> Response:
        return JSONResponse({"detail": str(error)}, 507 if "nothing was recorded" in str(error) else 503)

    @app.exception_handler(ConfigError)
    def config(_: Request, error: ConfigError) -> Response:
        return JSONResponse({"detail": str(error)}, 503)

    @app.exception_handler(StarletteError)
    def refused(request: Request, error: StarletteError) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            if error.status_code == 401:
                return Response(status_code=303, headers={"Location": "/login"})
            absent = error.status_code == 404
            why = "This desk has no such page." if error.detail == HTTPStatus.NOT_FOUND.phrase else str(error.detail)
            return page("refused.html.jinja", error.status_code, title="Not found" if absent else "Refused", why=why)
        return JSONResponse({"detail": error.detail}, error.status_code, error.headers)

    return app
