"""Choices for a new build file: a place, and the sources that cover it."""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.sources import SourceKind
from pipeline.errors import ConfigError, Problem
from pipeline.regions.catalogue import catalogue, nearest_ids
from pipeline.sources.aerial.open import LEAST_ZOOM
from pipeline.sources.listing import Listed, listing
from tools.regions.covering import aerial_sources_at

WORLD = "world"
"""The place, and the sources, of the synthetic world."""
NONE = "none"
_POSITION = re.compile(r"(-?\d{1,2}(?:\.\d+)?)\s*,\s*(-?\d{1,3}(?:\.\d+)?)")
RADIUS_M = 1000.0
"""Radius of a circle where nobody says another."""
_WORLD_AT = (55.676, 12.568)
_NAMED: dict[SourceKind, tuple[str, ...]] = {
    "street": ("panoramax", "mapillary", "kartaview"),
    "map": ("overture", "overpass"),
}


@dataclass(frozen=True)
class Place:
    """Where a build's region is."""

    catalogue: str | None
    """Id of the catalogue's region; None for a circle."""
    lat: float
    lon: float
    name: str
    """In words, for the title."""
    world: bool = False
    """Whether it is drawn."""


def place_of(given: str) -> Place:
    """A place by its id in the catalogue, by `LAT,LON` in degrees, or `world`.

    Raises:
        ConfigError: it is none of these.
    """
    if given == WORLD:
        return Place(None, *_WORLD_AT, "a synthetic town", world=True)
    entry = catalogue().get(given)
    if entry is not None:
        return Place(entry.id, entry.lat, entry.lon, entry.name)
    match = _POSITION.fullmatch(given.strip())
    if match is None:
        allowed = f"LAT,LON in degrees, world, or {nearest_ids(given)}"
        raise ConfigError([Problem("--place", repr(given), allowed)])
    lat, lon = float(match[1]), float(match[2])
    if abs(lat) > 90 or abs(lon) > 180:
        raise ConfigError([Problem("--place", repr(given), "a latitude of -90 to 90 and a longitude of -180 to 180")])
    return Place(None, lat, lon, f"{_degrees(lat, 'N', 'S')}, {_degrees(lon, 'E', 'W')}")


def sources_for(place: Place, kind: SourceKind) -> list[str]:
    """The listed sources of a kind that cover a place; the first one is the usual choice. Makes no requests."""
    if place.world:
        return [WORLD]
    if kind in _NAMED:
        return list(_NAMED[kind])
    listed = listing()
    found = [name.removesuffix(" (key)") for name in aerial_sources_at(place.lat, place.lon)]
    fine = [name for name in found if (tiles := listed[name].tiles) is not None and tiles.max_zoom >= LEAST_ZOOM]
    return sorted(fine, key=lambda name: listed[name].key_env is not None) or [NONE]


def check_source(place: Place, kind: SourceKind, given: str) -> None:
    """Check that a source can be used at a place: one that is listed for it, or a file of one's own.

    Raises:
        ConfigError: it cannot.
    """
    known = sources_for(place, kind)
    if given in known or (given == NONE and kind != "street"):
        return
    if given == WORLD or kind == "aerial" or not Path(given).is_file():
        files = {"street": ", or the path of an index of your photos", "map": ", none, or the path of a map file"}
        allowed = ", ".join(known) + files.get(kind, "" if NONE in known else ", none")
        raise ConfigError([Problem(f"--{kind}", repr(given), f"{allowed} (at {place.name})")])


def wanting(sources: Mapping[SourceKind, str], contact: str | None) -> list[str]:
    """What the listed sources among those chosen need before a build, and do not have, in words."""
    listed = [listing()[name] for name in sources.values() if name in listing()]
    found = [f"export {one.key_env}=... with your key of {one.name}" for one in listed if _lacks_key(one)]
    return found + [
        f"set network.contact: {one.name} requires a contact" for one in listed if one.wants_contact and not contact
    ]


def _lacks_key(source: Listed) -> bool:
    return source.key_env is not None and not os.environ.get(source.key_env)


def _degrees(value: float, plus: str, minus: str) -> str:
    return f"{math.fabs(value):g}° {plus if value >= 0 else minus}"
