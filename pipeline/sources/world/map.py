"""The synthetic world's map: facts around a point, and a picture of them in the manner of common web maps."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline.config import Region, WorldMap
from pipeline.errors import SiteError
from pipeline.imaging.frame import Floats
from pipeline.sources.base import Pixels, Point, RasterChip
from pipeline.sources.world.blocks import block
from pipeline.sources.world.facts import Known, facts_around, known
from pipeline.sources.world.ground import Window
from pipeline.sources.world.regions import AUTHOR, LICENCE, LINK, WORLD_VERSION, Home, Homes
from pipeline.sources.world.sprites import Sprite, label, stamp
from pipeline.sources.world.streets import ALONG_EAST, ALONG_NORTH, Stretch, junction, stretch
from pipeline.sources.world.things import Colour
from pipeline.sources.world.town import Town, cells_near, locate
from schemas.reasons import Reason
from schemas.records import MapFact

_DRAWN = datetime(2024, 1, 1, tzinfo=UTC)
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
    "primary": ((252, 214, 164), (200, 132, 58)),
    "secondary": ((247, 250, 191), (164, 168, 78)),
    "residential": ((255, 255, 255), (186, 186, 186)),
    "living_street": ((237, 237, 237), (190, 190, 190)),
}
_RANK = ("living_street", "residential", "secondary", "primary")
_INK: dict[str, Colour] = {
    "road": (70, 66, 60), "green": (40, 104, 50), "water": (60, 100, 150), "poi": (150, 70, 160), "stop": (20, 100, 170),
    "building": (70, 66, 60), "square": (70, 66, 60),
}  # fmt: skip
_SHIFT = 4


class WorldMapSource:
    """The map of made-up towns, one town a region."""

    synthetic = True

    def __init__(self, name: str, config: WorldMap, regions: Sequence[Region]) -> None:
        self.name = name
        self._config = config
        self._homes = Homes(config.seed, regions)

    def fingerprint(self) -> str:
        """The world's version and the settings."""
        return f"world-map {WORLD_VERSION} {self._config.model_dump_json()}"

    def around(self, point: Point, radius_m: float) -> list[MapFact]:
        """Streets, junctions, crossings, shops and notable places within a radius, nearest first."""
        home = self._homes.at(point)
        return [] if home is None else facts_around(home.town, locate(home.town, point), radius_m)

    def chip(self, point: Point, size_px: int, gsd_m: float) -> RasterChip:
        """The map in the aerial chip's frame and scale.

        Raises:
            SiteError: NO_OVERLAP, for a point outside of all regions.
        """
        home: Home | None = self._homes.at(point)
        if home is None:
            raise SiteError(Reason.NO_OVERLAP, f"{self.name} has no town at {point.lat:.6f}, {point.lon:.6f}")
        here = locate(home.town, point)
        window = Window(here.x, here.y, here.north_deg, size_px, 1 / gsd_m)
        pixels = paint_map(home.town, window, labels=self._config.labels)
        return RasterChip(pixels, 1.0, f"{home.region.name}/{home.town.seed}", AUTHOR, LICENCE, LINK, _DRAWN)


def paint_map(town: Town, window: Window, *, labels: bool) -> Pixels:
    """The map of a window, RGB."""
    cells = cells_near(town, window.x, window.y, window.size_px / window.scale * 0.71)
    image = np.full((window.size_px, window.size_px, 3), _LAND, np.uint8)
    matrix = window.matrix()

    def drawn(points: Floats) -> NDArray[np.int32]:
        return np.rint((points @ matrix[:, :2].T + matrix[:, 2] - 0.5) * (1 << _SHIFT)).astype(np.int32)

    def area(points: Floats, colours: tuple[Colour, Colour]) -> None:
        outline = [drawn(points)]
        cv2.fillPoly(image, outline, colours[0], cv2.LINE_AA, _SHIFT)
        cv2.polylines(image, outline, True, colours[1], 1, cv2.LINE_AA, _SHIFT)  # noqa: FBT003 - cv2 has no keyword for it

    blocks = [block(town, *cell) for cell in cells]
    lines = [stretch(town, family, *cell) for cell in cells for family in (ALONG_EAST, ALONG_NORTH)]
    for land in blocks:
        for feature in land.features:
            area(feature.polygon, _AREAS[feature.category])
    for land in blocks:
        for patch in land.patches:
            if patch.label == "path":
                area(patch.polygons[0], ((250, 240, 230), (236, 180, 160)))
    for line in lines:
        if line.kind == "river":
            _line(image, drawn(line.line), line.width * window.scale, _WATER)
    for land in blocks:
        for building in land.buildings:
            area(building.footprint, _NOTABLE if building.name else _BUILDING)
    _roads(image, town, cells, lines, window.scale, drawn)
    for line in lines:
        if line.kind == "rail" or line.tram:
            _line(image, drawn(line.line), 3.0 if line.kind == "rail" else 2.0, (96, 96, 96))
            if line.kind == "rail":
                for at in np.arange(0.0, line.length - 3.0, 6.0):
                    _line(image, drawn(line.at(np.array([at, at + 3.0]))), 1.0, (236, 236, 236))
    if labels:
        _labels(image, [thing for cell in cells for thing in known(town, *cell)], matrix)
    return image


def _line(image: Pixels, points: NDArray[np.int32], width_px: float, colour: Colour) -> None:
    cv2.polylines(image, [points], False, colour, max(1, round(width_px)), cv2.LINE_AA, _SHIFT)  # noqa: FBT003


def _roads(
    image: Pixels, town: Town, cells: Sequence[tuple[int, int]], lines: list[Stretch], scale: float, drawn: object
) -> None:
    """Casings of all roads first, then the roads, the main ones last."""
    rings = [here for cell in cells if (here := junction(town, *cell)).kind == "roundabout"]
    for line in lines:
        if line.kind == "footway":
            for at in np.arange(0.0, line.length - 1.5, 3.0):
                _line(image, drawn(line.at(np.array([at, at + 1.6]))), 2.0, (250, 128, 114))  # type: ignore[operator]
    roads = sorted((line for line in lines if line.kind in _RANK), key=lambda line: _RANK.index(line.kind))
    for inner in (False, True):
        for line in roads:
            fill, casing = _ROADS[line.kind]
            width = max(line.width * scale, 4.0)
            points = drawn(line.line)  # type: ignore[operator]
            _line(image, points, width if inner else width + 2.0, fill if inner else casing)
        for here in rings:
            centre = drawn(np.array([here.x, here.y]))  # type: ignore[operator]
            radius = int((here.radius - 3.8) * scale * (1 << _SHIFT))
            thick = round(7.6 * scale) + (0 if inner else 2)
            cv2.circle(
                image,
                centre.tolist(),
                radius - (thick // 2 << _SHIFT) * 0,
                (255, 255, 255) if inner else (170, 170, 170),
                thick,
                cv2.LINE_AA,
                _SHIFT,
            )
