"""The map chip: features drawn north up, pixel on pixel with the aerial chip of the same site.

A point x metres east and y metres north of the site lies at (size / 2 + x / gsd, size / 2 - y / gsd), with the origin
at the top left corner of the top left pixel. Roads have their true width where lanes are known, so that they lie over
the roads of the aerial chip. The same features always give the same pixels.
"""

from collections.abc import Callable, Iterable, Sequence

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.sources.base import Pixels
from pipeline.sources.mapfiles import style
from pipeline.sources.mapfiles.features import Feature
from pipeline.sources.mapfiles.labels import draw_label, place_labels

_FINER = 2  # drawn at twice the size and averaged down
_BITS = 4  # of a pixel's fraction in OpenCV's fixed-point coordinates
_MARGIN_PX = 40.0  # beyond the chip: wider than half of any line
_DOT_PX = 2.6

_Item = tuple[Feature, BaseGeometry]


def draw(
    features: Sequence[Feature], shapes: Sequence[BaseGeometry], size_px: int, gsd_m: float, *, labels: bool
) -> Pixels:
    """Draw features.

    Args:
        features: in any order.
        shapes: their geometries in metres east and north of the chip's centre.
        size_px: side of the chip.
        gsd_m: metres a pixel.
        labels: whether to write names.

    Returns:
        size_px x size_px x 3, RGB.
    """
    order = sorted(range(len(features)), key=lambda i: features[i].feature_id)
    known = [features[i] for i in order]
    pixels = shapely.transform(
        np.array([shapes[i] for i in order], dtype=object), lambda m: size_px / 2 + m * [1 / gsd_m, -1 / gsd_m]
    )
    edge = _MARGIN_PX + style.LANE_M * 16 / gsd_m / 2
    cut = shapely.clip_by_rect(pixels, -edge, -edge, size_px + edge, size_px + edge)
    items = [(feature, shape) for feature, shape in zip(known, cut, strict=True) if not shape.is_empty]

    canvas = _Canvas(size_px)
    _draw_ground(canvas, items)
    _draw_ways(canvas, items, gsd_m)
    _draw_dots(canvas, items)
    picture = canvas.picture()
    if labels:
        on_chip = shapely.clip_by_rect(pixels, 0, 0, size_px, size_px)
        seen = [(feature, shape) for feature, shape in zip(known, on_chip, strict=True) if not shape.is_empty]
        for label in place_labels([feature for feature, _ in seen], [shape for _, shape in seen], size_px):
            draw_label(picture, label)
    return picture


def _draw_ground(canvas: "_Canvas", items: Sequence[_Item]) -> None:
    """Areas, from the widest kind to the buildings; within a kind the larger below the smaller."""
    areas = sorted(
        (item for item in items if item[0].shape == "area"), key=lambda item: (-item[1].area, item[0].feature_id)
    )
    for _, shape in _where(areas, lambda f: f.kind == "poi" and not f.building):
        canvas.area(shape, style.GROUNDS)
    for feature, shape in _where(areas, lambda f: f.kind == "green"):
        canvas.area(shape, style.green_colour(feature.category))
    for feature, shape in _where(items, lambda f: f.kind == "green" and f.shape == "line"):
        canvas.line(shape, 3.0, style.green_colour(feature.category))
    for feature, shape in _where(items, lambda f: f.kind == "water"):
        if feature.shape == "area":
            canvas.area(shape, style.WATER)
        elif feature.shape == "line":
            canvas.line(shape, 4.0, style.WATER)
    for _, shape in _where(areas, lambda f: f.kind == "square"):
        canvas.area(shape, style.SQUARE)
    for _, shape in _where(areas, lambda f: f.building or f.kind == "building"):
        canvas.area(shape, style.BUILDING, style.BUILDING_EDGE)


def _draw_ways(canvas: "_Canvas", items: Sequence[_Item], gsd_m: float) -> None:
    lines = [item for item in items if item[0].shape == "line"]
    for _, shape in _where(lines, lambda f: f.category == "tunnel"):
        canvas.dashes(shape, 4.0, style.TUNNEL, 6.0, 4.0)
    for feature, shape in _where(lines, lambda f: f.kind == "road" and style.is_path(f)):
        canvas.line(shape, 2.4, style.HALO)
        canvas.dashes(shape, 1.2, style.path_colour(feature.category), 4.0, 3.0)
    roads = sorted(
        _where(lines, lambda f: f.kind == "road" and not style.is_path(f)), key=lambda item: style.road_rank(item[0])
    )
    # All casings of a layer lie below all its fills, so that streets open into each other.
    for layer in sorted({feature.layer for feature, _ in roads}):
        level = [item for item in roads if item[0].layer == layer]
        for feature, shape in level:
            width, casing = style.road_width(feature, gsd_m) + 1.6, style.road(feature.category).casing
            if layer > 0:  # a bridge's sides end where it ends; round ends would cross the road that leads to it
                canvas.area(shapely.buffer(shape, width / 2, cap_style="flat"), casing)
            else:
                canvas.line(shape, width, casing)
        for feature, shape in level:
            canvas.line(shape, style.road_width(feature, gsd_m), style.road(feature.category).fill)
    for feature, shape in _where(lines, lambda f: f.kind == "rail"):
        if feature.category == "tram":
            canvas.line(shape, 1.2, style.RAIL)
        else:
            canvas.line(shape, 3.0, style.RAIL)
            canvas.dashes(shape, 1.4, style.HALO, 6.0, 6.0)
    for _, shape in _where(lines, lambda f: f.category == "city_wall"):
        canvas.line(shape, 3.0, style.BUILDING_EDGE)


def _draw_dots(canvas: "_Canvas", items: Sequence[_Item]) -> None:
    points = [item for item in items if item[0].shape == "point"]
    for feature, shape in _where(points, lambda f: f.category == "tree"):
        canvas.dot(shape, 4.0, style.green_colour(feature.category))
    for feature, shape in _where(points, lambda f: f.kind == "crossing"):
        canvas.dot(shape, 1.8, style.dot_colour(feature))
    for feature, shape in _where(points, lambda f: f.kind != "crossing" and f.category != "tree"):
        canvas.dot(shape, _DOT_PX + 1.0, style.HALO)
        canvas.dot(shape, _DOT_PX, style.dot_colour(feature))


def _where(items: Iterable[_Item], wanted: Callable[[Feature], bool]) -> list[_Item]:
    return [item for item in items if wanted(item[0])]


class _Canvas:
    """Shapes in pixels onto a picture; widths in pixels."""

    def __init__(self, size_px: int) -> None:
        self._size = size_px
        self._canvas = np.full((size_px * _FINER, size_px * _FINER, 3), style.LAND, np.uint8)

    def picture(self) -> Pixels:
        """The picture at its size."""
        return np.asarray(cv2.resize(self._canvas, (self._size, self._size), interpolation=cv2.INTER_AREA), np.uint8)

    def area(self, shape: BaseGeometry, fill: style.Colour, edge: style.Colour | None = None) -> None:
        """Fill an area; its holes stay open."""
        for polygon in _parts(shape, "Polygon"):
            rings = [_fixed(shapely.get_coordinates(ring)) for ring in (polygon.exterior, *polygon.interiors)]
            cv2.fillPoly(self._canvas, rings, fill, cv2.LINE_AA, _BITS)
            if edge is not None:
                cv2.polylines(self._canvas, rings, True, edge, _FINER, cv2.LINE_AA, _BITS)

    def line(self, shape: BaseGeometry, width: float, colour: style.Colour) -> None:
        """Draw lines with round ends."""
        lines = [_fixed(shapely.get_coordinates(part)) for part in _parts(shape, "LineString")]
        cv2.polylines(self._canvas, lines, False, colour, max(round(width * _FINER), 1), cv2.LINE_AA, _BITS)

    def dashes(self, shape: BaseGeometry, width: float, colour: style.Colour, dash: float, gap: float) -> None:
        """Draw lines with gaps."""
        for part in _parts(shape, "LineString"):
            starts = np.arange(0.0, part.length, dash + gap)
            along = np.column_stack([starts, np.minimum(starts + dash, part.length)])
            ends = shapely.get_coordinates(shapely.line_interpolate_point(part, along))
            strokes = _fixed(ends).reshape(-1, 2, 2)
            cv2.polylines(self._canvas, list(strokes), False, colour, max(round(width * _FINER), 1), cv2.LINE_AA, _BITS)

    def dot(self, point: BaseGeometry, radius: float, colour: style.Colour) -> None:
        """Draw a disc."""
        (centre,) = _fixed(shapely.get_coordinates(point))
        cv2.circle(self._canvas, centre.tolist(), round(radius * _FINER * 2**_BITS), colour, -1, cv2.LINE_AA, _BITS)


def _parts(shape: BaseGeometry, kind: str) -> list[BaseGeometry]:
    parts = shapely.get_parts(shape)
    # Clipping can leave a collection with other things in it, where an area touches the edge.
    nested = [part for one in parts for part in shapely.get_parts(one)]
    return [part for part in nested if part.geom_type == kind and not part.is_empty]


def _fixed(coordinates: NDArray[np.float64]) -> NDArray[np.int32]:
    """OpenCV's coordinates, which count from the middle of the top left pixel, on the finer canvas."""
    finer = coordinates * _FINER - 0.5
    fixed: NDArray[np.int32] = np.round(finer * 2**_BITS).astype(np.int32)
    return fixed
