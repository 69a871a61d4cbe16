"""Addresses of tiles, written as templates: `https://{s}.example.org/{z}/{x}/{y}.jpg?token={key}`."""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

import mercantile

from pipeline.net.base import Key

ALLOWED = "{z} with {x} and {y}, or {-y} where rows count from the south, or {q} (quadkey); {s} (subdomain), {key}"
_PLACES = frozenset({"z", "x", "y", "-y", "q", "s", "key"})


@dataclass(frozen=True)
class Template:
    """A template that `faults` finds nothing wrong with."""

    text: str
    subdomains: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """Host without a subdomain in braces, in lower case; with the port where it states one."""
        return urlsplit(self.text).netloc.lower().removeprefix("{s}.")

    @property
    def origins(self) -> tuple[str, ...]:
        """Where its tiles lie."""
        parts = urlsplit(self.text)
        hosts = [f"{s}.{self.host}" for s in self.subdomains] or [self.host]
        return tuple(f"{parts.scheme}://{host}" for host in hosts)

    def key(self, env: str | None) -> Key | None:
        """How a key from an environment variable is sent: as its query parameter, or in the path."""
        if env is None:
            return None
        name = split_key(self.text)[1]
        return Key(env, query=name) if name else Key(env, in_path=True)

    def url(self, z: int, x: int, y: int) -> str:
        """Address of a tile of the XYZ scheme. A key in the query is left out, one in the path stays `{key}`."""
        text = split_key(self.text)[0]
        values = {"z": z, "x": x, "y": y, "-y": 2**z - 1 - y}
        for place, value in values.items():
            text = text.replace(f"{{{place}}}", str(value))
        if "{q}" in text:
            text = text.replace("{q}", mercantile.quadkey(x, y, z))
        # By the tile's place, so that the same tile always has the same address in the cache.
        return text.replace("{s}", self.subdomains[(x + y) % len(self.subdomains)]) if self.subdomains else text


@lru_cache(maxsize=256)
def split_key(address: str) -> tuple[str, str | None]:
    """An address without the query parameter that is `{key}`, and that parameter's name if there is one."""
    found = re.search(r"[?&]([^=&?#{}]+)=\{key\}(?=&|$)", address)
    if found is None:
        return address, None
    rest = address[: found.start() + 1] + address[found.end() :].removeprefix("&")
    return rest.rstrip("?&"), found.group(1)


def faults(text: str, subdomains: tuple[str, ...], key_env: str | None) -> list[tuple[str, str]]:
    """The faults of a template: what was found, and what is allowed."""
    if re.sub(r"\{[^{}]*\}", "", text).count("{") + re.sub(r"\{[^{}]*\}", "", text).count("}"):
        return [(f"a brace without its other half in {text}", ALLOWED)]
    places = re.findall(r"\{([^{}]*)\}", text)
    found = set(places)
    wrong = []
    unknown = sorted(found - _PLACES)
    if unknown:
        wrong.append((", ".join(f"{{{place}}}" for place in unknown), ALLOWED))
    if {"y", "-y"} <= found:
        wrong.append(("both {y} and {-y}", "one of them"))
    if "q" in found:
        if found & {"z", "x", "y", "-y"}:
            wrong.append(("{q} beside {z}, {x} or {y}", "{q} alone: it holds all three"))
    elif not unknown:
        missing = [f"{{{place}}}" for place in ("z", "x") if place not in found]
        missing += ["{y}"] if not found & {"y", "-y"} else []
        if missing:
            wrong.append((f"no {', '.join(missing)} in {text}", ALLOWED))
    wrong += _in_pairs(found, subdomains, key_env)
    try:
        parts = urlsplit(text)
        netloc = parts.netloc.removeprefix("{s}.")
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in netloc or re.search(r"\s", text):
            wrong.append((text, "an address that starts with https://"))
        elif "{" in netloc:
            wrong.append((f"host {parts.netloc}", "a fixed host, with {s}. before it or without"))
        elif "{s}" in text.replace("{s}.", "", 1) or ("s" in found and not parts.netloc.startswith("{s}.")):
            wrong.append(("{s} elsewhere than at the start of the host", "https://{s}.host/..."))
    except ValueError as error:  # urlsplit on brackets that hold no IPv6 address
        wrong.append((f"{text}: {error}", "an address that starts with https://"))
    return wrong


def _in_pairs(found: set[str], subdomains: tuple[str, ...], key_env: str | None) -> list[tuple[str, str]]:
    wrong = []
    if ("s" in found) != bool(subdomains):
        given = "{s} and no subdomains" if "s" in found else "subdomains and no {s}"
        wrong.append((given, "both, or neither"))
    if ("key" in found) != (key_env is not None):
        given = "{key} and no key_env" if "key" in found else "key_env and no {key}"
        wrong.append((given, "both, or neither; the key itself stands in the environment"))
    return wrong
