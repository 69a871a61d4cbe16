"""Mapbox Vector Tiles: layers of features in WGS84, cut to the tile.

Format: https://github.com/mapbox/vector-tile-spec. A tile comes from outside, so it is counted before it is unpacked.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import mapbox_vector_tile
import numpy as np
import shapely
from google.protobuf.message import DecodeError
from mapbox_vector_tile.Mapbox import vector_tile_pb2
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.errors import SiteError
from schemas.reasons import Reason

_MOST_FEATURES = 60_000
_MOST_NUMBERS = 3_000_000
"""Of all geometries and attributes together."""
_AREAS = frozenset({"Polygon", "MultiPolygon"})
_LINES = frozenset({"LineString", "MultiLineString"})


@dataclass(frozen=True)
class Thing:
    """A feature of a tile."""

    layer: str
    number: int
    """Its id; 0 if it has none."""
    properties: dict[str, Any]
    geometry: BaseGeometry | None
    """WGS84 degrees. Lines are cut to the tile, points beyond it left out; areas keep the margin that they came with,
    so that the pieces of one area overlap. None for a geometry that cannot be read."""


def read_tile(data: bytes, z: int, x: int, y: int, layers: Collection[str]) -> list[Thing]:
    """The features of some layers.

    Args:
        data: the tile, decompressed.
        z: its zoom.
        x: its column, from the west.
        y: its row, from the north.
        layers: the others are not unpacked.

    Raises:
        SiteError: BAD_ANSWER for what is no vector tile, ANSWER_TOO_LARGE for more than any honest one holds.
    """
    tile = vector_tile_pb2.tile()
    try:
        tile.ParseFromString(data)
        for i in reversed(range(len(tile.layers))):
            if tile.layers[i].name not in layers:
                del tile.layers[i]
        _check_size(tile, f"{z}/{x}/{y}")
        decoded = mapbox_vector_tile.decode(tile.SerializeToString(), default_options={"y_coord_down": True})
    except (DecodeError, AssertionError, IndexError, ValueError, TypeError) as error:
        raise SiteError(Reason.BAD_ANSWER, f"tile {z}/{x}/{y} is no vector tile ({type(error).__name__})") from error
    return [thing for name, layer in decoded.items() for thing in _things(name, layer, z, x, y)]


def _check_size(tile: Any, where: str) -> None:
    number = sum(len(layer.features) for layer in tile.layers)
    parts = sum(len(feature.geometry) + len(feature.tags) for layer in tile.layers for feature in layer.features)
    if number > _MOST_FEATURES or parts > _MOST_NUMBERS:
        raise SiteError(Reason.ANSWER_TOO_LARGE, f"tile {where} holds {number} features of {parts} numbers")


def _things(name: str, layer: dict[str, Any], z: int, x: int, y: int) -> list[Thing]:
    extent, features = layer["extent"], layer["features"]
    if not extent or not features:
        return []
    geometries = shapely.from_geojson([json.dumps(f["geometry"]) for f in features], on_invalid="ignore")
    kept = [_cut(geometry, extent) for geometry in geometries]

    def to_degrees(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        across, down = (pixels / extent + [x, y]).T / 2.0**z
        lat = np.degrees(np.arctan(np.sinh(np.pi * (1.0 - 2.0 * down))))
        return np.column_stack([across * 360.0 - 180.0, lat])

    degrees = shapely.transform(np.array(kept, dtype=object), to_degrees)
    return [
        Thing(name, feature["id"], feature["properties"], geometry)
        for feature, geometry in zip(features, degrees, strict=True)
        if geometry is None or not geometry.is_empty
    ]


def _cut(geometry: BaseGeometry | None, extent: int) -> BaseGeometry | None:
    if geometry is None:
        return None
    if geometry.geom_type in _LINES:
        return shapely.clip_by_rect(geometry, 0, 0, extent, extent)
    if geometry.geom_type in _AREAS and not geometry.is_valid:
        parts = shapely.get_parts(shapely.make_valid(geometry))
        return shapely.union_all([part for part in parts if part.geom_type in _AREAS])
    if geometry.geom_type == "Point" and not (0 <= geometry.x < extent and 0 <= geometry.y < extent):
        return shapely.Point()
    return geometry
