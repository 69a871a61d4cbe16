"""The map of a made-up town as a picture, in the manner of common web maps."""

from collections.abc import Sequence

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.geo.point import Floats
from pipeline.imaging.types import Pixels
from pipeline.world.blocks import block
from pipeline.world.facts import Known, known
from pipeline.world.ground import Window
from pipeline.world.light import plain
from pipeline.world.sprites import Rgba, blend, label
from pipeline.world.streets import ALONG_EAST, ALONG_NORTH, Stretch, junction, stretch
from pipeline.world.things import Colour
from pipeline.world.town import Town, cells_near

_LAND: Colour = (242, 239, 233)
_AREAS: dict[str, tuple[Colour, Colour]] = {
    "park": ((200, 250, 204), (160, 214, 166)),
    "pond": ((170, 211, 223), (130, 180, 200)),
    "square": ((221, 221, 232), (196, 196, 212)),
    "fuel": ((236, 214, 206), (214, 190, 180)),
}
_WATER: Colour = (170, 211, 223)
_BUILDING: tuple[Colour, Colour] = ((217, 208, 201), (186, 174, 164))
_NOTABLE: tuple[Colour, Colour] = ((196, 182, 171), (150, 134, 122))
_ROADS: dict[str, tuple[Colour, Colour]] = {
    "living_street": ((237, 237, 237), (190, 190, 190)),
    "residential": ((255, 255, 255), (186, 186, 186)),
    "secondary": ((247, 250, 191), (164, 168, 78)),
    "primary": ((252, 214, 164), (200, 132, 58)),
}
"""Fill and casing, the main roads last."""
_RAIL: Colour = (96, 96, 96)
_INK: dict[str, Colour] = {
    "road": (70, 66, 60), "green": (40, 104, 50), "water": (60, 100, 150), "poi": (150, 70, 160),
    "stop": (20, 100, 170), "building": (70, 66, 60), "square": (70, 66, 60),
}  # fmt: skip
_SHIFT = 4
_ROAD_LEAST_PX = 4.0


class _Sheet:
    """A picture, and how town metres come into it."""

    def __init__(self, window: Window) -> None:
        self.image = plain(window.size_px, window.size_px, _LAND)
        self.matrix = window.matrix()
        self.scale = window.scale

    def pixels(self, points: Floats) -> Floats:
        return np.asarray(points @ self.matrix[:, :2].T + self.matrix[:, 2])

    def drawn(self, points: Floats) -> NDArray[np.int32]:
        return np.rint((self.pixels(points) - 0.5) * (1 << _SHIFT)).astype(np.int32)

    def area(self, points: Floats, fill: Colour, edge: Colour) -> None:
        outline = [self.drawn(points)]
        cv2.fillPoly(self.image, outline, fill, cv2.LINE_AA, _SHIFT)
        cv2.polylines(self.image, outline, isClosed=True, color=edge, thickness=1, lineType=cv2.LINE_AA, shift=_SHIFT)

    def line(self, points: Floats, width_px: float, colour: Colour) -> None:
        cv2.polylines(
            self.image, [self.drawn(points)], isClosed=False, color=colour, thickness=max(1, round(width_px)),
            lineType=cv2.LINE_AA, shift=_SHIFT,
        )  # fmt: skip

    def dashes(self, line: Stretch, dash_m: float, gap_m: float, width_px: float, colour: Colour) -> None:
        for at in np.arange(0.0, line.length - dash_m, dash_m + gap_m):
            self.line(line.at(np.array([at, at + dash_m])), width_px, colour)


def paint_map(town: Town, window: Window, *, labels: bool) -> Pixels:
    """The map of a window, RGB."""
    cells = cells_near(town, window.x, window.y, window.size_px / window.scale * 0.71)
    sheet = _Sheet(window)
    blocks = [block(town, *cell) for cell in cells]
    lines = [stretch(town, family, *cell) for cell in cells for family in (ALONG_EAST, ALONG_NORTH)]
    features = [feature for land in blocks for feature in land.features]
    for feature in features:
        sheet.area(feature.polygon, *_AREAS[feature.category])
    for patch in (patch for land in blocks for patch in land.patches if patch.label == "path"):
        sheet.area(patch.polygons[0], (250, 240, 230), (236, 180, 160))
    for feature in features:
        if feature.kind == "water":
            sheet.area(feature.polygon, *_AREAS[feature.category])
    for line in lines:
        if line.kind == "river":
            sheet.line(line.line, line.width * window.scale, _WATER)
    for building in (building for land in blocks for building in land.buildings):
        sheet.area(building.footprint, *(_NOTABLE if building.name else _BUILDING))
    _roads(sheet, town, cells, lines)
    for line in lines:
        if line.kind == "rail":
            sheet.line(line.line, 3.0, _RAIL)
            sheet.dashes(line, 3.0, 3.0, 1.0, (236, 236, 236))
        elif line.tram:
            sheet.line(line.line, 2.0, _RAIL)
    if labels:
        _labels(sheet, [thing for cell in cells for thing in known(town, *cell)])
    return sheet.image


def _roads(sheet: _Sheet, town: Town, cells: Sequence[tuple[int, int]], lines: list[Stretch]) -> None:
    """Casings of all roads first, then the roads, the main ones last."""
    rings = [here for cell in cells if (here := junction(town, *cell)).kind == "roundabout"]
    roads = sorted((line for line in lines if line.kind in _ROADS), key=lambda line: list(_ROADS).index(line.kind))
    for line in lines:
        if line.kind == "footway":
            sheet.dashes(line, 1.6, 1.4, 2.0, (250, 128, 114))
    for casing in (True, False):
        for line in roads:
            width = max(line.width * sheet.scale, _ROAD_LEAST_PX)
            sheet.line(line.line, width + 2.0 * casing, _ROADS[line.kind][casing])
        for here in rings:
            turn = np.linspace(0, 2 * np.pi, 33)
            ring = np.array([here.x, here.y]) + (here.radius - 3.8) * np.stack([np.cos(turn), np.sin(turn)], axis=1)
            sheet.line(ring, 7.6 * sheet.scale + 2.0 * casing, _ROADS["residential"][casing])
    for here in rings:
        turn = np.linspace(0, 2 * np.pi, 33)
        island = (here.radius - 7.6) * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        sheet.area(np.array([here.x, here.y]) + island, *_AREAS["park"])


def _labels(sheet: _Sheet, things: list[Known]) -> None:
    """Dots for places, then as many names as there is room for: notable places first, then streets, then shops."""
    size = sheet.image.shape[0]
    height = max(9, min(15, round(size / 40)))
    for thing in things:
        if thing.kind in ("poi", "stop"):
            x, y = sheet.pixels(shapely.get_coordinates(thing.shape.centroid)[0])
            centre = (round(float(x) * 16), round(float(y) * 16))
            cv2.circle(sheet.image, centre, 3 * 16, _INK[thing.kind], -1, cv2.LINE_AA, _SHIFT)
    rank = {"green": 0, "square": 0, "building": 0, "water": 1, "road": 2, "stop": 3, "poi": 4}
    named = sorted((thing for thing in things if thing.name), key=lambda thing: rank[thing.kind])
    taken: list[tuple[float, float, float, float]] = []
    written: set[str] = set()
    for thing in named:
        if thing.kind in ("road", "water") and thing.key in written:
            continue
        text = label(thing.name or "", _INK[thing.kind], height)
        spot = _spot(sheet, thing, text.shape[1])
        if spot is None:
            continue
        x, y, angle = spot
        turned = _turned(text, angle)
        half = (turned.shape[1] / 2, turned.shape[0] / 2)
        box = (x - half[0], y - half[1], x + half[0], y + half[1])
        inside = box[0] >= 0 and box[1] >= 0 and box[2] <= size and box[3] <= size
        if inside and not any(a < box[2] and c > box[0] and b < box[3] and d > box[1] for a, b, c, d in taken):
            taken.append(box)
            written.add(thing.key)
            top, left = int(box[1]), int(box[0])
            blend(sheet.image[top : top + turned.shape[0], left : left + turned.shape[1]], turned)


def _spot(sheet: _Sheet, thing: Known, width_px: int) -> tuple[float, float, float] | None:
    """Where a name stands: its middle, and its turn in degrees. None where it does not fit."""
    if thing.kind == "road":
        points = sheet.pixels(shapely.get_coordinates(thing.shape))
        a, b = points[1], points[-2]
        if float(np.hypot(*(b - a))) < width_px * 0.9:
            return None
        x, y = points[len(points) // 2]
        return float(x), float(y), (float(np.degrees(np.arctan2(a[1] - b[1], b[0] - a[0]))) + 90.0) % 180.0 - 90.0
    x, y = sheet.pixels(shapely.get_coordinates(thing.shape.centroid)[0])
    return float(x), float(y) + (11.0 if thing.kind in ("poi", "stop") else 0.0), 0.0


def _turned(text: Rgba, angle: float) -> Rgba:
    if abs(angle) < 0.5:
        return text
    height, width = text.shape[:2]
    sin, cos = abs(np.sin(np.radians(angle))), abs(np.cos(np.radians(angle)))
    wide, high = int(width * cos + height * sin) + 1, int(width * sin + height * cos) + 1
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    matrix[:, 2] += ((wide - width) / 2, (high - height) / 2)
    return np.asarray(cv2.warpAffine(text, matrix, (wide, high), flags=cv2.INTER_LINEAR), np.uint8)
