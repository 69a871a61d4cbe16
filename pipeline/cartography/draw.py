"""The map chip: features drawn north up, pixel on pixel with the aerial chip of the same site.

A point x metres east and y metres north of the site lies at (size / 2 + x / gsd, size / 2 - y / gsd), with the origin
at the top left corner of the top left pixel. Roads have their true width where lanes are known, so that they lie over
the roads of the aerial chip. The same features always give the same pixels.
"""

from collections.abc import Sequence

import shapely
from shapely.geometry.base import BaseGeometry

from pipeline.cartography import style
from pipeline.cartography.canvas import Canvas
from pipeline.cartography.features import Feature
from pipeline.cartography.items import Item, areas, cut, in_pixels, where
from pipeline.cartography.labels import Lettering, draw_label, place_labels
from pipeline.imaging.types import Pixels

_MARGIN_PX = 40.0  # beyond the chip: wider than half of any line
_DOT_PX = 2.6

_LETTERING = Lettering(
    street_px=12,
    place_px=11,
    weight=500,
    most_places=40,
    colour=style.text_colour,
    aside_px=3.0,
    dot_gap_px=3.5,
    wrap=None,
)


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
    known, pixels = in_pixels(features, shapes, size_px, gsd_m)
    items = cut(known, pixels, size_px, _MARGIN_PX + style.LANE_M * 16 / gsd_m / 2)
    canvas = Canvas(size_px, style.LAND)
    _draw_ground(canvas, items)
    _draw_ways(canvas, items, gsd_m)
    _draw_dots(canvas, items)
    picture = canvas.picture()
    if labels:
        for label in place_labels(cut(known, pixels, size_px, 0.0), size_px, _LETTERING):
            draw_label(picture, label)
    return picture


def _draw_ground(canvas: Canvas, items: Sequence[Item]) -> None:
    """Areas, from the widest kind to the buildings; within a kind the larger below the smaller."""
    grounds = areas(items)
    for _, shape in where(grounds, lambda f: f.kind == "poi" and not f.building):
        canvas.area(shape, style.GROUNDS)
    for feature, shape in where(grounds, lambda f: f.kind == "green"):
        canvas.area(shape, style.green_colour(feature.category))
    for feature, shape in where(items, lambda f: f.kind == "green" and f.shape == "line"):
        canvas.line(shape, 3.0, style.green_colour(feature.category))
    for feature, shape in where(items, lambda f: f.kind == "water"):
        if feature.shape == "area":
            canvas.area(shape, style.WATER)
        elif feature.shape == "line":
            canvas.line(shape, 4.0, style.WATER)
    for _, shape in where(grounds, lambda f: f.kind == "square"):
        canvas.area(shape, style.SQUARE)
    for _, shape in where(grounds, lambda f: f.building or f.kind == "building"):
        canvas.area(shape, style.BUILDING, style.BUILDING_EDGE)


def _draw_ways(canvas: Canvas, items: Sequence[Item], gsd_m: float) -> None:
    lines = [item for item in items if item[0].shape == "line"]
    for _, shape in where(lines, lambda f: f.category == "tunnel"):
        canvas.dashes(shape, 4.0, style.TUNNEL, 6.0, 4.0)
    for feature, shape in where(lines, lambda f: f.kind == "road" and style.is_path(f)):
        canvas.line(shape, 2.4, style.HALO)
        canvas.dashes(shape, 1.2, style.path_colour(feature.category), 4.0, 3.0)
    roads = sorted(
        where(lines, lambda f: f.kind == "road" and not style.is_path(f)), key=lambda item: style.road_rank(item[0])
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
    for feature, shape in where(lines, lambda f: f.kind == "rail"):
        if feature.category == "tram":
            canvas.line(shape, 1.2, style.RAIL)
        else:
            canvas.line(shape, 3.0, style.RAIL)
            canvas.dashes(shape, 1.4, style.HALO, 6.0, 6.0)
    for _, shape in where(lines, lambda f: f.category == "city_wall"):
        canvas.line(shape, 3.0, style.BUILDING_EDGE)


def _draw_dots(canvas: Canvas, items: Sequence[Item]) -> None:
    points = [item for item in items if item[0].shape == "point"]
    for feature, shape in where(points, lambda f: f.category == "tree"):
        canvas.dot(shape, 4.0, style.green_colour(feature.category))
    for feature, shape in where(points, lambda f: f.kind == "crossing"):
        canvas.dot(shape, 1.8, style.dot_colour(feature))
    for feature, shape in where(points, lambda f: f.kind != "crossing" and f.category != "tree"):
        canvas.dot(shape, _DOT_PX + 1.0, style.HALO)
        canvas.dot(shape, _DOT_PX, style.dot_colour(feature))
