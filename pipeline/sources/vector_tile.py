"""Mapbox Vector Tiles, version 2: layers of features in pixels of the tile.

Format: https://github.com/mapbox/vector-tile-spec/tree/master/2.1. Geometries are decoded for all features of a layer
together. A tile comes from outside, so it is counted before it is unpacked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from google.protobuf.message import DecodeError
from mapbox_vector_tile.Mapbox import vector_tile_pb2
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.errors import SiteError
from schemas.reasons import Reason

_POINT, _LINE, _AREA = 1, 2, 3
_MOVE, _DRAW, _CLOSE = 1, 2, 7
_VALUES = ("string_value", "int_value", "uint_value", "sint_value", "bool_value", "double_value", "float_value")
_MOST_EXTENT = 1 << 20
"""Pixels on a tile's side; 4,096 is usual."""


@dataclass(frozen=True)
class TileFeature:
    """A feature of a tile."""

    number: int
    """Its id; 0 if it has none."""
    properties: dict[str, Any]
    geometry: BaseGeometry | None
    """In pixels from the tile's top left corner, x to the right and y down, also beyond the tile's edge. None where it
    cannot be put together: a line of one point, an area without one."""


@dataclass(frozen=True)
class TileLayer:
    """A layer of a tile."""

    name: str
    extent: int
    """Pixels on the tile's side."""
    features: list[TileFeature]


def decode_tile(
    data: bytes, wanted: Callable[[str], bool], where: str, *, most_features: int, most_numbers: int
) -> list[TileLayer]:
    """Layers of a tile, in its order.

    Args:
        data: the tile, decompressed.
        wanted: tells by a layer's name whether it is unpacked.
        where: names the tile in messages.
        most_features: in all wanted layers together.
        most_numbers: of all geometries and attributes together.

    Raises:
        SiteError: BAD_ANSWER for what is no vector tile, ANSWER_TOO_LARGE for more than is allowed.
    """
    tile = vector_tile_pb2.tile()
    try:
        tile.ParseFromString(data)
    except DecodeError as error:
        raise _bad(where, str(error)) from error
    layers = [layer for layer in tile.layers if wanted(layer.name)]
    features = sum(len(layer.features) for layer in layers)
    numbers = sum(len(layer.keys) + len(layer.values) for layer in layers)
    numbers += sum(len(feature.geometry) + len(feature.tags) for layer in layers for feature in layer.features)
    if features > most_features or numbers > most_numbers:
        raise SiteError(Reason.ANSWER_TOO_LARGE, f"{where} holds {features} features of {numbers} numbers")
    return [_layer(layer, where) for layer in layers]


def _layer(layer: Any, where: str) -> TileLayer:
    if not layer.IsInitialized() or not layer.name:
        raise _bad(where, "a layer without name or version")
    if not 1 <= layer.extent <= _MOST_EXTENT:
        raise _bad(where, f"an extent of {layer.extent}")
    keys = list(layer.keys)
    values = [_value(value, where) for value in layer.values]
    properties = []
    for feature in layer.features:
        tags = list(feature.tags)
        try:  # the numbers are unsigned
            properties.append({keys[key]: values[value] for key, value in zip(tags[::2], tags[1::2], strict=True)})
        except (IndexError, ValueError) as error:
            raise _bad(where, "attributes that the layer does not have") from error
    geometries = _geometries(layer.features, where)
    numbers = [feature.id for feature in layer.features]
    found = [TileFeature(*each) for each in zip(numbers, properties, geometries, strict=True)]
    return TileLayer(layer.name, layer.extent, found)


def _value(value: Any, where: str) -> Any:
    for kind in _VALUES:
        if value.HasField(kind):
            return getattr(value, kind)
    raise _bad(where, "an attribute without a value")


class _Parts:
    """The points, lines and rings of a layer's features, as places in one list of numbers."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.first: list[int] = []
        """Where each run of coordinates starts in `numbers`."""
        self.count: list[int] = []
        """Its coordinates."""
        self.part: list[int] = []
        """The part that it is of."""
        self.feature: list[int] = []
        """The feature that it is of."""
        self.owner: list[int] = []
        """The feature of each part."""

    def add(self, number: int, feature: Any, where: str) -> None:
        """Take up a feature's commands."""
        kind, place = feature.type, len(self.numbers)
        self.numbers.extend(feature.geometry)
        end, numbers = len(self.numbers), self.numbers
        open_part = False
        while place < end:
            command, count = numbers[place] & 7, numbers[place] >> 3
            place += 1
            if command == _CLOSE:
                if kind != _AREA or not open_part:
                    raise _bad(where, "a ring that is closed and was not begun")
                open_part = False
                continue
            if command not in {_MOVE, _DRAW} or not 0 < count <= (end - place) // 2:
                raise _bad(where, "a geometry that cannot be read")
            if command == _DRAW and (not open_part or kind == _POINT):
                raise _bad(where, "a line that was not begun")
            if command == _MOVE and not (open_part and kind == _POINT):
                self.owner.append(number)
                open_part = True
            self.first.append(place)
            self.count.append(count)
            self.part.append(len(self.owner) - 1)
            self.feature.append(number)
            place += 2 * count

    def coordinates(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """All coordinates in pixels, and the part of each."""
        count = np.array(self.count, np.int64)
        starts = np.cumsum(count) - count
        places = np.repeat(np.array(self.first, np.int64) - 2 * starts, count) + 2 * np.arange(count.sum())
        numbers = np.array(self.numbers, np.int64)
        zigzag = np.column_stack([numbers[places], numbers[places + 1]])
        steps = (zigzag >> 1) ^ -(zigzag & 1)
        feature = np.repeat(np.array(self.feature, np.int64), count)
        walked = np.cumsum(steps, axis=0)
        begins = np.flatnonzero(np.diff(feature, prepend=-1))
        # Each feature starts at the tile's corner: what was walked before it is taken off.
        before = np.where(begins[:, None] > 0, walked[begins - 1], 0)
        lengths = np.diff(begins, append=len(feature))
        return walked - np.repeat(before, lengths, axis=0), np.repeat(np.array(self.part, np.int64), count)


def _geometries(features: Any, where: str) -> list[BaseGeometry | None]:
    """The geometry of each feature, or None."""
    parts = _Parts()
    kinds = np.array([feature.type for feature in features], np.int64)
    for number, feature in enumerate(features):
        parts.add(number, feature, where)
    found = np.full(len(kinds), None, dtype=object)
    if not parts.count:
        return list(found)
    coordinates, part = parts.coordinates()
    owner = np.array(parts.owner, np.int64)
    kind = kinds[owner][part]  # of each coordinate
    for wanted, make in ((_POINT, _points), (_LINE, _lines), (_AREA, _areas)):
        of_kind = kind == wanted
        if of_kind.any():
            made, owners = make(coordinates[of_kind].astype(np.float64), part[of_kind], owner)
            found[owners] = made
    return list(found)


_Made = tuple[NDArray[np.object_], NDArray[np.int64]]
"""Geometries, and the features that they are of, each once."""


def _points(coordinates: NDArray[np.float64], part: NDArray[np.int64], owner: NDArray[np.int64]) -> _Made:
    return _joined(shapely.points(coordinates), owner[part], shapely.multipoints)


def _lines(coordinates: NDArray[np.float64], part: NDArray[np.int64], owner: NDArray[np.int64]) -> _Made:
    size = np.bincount(part)
    whole = size[part] > 1
    known, which = np.unique(part[whole], return_inverse=True)
    if not len(known):
        return np.empty(0, dtype=object), known
    return _joined(shapely.linestrings(coordinates[whole], indices=which), owner[known], shapely.multilinestrings)


def _areas(coordinates: NDArray[np.float64], part: NDArray[np.int64], owner: NDArray[np.int64]) -> _Made:
    """The first ring of a feature with an area is an outline, and so are those that wind like it; others are holes."""
    starts = np.flatnonzero(np.diff(part, prepend=-1))
    lengths = np.diff(starts, append=len(part))
    follower = np.arange(1, len(part) + 1)
    follower[starts + lengths - 1] = starts
    x, y = coordinates.T
    area = np.add.reduceat(x * y[follower] - x[follower] * y, starts)
    kept = area != 0
    if not kept.any():
        return np.empty(0, dtype=object), np.empty(0, np.int64)
    rings = np.flatnonzero(kept)
    inside = np.repeat(kept, lengths)
    which = np.repeat(np.cumsum(kept) - 1, lengths)[inside]
    linear = shapely.linearrings(coordinates[inside], indices=which)
    owners = owner[part[starts[rings]]]
    begins = np.diff(owners, prepend=-1) != 0
    winding = np.sign(area[rings])
    outline = begins | (winding == winding[np.maximum.accumulate(np.where(begins, np.arange(len(rings)), 0))])
    polygon = np.cumsum(outline) - 1
    polygons = shapely.polygons(linear, indices=polygon)
    return _joined(polygons, owners[outline], shapely.multipolygons)


def _joined(
    pieces: NDArray[np.object_], owners: NDArray[np.int64], collect: Callable[..., NDArray[np.object_]]
) -> _Made:
    """One geometry a feature: its piece, or a collection of its pieces. The pieces of a feature stand together."""
    known, first, which, count = np.unique(owners, return_index=True, return_inverse=True, return_counts=True)
    made = pieces[first]
    several = count > 1
    if several.any():
        many = several[which]
        numbers = np.cumsum(several) - 1
        made[several] = collect(pieces[many], indices=numbers[which[many]])
    return made, known


def _bad(where: str, what: str) -> SiteError:
    return SiteError(Reason.BAD_ANSWER, f"{where} is no vector tile: {what}")
