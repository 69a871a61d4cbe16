"""The town from above: the ground with shadows, roofs, trees and cars on it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.geo.point import Floats
from pipeline.imaging.types import Pixels
from pipeline.world import ground
from pipeline.world.blocks import block
from pipeline.world.furniture import furniture
from pipeline.world.light import Light
from pipeline.world.mesh import plan, shaded
from pipeline.world.mesh_buildings import roof_faces, tower_corners
from pipeline.world.sprites import crown_from_above, stamp
from pipeline.world.streets import ALONG_EAST, ALONG_NORTH, stretch
from pipeline.world.things import Building, Colour, Prop, Tree
from pipeline.world.town import Town, cells_near

FLIGHT = Light("flight", 165, 50, 0.42, 0.64, (220, 226, 232), (120, 150, 200), 9e9, 0.0)
"""The light of all aerial pictures."""
_SUN = FLIGHT.sun()
_SHADOW = 0.58
_SIZES = {
    "car": (4.3, 1.8), "van": (5.2, 2.0), "bench": (0.5, 1.7), "kiosk": (4.0, 4.0), "statue": (1.8, 1.8),
    "bus stop": (1.5, 3.8), "fountain": (4.4, 4.4), "hedge": (0.8, 0.0), "fence": (0.15, 0.0), "parapet": (0.4, 0.0),
    "canopy": (10.0, 0.0),
}  # fmt: skip
_SHIFT = 4
_SQUARE = np.array([[-1, 1], [1, 1], [1, -1], [-1, -1]])


@dataclass(frozen=True, eq=False)
class _Tops:
    """The surfaces that one cell shows from above, in the order of painting."""

    shadows: Floats
    """n x 4 x 2."""
    faces: Floats
    """n x 4 x 2."""
    colours: list[tuple[float, float, float]]
    trees: list[Tree]


@lru_cache(maxsize=384)
def _tops(town: Town, i: int, j: int) -> _Tops:
    here = block(town, i, j)
    along = [furniture(town, stretch(town, family, i, j)) for family in (ALONG_EAST, ALONG_NORTH)]
    trees = [*here.trees, *along[0].trees, *along[1].trees]
    props = [*here.props, *along[0].props, *along[1].props]
    throw = -_SUN[:2] / _SUN[2]
    shadows: list[Floats] = []
    painted: list[tuple[Floats, tuple[float, float, float]]] = []
    for prop in sorted(props, key=lambda prop: prop.kind == "canopy"):
        painted += _prop(prop)
        if prop.kind in ("car", "van"):
            shadows.append(plan(prop.x, prop.y, prop.heading, *_SIZES[prop.kind]) + throw * 1.2)
    for building in sorted(here.buildings, key=lambda building: building.height):
        height = building.tower_m or building.height + building.roof_m * 0.5
        shadows += _swept(building.footprint if not building.tower_m else tower_corners(building), throw * height)
        painted += _roof(building)
    empty = np.zeros((0, 4, 2))
    faces = np.array([face for face, _ in painted]) if painted else empty
    return _Tops(np.array(shadows) if shadows else empty, faces, [colour for _, colour in painted], trees)


def _swept(base: Floats, shift: Floats) -> list[Floats]:
    """Quadrilaterals that a footprint passes over as it is shifted."""
    moved = base + shift
    sides = [np.array([base[k], base[(k + 1) % 4], moved[(k + 1) % 4], moved[k]]) for k in range(4)]
    return [base, moved, *sides]


def _prop(prop: Prop) -> list[tuple[Floats, tuple[float, float, float]]]:
    if prop.kind not in _SIZES:
        return []
    length, width = _SIZES[prop.kind]
    outline = plan(prop.x, prop.y, prop.heading, length, width or prop.length)
    parts = [(outline, shaded(prop.colour, 0.75 if prop.kind == "hedge" else 1.0))]
    if prop.kind == "car":
        parts.append((plan(prop.x, prop.y, prop.heading, 2.4, 1.5), (48.0, 54.0, 60.0)))
        parts.append((plan(prop.x, prop.y, prop.heading, 1.4, 1.4), shaded(prop.colour, 1.08)))
    if prop.kind == "fountain":
        parts.append((plan(prop.x, prop.y, prop.heading, 3.4, 3.4), (110.0, 150.0, 168.0)))
    return parts


def _lit(colour: Colour, normal: Floats) -> tuple[float, float, float]:
    unit = normal / max(float(np.linalg.norm(normal)), 1e-9)
    return shaded(colour, FLIGHT.ambient + FLIGHT.direct * max(float(unit @ _SUN), 0.0) * 1.2)


def _roof(building: Building) -> list[tuple[Floats, tuple[float, float, float]]]:
    slopes, _ = roof_faces(building)
    parts = []
    normals = -np.cross(slopes[:, 2] - slopes[:, 0], slopes[:, 3] - slopes[:, 1])
    for face, normal in zip(slopes, normals, strict=True):
        parts.append((face[:, :2], _lit(building.roof_colour, normal)))
    base, middle = building.footprint, building.footprint.mean(axis=0)
    if building.roof == "flat":
        parts.append((middle + (base - middle) * 0.93, shaded(building.roof_colour, 0.9)))
        for n in range(1 + building.storeys // 2):  # machinery on the roof
            x, y = middle + (base[n % 4] - middle) * (0.3 + 0.12 * n)
            parts.append((plan(float(x), float(y), 20.0 * n, 1.8, 2.4), (196.0, 196.0, 192.0)))
    if building.tower_m:
        ring = tower_corners(building)
        tip = ring.mean(axis=0)
        for a, b in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            parts.append(
                (np.array([tip, tip, b, a]), _lit(building.roof_colour, np.array([b[1] - a[1], a[0] - b[0], 3.0])))
            )
    return parts


def paint_above(town: Town, window: ground.Window) -> Pixels:
    """The aerial picture of a window, RGB."""
    reach = window.size_px / window.scale * 0.71
    cells = cells_near(town, window.x, window.y, reach + 15)
    image = ground.texture(ground.paint(town, cells, window), window, FLIGHT)
    tops = [_tops(town, *cell) for cell in cells]
    matrix, scale = window.matrix(), window.scale

    def drawn(points: Floats) -> NDArray[np.int32]:
        pixels = points @ matrix[:, :2].T + matrix[:, 2] - 0.5
        return np.rint(pixels * (1 << _SHIFT)).astype(np.int32)

    def quads(faces: Floats) -> Iterator[tuple[int, NDArray[np.int32]]]:
        """Those that may reach into the picture, with their numbers."""
        pixels = drawn(faces)
        margin, size = 3 << _SHIFT, window.size_px << _SHIFT  # an edge is smoothed over the pixels next to it
        inside = (pixels.max(axis=1) >= -margin) & (pixels.min(axis=1) <= size + margin)
        for n in np.flatnonzero(inside.all(axis=1)).tolist():
            yield n, pixels[n]

    trees = [
        tree for top in tops for tree in top.trees if max(abs(tree.x - window.x), abs(tree.y - window.y)) < reach + 12
    ]
    mask = np.zeros(image.shape[:2], np.uint8)
    for top in tops:
        for _, quad in quads(top.shadows):
            cv2.fillConvexPoly(mask, quad, 255, cv2.LINE_8, _SHIFT)
    throw = -_SUN[:2] / _SUN[2]
    for tree in trees:
        x, y = drawn(np.array([tree.x, tree.y]) + throw * tree.height * 0.5).tolist()
        cv2.circle(mask, (x, y), int(tree.width * 0.5 * scale * (1 << _SHIFT)), 255, -1, cv2.LINE_8, _SHIFT)
    lit = np.rint(255 - cv2.blur(mask, (3, 3)) * (1 - _SHADOW)).astype(np.uint8)
    image[:] = cv2.multiply(image, cv2.merge([lit] * 3), scale=1 / 255.0)
    for top in tops:
        for n, quad in quads(top.faces):
            cv2.fillConvexPoly(image, quad, top.colours[n], cv2.LINE_AA, _SHIFT)
    for tree in trees:
        corners = np.array([tree.x, tree.y]) + tree.width * 0.56 * _SQUARE
        stamp(image, crown_from_above(tree.species, tree.look), corners @ matrix[:, :2].T + matrix[:, 2])
    return image
