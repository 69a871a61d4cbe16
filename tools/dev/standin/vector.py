"""Mapbox vector tiles of photos and sequences (version 2.1; y counts down)."""

from collections.abc import Sequence
from typing import Any

import mapbox_vector_tile
import mercantile
import shapely
from shapely.geometry.base import BaseGeometry

from tools.dev.standin.faults import Fault
from tools.dev.standin.library import Shot
from tools.dev.standin.web import Ask

Tags = dict[str, Any]
Layer = tuple[str, list[tuple[BaseGeometry, Tags]]]
"""A layer's name, and its features in Web Mercator metres."""
EXTENT = 4_096
_MARGIN = 64 / EXTENT
"""Tiles repeat so much of their neighbours, as those of PostGIS and of the providers do."""


def tile_number(ask: Ask) -> mercantile.Tile | None:
    """The tile that an address names, or None where there is none of that number."""
    parts = [ask.names[name] for name in ("z", "x", "y")]
    if not all(part.isdecimal() and len(part) < 10 for part in parts):
        return None
    z, x, y = map(int, parts)
    if z > 24 or x >= 2**z or y >= 2**z:
        return None
    return mercantile.Tile(x, 2**z - 1 - y if ask.fault is Fault.TMS_ROWS else y, z)


def reach(tile: mercantile.Tile) -> tuple[float, float, float, float]:
    """West, south, east, north of a tile with its margin, in degrees."""
    box = mercantile.bounds(tile)
    dx, dy = (box.east - box.west) * _MARGIN, (box.north - box.south) * _MARGIN
    return max(box.west - dx, -180.0), box.south - dy, min(box.east + dx, 180.0), box.north + dy


def point(lon: float, lat: float) -> BaseGeometry:
    """A position."""
    return shapely.Point(mercantile.xy(lon, lat))


def line(shots: Sequence[Shot]) -> BaseGeometry:
    """A sequence's line; a dot drawn out where it has one photo."""
    places = [mercantile.xy(shot.lon, shot.lat) for shot in shots]
    return shapely.LineString(places if len(places) > 1 else [*places, (places[0][0] + 0.1, places[0][1])])


def encode(tile: mercantile.Tile, layers: Sequence[Layer]) -> bytes:
    """A tile's bytes."""
    box = mercantile.xy_bounds(tile)
    side = box.right - box.left
    margin = side * _MARGIN
    clip = (box.left - margin, box.bottom - margin, box.right + margin, box.top + margin)
    documents = []
    for name, features in layers:
        clipped = [(shapely.clip_by_rect(shape, *clip), tags) for shape, tags in features]
        places = [
            {
                "geometry": shapely.transform(
                    shape, lambda xy: (xy - [box.left, box.top]) * [EXTENT / side, -EXTENT / side]
                ),
                "properties": tags,
            }
            for shape, tags in clipped
            if not shape.is_empty
        ]
        documents.append({"name": name, "features": places})
    encoded: bytes = mapbox_vector_tile.encode(documents, default_options={"y_coord_down": True, "extents": EXTENT})
    return encoded
