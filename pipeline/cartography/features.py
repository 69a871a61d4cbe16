"""The one model that all map formats are read into."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.cartography.classes import KEYS, Class, Shape, Tags, classify, is_background, worth_telling
from pipeline.cartography.existence import (
    CLOSED,
    HIDDEN,
    Trust,
    absence,
    confidence,
    hidden,
    is_drawn_hidden,
    lost_its_tenant,
)
from pipeline.geo.crossings import count_meetings
from pipeline.geo.window import Window
from schemas.records import FactKind

NAME_CHARACTERS = 120
NO_KIND = "of no kind that is told or drawn"
NO_TAGS = "without properties"
_TYPES = (0, 1, 3, 5, 6)
"""Points, lines and areas, as shapely numbers types."""
_LARGE = 2_000
"""Corners."""
_MAIN_KEYS = frozenset(KEYS)
_SPELT = {**dict.fromkeys(("yes", "true", "1"), "yes"), **dict.fromkeys(("no", "false", "none", "0"), "no")}


class Element(NamedTuple):
    """A thing as a reader found it."""

    element_id: str
    """`osm:w123`, `f:...`: kept from one read of the file to the next."""
    geometry: BaseGeometry | None
    """WGS84 degrees, x is the longitude. None where the reader could make none."""
    tags: Tags


@dataclass(frozen=True)
class Extract:
    """The content of a map file."""

    elements: Iterable[Element]
    extracted_at: datetime | None
    """As the file says; None if it does not."""
    charted: frozenset[FactKind] = frozenset()
    """Kinds that the file is known to have a layer of, by its type; see `schemas.records.ImageryRow`."""


@dataclass(frozen=True)
class Feature:
    """A thing on the map."""

    feature_id: str
    geometry: BaseGeometry
    """Point, (multi)line or (multi)polygon, valid, WGS84 degrees."""
    kind: FactKind
    category: str
    name: str | None
    name_en: str | None
    told: bool
    """False for what is drawn but helps no description."""
    building: bool = False
    """Drawn as a building, whatever its kind."""
    roundabout: bool = False
    lanes: int | None = None
    layer: int = 0
    """OSM's vertical order: bridges above 0, tunnels below."""
    house_number: str | None = None
    confidence: float | None = None
    """The map's own confidence that it exists, 0 to 1, where it states one."""

    @property
    def background(self) -> bool:
        """Whether it is the ground that others lie on, and not worth a chip by itself."""
        return is_background(Class(self.kind, self.category))

    @property
    def shape(self) -> Shape:
        """Point, line or area."""
        return _SHAPES[self.geometry.geom_type]


_SHELL = Class("building", "building")
"""Categories of a building whose use has ended: its walls stand."""
_SHAPES: dict[str, Shape] = {
    "Point": "point",
    "LineString": "line",
    "MultiLineString": "line",
    "Polygon": "area",
    "MultiPolygon": "area",
}


def features_of(elements: Iterable[Element], window: Window, left_out: Counter[str], trust: Trust) -> list[Feature]:
    """Features of the elements that can be used, are there, and lie in the window.

    Args:
        elements: as read.
        window: others are left out, without being counted.
        left_out: all others that give no feature are counted here, by why.
        trust: how far the map is believed.
    """
    kept = []
    for element in elements:
        if element.tags:
            kept.append(element)
        else:
            left_out[NO_TAGS] += 1
    geometries = np.array([element.geometry for element in kept], dtype=object)
    faults = _faults(geometries)
    left_out.update(str(fault) for fault in faults if fault)
    inside = window.meets(shapely.bounds(geometries)) if kept else np.zeros(0, dtype=bool)
    features: list[Feature] = []
    for i in np.flatnonzero(inside & (faults == "")):
        found = _features(kept[i], trust)
        if isinstance(found, str):
            left_out[found] += 1
        else:
            features += found
    return features


def _faults(geometries: NDArray[np.object_]) -> NDArray[np.str_]:
    """The fault of each geometry, in words; empty where there is none."""
    faults = np.full(len(geometries), "", dtype="U40")
    coordinates, owner = shapely.get_coordinates(geometries, return_index=True)
    far = owner[(np.abs(coordinates) > [180.0, 90.0]).any(axis=1)]
    broken = owner[~np.isfinite(coordinates).all(axis=1)]
    faults[~_valid(geometries)] = "invalid geometry"
    faults[~np.isin(shapely.get_type_id(geometries), list(_TYPES))] = "neither point, line nor area"
    faults[np.unique(far)] = "beyond 180 or 90 degrees"
    faults[np.unique(broken)] = "coordinates that are no numbers"
    faults[shapely.is_empty(geometries)] = "empty geometry"
    faults[shapely.is_missing(geometries)] = "no readable geometry"
    return faults


def _valid(geometries: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Which geometries are valid; none that is neither point, line nor area."""
    known = np.isin(shapely.get_type_id(geometries), list(_TYPES))
    areas = np.isin(shapely.get_type_id(geometries), [3, 6])
    corners = shapely.get_num_coordinates(geometries)
    for i in np.flatnonzero(areas & (corners > _LARGE)).tolist():
        # An outline that meets itself more often than it has corners is no outline; to find out how could take hours.
        known[i] = count_meetings([geometries[i]], corners[i]) <= corners[i]
    known[known] = shapely.is_valid(geometries[known])
    return known


def _features(element: Element, trust: Trust) -> list[Feature] | str:
    """The features that an element gives, or why it gives none."""
    tags, geometry = element.tags | _yes_or_no(element.tags), element.geometry
    assert geometry is not None
    shape = _SHAPES[geometry.geom_type]
    absent = absence(tags, trust)
    if absent is not None:
        if absent != CLOSED or shape != "area" or tags.get("building", "no") == "no":
            return absent
        return [Feature(element.element_id, geometry, *_SHELL, None, None, told=False, building=True)]
    what = classify(tags, shape)
    category = clean_name(what.category) if what else None
    if what is None or category is None:
        return NO_KIND
    unseen = hidden(tags, what)
    if unseen and not is_drawn_hidden(what, shape):
        return HIDDEN
    nameless = what.kind == "building" and lost_its_tenant(tags)
    name = None if nameless else clean_name(tags.get("name"))
    name_en = None if nameless else clean_name(tags.get("name:en"))
    feature = Feature(
        feature_id=element.element_id,
        geometry=geometry,
        kind=what.kind,
        category=category,
        name=name,
        name_en=name_en,
        told=not unseen and worth_telling(what, tags, name),
        building=tags.get("building", "no") != "no",
        roundabout=tags.get("junction") in {"roundabout", "circular"},
        lanes=_small_integer(tags.get("lanes"), 1, 16),
        layer=_small_integer(tags.get("layer"), -10, 10) or 0,
        house_number=clean_name(tags.get("addr:housenumber")),
        confidence=confidence(tags),
    )
    if what.kind != "road" or unseen or tags.get("bridge", "no") == "no":
        return [feature]
    bridge_name = clean_name(tags.get("bridge:name"))
    bridge_en = clean_name(tags.get("bridge:name:en"))
    bridge = Class("other", "bridge")
    told = worth_telling(bridge, tags, bridge_name)
    return [feature, Feature(f"{element.element_id}/bridge", geometry, *bridge, bridge_name, bridge_en, told)]


def _yes_or_no(tags: Tags) -> Tags:
    """The main keys whose value is a yes or no, spelt so: programs write `True`, `No`, `1`."""
    found = {key: _SPELT.get(tags[key].strip().lower()) for key in _MAIN_KEYS & tags.keys()}
    return {key: said for key, said in found.items() if said}


def clean_name(text: str | None) -> str | None:
    """A name fit for rows and prompts: one line, composed characters, no control or direction marks, not endless."""
    if not text:
        return None
    composed = unicodedata.normalize("NFC", text)
    # Cf holds direction overrides; the joiners are kept, since Persian and Indic scripts need them.
    seen = (c if c in "\u200c\u200d" or not unicodedata.category(c).startswith("C") else " " for c in composed)
    return " ".join("".join(seen).split())[:NAME_CHARACTERS].strip() or None


def digest_id(prefix: str, *parts: object) -> str:
    """A stable id for what has none of its own: prefix and 12 hexadecimal digits."""
    return f"{prefix}:{hashlib.blake2b(repr(parts).encode(), digest_size=6).hexdigest()}"


def as_utc(text: str) -> datetime | None:
    """A moment from ISO 8601; without a zone it is UTC. None if it is no date."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the latter where its zone leads before year 1 or beyond 9999
        return None


def _small_integer(text: str | None, least: int, most: int) -> int | None:
    if text is None or not text.removeprefix("-").isdecimal() or len(text) > 3:
        return None
    return int(text) if least <= int(text) <= most else None
