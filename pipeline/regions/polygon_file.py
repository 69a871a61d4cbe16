"""The outline of a region, read from GeoJSON or WKT and checked."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry
from shapely.validation import explain_validity

from pipeline.errors import ConfigError, Problem
from pipeline.sources.geojson import other_system

_WANTED = (
    "a GeoJSON file (Polygon, MultiPolygon, or features of these), or WKT that starts with POLYGON or MULTIPOLYGON"
)
_MOST_BYTES = 50_000_000


def is_wkt(text: str) -> bool:
    """Whether a region's `polygon` is WKT rather than the path of a file."""
    return text.lstrip().upper().startswith(("POLYGON", "MULTIPOLYGON"))


def read_outline(text: str, base: Path, where: str) -> str:
    """WKT of a polygon or multipolygon, longitude first.

    Args:
        text: WKT, or the path of a GeoJSON file.
        base: folder that a relative path is relative to.
        where: key of the build file, for messages.

    Raises:
        ConfigError: there is no polygon, or it is empty, crosses itself, or is not in degrees, longitude first.
    """
    if is_wkt(text):
        try:
            return _checked(shapely.from_wkt(text), where)
        except shapely.errors.GEOSException as error:
            raise _fault(where, f"WKT that cannot be read ({' '.join(str(error).split())})") from error
    path = base / text
    try:
        if path.exists() and not path.is_file():
            raise _fault(where, f"{path}, which is a folder, a pipe or a device")
        if path.stat().st_size > _MOST_BYTES:
            raise _fault(where, f"{path}, which is larger than {_MOST_BYTES // 10**6} MB", "a simplified outline")
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise _fault(where, f"{path}, which cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise _fault(where, f"{path}, which is no JSON ({error})") from error
    kinds: list[str] = []
    systems: list[Any] = []
    geometries = list(_geometries(document, kinds, systems))
    for other in map(other_system, systems):
        if other is not None:
            raise _fault(where, f"{path}: coordinates in {other}", "WGS 84, longitude first")
    others = sorted({kind for kind in kinds if kind not in ("Polygon", "MultiPolygon")})
    if others or not geometries:
        raise _fault(where, f"{path}, which holds {', '.join(others) or 'no geometry'}")
    try:
        parts = [part for item in geometries for part in shapely.get_parts(shapely.from_geojson(json.dumps(item)))]
    except shapely.errors.GEOSException as error:
        raise _fault(where, f"{path}: coordinates that cannot be read ({' '.join(str(error).split())})") from error
    # Each outline is checked by itself first: the union of crossing lines would hide the fault.
    for part in parts:
        _checked(part, f"{where} ({path.name})")
    return _checked(shapely.union_all(parts), f"{where} ({path.name})")


def _geometries(document: Any, kinds: list[str], systems: list[Any]) -> list[Any]:
    """All geometries in a GeoJSON document; their types go into `kinds`, what systems are named into `systems`."""
    if not isinstance(document, dict):
        return []
    if document.get("crs") is not None:
        systems.append(document["crs"])
    kind = document.get("type")
    if kind == "FeatureCollection":
        features = document.get("features")
        items = features if isinstance(features, list) else []
        return [found for item in items for found in _geometries(item, kinds, systems)]
    if kind == "Feature":
        return _geometries(document.get("geometry"), kinds, systems)
    if kind is None:
        return []
    kinds.append(str(kind)[:40])
    return [document]


def _checked(geometry: BaseGeometry, where: str) -> str:
    if geometry.is_empty:
        raise _fault(where, "an empty outline", "a polygon with at least three corners")
    if geometry.geom_type not in ("Polygon", "MultiPolygon"):
        raise _fault(where, f"a {geometry.geom_type}")
    corners = shapely.get_coordinates(geometry)
    if not np.isfinite(corners).all():
        raise _fault(where, "coordinates that are no numbers", "degrees, longitude first")
    lon, lat = np.abs(corners).max(axis=0)
    if lat > 90:
        hint = "are latitude and longitude swapped?" if lat <= 180 and lon <= 90 else "are these metres?"
        raise _fault(where, f"a latitude of {lat:g} ({hint})", "degrees (OGC:CRS84), longitude first")
    parts = shapely.bounds(shapely.get_parts(geometry))
    if lon > 180 or (parts[:, 2] - parts[:, 0] > 180).any():
        found = f"one polygon from longitude {parts[:, 0].min():g} to {parts[:, 2].max():g}"
        allowed = "two polygons where it crosses the antimeridian, each between -180 and 180 (RFC 7946, 3.1.9)"
        raise _fault(where, found, allowed)
    if not geometry.is_valid:
        found = f"an outline that crosses or touches itself ({explain_validity(geometry)})"
        raise _fault(where, found, "a polygon whose lines do not cross")
    wkt = str(shapely.to_wkt(geometry, rounding_precision=7, output_dimension=2))  # a centimetre, without heights
    if not shapely.from_wkt(wkt).area:
        raise _fault(where, "an outline without an area", "a polygon with at least three corners, centimetres apart")
    return wkt


def _fault(where: str, found: str, allowed: str = _WANTED) -> ConfigError:
    return ConfigError([Problem(where, found, allowed)])
