"""The signs of places, drawn in a box of 14 by 14 units around their point."""

from collections.abc import Sequence

import shapely
from shapely import affinity
from shapely.geometry.base import BaseGeometry

from pipeline.cartography.features import Feature

_Line = Sequence[tuple[float, float]]


def _strokes(width: float, *lines: _Line) -> BaseGeometry:
    return shapely.buffer(shapely.MultiLineString([list(line) for line in lines]), width / 2, quad_segs=4)


def _disc(x: float, y: float, radius: float) -> BaseGeometry:
    return shapely.Point(x, y).buffer(radius, quad_segs=6)


_CUTLERY = shapely.union_all(
    [
        _strokes(1.3, [(-3.2, -5.5), (-3.2, 5.8)], [(2.6, -1.0), (2.6, 5.8)]),
        _strokes(0.9, [(-4.9, -5.8), (-4.9, -2.0), (-1.5, -2.0), (-1.5, -5.8)]),
        shapely.Polygon([(2.0, -6.0), (4.6, -4.0), (4.4, 0.6), (2.0, 0.6)]),
    ]
)
_CUP = shapely.union_all(
    [
        shapely.Polygon([(-5.0, -3.5), (3.0, -3.5), (2.2, 3.2), (-4.2, 3.2)]),
        _strokes(1.1, [(2.8, -2.4), (5.4, -2.4), (5.0, 0.6), (2.4, 1.4)]),
        _strokes(1.2, [(-5.4, 5.4), (3.6, 5.4)]),
    ]
)
_GLASS = shapely.union_all(
    [
        shapely.Polygon([(-4.6, -5.5), (4.6, -5.5), (0.6, 0.2), (-0.6, 0.2)]),
        _strokes(1.2, [(0, 0), (0, 5)], [(-3, 5.6), (3, 5.6)]),
    ]
)
_PLUS = shapely.union_all([shapely.box(-1.8, -5.5, 1.8, 5.5), shapely.box(-5.5, -1.8, 5.5, 1.8)])
_CROSS = shapely.union_all([shapely.box(-1.0, -6.0, 1.0, 6.0), shapely.box(-3.8, -3.2, 3.8, -1.2)])
_BED = shapely.union_all(
    [
        _strokes(1.3, [(-5.8, -3.5), (-5.8, 4.2)], [(-5.8, 1.8), (5.8, 1.8), (5.8, 4.2)]),
        _disc(-3.2, -0.9, 1.6),
        shapely.box(-1.2, -1.8, 5.9, 1.2),
    ]
)
_BAG = shapely.union_all(
    [
        shapely.Polygon([(-4.6, -2.2), (4.6, -2.2), (5.4, 5.8), (-5.4, 5.8)]),
        _strokes(1.1, [(-2.4, -2.2), (-2.0, -5.0), (2.0, -5.0), (2.4, -2.2)]),
    ]
)
_BUS = shapely.difference(
    shapely.box(-5.5, -5.5, 5.5, 5.5),
    shapely.union_all([shapely.box(-3.6, -3.6, 3.6, 0.2), _disc(-2.4, 2.8, 1.1), _disc(2.4, 2.8, 1.1)]),
)
_STATION = shapely.difference(
    shapely.box(-6, -6, 6, 6), _strokes(1.5, [(-3.2, 3.5), (-3.2, -3.5), (0, 1.0), (3.2, -3.5), (3.2, 3.5)])
)
_PARKING = shapely.union_all(
    [_strokes(1.9, [(-2.4, 5.4), (-2.4, -5.0), (1.0, -5.0), (3.0, -3.6), (3.0, -1.0), (1.0, 0.6), (-2.4, 0.6)])]
)
_SIGNALS = shapely.difference(
    shapely.box(-2.6, -6.2, 2.6, 6.2), shapely.union_all([_disc(0, -3.9, 1.3), _disc(0, 0, 1.3), _disc(0, 3.9, 1.3)])
)
_BOOK = shapely.difference(
    shapely.box(-5.5, -4.5, 5.5, 4.5),
    shapely.union_all(
        [shapely.box(-0.5, -4.0, 0.5, 4.5), shapely.box(1.8, -2.6, 4.2, -1.7), shapely.box(-4.2, -2.6, -1.8, -1.7)]
    ),
)
_DOT = _disc(0, 0, 2.4)

_SIGNS: tuple[tuple[BaseGeometry, tuple[str, ...]], ...] = (
    (_CUP, ("cafe", "coffee", "tea_room")),
    (_GLASS, ("bar", "pub", "brewery", "nightclub")),
    (_CUTLERY, ("restaurant", "fast_food", "food_court", "eat_and_drink", "food")),
    (_PLUS, ("pharmacy", "hospital", "clinic", "doctor", "dentist", "health")),
    (_CROSS, ("worship", "church", "cathedral")),
    (_BED, ("hotel", "hostel", "motel", "guest_house")),
    (_PARKING, ("parking",)),
    (_BOOK, ("library", "bookstore", "books")),
    (_BAG, ("convenience", "supermarket", "grocery", "department_store", "mall", "shopping")),
)  # fmt: skip


def sign(feature: Feature) -> BaseGeometry:
    """The sign of a place, in units around (0, 0), y down; a dot where there is none of its own."""
    category = feature.category
    if feature.kind == "stop":
        return _BUS if "bus" in category or "tram" in category else _STATION
    if feature.kind == "crossing":
        return _SIGNALS
    words = category.split("_")
    for shape, names in _SIGNS:
        if any(name == category or name in words for name in names):
            return shape
    return _DOT


def placed(shape: BaseGeometry, x: float, y: float, unit_px: float) -> BaseGeometry:
    """A sign in pixels, at a point of the chip."""
    return affinity.translate(affinity.scale(shape, unit_px, unit_px, origin=(0, 0)), x, y)
