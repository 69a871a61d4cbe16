"""Overpass: what lies in a box or around a point of the made-up towns, as Overpass JSON.

The box of a query is read, its other filters are not: all ways and nodes that reach into the box come back, as a query
for everything would have it. Two slots for one client, 429 and 504 with web pages (documented).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from pipeline.digest import digest
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.world.blocks import block
from pipeline.world.facts import Known, known
from pipeline.world.regions import Home
from pipeline.world.town import cells_near, locate
from tools.dev.standin.faults import Fault, Part, Provider
from tools.dev.standin.web import HTML, Ask, Refused, Reply, Route, json_reply, numbers

ROOT = "/overpass/api"
DRAWN = "2024-01-01T00:00:00Z"
"""What the data claims to be of."""
MARGIN_M = 300.0
_FAR_M = 1e5
_ANTIMERIDIAN = shapely.LineString([(0, -_FAR_M), (0, _FAR_M)])
_SIDES = shapely.box(-_FAR_M, -_FAR_M, 0, _FAR_M), shapely.box(0, -_FAR_M, _FAR_M, _FAR_M)
"""In the metres of a town whose middle lies on it."""
_NUMBER = r"\s*(-?\d+(?:\.\d+)?)\s*"
_BOX = re.compile(rf"(?:\[bbox:|\(){_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}[\])]")
_AROUND = re.compile(rf"\(around(?:\.\w+)?:{_NUMBER},{_NUMBER},{_NUMBER}\)")
_AMENITIES = frozenset({"pharmacy", "cafe", "restaurant", "bank", "fuel", "school", "pub", "fast_food", "post_office"})
_TAGS: dict[tuple[str, str], dict[str, str]] = {
    ("crossing", "zebra"): {"highway": "crossing", "crossing": "zebra", "crossing_ref": "zebra"},
    ("green", "park"): {"leisure": "park"},
    ("junction", "roundabout"): {"highway": "mini_roundabout"},
    ("junction", "traffic_signals"): {"highway": "traffic_signals"},
    ("other", "fountain"): {"amenity": "fountain"},
    ("other", "statue"): {"tourism": "artwork", "artwork_type": "statue"},
    ("poi", "kiosk"): {"shop": "kiosk"},
    ("poi", "hotel"): {"tourism": "hotel"},
    ("rail", "rail"): {"railway": "rail"},
    ("rail", "tram"): {"railway": "tram"},
    ("square", "square"): {"place": "square", "area": "yes"},
    ("stop", "bus_stop"): {"highway": "bus_stop", "public_transport": "platform"},
    ("water", "pond"): {"natural": "water", "water": "pond"},
    ("water", "river"): {"natural": "water", "water": "river"},
}


def interpreter(ask: Ask) -> Reply:
    """A query's answer."""
    query = _query(ask)
    if "[out:json]" not in query.replace(" ", ""):
        raise _refusal("only [out:json] is spoken here")
    elements = list(_elements(ask.scene.homes, query)) if ask.fault is not Fault.EMPTY else []
    document: dict[str, Any] = {
        "version": 0.6,
        "generator": "Overpass API (geoscribe stand-in)",
        "osm3s": {
            "timestamp_osm_base": DRAWN,
            "copyright": "Made-up data of a made-up town. The real service: www.openstreetmap.org, ODbL.",
        },
        "elements": elements,
    }
    if ask.fault is Fault.REMARK:
        document["elements"] = elements[: len(elements) // 2]
        document["remark"] = 'runtime error: Query timed out in "query" at line 1 after 181 seconds.'
    return json_reply(document)


def status(_: Ask) -> Reply:
    """How many slots are free."""
    return Reply(b"Connected as: 2130706433\nRate limit: 2\n2 slots available now.\n", "text/plain")


def _query(ask: Ask) -> str:
    text = ask.body.decode("utf-8", "replace") if ask.method == "POST" else ask.query.get("data", "")
    if text.startswith("data="):
        return parse_qs(text).get("data", [""])[0]
    return text


def _elements(homes: tuple[Home, ...], query: str) -> Iterator[dict[str, Any]]:
    around = _AROUND.search(query)
    boxes = {match.groups() for match in _BOX.finditer(query)}
    if around:
        radius, lat, lon = map(float, around.groups())
        west, south, east, north = LocalFrame(lat, lon).chip_bbox(2, radius)
        boxes = {(str(south), str(west), str(north), str(east))}
    if not boxes:
        raise _refusal("parse error: a box or an around is wanted")
    whole = re.search(r"\bout\b[^;]*\bgeom\b", query) is not None
    seen: set[tuple[str, int]] = set()
    for text in sorted(boxes):
        box = numbers(",".join(text), 4)
        if box is None or box[0] > box[2] or max(abs(box[0]), abs(box[2])) > 90:
            raise _refusal("a box is south, west, north, east")
        for home in homes:
            for element in _of_home(home, box, inline=whole):
                name = element["type"], element["id"]
                if name not in seen:
                    seen.add(name)
                    yield element


def _of_home(home: Home, box: tuple[float, ...], *, inline: bool) -> Iterator[dict[str, Any]]:
    """The elements of a town in a box (south, west, north, east), in its metres; streets beyond its photos left out."""
    region = home.region.bounds()
    frame = home.town.frame
    more = MARGIN_M / 111_195.0
    wide = more / np.cos(np.radians(frame.lat))
    south, north = max(box[0], region[1] - more), min(box[2], region[3] + more)
    reach = ((region[2] - region[0]) % 360.0) / 2 + wide
    west, east = ((side - frame.lon + 180.0) % 360.0 - 180.0 for side in (box[1], box[3]))
    west, east = max(west, -reach), min(east, reach)
    if south >= north or west >= east:
        return
    lon, lat = frame.lon + np.array([west, east, east, west]), np.array([south, south, north, north])
    corners = np.column_stack(frame.to_metres(lon, lat))
    area = shapely.Polygon(corners)
    middle = Point((south + north) / 2, ((frame.lon + (west + east) / 2) + 180.0) % 360.0 - 180.0)
    here = locate(home.town, middle)
    radius = float(np.hypot(*(corners - [here.x, here.y]).T).max())
    for i, j in cells_near(home.town, here.x, here.y, radius):
        for thing in (*known(home.town, i, j), *_plain_buildings(home, i, j)):
            if area.intersects(thing.shape):
                for shape in _one_sided(home, thing.shape):
                    yield from _thing(home, thing, shape, inline=inline)


def _plain_buildings(home: Home, i: int, j: int) -> Iterator[Known]:
    """The houses of a block that the map's facts leave out."""
    for building in block(home.town, i, j).buildings:
        if not building.name:
            shape = shapely.Polygon(building.footprint)
            yield Known(f"building.{building.key}", "building", building.category, None, shape)


def _one_sided(home: Home, shape: BaseGeometry) -> list[BaseGeometry]:
    """A shape's parts on either side of the antimeridian, where OSM cuts what lies across it."""
    if abs(home.town.frame.lon) < 180.0 or not shape.crosses(_ANTIMERIDIAN):
        return [shape]
    halves = [shapely.intersection(shape, side) for side in _SIDES]
    return [part for half in halves for part in shapely.get_parts(half) if part.geom_type == shape.geom_type]


def _thing(home: Home, thing: Known, shape: BaseGeometry, *, inline: bool) -> Iterator[dict[str, Any]]:
    tags = _tags(thing)
    if tags is None:
        return
    xy = shapely.get_coordinates(shape.exterior if isinstance(shape, shapely.Polygon) else shape)
    lon, lat = home.town.frame.to_degrees(xy[:, 0], xy[:, 1])
    if abs(home.town.frame.lon) == 180.0:  # what ends there ends on its own side
        lon = np.copysign(lon, -shape.centroid.x)
    places = [(round(float(a), 7), round(float(b), 7)) for a, b in zip(lat, lon, strict=True)]
    if isinstance(shape, shapely.Point):
        yield {"type": "node", "id": _id(places[0]), "lat": places[0][0], "lon": places[0][1], "tags": tags}
        return
    refs = [_id(place) for place in places]
    # Stretches of one street bear one key; the first place tells them apart.
    way: dict[str, Any] = {"type": "way", "id": _id(home.region.name, thing.key, places[0])}
    if inline:
        south, west = map(min, zip(*places, strict=True))
        north, east = map(max, zip(*places, strict=True))
        way["bounds"] = {"minlat": south, "minlon": west, "maxlat": north, "maxlon": east}
    way["nodes"] = refs
    if inline:
        way["geometry"] = [{"lat": a, "lon": b} for a, b in places]
    way["tags"] = tags
    yield way
    if not inline:
        for ref, (a, b) in zip(refs, places, strict=True):
            yield {"type": "node", "id": ref, "lat": a, "lon": b}


def _tags(thing: Known) -> Mapping[str, str] | None:
    """OSM's tags of a thing; None where OSM has no object for it."""
    named = {"name": thing.name} if thing.name else {}
    tags = _TAGS.get((thing.kind, thing.category))
    if tags is not None:
        return tags | named
    if thing.kind == "junction":
        return None
    if thing.kind == "road":
        return {"highway": thing.category} | named
    if thing.kind == "building":
        return {"building": thing.category} | named
    return {"amenity" if thing.category in _AMENITIES else "shop": thing.category} | named


def _id(*key: object) -> int:
    """A number for a place or a thing, in the range of OSM's."""
    return 1 + int(digest(*map(str, key), length=10), 16)


def error(message: str, status: int) -> Reply:
    """An error, which is a web page here."""
    return Reply(f"<html><body><p><strong>Error</strong>: {message}</p></body></html>".encode(), HTML, status)


def _refusal(message: str) -> Refused:
    return Refused(error(f"line 1: {message}", 400))


ROUTES = [
    Route("POST", f"{ROOT}/interpreter", Provider.OVERPASS, Part.MAP, interpreter),
    Route("GET", f"{ROOT}/interpreter", Provider.OVERPASS, Part.MAP, interpreter),
    Route("GET", f"{ROOT}/status", Provider.OVERPASS, Part.DOCUMENT, status),
]
