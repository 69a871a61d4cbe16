"""Authenticates a request, and checks whether it may change something."""

from fastapi import HTTPException, Request

from tools.audit import people
from tools.audit.people import Person
from tools.audit.server.room import Room
from tools.audit.server.security import COOKIE, CSRF_HEADER, Bucket, Sessions


class Doors:
    """Doors: find out who a request is from."""

    def __init__(self, room: Room, sessions: Sessions, alone: Person | None) -> None:
        """`alone` is the one person of a desk on loopback without tokens."""
        self.room, self.sessions, self.alone = room, sessions, alone
        self.tries = Bucket(burst=10, per_s=0.2)

    def is_session(self, cookie: str | None) -> bool:
        """Whether a cookie is one that was given out here, and not over."""
        return self.sessions.owner(cookie, self.room.desk.clock()) is not None

    def session(self, request: Request) -> Person | None:
        """The person of a request; None for a stranger."""
        owner = self.sessions.owner(request.cookies.get(COOKIE), self.room.desk.clock())
        if owner is None or (self.alone is not None and owner[0] != self.alone.alias):
            return None
        found = people.find(self.room.desk, owner[0])
        return found if found is not None and (self.alone is not None or found.token_mark == owner[1]) else None

    def person(self, request: Request) -> Person:
        """The person of a request.

        Raises:
            HTTPException: 401 for a stranger.
        """
        found = self.session(request)
        if found is None:
            raise HTTPException(401, "sign in first")
        return found

    def changing(self, request: Request) -> Person:
        """The person of a request that changes something.

        Raises:
            HTTPException: 401 for a stranger, 403 without the CSRF token or from another site.
        """
        found = self.person(request)
        self.check_origin(request)
        if request.headers.get(CSRF_HEADER) != self.sessions.csrf(request.cookies[COOKIE]):
            raise HTTPException(403, "the page is out of date; load it again")
        return found

    def check_origin(self, request: Request) -> None:
        """Refuse what a page of another site sends.

        Raises:
            HTTPException: 403.
        """
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
            raise HTTPException(403, "sent by a page of another site")
