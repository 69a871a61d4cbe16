"""Overpass JSON (`out body`, `out geom` or `out center`), brought to OPL text and read by pyosmium like any OSM file.

OPL is osmium's one-line-an-object format (https://osmcode.org/opl-file-format/): the way to pyosmium's multipolygon
assembly that needs no temporary file.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import shapely

from pipeline.cartography.features import Element, Extract, as_utc
from pipeline.errors import ConfigError, Problem
from pipeline.sources.maps.read_osm import read_osm

_TEXT = 255  # characters of a key or value, OSM's own limit
_FIRST_INVENTED = 2**50  # far above OSM's node ids
_LETTERS = {"node": "n", "way": "w", "relation": "r"}


@dataclass
class _Objects:
    """OSM objects by id."""

    nodes: dict[int, tuple[float, float]] = field(default_factory=dict)
    ways: dict[int, list[int]] = field(default_factory=dict)
    members: dict[int, list[str]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    invented: dict[tuple[float, float], int] = field(default_factory=dict)
    loose: list[Element] = field(default_factory=list)
    """Elements that need no assembly: those given by a centre, and those that cannot be used."""


def read_overpass(path: Path, document: dict[str, Any]) -> Extract:
    """Elements of an Overpass reply.

    Raises:
        ConfigError: it has no list of elements, or holds the server's remark that it broke off.
    """
    elements = document.get("elements")
    if not isinstance(elements, list):
        raise ConfigError([Problem(str(path), "JSON without a list `elements`", "Overpass JSON or GeoJSON")])
    remark = document.get("remark")
    if isinstance(remark, str) and "error" in remark:
        raise ConfigError([Problem(str(path), f"an incomplete reply ({remark[:200]})", "a reply without an error")])
    objects = _collect(elements)
    extract = read_osm(path, "".join(_opl(objects)).encode())
    base = document.get("osm3s")
    stamp = base.get("timestamp_osm_base") if isinstance(base, dict) else None
    return replace(
        extract, elements=chain(extract.elements, objects.loose), extracted_at=as_utc(stamp) if stamp else None
    )


def _collect(elements: list[Any]) -> _Objects:
    objects = _Objects()
    for element in elements:
        kind = element.get("type") if isinstance(element, dict) else None
        number = element.get("id") if kind in _LETTERS else None
        if type(number) is not int or not 0 < number < _FIRST_INVENTED:
            objects.loose.append(Element("", None, {"type": str(kind)}))
            continue
        ref = f"{_LETTERS[str(kind)]}{number}"
        tags = element.get("tags")
        if isinstance(tags, dict) and tags:
            objects.tags[ref] = {str(key): str(value) for key, value in tags.items()}
        if "center" in element:
            place = _place(element["center"])
            point = shapely.Point(place) if place else None
            objects.loose.append(Element(f"osm:{ref}", point, objects.tags.get(ref, {})))
        elif kind == "node":
            _add_node(objects, number, ref, element)
        elif kind == "way":
            _add_way(objects, number, element)
        else:
            _add_relation(objects, number, element)
    return objects


def _add_node(objects: _Objects, number: int, ref: str, element: dict[str, Any]) -> None:
    place = _place(element)
    if place:
        objects.nodes[number] = place
    else:
        objects.loose.append(Element(f"osm:{ref}", None, objects.tags.get(ref, {})))


def _add_way(objects: _Objects, number: int, element: dict[str, Any]) -> None:
    refs = [ref for ref in _list(element.get("nodes")) if type(ref) is int]
    places = [_place(place) for place in _list(element.get("geometry"))]
    if not refs:
        refs = [_invented(objects, place) for place in places if place]
    objects.ways[number] = refs
    objects.nodes.update((ref, place) for ref, place in zip(refs, places, strict=False) if place)


def _add_relation(objects: _Objects, number: int, element: dict[str, Any]) -> None:
    members = []
    for member in _list(element.get("members")):
        if not isinstance(member, dict) or member.get("type") != "way" or type(member.get("ref")) is not int:
            continue
        members.append(f"w{member['ref']}@{_escaped(str(member.get('role', '')))}")
        if member["ref"] not in objects.ways and member.get("geometry"):
            _add_way(objects, member["ref"], member)
    objects.members[number] = members


def _invented(objects: _Objects, place: tuple[float, float]) -> int:
    """An id for a node that came without one; the same for the same place, so that rings close and members meet."""
    number = objects.invented.setdefault(place, _FIRST_INVENTED + len(objects.invented))
    objects.nodes[number] = place
    return number


def _place(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, dict):
        return None
    lon, lat = value.get("lon"), value.get("lat")
    if not isinstance(lon, int | float) or not isinstance(lat, int | float):
        return None
    return (lon, lat) if math.isfinite(lon + lat) and abs(lon) <= 180.0 and abs(lat) <= 90.0 else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _opl(objects: _Objects) -> Iterator[str]:
    for number, (lon, lat) in sorted(objects.nodes.items()):
        yield f"n{number} v1{_tags(objects, f'n{number}')} x{lon:.7f} y{lat:.7f}\n"
    for number, refs in sorted(objects.ways.items()):
        yield f"w{number} v1{_tags(objects, f'w{number}')} N{','.join(f'n{ref}' for ref in refs)}\n"
    for number, members in sorted(objects.members.items()):
        yield f"r{number} v1{_tags(objects, f'r{number}')} M{','.join(members)}\n"


def _tags(objects: _Objects, ref: str) -> str:
    tags = objects.tags.get(ref)
    return " T" + ",".join(f"{_escaped(k)}={_escaped(v)}" for k, v in tags.items()) if tags else ""


def _escaped(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text[:_TEXT])
    return re.sub(r"[^A-Za-z0-9_:;.-]", lambda match: f"%{ord(match[0]):x}%", printable)
