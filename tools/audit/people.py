"""The people at the desk: an alias, a role, and a token of which only the digest is stored."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, select, update

from pipeline.errors import ConfigError, Problem
from tools.audit import log
from tools.audit.database.opening import Desk
from tools.audit.database.tables import people
from tools.audit.records import Role

_MARK = 12
ALIAS = r"[a-z0-9][a-z0-9_.-]{0,31}"


@dataclass(frozen=True)
class Person:
    """One who works at the desk."""

    alias: str
    role: Role
    token_mark: str = ""
    """Start of the token's digest: sessions end when somebody gets a new token. Empty without one."""


def enrol(desk: Desk, alias: str, role: Role, *, with_token: bool) -> str:
    """Add a person, or give one a new role and token.

    Returns:
        The token; empty without one. It is shown once and cannot be had again.

    Raises:
        ConfigError: the alias is none.
    """
    checked_alias(alias)
    token = secrets.token_urlsafe(24) if with_token else ""
    values = {"role": role, "token_sha256": _digest(token) if token else None}
    with desk.writing() as connection:
        known = connection.execute(select(people.c.role).where(people.c.alias == alias)).scalar()
        if known is None:
            connection.execute(insert(people).values(alias=alias, **values))
        else:
            connection.execute(update(people).where(people.c.alias == alias).values(**values))
        log.append(connection, desk.clock(), alias, "enrol", {"role": role, "token": bool(token)})
    return token


def checked_alias(alias: str) -> str:
    """The alias, if it may be one.

    Raises:
        ConfigError: it may not.
    """
    if not re.fullmatch(ALIAS, alias):
        allowed = "lower-case letters, digits, `.`, `_` and `-`, at most 32; no name or mail address is needed"
        raise ConfigError([Problem("alias", repr(alias), allowed)])
    return alias


def find(desk: Desk, alias: str) -> Person | None:
    """The person of an alias."""
    with desk.reading() as connection:
        row = connection.execute(select(people).where(people.c.alias == alias)).first()
    return _person(row) if row is not None else None


def by_token(desk: Desk, token: str) -> Person | None:
    """The person of a token."""
    with desk.reading() as connection:
        row = connection.execute(select(people).where(people.c.token_sha256 == _digest(token))).first()
    return _person(row) if row is not None else None


def any_token(desk: Desk) -> bool:
    """Whether anybody has a token: then everybody needs one."""
    with desk.reading() as connection:
        query = select(people.c.alias).where(people.c.token_sha256.is_not(None)).limit(1)
        return connection.execute(query).first() is not None


def _person(row: Row[Any]) -> Person:
    return Person(row.alias, row.role, (row.token_sha256 or "")[:_MARK])


def _digest(token: str) -> str:
    # The token has 192 random bits: a plain hash is enough, and lets it be found by.
    return hashlib.sha256(token.encode()).hexdigest()
