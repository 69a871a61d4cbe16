"""Checks URLs before requests: allowed are those of the provider, on the public internet, over https."""

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from pipeline.errors import SiteError
from pipeline.net.special_addresses import is_special
from schemas.reasons import Reason

_PORTS = {"http": 80, "https": 443}
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_HOST = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
"""A name with a dot and a last label that is no number: so no form of an IP address (0x7f.1, 017700000001)."""
_LONGEST = 8_000
"""Characters of a URL: servers take no more in a request's first line."""
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_PORT = re.compile(r"[0-9]{0,5}")


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port. `subdomains` means that it covers all names below the host."""

    scheme: str
    host: str
    port: int
    subdomains: bool = False

    @property
    def name(self) -> str:
        """The host for messages, with the port unless it is the scheme's own: one machine may have several servers."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether it is an address of this machine."""
        return self.host in LOOPBACK

    def covers(self, other: "Origin") -> bool:
        """Whether the other origin lies within this one."""
        if (self.scheme, self.port) != (other.scheme, other.port):
            return False
        if self.subdomains:
            return other.host.endswith("." + self.host)
        return self.host == other.host


def origin_of(url: URL) -> Origin:
    """The origin of an absolute URL.

    Raises:
        SiteError: UNSAFE_ADDRESS, where it holds a user, or its host is neither a public name nor loopback.
    """
    try:
        host, port = (url.raw_host or "").lower(), url.port
    except ValueError:  # not one of `parse_url`
        raise _unsafe("no address", "") from None
    if url.scheme not in {"http", "https"} or not host or not port:
        raise _unsafe("no web address", url.scheme or "relative")
    if url.raw_user is not None or url.raw_password is not None:
        raise _unsafe("an address with a user or password", host)
    if host not in LOOPBACK and not _HOST.fullmatch(host):
        raise _unsafe("no public host name", host)
    return Origin(url.scheme, host, port)


def parse_origin(text: str, *, allow_loopback: bool) -> Origin:
    """Parse an origin as a provider states it: `https://host`, `https://*.host`, or loopback where allowed.

    Raises:
        SiteError: UNSAFE_ADDRESS.
    """
    subdomains = text.startswith("https://*.")
    url = parse_url(text.replace("*.", "", 1) if subdomains else text)
    if url.raw_path not in {"", "/"} or url.raw_query_string:
        raise _unsafe("no origin", text)
    origin = origin_of(url)
    if origin.loopback:
        if subdomains:
            raise _unsafe("no name that could have subdomains", origin.host)
        if not allow_loopback:
            raise _unsafe("an address of this machine, which network.allow_loopback does not open", origin.host)
    elif origin.scheme != "https":
        raise _unsafe("no https", origin.host)
    return Origin(origin.scheme, origin.host, origin.port, subdomains)


def parse_url(text: str) -> URL:
    """Parse a URL from a document. Percent-encoded parts stay as they are (signed URLs).

    Raises:
        SiteError: UNSAFE_ADDRESS, where it cannot be parsed, its port is none, it holds white space or control
            characters, or is endless.
    """
    if len(text) > _LONGEST:
        raise _unsafe(f"an address of {len(text):,} characters, at most {_LONGEST:,} allowed", "")
    if _FORBIDDEN.search(text):
        raise _unsafe("an address with white space or control characters", "")
    try:
        url = URL(text.partition("#")[0], encoded=text.isascii())
        # yarl looks at host and port when they are first asked for; then it would be too late. Of a port it accepts
        # what Python's int does, as +443.
        port = url.raw_authority.rpartition("@")[2].rpartition("]")[2].rpartition(":")
        sound = url.port is None or _PORT.fullmatch(port[2] if port[1] else "") is not None
    except ValueError:
        sound = False
    if not sound:
        raise _unsafe("no address", "")
    return url


def check(url: URL, allowed: Iterable[Origin]) -> Origin:
    """Check that a URL may be requested, and return its origin.

    Raises:
        SiteError: UNSAFE_ADDRESS.
    """
    origin = origin_of(url)
    if not any(known.covers(origin) for known in allowed):
        raise _unsafe("not an address of this source", f"{origin.scheme}://{origin.host}:{origin.port}")
    return origin


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:  # a scope id, as fe80::1%eth0
        return False
    return ip.is_global and not is_special(ip)


class PublicResolver(AbstractResolver):
    """A DNS resolver that returns public addresses only.

    The connection is made to the addresses given here, so a name that resolves differently a moment later (DNS
    rebinding) gains nothing.
    """

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The public addresses of a name.

        Raises:
            SiteError: UNSAFE_ADDRESS, where it has none but others.
        """
        found = await self._inner.resolve(host, port, family)
        if host == "localhost":  # `check` lets it pass only where a provider's own origin says so
            return [one for one in found if ipaddress.ip_address(one["host"]).is_loopback]
        public = [one for one in found if is_public(one["host"])]
        if found and not public:
            raise _unsafe("a name that leads to no public address", host)
        return public

    async def close(self) -> None:
        """Close the inner resolver."""
        await self._inner.close()


def _unsafe(what: str, where: str) -> SiteError:
    return SiteError(Reason.UNSAFE_ADDRESS, f"{what}: {where}" if where else what)
