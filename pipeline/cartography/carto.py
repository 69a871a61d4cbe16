"""The map chip in the manner of openstreetmap-carto at zoom 19, which released CVG-Text models were trained on.

All widths and sizes keep their size on the ground, so the chip looks as a zoom 19 tile enlarged or reduced to its
scale; only lettering never gets too small to read. A tile of 256 pixels over a chip of 512 is `map_scale: carto-z19`.
"""

import math
from collections.abc import Sequence

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from pipeline.cartography import carto_style as style
from pipeline.cartography import glyphs
from pipeline.cartography.canvas import Canvas
from pipeline.cartography.features import Feature
from pipeline.cartography.items import Item, areas, cut, in_pixels, where
from pipeline.cartography.labels import Lettering, draw_label, place_labels
from pipeline.imaging.types import Pixels

_TILE_GSD_M = 40_075_016.686 / 2**19 / 256
"""Metres a pixel of a zoom 19 tile of 256 pixels, at the equator."""
_MARGIN = 40.0  # beyond the chip: wider than half of any line
_LEAST_TEXT_PX = 10
_MOST_SIGNS = 60
_SIGN_GAP = 13.0
"""Signs nearer to each other than this are left out, but for the first."""


def draw_carto(
    features: Sequence[Feature],
    shapes: Sequence[BaseGeometry],
    size_px: int,
    gsd_m: float,
    *,
    lat: float,
    labels: bool,
) -> Pixels:
    """Draw features.

    Args:
        features: in any order.
        shapes: their geometries in metres east and north of the chip's centre.
        size_px: side of the chip.
        gsd_m: metres a pixel.
        lat: of the chip's centre, degrees: a tile's pixel is smaller on the ground towards the poles.
        labels: whether to write names and house numbers. The signs of places are drawn in any case.

    Returns:
        size_px x size_px x 3, RGB.
    """
    unit = _TILE_GSD_M * math.cos(math.radians(lat)) / gsd_m
    known, pixels = in_pixels(features, shapes, size_px, gsd_m)
    items = cut(known, pixels, size_px, _MARGIN * max(unit, 1.0))
    canvas = Canvas(size_px, style.LAND)
    _ground(canvas, items, unit)
    _paths(canvas, items, unit)
    _roads(canvas, items, unit)
    _rails(canvas, items, unit)
    _trees(canvas, items, unit)
    on_chip = cut(known, pixels, size_px, 0.0)
    signs = _signs(on_chip, size_px, unit)
    sign_unit = max(unit, 0.7)
    for feature, point in signs:
        glyph = glyphs.placed(glyphs.sign(feature), point.x, point.y, sign_unit)
        canvas.area(glyph, style.GREY if feature.kind == "crossing" else style.place_colour(feature))
    picture = canvas.picture()
    if labels:
        lettering = _lettering(unit)
        named = [(feature, shape) for feature, shape in on_chip if feature.shape != "point"]
        numbers = [(feature, shape) for feature, shape in on_chip if feature.house_number]
        for label in place_labels([*named, *signs], size_px, lettering, numbers=numbers):
            draw_label(picture, label)
    return picture


def _lettering(unit: float) -> Lettering:
    return Lettering(
        street_px=max(round(12 * unit), _LEAST_TEXT_PX + 1),
        place_px=max(round(10 * unit), _LEAST_TEXT_PX),
        weight=400,
        most_places=_MOST_SIGNS,
        colour=style.text_colour,
        aside_px=8.0 * max(unit, 0.7),
        dot_gap_px=3.0 * max(unit, 0.7),
        wrap=14,
    )


def _ground(canvas: Canvas, items: Sequence[Item], unit: float) -> None:
    """Land use, then what grows or is built on it, water, and the buildings last."""
    grounds = areas(items)
    for group in (
        where(grounds, lambda f: f.background),
        where(grounds, lambda f: f.kind == "poi" and not f.building),
        where(grounds, lambda f: f.kind == "green"),
        where(grounds, lambda f: f.kind not in {"poi", "green", "water"} and not f.background),
    ):
        for feature, shape in group:
            ground = None if feature.building or feature.kind == "building" else style.ground(feature)
            if ground is not None:
                canvas.area(shape, ground.fill, ground.edge, 0.5 * unit)
    for feature, shape in where(items, lambda f: f.kind == "water"):
        if feature.shape == "area":
            canvas.area(shape, style.WATER)
        elif feature.shape == "line":
            canvas.line(shape, style.stream_width(feature) * unit, style.WATER)
    for feature, shape in where(grounds, lambda f: f.building or f.kind == "building"):
        drawn = style.building(feature)
        canvas.area(shape, drawn.fill, drawn.edge, 0.8 * unit)
    for _, shape in where(items, lambda f: f.category == "city_wall" and f.shape == "line"):
        canvas.line(shape, 2.5 * unit, style.WALL)


def _paths(canvas: Canvas, items: Sequence[Item], unit: float) -> None:
    paths = where(items, lambda f: f.kind == "road" and f.shape == "line" and f.category in style.PATHS)
    for feature, shape in paths:
        canvas.line(shape, (style.PATHS[feature.category].width + 1.6) * unit, style.BAND)
    for feature, shape in paths:
        path = style.PATHS[feature.category]
        canvas.dashes(shape, path.width * unit, path.colour, path.dash * unit, path.gap * unit)


def _roads(canvas: Canvas, items: Sequence[Item], unit: float) -> None:
    lines = where(items, lambda f: f.shape == "line")
    for _, shape in where(lines, lambda f: f.category == "tunnel"):
        canvas.dashes(shape, 9.0 * unit, style.TUNNEL, 4.0 * unit, 2.0 * unit)
        canvas.line(shape, 7.4 * unit, style.LAND)
    roads = where(lines, lambda f: f.kind == "road" and f.category not in style.PATHS)
    roads.sort(key=lambda item: style.road_rank(item[0]))
    # All casings of a layer lie below all its fills, so that streets open into each other.
    for layer in sorted({feature.layer for feature, _ in roads}):
        level = [(style.road(feature), shape) for feature, shape in roads if feature.layer == layer]
        for road, shape in level:
            if layer > 0:  # a bridge's sides end where it ends; round ends would cross the road that leads to it
                canvas.area(shapely.buffer(shape, road.width * unit / 2, cap_style="flat"), style.BRIDGE)
            else:
                canvas.line(shape, road.width * unit, road.casing)
        for road, shape in level:
            canvas.line(shape, (road.width - 2 * road.casing_width) * unit, road.fill)


def _rails(canvas: Canvas, items: Sequence[Item], unit: float) -> None:
    for feature, shape in where(items, lambda f: f.kind == "rail" and f.shape == "line"):
        if feature.category == "tram":
            canvas.line(shape, 1.5 * unit, style.TRAM)
        else:
            canvas.line(shape, 3.0 * unit, style.RAIL)
            canvas.dashes(shape, 1.4 * unit, style.WHITE, 8.0 * unit, 8.0 * unit)


def _trees(canvas: Canvas, items: Sequence[Item], unit: float) -> None:
    for _, shape in where(items, lambda f: f.category == "tree_row" and f.shape == "line"):
        canvas.line(shape, 8.0 * unit, style.CANOPY)
    for _, shape in where(items, lambda f: f.category == "tree" and f.shape == "point"):
        canvas.dot(shape, 5.0 * unit, style.CANOPY)
        canvas.dot(shape, 0.9 * unit, style.TRUNK)


def _signs(items: Sequence[Item], size_px: int, unit: float) -> list[Item]:
    """The points that get a sign, from the middle outwards, no two upon each other."""
    middle = shapely.Point(size_px / 2, size_px / 2)
    points = where(items, lambda f: f.shape == "point" and _has_sign(f))
    points.sort(key=lambda item: (shapely.distance(item[1], middle), item[0].feature_id))
    found: list[Item] = []
    taken = np.empty((0, 2))
    for feature, shape in points:
        place = np.array([[shape.x, shape.y]])
        if len(taken) and np.hypot(*(taken - place).T).min() < _SIGN_GAP * max(unit, 0.7):
            continue
        found.append((feature, shape))
        taken = np.concatenate([taken, place])
        if len(found) == _MOST_SIGNS:
            break
    return found


def _has_sign(feature: Feature) -> bool:
    if feature.kind == "crossing":
        return feature.category == "traffic_signals"
    return feature.kind in {"poi", "stop"} and feature.told
