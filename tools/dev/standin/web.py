"""Requests and answers as the providers' modules see them: plain values, no sockets."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

from tools.dev.standin.faults import Fault, Part, Provider
from tools.dev.standin.scene import Scene

HTML = "text/html; charset=utf-8"
KEY_PARAMETERS = frozenset({"access_token", "key", "api", "apikey", "api_key", "token"})
"""Query parameters that keys are sent in; they stand in no log."""


@dataclass(frozen=True)
class Ask:
    """A request."""

    scene: Scene
    method: str
    path: str
    names: Mapping[str, str]
    """Parts of the path that the route names."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    fault: Fault | None = None

    @property
    def form(self) -> dict[str, str]:
        """The fields of a posted form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def path_and_query(self) -> str:
        """The address, without scheme and host."""
        return self.path + ("?" + urlencode(self.query) if self.query else "")

    @property
    def meant(self) -> str:
        """The address that is asked for, without keys."""
        query = sorted((name, value) for name, value in self.query.items() if name not in KEY_PARAMETERS)
        return f"{self.method} {self.path} {json.dumps(query)} {hashlib.sha256(self.body).hexdigest()[:16]}"


@dataclass(frozen=True)
class Reply:
    """An answer."""

    body: bytes
    content_type: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    max_age_s: int | None = None
    """For how long it may be kept; such answers have an ETag. None: nothing is said."""

    @property
    def etag(self) -> str:
        """Strong validator of the body (RFC 9110, 8.8.3)."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:24]}"'


class Refused(Exception):  # noqa: N818 - an answer, not a failure of the server
    """The provider's own way to say no."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass(frozen=True)
class Route:
    """An address and who answers there."""

    method: Literal["GET", "POST"]
    pattern: str
    """Path with {names}."""
    provider: Provider
    part: Part
    answer: Callable[[Ask], Reply]
    meant: Callable[[Ask], str] = lambda ask: ask.meant
    """What a request asks for, where the address changes though that does not."""
    pictures: bool = False
    """On the pictures' port, not on that of the APIs."""


def json_reply(document: Any, *, status: int = 200, content_type: str = "application/json") -> Reply:
    """A JSON answer. NaN and Infinity are written as Python does, which is no JSON: a fault may ask for that."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return Reply(text.encode(), content_type, status)


def numbers(text: str, count: int) -> tuple[float, ...] | None:
    """So many finite numbers separated by commas, or None."""
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        return None
    return found if len(found) == count and all(abs(value) < 1e9 for value in found) else None
