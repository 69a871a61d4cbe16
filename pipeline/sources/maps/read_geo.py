"""GeoJSON and GeoParquet: Overture's schema, OSM tags as properties, or plain `name` and `category`.

Overture's columns are described at https://docs.overturemaps.org/schema/.
"""

import json
import re
from pathlib import Path
from typing import Any

import shapely

from pipeline.cartography.classes import LINKS, Tags
from pipeline.cartography.features import Element, Extract, digest_id
from pipeline.errors import ConfigError, Problem
from pipeline.geo.window import Window
from pipeline.sources.geoparquet import geometry_column, is_wgs84, read_rows

_OSM_ID = re.compile(r"(node|way|relation)/([0-9]{1,18})")
_GERS_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # Overture's stable ids
_BUILDING_SIGNS = ("height", "height_m", "num_floors", "roof_shape")


def read_geojson(path: Path, document: dict[str, Any]) -> Extract:
    """Features of a FeatureCollection in WGS84.

    Raises:
        ConfigError: it has no list of features, or names another coordinate system.
    """
    features = document.get("features")
    if not isinstance(features, list):
        raise ConfigError([Problem(str(path), "GeoJSON without a list `features`", "a FeatureCollection")])
    crs = document.get("crs")  # of the GeoJSON of 2008; RFC 7946 has WGS84 only
    if crs is not None:
        properties = crs.get("properties") if isinstance(crs, dict) else None
        name = properties.get("name") if isinstance(properties, dict) else None
        if not is_wgs84(name):
            raise ConfigError([Problem(str(path), f"coordinates in {name}", "OGC:CRS84, longitude first")])
    known = [feature if isinstance(feature, dict) else {} for feature in features]
    geometries = shapely.from_geojson([json.dumps(feature.get("geometry")) for feature in known], on_invalid="ignore")
    elements = [
        element_of(properties, geometry, feature.get("id"))
        for feature, geometry in zip(known, geometries, strict=True)
        for properties in [feature.get("properties")]
    ]
    return Extract(elements, None)


def read_geoparquet(path: Path, window: Window) -> Extract:
    """Rows of a GeoParquet file that meet the window.

    Raises:
        ConfigError: it cannot be read, has no geometry or another coordinate system.
    """
    column = geometry_column(path)
    if column is None:
        raise ConfigError([Problem(str(path), "a Parquet file without geometry", "GeoParquet with WKB geometry")])
    rows = read_rows(path, window.boxes)
    geometries = shapely.from_wkb([row.pop(column) for row in rows], on_invalid="ignore")
    return Extract([element_of(row, geometry, None) for row, geometry in zip(rows, geometries, strict=True)], None)


def element_of(properties: Any, geometry: Any, feature_id: Any) -> Element:
    """An element from a feature's properties: of GeoJSON, or a row of GeoParquet."""
    known = properties if isinstance(properties, dict) else {}
    area = geometry is not None and geometry.geom_type in {"Polygon", "MultiPolygon"}
    return Element(_id(known, geometry, feature_id), geometry, tags_of(known, area=area))


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


def tags_of(properties: dict[str, Any], *, area: bool = False) -> Tags:
    """A feature's properties as OSM tags, with a class that is not OSM's in `category` or `class`.

    Args:
        properties: of a GeoJSON feature, or the other columns of a GeoParquet row.
        area: whether the feature is a polygon; one with a height is a building.
    """
    tags = _pairs(properties.get("tags"))
    tags |= {key: str(value) for key, value in properties.items() if isinstance(value, str | int | float)}
    tags |= _names(properties.get("names"))
    if "name_en" in tags:
        tags.setdefault("name:en", tags["name_en"])
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
    elif area and not category and _is_building(properties):
        tags.setdefault("building", own or subtype or "yes")
        tags.setdefault("height", tags.get("height_m", ""))
        if properties.get("is_underground") is True:
            tags["location"] = "underground"
    return tags | _levels(properties)


def _is_building(properties: dict[str, Any]) -> bool:
    if (properties.get("theme"), properties.get("type")) == ("buildings", "building"):
        return True
    return any(properties.get(sign) is not None for sign in _BUILDING_SIGNS)


def _levels(properties: dict[str, Any]) -> Tags:
    """Overture's bridges, tunnels and levels, where they hold for the whole of a segment."""
    flags: set[str] = set()
    for key in ("road_flags", "rail_flags"):
        values = [rule.get("values") for rule in _whole(properties.get(key))]
        flags.update(flag for some in values if isinstance(some, list) for flag in some if isinstance(flag, str))
    found = {key: "yes" for key in ("bridge", "tunnel") if f"is_{key}" in flags}
    for rule in _whole(properties.get("level_rules")):
        found["layer"] = str(rule.get("value", 0))
    return found


def _whole(rules: Any) -> list[dict[str, Any]]:
    known = [rule for rule in rules if isinstance(rule, dict)] if isinstance(rules, list) else []
    return [rule for rule in known if rule.get("between") in (None, [0, 1])]


def _names(names: Any) -> Tags:
    """Overture's `names`: a primary one, and a map of translations."""
    if not isinstance(names, dict):
        return {}
    found = {f"name:{language}": name for language, name in _pairs(names.get("common")).items()}
    if isinstance(names.get("primary"), str):
        found["name"] = names["primary"]
    return found


def _pairs(value: Any) -> Tags:
    """A map of texts: an object in JSON, a list of pairs when it comes from Parquet."""
    pairs = value.items() if isinstance(value, dict) else value if isinstance(value, list) else []
    known = [pair for pair in pairs if isinstance(pair, tuple | list) and len(pair) == 2]
    return {key: text for key, text in known if isinstance(key, str) and isinstance(text, str)}


def _category(properties: dict[str, Any]) -> str | None:
    for value in (properties.get("categories"), properties.get("taxonomy"), properties.get("category")):
        primary = value.get("primary") if isinstance(value, dict) else value
        if isinstance(primary, str) and primary:
            return primary
    return None
