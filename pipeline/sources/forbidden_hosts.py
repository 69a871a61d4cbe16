"""Hosts that no source may take pictures or maps from, as their owners' terms forbid it: the listing says which."""

import re
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from pipeline.sources.listing import Listed, listing

INSTEAD = "an extract drawn here (sources.map with type files, overture, overpass or pmtiles), or a server of your own"
"""Replacements for maps that may not be used."""
_HOST = re.compile(r"(?:https?:/+)?(?:[^/@]*@)?([^/:?#]+)", re.IGNORECASE)


def closed_by(address: str) -> Listed | None:
    """The listed source that an address belongs to, if its terms forbid datasets.

    Args:
        address: Of anything: a server, a template of addresses, a file. `{s}` and the like may stand in it.
    """
    found = _HOST.match(address.strip())
    if found is None:
        return None
    host = re.sub(r"\{[^}]*\}", "a", found[1]).rstrip(".").lower()
    for entry in listing().values():
        if entry.refused is not None and any(_covers(closed, host) for closed in _hosts(entry)):
            return entry
    return None


def refusal(address: str) -> str | None:
    """Why an address is refused; None if it is not."""
    closed = closed_by(address)
    return f"{closed.title}: {closed.refused} ({closed.terms})" if closed else None


def _hosts(entry: Listed) -> list[str]:
    own = [urlsplit(entry.tiles.template).netloc.removeprefix("{s}.")] if entry.tiles else []
    return own + entry.hosts


def _covers(closed: str, host: str) -> bool:
    return fnmatchcase(host, closed) or fnmatchcase(host, f"*.{closed}")
