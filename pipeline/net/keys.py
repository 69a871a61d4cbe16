"""API keys: read from the environment when a request is sent, and added to it as the provider expects."""

import os
import re
from hashlib import sha256
from urllib.parse import quote, urlencode

from pipeline.config.network import Network
from pipeline.errors import MachineError
from pipeline.net import redact
from pipeline.net.base import Key, Provider

_USABLE = re.compile(r"[\x21-\x7e]+")


def read(provider: Provider, key: Key) -> str:
    """The key. From here on it is masked in every text.

    Raises:
        MachineError: it is not set, or holds what no key holds.
    """
    fault = _fault(key)
    if fault:
        raise MachineError(f"{provider.name}: {fault[0]}; {fault[1]}")
    value = os.environ[key.env].strip()
    redact.remember(value)
    return value


def mark(value: str) -> str:
    """A digest that distinguishes keys without revealing them."""
    return sha256(value.encode()).hexdigest()[:8]


def with_params(url: str, params: tuple[tuple[str, str], ...]) -> str:
    """A URL with query parameters appended. What it already contains is not quoted again."""
    if not params:
        return url
    base = url.partition("#")[0]
    return f"{base}{'&' if '?' in base else '?'}{urlencode(params, quote_via=quote)}"


def place(url: str, key: Key, value: str) -> tuple[str, dict[str, str]]:
    """The URL and further headers, with the key where the provider expects it."""
    if key.header:
        return url, {key.header: key.scheme + value}
    if key.query:
        return with_params(url, ((key.query, value),)), {}
    return url.replace("{key}", quote(value, safe="")), {}


def missing(provider: Provider, network: Network) -> list[tuple[str, str]]:
    """The keys that a build lacks to use this provider, and how to fix it. Makes no network requests."""
    found = []
    if provider.key and (fault := _fault(provider.key)):
        found.append(fault)
    if provider.wants_contact and not network.contact:
        found.append(
            (
                f"{provider.name} requires a contact",
                "set network.contact to a mail address or a page; it goes into the User-Agent",
            )
        )
    return found


def _fault(key: Key) -> tuple[str, str] | None:
    value = os.environ.get(key.env, "").strip()
    if not value:
        return f"no key in the environment variable {key.env}", f"export {key.env}=... with the key of your account"
    if not _USABLE.fullmatch(value):
        return (
            f"the key in {key.env} holds white space, control characters or letters beyond ASCII",
            "copy it again, without quotes and line ends",
        )
    return None
