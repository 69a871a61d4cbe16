"""Reads vector tiles: features in WGS84, cut to the tile."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.errors import SiteError
from pipeline.geo.crossings import count_meetings
from pipeline.sources.vector_tile import TileLayer, decode_tile
from schemas.reasons import Reason

_MOST_FEATURES = 40_000
_MOST_NUMBERS = 800_000
"""Several times what the largest honest tiles hold, which makers keep below half a megabyte compressed."""
_MOST_REPAIR = 20_000
"""Maximum cost of repairing a tile's areas, in places where their outlines meet (see `pipeline.geo.crossings`). On its
grid of pixels an honest outline may touch itself here and there."""
_LEAST_REPAIR = 10
"""Minimum cost of the repair of one area, in the same measure."""
_LARGE = 2_000
"""Vertices of an area whose repair is reckoned before it is looked at."""
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
        SiteError: BAD_ANSWER for what is no vector tile, or has outlines that cross themselves endlessly;
            ANSWER_TOO_LARGE for more than any honest one holds.
    """
    where = f"tile {z}/{x}/{y}"
    limits = {"most_features": _MOST_FEATURES, "most_numbers": _MOST_NUMBERS}
    repair = _Repair(where)
    return [
        thing
        for layer in decode_tile(data, layers.__contains__, where, **limits)
        for thing in _things(layer, z, x, y, repair)
    ]


class _Repair:
    """Makes areas valid, within the cost that one tile may have."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._left = _MOST_REPAIR

    def mend(self, area: BaseGeometry) -> BaseGeometry:
        """The area itself, or as a valid (multi)polygon, perhaps an empty one.

        Raises:
            SiteError: BAD_ANSWER, the tile's areas take too much work.
        """
        large = shapely.get_num_coordinates(area) > _LARGE
        if large:  # or the check might take minutes
            self._spend(count_meetings([area], self._left))
        if area.is_valid:
            return area
        if not large:
            self._spend(max(count_meetings([area], self._left), _LEAST_REPAIR))
        return shapely.make_valid(area, method="structure", keep_collapsed=False)

    def _spend(self, cost: int) -> None:
        self._left -= cost
        if self._left < 0:
            raise SiteError(Reason.BAD_ANSWER, f"{self._where} has outlines that cross themselves too often")


def _things(layer: TileLayer, z: int, x: int, y: int, repair: _Repair) -> list[Thing]:
    kept = [_cut(feature.geometry, layer.extent, repair) for feature in layer.features]

    def to_degrees(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        across, down = (pixels / layer.extent + [x, y]).T / 2.0**z
        with np.errstate(over="ignore"):  # far beyond the earth: infinite, and left out by whoever reads it
            lat = np.degrees(np.arctan(np.sinh(np.pi * (1.0 - 2.0 * down))))
        return np.column_stack([across * 360.0 - 180.0, lat])

    degrees = shapely.transform(np.array(kept, dtype=object), to_degrees)
    return [
        Thing(layer.name, feature.number, feature.properties, geometry)
        for feature, geometry in zip(layer.features, degrees, strict=True)
        if geometry is None or not geometry.is_empty
    ]


def _cut(geometry: BaseGeometry | None, extent: int, repair: _Repair) -> BaseGeometry | None:
    if geometry is None:
        return None
    if geometry.geom_type in _LINES:
        return shapely.clip_by_rect(geometry, 0, 0, extent, extent)
    if geometry.geom_type in _AREAS:
        return repair.mend(geometry)
    if geometry.geom_type == "Point" and not (0 <= geometry.x < extent and 0 <= geometry.y < extent):
        return shapely.Point()
    return geometry
