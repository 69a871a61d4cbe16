"""The requests of a chain of redirects: the first, with its key and headers, and each that a redirect leads to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from yarl import URL

from pipeline.errors import SiteError
from pipeline.net import keys, redact
from pipeline.net.addresses import Origin, check, parse_url
from pipeline.net.base import Provider, Request
from pipeline.net.transport import Reply
from schemas.reasons import Reason

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class Asked:
    """A request with its context."""

    provider: Provider
    origins: Sequence[Origin]
    request: Request
    validators: Mapping[str, str] = field(default_factory=dict)
    """Headers of a conditional request; the response may then be 304."""


@dataclass(frozen=True)
class Hop:
    """One request on the wire."""

    method: str
    url: URL
    headers: dict[str, str]
    body: bytes | None


def redirect_target(reply: Reply | None) -> str | None:
    """The target of a redirect, if the response is one."""
    return reply.headers.get("location") if reply and reply.status in _REDIRECTS else None


def first_hop(asked: Asked, key: str | None) -> Hop:
    """The request as it is sent first, with its key."""
    request = asked.request
    headers = {"Accept": ", ".join(_accepted(request)), **asked.validators}
    if request.content_type:
        headers["Content-Type"] = request.content_type
    if request.first is not None or request.length is not None:
        first = request.first or 0
        headers["Range"] = f"bytes={first}-" + (str(first + request.length - 1) if request.length else "")
    text = keys.with_params(request.url, request.params)
    if key and asked.provider.key:
        text, more = keys.place(text, asked.provider.key, key)
        headers |= more
    return Hop(request.method, parse_url(text), headers, request.body)


def next_hop(asked: Asked, hop: Hop, status: int, location: str, origin: Origin) -> Hop:
    """The request that a redirect leads to. A key in a header is sent along only within one origin.

    Raises:
        SiteError: UNSAFE_ADDRESS: the address has the key in it, or may not be requested.
    """
    url = hop.url.join(parse_url(location))
    key = asked.provider.key
    if key and key.header and redact.holds_secret(str(url).encode()):
        # Addresses stand in the logs of all who pass them on; a key in a header does not.
        raise SiteError(Reason.UNSAFE_ADDRESS, "redirected to an address with the key in it")
    method, body, headers = hop.method, hop.body, dict(hop.headers)
    if status == 303 or (status in {301, 302} and method == "POST"):  # RFC 9110, 15.4
        method, body = "GET", None
        headers.pop("Content-Type", None)
    if key and key.header and check(url, asked.origins) != origin:
        headers.pop(key.header, None)
    return Hop(method, url, headers, body)


def _accepted(request: Request) -> list[str]:
    """Value of the Accept header: a prefix such as `image/` stands for all its types."""
    return [f"{kind}*" if kind.endswith("/") else kind for kind in request.accept] or ["*/*"]
