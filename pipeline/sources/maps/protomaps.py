"""The Protomaps basemap's schema, versions 3 and 4, as OSM tags (https://docs.protomaps.com/basemaps/layers)."""

from typing import Any

from pipeline.cartography.classes import LAND_USES, ROADS, Tags
from pipeline.cartography.features import digest_id
from pipeline.sources.maps.vector_tile import Thing

LAYERS = frozenset({"roads", "transit", "buildings", "landuse", "natural", "water", "physical_line", "pois"})
"""The layers that are read."""
_HIGHWAYS = {"highway": "motorway", "major_road": "primary", "medium_road": "secondary", "minor_road": "road",
             "path": "path", "other": "road"}  # fmt: skip
"""For roads that do not tell their OSM class."""
_NO_WAYS = frozenset("construction proposed planned abandoned disused razed demolished removed corridor".split())  # noqa: SIM905
"""Details of ways that are not there, or indoors."""
_INSTITUTIONS = frozenset("school university college hospital kindergarten library place_of_worship parking".split())  # noqa: SIM905
_STATIONS = frozenset({"station", "halt", "tram_stop", "subway_entrance"})
_TYPE_BITS = (51, 44)
"""Where the OSM type stands in an id: from version 4 on, and before."""
_LETTERS = {1: "n", 2: "w", 3: "r"}


def tags_of(thing: Thing) -> Tags:
    """A feature's tags; none for what is not read."""
    known = thing.properties
    kind, detail = _text(known, "kind"), _text(known, "kind_detail")
    tags = {"name": _text(known, "name"), "name:en": _text(known, "name:en")}
    if thing.layer in {"roads", "transit"}:
        tags |= _way(known, kind, detail)
    elif thing.layer == "buildings":
        tags |= {"building": "yes", "height": _text(known, "height")} if kind in {"building", ""} else {}
    elif thing.layer in {"water", "physical_line"}:
        line = thing.geometry is not None and "Line" in thing.geometry.geom_type
        tags |= {"waterway": kind or detail} if line else {"natural": "water", "water": kind or "water"}
    elif thing.layer == "pois":
        tags |= {"railway": kind} if kind in _STATIONS else {"amenity": kind, "leisure": kind}
    elif kind in LAND_USES:
        tags["landuse"] = kind
    elif kind in _INSTITUTIONS:
        tags["amenity"] = kind
    else:
        tags["class"] = kind
    return {key: value for key, value in tags.items() if value}


def id_of(thing: Thing, z: int, x: int, y: int) -> str:
    """OSM's id where the tile has it; else a digest that is the same in each reading of the tile."""
    for bits in _TYPE_BITS:
        letter = _LETTERS.get(thing.number >> bits)
        if letter:
            own = f"osm:{letter}{thing.number & ((1 << bits) - 1)}"
            return f"{own}/poi" if thing.layer == "pois" and letter != "n" else own
    shape = "" if thing.geometry is None else thing.geometry.wkb_hex
    return digest_id("t", z, x, y, thing.layer, sorted(tags_of(thing).items()), shape)


def _way(known: dict[str, Any], kind: str, detail: str) -> Tags:
    if kind == "ferry":
        return {"route": "ferry"}
    if detail in _NO_WAYS:
        return {"highway": detail}
    if kind == "rail":
        return {"railway": detail or "rail", **_level(known)}
    road = detail if detail in ROADS else _HIGHWAYS.get(kind, "")
    if _true(known, "is_link", "link") and f"{road}_link" in ROADS:
        road += "_link"
    service = _text(known, "service")
    crossing = {"footway": detail} if detail in {"sidewalk", "crossing"} else {}
    return {"highway": road, "service": service, **crossing, **_level(known)}


def _level(known: dict[str, Any]) -> Tags:
    level = known.get("level", known.get("pmap:level"))
    if _true(known, "is_bridge") or level == 1:
        return {"bridge": "yes", "layer": "1"}
    if _true(known, "is_tunnel") or level == -1:
        return {"tunnel": "yes"}
    return {}


def _true(known: dict[str, Any], *keys: str) -> bool:
    return any(known.get(key) in {1, "yes"} or known.get(f"pmap:{key}") in {1, "yes"} for key in keys)


def _text(known: dict[str, Any], key: str) -> str:
    value = known.get(key, known.get(f"pmap:{key}"))
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
