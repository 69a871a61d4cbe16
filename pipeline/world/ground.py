"""The ground seen from above: land, streets and their markings, painted as flat patches into any frame.

The aerial chip shows this picture with things on it, the street view shows it in perspective; so both agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.geo.point import Floats
from pipeline.imaging.types import Pixels
from pipeline.world.blocks import block
from pipeline.world.furniture import ZEBRA_M, crossings
from pipeline.world.light import Light, grain, plain
from pipeline.world.streets import ALONG_EAST, ALONG_NORTH, ROADS, Stretch, arms, junction, stretch
from pipeline.world.things import Colour, Patch
from pipeline.world.town import Town

WHITE: Colour = (222, 222, 216)
RIVER: Colour = (84, 112, 122)
_BANK: Colour = (112, 122, 84)
_SHIFT = 4  # fractional bits of cv2's drawing coordinates


@dataclass(frozen=True)
class Window:
    """A picture of the ground: `scale` pixels a metre, its middle at (x, y), its upper edge towards `up_deg`."""

    x: float
    y: float
    up_deg: float
    size_px: int
    scale: float

    def matrix(self) -> Floats:
        """2 x 3: pixels (origin at the corner of the top left pixel) from town metres."""
        a = np.radians(self.up_deg)
        turn = self.scale * np.array([[np.cos(a), -np.sin(a)], [-np.sin(a), -np.cos(a)]])
        return np.column_stack([turn, self.size_px / 2 - turn @ (self.x, self.y)])


@dataclass(frozen=True, eq=False)
class _Sheet:
    """The patches of one cell, ready to be transformed at once."""

    patches: tuple[Patch, ...]
    points: Floats
    """All vertices of all polygons, n x 2."""
    parts: tuple[tuple[tuple[int, int], ...], ...]
    """For each patch, where each of its polygons begins and ends in `points`."""
    low: Floats
    high: Floats
    """Bounding boxes of the patches, n x 2 each."""


@lru_cache(maxsize=384)
def _sheet(town: Town, i: int, j: int) -> _Sheet:
    patches = [*block(town, i, j).patches, *_junction_patches(town, i, j)]
    for family in (ALONG_EAST, ALONG_NORTH):
        patches += stretch_patches(town, stretch(town, family, i, j))
    patches = [patch for patch in patches if patch.polygons]
    parts, at = [], 0
    for patch in patches:
        ends = at + np.cumsum([len(polygon) for polygon in patch.polygons])
        parts.append(tuple(zip([at, *ends[:-1].tolist()], ends.tolist(), strict=True)))
        at = int(ends[-1])
    whole = [np.concatenate(patch.polygons) for patch in patches]
    return _Sheet(
        patches=tuple(patches),
        points=np.concatenate(whole),
        parts=tuple(parts),
        low=np.array([points.min(axis=0) for points in whole]),
        high=np.array([points.max(axis=0) for points in whole]),
    )


def _grey(level: float) -> Colour:
    return int(level), int(level), int(level + 2)


def _surface(road: Stretch) -> Colour:
    return (158, 140, 126) if road.kind == "living_street" else _grey(84 + 14 * road.shade)


def stretch_patches(town: Town, road: Stretch) -> list[Patch]:
    """The ground of a street, river or railway."""
    half = road.width / 2
    if road.kind == "river":
        banks = Patch(2, "grass", _BANK, (road.ribbon(-half - 4, half + 4),))
        return [banks, Patch(3, "river", RIVER, (road.ribbon(-half, half),))]
    if road.kind == "rail":
        rails = [(c + d - 0.07, c + d + 0.07) for c in (-2.1, 2.1) for d in (-0.75, 0.75)]
        return [
            Patch(5, "rail track", (138, 126, 114), (road.ribbon(-half, half),)),
            Patch(8, "", (82, 72, 66), tuple(road.ribbon(*rail) for rail in rails)),
        ]
    if road.kind == "footway":
        return [Patch(4, "path", (178, 170, 156), (road.ribbon(-half, half),))]
    stone = 166 + 14 * road.shade
    patches = [
        Patch(4, "pavement", (int(stone), int(stone - 4), int(stone - 10)), (road.ribbon(-road.half, road.half),)),
        Patch(5, "", _grey(196), (road.ribbon(-half - 0.25, half + 0.25),)),
        Patch(6, "road", _surface(road), (road.ribbon(-half, half),)),
    ]
    return patches + _markings(town, road)


def _markings(town: Town, road: Stretch) -> list[Patch]:
    white: list[Floats] = []
    half = road.width / 2
    zebras = crossings(town, road)
    low = high = 0.0
    for crossing in zebras:
        edge = crossing.along + ZEBRA_M / 2 + 1.0
        low, high = (
            (max(low, edge), high) if crossing.along < road.length / 2 else (low, road.length - edge + 2 * ZEBRA_M)
        )
    low, high = max(low, half + 6.0), max(high, half + 6.0)
    end = road.length - high
    if road.lanes >= 2 and end > low + 3:
        dashes = [(at, min(at + 3.0, end)) for at in np.arange(low, end, 7.5)]
        if road.lanes == 4:
            middle = (-1.6, 1.6) if road.tram else (-0.12, 0.12)
            white += [road.ribbon(c - 0.08, c + 0.08, low, end) for c in middle]
            lane = (half + (1.5 if road.tram else 0.0)) / 2
            white += [road.ribbon(c - 0.07, c + 0.07, a, b) for a, b in dashes for c in (-lane, lane)]
        elif road.lanes == 3:
            white += [road.ribbon(c - 0.07, c + 0.07, a, b) for a, b in dashes for c in (-1.65, 1.65)]
        elif road.kind == "secondary":
            white.append(road.ribbon(-0.08, 0.08, low, end))
        elif road.shade > -0.4:
            white += [road.ribbon(-0.07, 0.07, a, b) for a, b in dashes]
    patches = [Patch(8, "", WHITE, tuple(white))]
    for crossing in zebras:
        a, b = crossing.along - ZEBRA_M / 2, crossing.along + ZEBRA_M / 2
        patches.append(
            Patch(7, "crossing", _grey(80 + 14 * road.shade), (road.ribbon(-half, half, a, b),), crossing.key)
        )
        bars = np.arange(-half + 0.35, half - 0.5, 1.0)
        patches.append(Patch(8, "", WHITE, tuple(road.ribbon(c, c + 0.5, a, b) for c in bars)))
    if road.tram:
        lines = [(c + d - 0.06, c + d + 0.06) for c in (-1.5, 1.5) for d in (-0.72, 0.72)] if road.width > 16 else []
        beds = tuple(road.ribbon(c - 1.2, c + 1.2) for c in (-1.5, 1.5))
        patches.append(Patch(7, "tram track", _grey(100), beds, f"tram.{road.street_id}"))
        patches.append(Patch(9, "", (58, 58, 62), tuple(road.ribbon(*line) for line in lines)))
    return patches


def _disc(x: float, y: float, radius: float) -> Floats:
    turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    return np.array([x, y]) + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)


def _junction_patches(town: Town, i: int, j: int) -> list[Patch]:
    here = junction(town, i, j)
    if any(arm.kind == "river" for arm, _ in arms(town, i, j)):
        half = stretch(town, ALONG_NORTH, i, j).width / 2
        banks = Patch(2, "grass", _BANK, (_disc(here.x, here.y, half + 4),))
        return [banks, Patch(3, "river", RIVER, (_disc(here.x, here.y, half),))]
    if here.radius == 0.0:
        return []
    roads = [arm for arm, _ in arms(town, i, j) if arm.kind in ROADS]
    asphalt = _surface(max(roads, key=lambda arm: arm.width))
    radius = here.radius if here.kind == "roundabout" else here.radius * 1.04
    patches = [
        Patch(4, "pavement", (164, 160, 154), (_disc(here.x, here.y, radius + here.pavement),)),
        Patch(6, "road", asphalt, (_disc(here.x, here.y, radius),)),
    ]
    if here.kind == "roundabout":
        key = f"roundabout.{i}.{j}"
        patches.append(Patch(7, "roundabout", (176, 170, 160), (_disc(here.x, here.y, here.radius - 7.6),), key))
        patches.append(Patch(8, "", (102, 136, 74), (_disc(here.x, here.y, here.radius - 8.2),)))
    return patches


def paint(town: Town, cells: Sequence[tuple[int, int]], window: Window) -> Pixels:
    """The ground in a window: RGB, size_px x size_px."""
    image = plain(window.size_px, window.size_px, (126, 134, 104))
    for patch, polygons in _visible(town, cells, window):
        cv2.fillPoly(image, polygons, patch.colour, cv2.LINE_AA, _SHIFT)
    return image


def paint_labels(town: Town, cells: Sequence[tuple[int, int]], window: Window, names: list[str]) -> NDArray[np.uint16]:
    """Paint the ground as indices into `names`, which grows by what is met. A name is a class, or `class:key`."""
    image = np.zeros((window.size_px, window.size_px), np.uint16)
    index = {name: number for number, name in enumerate(names)}
    for patch, polygons in _visible(town, cells, window):
        if not patch.label:
            continue
        name = f"{patch.label}:{patch.thing}" if patch.thing else patch.label
        number = index.setdefault(name, len(names))
        if number == len(names):
            names.append(name)
        cv2.fillPoly(image, polygons, number, cv2.LINE_8, _SHIFT)
    return image


def _visible(
    town: Town, cells: Sequence[tuple[int, int]], window: Window
) -> list[tuple[Patch, list[NDArray[np.int32]]]]:
    """Patches that reach into a window, lowest layer first, with their polygons in drawing coordinates."""
    matrix = window.matrix()
    reach = window.size_px / window.scale * 0.71
    found = []
    for cell in cells:
        sheet = _sheet(town, *cell)
        near = np.all(
            (sheet.low < (window.x + reach, window.y + reach)) & (sheet.high > (window.x - reach, window.y - reach)),
            axis=1,
        )
        if not near.any():
            continue
        pixels = np.rint((sheet.points @ matrix[:, :2].T + matrix[:, 2] - 0.5) * (1 << _SHIFT)).astype(np.int32)
        found += [
            (sheet.patches[n].layer, sheet.patches[n], [pixels[a:b] for a, b in sheet.parts[n]])
            for n in np.flatnonzero(near)
        ]
    found.sort(key=lambda entry: entry[0])
    return [(patch, polygons) for _, patch, polygons in found]


def texture(image: Pixels, window: Window, light: Light) -> Pixels:
    """The ground with grain, lit by the light."""
    level = light.ambient + light.direct * float(light.sun()[2])
    size = window.size_px
    # Nothing in the noise repeats from photo to photo.
    noise = grain(size, size, coarse=True, x=int(window.x * 7) % 1024, y=int(window.y * 7) % 1024)
    return np.asarray(cv2.addWeighted(image, level, noise, 0.7, -89.6), np.uint8)
