"""GeoJSON and GeoParquet: Overture's schema, OSM tags as properties, or plain `name` and `category`.

Overture's columns are described at https://docs.overturemaps.org/schema/.
"""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import shapely
from pydantic_core import from_json

from pipeline.cartography.classes import LINKS, Tags
from pipeline.cartography.existence import tells_of_life
from pipeline.cartography.features import Element, Extract, digest_id
from pipeline.errors import ConfigError, Problem
from pipeline.geo.window import Window
from pipeline.geo.wkb import read_wkb
from pipeline.sources.geojson import other_system
from pipeline.sources.geoparquet import check_srids, geometry_column, read_rows
from pipeline.sources.maps.charted import OVERTURE, of_layers
from pipeline.sources.maps.segments import pieces
from pipeline.sources.missing import NO_VALUES

_OSM_ID = re.compile(r"(node|way|relation)/([0-9]{1,18})")
_GERS_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # Overture's stable ids
_SIGNS = {
    "place": frozenset({"operating_status", "basic_category", "taxonomy", "categories"}),
    "segment": frozenset(
        {"connectors", "road_flags", "rail_flags", "level_rules", "subclass_rules", "road_surface", "speed_limits"}
    ),
    "building": frozenset(
        {"is_underground", "has_parts", "num_floors", "min_floor", "facade_color", "facade_material", "roof_shape"}
    ),
    "water": frozenset({"is_salt", "is_intermittent"}),
}
"""Columns that one of Overture's types has and no other: tables downloaded one by one have no theme and type."""
_NESTED = frozenset(
    {"names", "categories", "taxonomy", "tags", "source_tags", "road_flags", "rail_flags", "level_rules"}
)
"""Properties whose values are lists or objects; programs without such types write them as JSON texts."""
_SHORT = 255
"""Bytes of a text; a column of more is another geometry, or a picture."""
_BUILDING_SIGNS = ("height", "height_m", "num_floors", "roof_shape")
_BUILDING_SUBTYPES = ("agricultural", "civic", "commercial", "education", "entertainment", "industrial", "medical",
                      "military", "outbuilding", "religious", "residential", "service", "transportation")  # fmt: skip


def read_geojson(path: Path, document: dict[str, Any]) -> Extract:
    """Features of a FeatureCollection in WGS84.

    Raises:
        ConfigError: it has no list of features, or names another coordinate system.
    """
    features = document.get("features")
    if not isinstance(features, list):
        raise ConfigError([Problem(str(path), "GeoJSON without a list `features`", "a FeatureCollection")])
    crs = document.get("crs")
    other = None if crs is None else other_system(crs)
    if other is not None:
        raise ConfigError([Problem(str(path), f"coordinates in {other}", "OGC:CRS84, longitude first")])
    known = [feature if isinstance(feature, dict) else {} for feature in features]
    geometries = shapely.from_geojson([json.dumps(feature.get("geometry")) for feature in known], on_invalid="ignore")
    rows = [(feature.get("properties"), feature.get("id")) for feature in known]
    return _extract(rows, geometries)


def read_geoparquet(path: Path, window: Window) -> Extract:
    """Rows of a GeoParquet file that meet the window.

    Raises:
        ConfigError: it cannot be read, has no geometry or another coordinate system.
    """
    column = geometry_column(path)
    if column is None:
        raise ConfigError([Problem(str(path), "a Parquet file without geometry", "GeoParquet with WKB geometry")])
    rows = read_rows(path, window.boxes)
    geometries = read_wkb([row.pop(column) for row in rows])
    check_srids(path, geometries)
    return _extract([(row, None) for row in rows], geometries)


def _extract(rows: Sequence[tuple[Any, Any]], geometries: Iterable[Any]) -> Extract:
    """Properties and ids with their geometries."""
    elements = [
        element
        for (properties, feature_id), geometry in zip(rows, geometries, strict=True)
        for element in elements_of(properties, geometry, feature_id)
    ]
    types = {table_of(properties) for properties, _ in rows if isinstance(properties, dict)}
    return Extract(elements, None, of_layers(OVERTURE, (kind for kind in types if kind is not None)))


def elements_of(properties: Any, geometry: Any, feature_id: Any) -> list[Element]:
    """The elements of properties (of GeoJSON, or a row of GeoParquet): one thing, or the pieces of a segment."""
    given = properties if isinstance(properties, dict) else {}
    known = {key: _nested(value) if key in _NESTED else value for key, value in given.items()}
    shape = "" if geometry is None else geometry.geom_type
    own_id, tags = _id(known, geometry, feature_id), tags_of(known, shape)
    return [Element(f"{own_id}{suffix}", part, tags | more) for suffix, part, more in pieces(known, geometry)]


def _nested(value: Any) -> Any:
    """A list or an object, also where it is given as a JSON text."""
    if not isinstance(value, str) or not value.startswith(("[", "{")):
        return value
    try:
        return from_json(value)
    except ValueError:
        return value


def table_of(properties: dict[str, Any]) -> str | None:
    """Overture's type of a row, as stated, or as its columns (empty ones too) give away; None if neither tells."""
    if properties.get("theme") is not None:
        return str(properties.get("type"))
    likely = [kind for kind, signs in _SIGNS.items() if not signs.isdisjoint(properties)]
    return likely[0] if len(likely) == 1 else None


def _id(properties: dict[str, Any], geometry: Any, feature_id: Any) -> str:
    for value in (properties.get("@id"), properties.get("feature_id"), feature_id, properties.get("id")):
        osm = _OSM_ID.fullmatch(value) if isinstance(value, str) else None
        if osm:
            return f"osm:{osm[1][0]}{osm[2]}"
    own = feature_id if feature_id is not None else properties.get("id")
    if isinstance(own, str) and _GERS_ID.fullmatch(own):
        return f"overture:{own}"
    # With the geometry, since many files number each layer from 1.
    shape = "" if geometry is None else geometry.wkb_hex
    return digest_id("f", str(own), shape, *([] if own is not None else [sorted(tags_of(properties).items())]))


def tags_of(properties: dict[str, Any], shape: str = "") -> Tags:
    """A feature's properties as OSM tags, with a class that is not OSM's in `category` or `class`.

    Args:
        properties: of a GeoJSON feature, or the other columns of a GeoParquet row.
        shape: type of its geometry: a polygon with a height is a building, a line over water a ferry's.
    """
    tags = _pairs(properties.get("tags"))
    tags |= {key: text for key, value in properties.items() if (text := _text(value)) is not None}
    if isinstance(properties.get("name"), bool):  # a flag is no name
        del tags["name"]
    tags |= {key: text for key, text in _pairs(properties.get("source_tags")).items() if tells_of_life(key)}
    tags |= _names(properties.get("names"))
    if "name_en" in tags:
        tags.setdefault("name:en", tags["name_en"])
    if "names" in properties and "level" in tags:  # Overture's level is OSM's layer, not a floor
        tags["layer"] = tags.pop("level")
    category = _category(properties)
    if category:
        tags["category"] = category
    own, subtype = tags.get("class", ""), tags.get("subtype", "")
    if subtype == "road":
        tags["highway"] = own or "road"
        if tags.get("subclass") == "link" and f"{own}_link" in LINKS:
            tags["highway"] += "_link"
        if tags.get("subclass") in {"driveway", "parking_aisle"}:
            tags["service"] = tags["subclass"]
        if tags.get("subclass") in {"sidewalk", "crosswalk"}:
            tags["footway"] = tags["subclass"]
    elif subtype == "rail":
        tags["railway"] = "rail" if own in {"", "standard_gauge", "unknown"} else own
    elif subtype == "water" and (table_of(properties) == "segment" or (shape == "LineString" and not own)):
        tags["route"] = "ferry"  # a stream's line has a class
    elif shape in {"Polygon", "MultiPolygon"} and not category and _is_building(properties):
        tags.setdefault("building", own or subtype or "yes")
        tags.setdefault("height", tags.get("height_m", ""))
        if properties.get("is_underground") is True:
            tags["location"] = "underground"
    return tags


def _is_building(properties: dict[str, Any]) -> bool:
    table = table_of(properties)
    if table in {"building", "building_part"} or any(properties.get(sign) is not None for sign in _BUILDING_SIGNS):
        return True
    return table is None and "height" in properties and properties.get("subtype") in {None, *_BUILDING_SUBTYPES}


def _names(names: Any) -> Tags:
    """Overture's `names`: a primary one, and a map of translations."""
    if not isinstance(names, dict):
        return {}
    found = {f"name:{language}": name for language, name in _pairs(names.get("common")).items()}
    if isinstance(names.get("primary"), str):
        found["name"] = names["primary"]
    return found


def _text(value: Any) -> str | None:
    """A value as the text of a tag; None for no value, objects, lists of several, and bytes that are no short text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace") if len(value) <= _SHORT else None
    if isinstance(value, date):  # a datetime is one
        return value.isoformat()
    if isinstance(value, list) and len(value) == 1:
        return _text(value[0])
    if isinstance(value, float) and value.is_integer():  # a whole number from a column with nulls
        value = int(value)
    text = str(value) if isinstance(value, str | int | float | Decimal) else None
    return None if text in NO_VALUES else text


def _pairs(value: Any) -> Tags:
    """A map of texts: an object in JSON, a list of pairs when it comes from Parquet."""
    pairs = value.items() if isinstance(value, dict) else value if isinstance(value, list) else []
    known = [pair for pair in pairs if isinstance(pair, tuple | list) and len(pair) == 2]
    return {key: text for key, text in known if isinstance(key, str) and isinstance(text, str)}


def _category(properties: dict[str, Any]) -> str | None:
    for key in ("categories", "taxonomy", "basic_category", "category"):
        value = properties.get(key)
        primary = value.get("primary") if isinstance(value, dict) else value
        if isinstance(primary, str) and primary:
            return primary
    return None
