"""Types between sources and the network client: providers, requests, responses and verdicts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from schemas.reasons import Reason


@dataclass(frozen=True)
class Key:
    """A provider's API key: where it comes from and how it is sent. The key itself is only in the environment."""

    env: str
    """Name of the environment variable."""
    header: str | None = None
    """Header that carries the key, such as `Authorization`. Preferred over the other ways."""
    scheme: str = ""
    """Prefix in the header, such as `OAuth `."""
    query: str | None = None
    """Query parameter that carries the key."""
    in_path: bool = False
    """Whether the URL has a placeholder `{key}`."""


@dataclass(frozen=True)
class Verdict:
    """The meaning of a response."""

    kind: Literal["ok", "again", "final", "fatal"]
    """`again`: a later attempt may succeed. `final`: the request has failed for good. `fatal`: no request to this
    provider can succeed (a wrong key), so the build stops."""
    reason: Reason | None = None
    detail: str = ""


Judge = Callable[[int, Mapping[str, str], bytes], Verdict]
"""Gives the verdict on a status, headers (lower-case names) and a whole body. Bodies count before statuses."""


@dataclass(frozen=True)
class Provider:
    """A service that sources send requests to. Two sources of a build with the same provider name share its limits."""

    name: str
    origins: tuple[str, ...]
    """Allowed origins: `https://host`, `http://127.0.0.1:8765`, or `https://*.host` for its subdomains. Redirects must
    stay within them. A session can add more (`Session.allow`)."""
    per_s: float
    """Requests per second and host."""
    at_once: int
    """Concurrent requests per host."""
    per_day: int | None = None
    documented_api: bool = True
    """False for a host without a documented API: its robots.txt is obeyed."""
    wants_contact: bool = False
    """Whether its terms require a contact in the User-Agent."""
    key: Key | None = None
    judge: Judge | None = None
    """Interprets its responses where the status alone does not tell. `pipeline.net.status.by_status` if None."""


@dataclass(frozen=True)
class Request:
    """A request. The session adds the key, so that the key is in no log and no cache entry."""

    url: str
    """URL without the key."""
    params: tuple[tuple[str, str], ...] = ()
    """Query parameters, appended to the URL."""
    method: Literal["GET", "POST"] = "GET"
    body: bytes | None = None
    content_type: str | None = None
    accept: tuple[str, ...] = ()
    """Accepted media types, by prefix (`image/`, `application/json`); all if empty. The body is checked too: HTML
    instead of a picture is an error, whatever the header says."""
    max_bytes: int = 50_000_000
    """Maximum size of the decompressed body, in bytes."""
    first: int | None = None
    length: int | None = None
    """Length of a range, in bytes. The response must be 206 with that range (shorter at the end of the file)."""
    cache: Literal["never", "validated", "immutable"] = "never"
    """`validated`: cached as the response's headers allow (max-age, ETag, Last-Modified). `immutable`: cached without
    expiry."""
    cache_key: str | None = None
    """Cache key for content whose URL changes (signed picture URLs): provider and picture id."""
    send_key: bool = True
    """False for hosts that must not receive the provider's key (picture servers)."""


@dataclass(frozen=True)
class Response:
    """A complete response that was accepted."""

    body: bytes
    status: int
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    url: str = ""
    """URL after redirects, without the key."""
    cached: bool = False


class Session(Protocol):
    """The client's interface for one provider. Thread-safe."""

    def fetch(self, request: Request) -> Response:
        """Send a request, with retries, and return the response.

        Raises:
            SiteError: with the reason of the last attempt, or why there was none.
            MachineError: a fatal verdict; the message says what to fix.
            BuildStopped: the user stopped the build while this waited.
        """
        ...

    def fetch_many(self, requests: Sequence[Request]) -> "list[Response | Exception]":
        """All responses in order, fetched concurrently. A failed request gives its `SiteError`.

        Raises:
            MachineError, BuildStopped: as `fetch`.
        """
        ...

    def allow(self, origin: str) -> None:
        """Add an origin that the provider itself names (its list of instances).

        Raises:
            SiteError: UNSAFE_ADDRESS, where it is no https address of a public host.
        """
        ...


class Client(Protocol):
    """The network client of a process."""

    def session(self, provider: Provider) -> Session:
        """The session of a provider. Equal providers share one session."""
        ...
