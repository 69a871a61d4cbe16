"""Overpass JSON (`out body`, `out geom` or `out center`), brought to OPL text and read by pyosmium like any OSM file.

OPL is osmium's one-line-an-object format (https://osmcode.org/opl-file-format/): the way to pyosmium's multipolygon
assembly that needs no temporary file.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import shapely

from pipeline.cartography.features import Element, Extract, as_utc
from pipeline.errors import ConfigError, Problem
from pipeline.sources.maps.read_osm import GONE, read_osm

_TEXT = 255  # characters of a key or value, OSM's own limit
_FIRST_INVENTED = 2**50  # far above OSM's node ids
_FEW_NODES = 500
"""An area of fewer takes no time, whatever it looks like; of a way, OSM allows 2,000."""
_MOST_PAIRS = 50_000_000
"""Maximum number of pairs of overlapping segments in one response: half a second's work."""
_LETTERS = {"node": "n", "way": "w", "relation": "r"}


@dataclass
class _Objects:
    """OSM objects by id."""

    nodes: dict[int, tuple[float, float]] = field(default_factory=dict)
    ways: dict[int, list[int]] = field(default_factory=dict)
    members: dict[int, dict[int, str]] = field(default_factory=dict)
    """The ways of each relation, as OPL writes them."""
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
    _leave_out_tangles(objects)
    extract = read_osm(path, "".join(_opl(objects)).encode())
    base = document.get("osm3s")
    stamp = base.get("timestamp_osm_base") if isinstance(base, dict) else None
    date = as_utc(stamp) if isinstance(stamp, str) else None
    return replace(extract, elements=chain(extract.elements, objects.loose), extracted_at=date)


def _collect(elements: list[Any]) -> _Objects:
    objects = _Objects()
    for element in elements:
        kind = element.get("type") if isinstance(element, dict) else None
        letter = _LETTERS.get(kind) if isinstance(kind, str) else None
        number = element.get("id") if letter else None
        if letter is None or not _is_ref(number):
            objects.loose.append(Element("", None, {"type": kind if isinstance(kind, str) else "none"}))
            continue
        ref = f"{letter}{number}"
        tags = element.get("tags")
        if isinstance(tags, dict) and tags:
            objects.tags[ref] = {key: text for key, value in tags.items() if (text := _text(value)) is not None}
            objects.tags[ref] |= GONE if element.get("visible") is False else {}
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
    refs = _list(element.get("nodes"))
    places = [_place(place) for place in _list(element.get("geometry"))]
    if not refs or not all(map(_is_ref, refs)):
        refs = [_invented(objects, place) for place in places if place]
    objects.ways[number] = refs
    objects.nodes.update((ref, place) for ref, place in zip(refs, places, strict=False) if place)


def _add_relation(objects: _Objects, number: int, element: dict[str, Any]) -> None:
    members: dict[int, str] = {}
    for member in _list(element.get("members")):
        if not isinstance(member, dict) or member.get("type") != "way" or not _is_ref(member.get("ref")):
            continue
        role = member.get("role")
        members[member["ref"]] = f"w{member['ref']}@{_escaped(role) if isinstance(role, str) else ''}"  # each once
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
    if not isinstance(lon, int | float) or not isinstance(lat, int | float) or bool in {type(lon), type(lat)}:
        return None
    return (float(lon), float(lat)) if abs(lon) <= 180 and abs(lat) <= 90 else None  # not of NaN either


def _text(value: Any) -> str | None:
    """A tag's value; some servers give numbers as such."""
    if isinstance(value, int | float):
        return str(value) if abs(value) < _FIRST_INVENTED else None
    return value if isinstance(value, str) else None


def _is_ref(value: Any) -> TypeGuard[int]:
    """Whether it is an id that OSM could give."""
    return type(value) is int and 0 < value < _FIRST_INVENTED


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _leave_out_tangles(objects: _Objects) -> None:
    """Take out the areas that osmium would take endless work to put together, and finds at the end to cross themselves.

    It compares each segment with all that lie above or below it.
    """
    left = _MOST_PAIRS
    areas: list[tuple[str, int, Iterable[int]]] = [
        *(("w", number, [number]) for number in objects.ways),
        *(("r", number, members) for number, members in objects.members.items()),
    ]
    for letter, number, refs in areas:
        ways = [objects.ways[ref] for ref in refs if ref in objects.ways]
        cost = sum(map(len, ways))
        if cost < _FEW_NODES:
            continue
        if cost <= left:
            cost += _pairs_above(ways, objects.nodes)
        if cost <= left:
            left -= cost
            continue
        del (objects.ways if letter == "w" else objects.members)[number]
        objects.loose.append(Element(f"osm:{letter}{number}", None, objects.tags.get(f"{letter}{number}", {})))


def _pairs_above(ways: Sequence[Sequence[int]], nodes: dict[int, tuple[float, float]]) -> int:
    """Number of pairs of segments that share a longitude."""
    starts, ends = [], []
    for way in ways:
        lon = np.array([nodes[ref][0] for ref in way if ref in nodes])
        starts.append(np.minimum(lon[:-1], lon[1:]))
        ends.append(np.maximum(lon[:-1], lon[1:]))
    west = np.sort(np.concatenate(starts))
    east = np.sort(np.concatenate(ends))
    # Of those that begin west of an end, all but the ones that have ended by then; each pair is counted at one end.
    return int((np.searchsorted(west, east, "right") - np.arange(1, len(east) + 1)).sum())


def _opl(objects: _Objects) -> Iterator[str]:
    for number, (lon, lat) in sorted(objects.nodes.items()):
        yield f"n{number} v1{_tags(objects, f'n{number}')} x{lon:.7f} y{lat:.7f}\n"
    for number, refs in sorted(objects.ways.items()):
        yield f"w{number} v1{_tags(objects, f'w{number}')} N{','.join(f'n{ref}' for ref in refs)}\n"
    for number, members in sorted(objects.members.items()):
        yield f"r{number} v1{_tags(objects, f'r{number}')} M{','.join(members.values())}\n"


def _tags(objects: _Objects, ref: str) -> str:
    tags = objects.tags.get(ref)
    return " T" + ",".join(f"{_escaped(k)}={_escaped(v)}" for k, v in tags.items()) if tags else ""


def _escaped(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text[:_TEXT])
    return re.sub(r"[^A-Za-z0-9_:;.-]", lambda match: f"%{ord(match[0]):x}%", printable)
