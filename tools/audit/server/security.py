"""Keeps strangers out: sessions, CSRF tokens, host names, limits of rate and size, and response headers.

Cookies are signed with a key that stands in the database, so that sessions outlive a restart. A page of another site
can neither read the CSRF token nor set the header that carries it.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from sqlalchemy import insert, select
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tools.audit.database.opening import Desk
from tools.audit.database.tables import settings
from tools.audit.people import Person

COOKIE = "geoscribe_audit"
CSRF_HEADER = "x-csrf-token"
SESSION_S = 14 * 24 * 3600
BODY_BYTES = 256_000
"""A decision with three edited texts and a note takes less than 100,000 bytes."""
HEADERS = {
    # Not `no-referrer`: forms would then say that they come from nowhere, and be refused.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True)
class Sessions:
    """Signs and reads session cookies."""

    key: bytes

    def cookie(self, person: Person, now: float) -> str:
        """A new session of a person."""
        body = f"{person.alias}|{int(now) + SESSION_S}|{person.token_mark}|{secrets.token_urlsafe(9)}"
        return f"{body}|{self._sign('session', body)}"

    def owner(self, cookie: str | None, now: float) -> tuple[str, str] | None:
        """Alias and token mark of a session's person; None if there is no such session, or it is over."""
        body, _, signature = (cookie or "").rpartition("|")
        parts = body.split("|")
        if len(parts) != 4 or not hmac.compare_digest(signature.encode(), self._sign("session", body).encode()):
            return None
        return (parts[0], parts[2]) if int(parts[1]) > now else None

    def csrf(self, cookie: str) -> str:
        """The token that changes of this session must carry."""
        return self._sign("csrf", cookie)

    def _sign(self, what: str, body: str) -> str:
        return hmac.new(self.key, f"{what}|{body}".encode(), hashlib.sha256).hexdigest()


def sessions_of(desk: Desk) -> Sessions:
    """The sessions of a database, with a key that is drawn once."""
    with desk.writing() as connection:
        key = connection.execute(select(settings.c.value).where(settings.c.key == "secret")).scalar()
        if key is None:
            key = secrets.token_hex(32)
            connection.execute(insert(settings).values(key="secret", value=key))
    return Sessions(bytes.fromhex(key))


@dataclass
class Bucket:
    """Token buckets, one for each key: so many requests at once, then so many a second."""

    burst: float
    per_s: float
    clock: Callable[[], float] = time.monotonic
    _levels: dict[str, tuple[float, float]] = field(default_factory=dict)

    def allow(self, key: str) -> bool:
        """Whether one more is allowed now."""
        now = self.clock()
        level, at = self._levels.get(key, (self.burst, now))
        level = min(self.burst, level + (now - at) * self.per_s)
        self._levels[key] = (level - 1 if level >= 1 else level, now)
        if len(self._levels) > 10_000:  # those that are full again say nothing
            full = [k for k, (n, then) in self._levels.items() if n + (now - then) * self.per_s >= self.burst]
            for k in full:
                del self._levels[k]
        return level >= 1


class Guard:
    """Middleware: refuses unknown host names, large bodies and floods, and adds the headers to each response."""

    def __init__(
        self,
        app: ASGIApp,
        hosts: Iterable[str],
        bucket: Bucket,
        is_session: Callable[[str | None], bool],
        *,
        secure: bool,
    ) -> None:
        """What it lets through.

        Args:
            app: what is guarded.
            hosts: names without a port; `*` lets all through (behind a proxy that checks them).
            bucket: limits the requests of each session, and those of strangers by address.
            is_session: whether a cookie is a session's.
            secure: whether plain http is refused: behind a proxy, what has not come through it.
        """
        self.app, self.hosts, self.bucket = app, frozenset(host.lower() for host in hosts), bucket
        self.is_session, self.secure = is_session, secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        request = Request(scope)
        refusal = self._refusal(request)
        if refusal is not None:
            await refusal(scope, receive, with_headers)
            return
        await self.app(scope, _limited(receive), with_headers)

    def _refusal(self, request: Request) -> Response | None:
        # A page elsewhere whose name was made to point here (DNS rebinding) comes with its own host name.
        host = re.sub(r":\d+$", "", request.headers.get("host", "")).strip("[]").lower()
        if "*" not in self.hosts and host not in self.hosts:
            return PlainTextResponse("this desk does not go by that name (geoscribe audit open --name)", 421)
        if self.secure and request.url.scheme != "https":
            return PlainTextResponse("by https only, through the proxy if there is one", 403)
        if "\0" in request.scope["path"]:  # PostgreSQL has no such text
            return PlainTextResponse("no such page", 404)
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > BODY_BYTES:
            return PlainTextResponse(f"at most {BODY_BYTES} bytes", 413)
        cookie = request.cookies.get(COOKIE)
        client = request.client.host if request.client else ""
        # A stranger who makes up cookies is still one address.
        if not self.bucket.allow(cookie if cookie and self.is_session(cookie) else client):
            return PlainTextResponse("too many requests; wait a second", 429)
        return None


class BodyTooLargeError(HTTPException):
    """A body of unstated length went on beyond the limit."""

    def __init__(self) -> None:
        super().__init__(413, f"at most {BODY_BYTES} bytes")


def _limited(receive: Receive) -> Callable[[], Awaitable[Message]]:
    read = 0

    async def limited() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > BODY_BYTES:
            raise BodyTooLargeError
        return message

    return limited
