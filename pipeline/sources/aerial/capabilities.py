"""Capabilities documents of OGC services: fetched through the client, checked before they are parsed."""

import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from xml.etree.ElementTree import ParseError

import defusedxml.ElementTree
from defusedxml import DefusedXmlException
from lxml.etree import LxmlError
from owslib.util import ServiceException

from pipeline.errors import MachineError, Problem, SiteError
from pipeline.net.base import Request, Session, Verdict
from pipeline.sources.aerial.service import tile_verdict
from pipeline.sources.aerial.templates import split_key
from schemas.reasons import Reason

T = TypeVar("T")

_MAX_BYTES = 20_000_000
"""Limit for a document; those of national services with a thousand layers are some 5 MB."""
_ODD = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, NotImplementedError, StopIteration)
"""Exceptions of OWSLib and its users on documents without what the standard requires, found by reading and fuzzing."""
FORMATS = ("image/jpeg", "image/jpg", "image/webp", "image/png")
"""Formats of pictures, the preferred first."""
_DECODED = re.compile(r"image/(x-|vnd\.)?(pjpeg|webp|jpe?g|(jpe?g-?)?png(8|24|32)?)")
"""Other names that servers have for what the decoder takes: `image/png8`, `image/vnd.jpg-png`, `image/jpgpng`."""
_MERCATOR = re.compile(r"(.*[^0-9])?(3857|900913|3785|102100|102113|41001)|.*googlemapscompatible.*", re.IGNORECASE)
"""EPSG:3857, in the spellings of OGC's standards, and what else it was called before and beside EPSG."""


def check_address(address: str, key_env: str | None, where: str, problems: list[Problem]) -> None:
    """Add a problem for a key that is not a query parameter, or a `{key}` without key_env, or the reverse."""
    rest, name = split_key(address)
    if "{" in rest or "}" in rest:
        problems.append(Problem(where, address, "no braces, but for a query parameter that is {key}"))
    elif (name is None) != (key_env is None):
        found = "{key} and no key_env" if key_env is None else "key_env and no {key}"
        problems.append(Problem(where, found, "both (https://host/path?token={key}), or neither"))


def fetch(session: Session, address: str, service: str) -> bytes:
    """A document's bytes.

    Args:
        session: Whom to ask.
        address: As configured: the document's own address, or the service's, which is then asked for it.
        service: `WMS` or `WMTS`.

    Raises:
        SiteError: as the client raises it.
    """
    url = split_key(address)[0]
    parts = urlsplit(url)
    asked = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    params: tuple[tuple[str, str], ...] = ()
    if "request" not in asked and not parts.path.lower().endswith(".xml"):
        params = (("SERVICE", service), ("REQUEST", "GetCapabilities"))
    return session.fetch(Request(url, params=params, max_bytes=_MAX_BYTES, cache="validated")).body


def parse(body: bytes, read: Callable[[bytes, str], T]) -> T:
    """Call `read` with a document's bytes and its version, once it is known to be harmless XML.

    Raises:
        SiteError: BAD_ANSWER: no XML, XML with entities of its own, or not what the standard requires.
    """
    try:
        # WMS 1.1.1 has a DOCTYPE; entities, which it has no need of, are refused.
        version = defusedxml.ElementTree.fromstring(body).attrib.get("version", "")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of doubled identifiers: the later counts
            return read(body, version)
    except (ParseError, DefusedXmlException) as error:
        raise SiteError(Reason.BAD_ANSWER, f"capabilities are no XML that may be read: {error}") from error
    except (*_ODD, ServiceException, LxmlError) as error:
        raise SiteError(Reason.BAD_ANSWER, f"capabilities lack what they must hold: {error!r}"[:300]) from error


def own_address(found: str, configured: str) -> str:
    """An address from a document, if it is of the configured host; its scheme and port become the configured ones.

    Servers behind a proxy often state `http` or a port that is theirs inside. A key that the server repeats in its
    addresses is taken out.

    Raises:
        SiteError: UNSAFE_ADDRESS: another host.
    """
    try:
        parts = urlsplit(found.strip())
        host = parts.hostname
    except ValueError:
        host = None
    own = urlsplit(configured)
    if host is None or host != own.hostname:
        detail = f"the capabilities of {own.hostname} name {host or 'no host'}; only the configured host is asked"
        raise SiteError(Reason.UNSAFE_ADDRESS, detail)
    key = split_key(configured)[1]
    query = parts.query
    if key is not None:
        kept = [(k, v) for k, v in parse_qsl(query, keep_blank_values=True) if k.lower() != key.lower()]
        query = urlencode(kept, safe="{}:/,")
    return urlunsplit((own.scheme, own.netloc, parts.path, query, "")).rstrip("?&")


def pick(known: Mapping[str, Any], wanted: str, where: str) -> Any:
    """A named thing of a document.

    Raises:
        MachineError: there is none of that name: it is wrong in the build file, which only the document can tell.
    """
    if wanted not in known:
        names = ", ".join(sorted(known)[:40]) or "none"
        raise MachineError(f"{Problem(where, repr(wanted), f'one of {names}')}; correct the build file")
    return known[wanted]


def is_web_mercator(system: str) -> bool:
    """Whether a coordinate system, as documents name it, is EPSG:3857."""
    return _MERCATOR.fullmatch(system.strip()) is not None


def pick_format(offered: list[str], where: str) -> str:
    """The preferred format among those offered, as it is offered: some servers add parameters or names of their own.

    Raises:
        MachineError: none of them can be decoded.
    """
    plain = {name: name.partition(";")[0].strip().lower() for name in map(str, offered)}
    usable = [name for name, kind in plain.items() if _DECODED.fullmatch(kind)]
    best = min(usable, key=lambda name: FORMATS.index(plain[name]) if plain[name] in FORMATS else 9, default=None)
    if best is None:
        raise MachineError(str(Problem(where, f"formats {', '.join(map(str, offered)) or 'none'}", ", ".join(FORMATS))))
    return best


def ogc_verdict(status: int, headers: Mapping[str, str], body: bytes) -> Verdict:
    """Interpret an OGC service's answer: its faults are XML documents, often with status 200."""
    start = body[:600]
    if b"<" in start[:5] and b"ExceptionReport" in start:
        if b"TileOutOfRange" in body[:4000]:
            return Verdict("final", Reason.GONE, "no such tile")
        if status < 500:
            return Verdict("final", Reason.BAD_ANSWER, " ".join(body[:400].decode("utf-8", "replace").split()))
    return tile_verdict(status, headers, body)
