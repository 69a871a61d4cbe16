"""Addresses that map data may not be taken from."""

import re

_HOST = re.compile(r"(?:https?:/+)?(?:[^/@]*@)?([^/:?#]+)", re.IGNORECASE)
_TILES = re.compile(r"(?:.+\.)?(?:tile|vector)\.openstreetmap\.org|(?:[a-c]\.)?tile\.osm\.org")
OSM_TILES = (
    "the public tile servers of openstreetmap.org: their usage policy forbids bulk download "
    "(https://operations.osmfoundation.org/policies/tiles/)"
)
INSTEAD = "an extract drawn here (sources.map with type files, overture, overpass or pmtiles), or a server of your own"


def refusal(url: str) -> str | None:
    """Why an address is refused; None if it is not.

    Args:
        url: of anything: a server, a template of tiles, a file. `{s}` and the like may stand in it.
    """
    host = _HOST.match(url.strip())
    known = re.sub(r"\{[^}]*\}", "a", host[1]).rstrip(".").lower() if host else ""
    return OSM_TILES if _TILES.fullmatch(known) else None
