"""What sources say to the network client and get from it: providers, requests, answers, verdicts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from schemas.reasons import Reason


@dataclass(frozen=True)
class Key:
    """A provider's key: where it comes from and how it is sent. The key itself is in the environment only."""

    env: str
    """Name of the environment variable."""
    header: str | None = None
    """Header that carries it, as `Authorization`; preferred."""
    scheme: str = ""
    """What stands before it in the header, as `OAuth `."""
    query: str | None = None
    """Query parameter that carries it, where the provider takes no header."""
    in_path: bool = False
    """The address has a `{key}` to put it in, where the provider takes neither."""


@dataclass(frozen=True)
class Verdict:
    """What an answer means."""

    kind: Literal["ok", "again", "final", "fatal"]
    """`again`: a later try may succeed. `final`: this request is answered for good. `fatal`: no request of this
    provider can succeed (a wrong key): the build stops."""
    reason: Reason | None = None
    detail: str = ""


Judge = Callable[[int, Mapping[str, str], bytes], Verdict]
"""Verdict on a status, headers (names in lower case) and a whole body. Bodies count before statuses."""


@dataclass(frozen=True)
class Provider:
    """Whom a source asks. Two sources of a build with one provider name share its limits."""

    name: str
    origins: tuple[str, ...]
    """Where it may be asked: `https://host`, `http://127.0.0.1:8765`, or `https://*.host` for its subdomains. Redirects
    must stay within them. A session can widen them, see `Session.allow`."""
    per_s: float
    """Requests a second, for each host."""
    at_once: int
    """Requests under way, for each host."""
    per_day: int | None = None
    documented_api: bool = True
    """False for a host that documents no API: its robots.txt is obeyed."""
    wants_contact: bool = False
    """Its terms ask for a contact in the User-Agent."""
    key: Key | None = None
    judge: Judge | None = None
    """What its answers mean, where statuses alone do not say it; `pipeline.net.status.by_status` otherwise."""


@dataclass(frozen=True)
class Request:
    """One request. The key is no part of it: the session adds it, so that it stands in no log and no cache."""

    url: str
    """Without the key."""
    params: tuple[tuple[str, str], ...] = ()
    """Query parameters, added to the address."""
    method: Literal["GET", "POST"] = "GET"
    body: bytes | None = None
    content_type: str | None = None
    accept: tuple[str, ...] = ()
    """Media types that the answer may be of (`image/`, `application/json`: prefixes); any if empty. The body is looked
    at too: HTML where a picture is wanted is a fault, whatever the header says."""
    max_bytes: int = 50_000_000
    """Longest body, decompressed."""
    first: int | None = None
    length: int | None = None
    """A range of bytes; the answer must be 206 with that range (or shorter at the end of the file)."""
    cache: Literal["never", "validated", "immutable"] = "never"
    """`validated`: by the answer's own headers (max-age, ETag, Last-Modified). `immutable`: for good."""
    cache_key: str | None = None
    """Where the address changes though the content does not (a signed picture address): provider and picture id."""
    send_key: bool = True
    """False for hosts that must not see the provider's key (picture servers)."""


@dataclass(frozen=True)
class Answer:
    """What came, whole and judged ok."""

    body: bytes
    status: int
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    url: str = ""
    """After redirects, without the key."""
    cached: bool = False


class Session(Protocol):
    """A provider's side of the client. Threads may share it."""

    def fetch(self, request: Request) -> Answer:
        """The answer, after as many polite tries as it takes.

        Raises:
            SiteError: with the reason of the last try, or of why there was none.
            MachineError: a fatal verdict: it tells what to mend.
            BuildStopped: the user stopped the build while this waited.
        """
        ...

    def fetch_many(self, requests: Sequence[Request]) -> "list[Answer | Exception]":
        """All answers, in order, fetched at once as far as the limits allow; a `SiteError` in place of a failed one.

        Raises:
            MachineError, BuildStopped: as `fetch`.
        """
        ...

    def allow(self, origin: str) -> None:
        """Take up an origin that the provider itself names (its list of instances).

        Raises:
            SiteError: UNSAFE_ADDRESS, where it is no https address of a public host.
        """
        ...


class Client(Protocol):
    """One a process."""

    def session(self, provider: Provider) -> Session:
        """The session of a provider; the same one for an equal provider."""
        ...
