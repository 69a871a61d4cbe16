"""Projects the town into a camera's picture, from the farthest thing to the nearest.

The same list is painted twice: in colours for the photo, and as numbers for the truth, so that the truth knows exactly
what hides what.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.geo.point import Floats
from pipeline.world.blocks import block
from pipeline.world.furniture import furniture
from pipeline.world.light import Light
from pipeline.world.mesh import Mesh, MeshBuilder, Sign, Thing
from pipeline.world.mesh_buildings import add_building
from pipeline.world.mesh_props import add_prop, add_tree
from pipeline.world.sprites import Sprite, stamp, stamp_label
from pipeline.world.streets import ALONG_EAST, ALONG_NORTH, stretch
from pipeline.world.things import Prop
from pipeline.world.town import Town, cells_near, node

RANGE_M = 150.0
"""Nothing is drawn beyond, but for a skyline in the haze."""
_NEAR_M = 0.35
_FINE_M = 65.0
_SHIFT = 4


@dataclass(frozen=True)
class Eye:
    """A pinhole camera in the town. Angles in degrees, position in metres, focal length and size in pixels."""

    x: float
    y: float
    z: float
    heading: float
    pitch: float
    focal: float
    width: int
    height: int

    @cached_property
    def axes(self) -> Floats:
        """Unit vectors to the picture's right, down, and ahead; 3 x 3, one a row."""
        h, p = np.radians(self.heading), np.radians(self.pitch)
        right = np.array([np.cos(h), -np.sin(h), 0.0])
        ahead = np.array([np.sin(h) * np.cos(p), np.cos(h) * np.cos(p), np.sin(p)])
        return np.stack([right, np.cross(ahead, right), ahead])

    def camera_space(self, points: Floats) -> Floats:
        """Right, down and ahead of the eye, from town metres; ... x 3."""
        return np.asarray((points - np.array([self.x, self.y, self.z])) @ self.axes.T)

    def pixels(self, space: Floats) -> Floats:
        """Pixels (origin at the corner of the top left one) from camera space; ... x 2."""
        return np.asarray(space[..., :2] / space[..., 2:] * self.focal + (self.width / 2, self.height / 2))


@lru_cache(maxsize=160)
def _cell_mesh(town: Town, i: int, j: int) -> Mesh:
    """All that stands on a block and along the two streets that start at its first corner."""
    builder = MeshBuilder()
    here = block(town, i, j)
    streets = [furniture(town, stretch(town, family, i, j)) for family in (ALONG_EAST, ALONG_NORTH)]
    for building in here.buildings:
        add_building(builder, building)
    for grown in (*here.trees, *streets[0].trees, *streets[1].trees):
        add_tree(builder, grown)
    for prop in (*here.props, *streets[0].props, *streets[1].props):
        add_prop(builder, prop)
    return builder.build()


def passing_mesh(props: list[Prop]) -> Mesh:
    """The mesh of the traffic."""
    builder = MeshBuilder()
    for prop in props:
        add_prop(builder, prop)
    return builder.build()


@dataclass(frozen=True, eq=False)
class Flat:
    """A sign or board in the picture."""

    sprite: Sprite
    corners: Floats
    thing: int
    distance: float
    sign: Sign | None
    letters: Floats | None
    """Pixels of the letters' corners, for a sign."""


@dataclass(frozen=True, eq=False)
class Scene:
    """Faces and flats in the picture; `order` numbers them from the farthest to the nearest, the faces first."""

    eye: Eye
    faces: list[NDArray[np.int32]]
    """Corners in drawing coordinates."""
    colours: Floats
    normals: Floats
    distances: Floats
    face_things: NDArray[np.int32]
    flats: list[Flat]
    order: list[int]
    things: list[Thing]


def look(town: Town, eye: Eye, extra: Mesh) -> Scene:
    """The view of the town from an eye, with some things that are only passing by."""
    meshes = [_cell_mesh(town, *cell) for cell in cells_in_view(town, eye)] + [extra]
    things: list[Thing] = []
    starts = []
    for mesh in meshes:
        starts.append(len(things))
        things += mesh.things
    corners, normals, colours, groups, fine = (
        np.concatenate([getattr(mesh, name) for mesh in meshes])
        for name in ("corners", "normals", "colours", "groups", "fine")
    )
    owner = np.concatenate([mesh.thing + start for mesh, start in zip(meshes, starts, strict=True)])
    position = np.array([eye.x, eye.y, eye.z])
    distance = np.hypot(groups[:, 0] - eye.x, groups[:, 1] - eye.y)
    facing = np.einsum("nk,nk->n", normals, position - corners[:, 0]) > 0
    keep = (distance < RANGE_M) & (facing | ~normals.any(axis=1)) & ~(fine & (distance > _FINE_M))
    space = eye.camera_space(corners[keep])
    wide = eye.width / 2 / eye.focal + 0.02
    x, z = space[..., 0], space[..., 2]
    seen = (z.max(axis=1) > _NEAR_M) & ~(x > wide * z).all(axis=1) & ~(x < -wide * z).all(axis=1)
    index = np.flatnonzero(keep)[seen]
    space = space[seen]
    faces = _drawn(eye, space)
    flats = [
        flat
        for mesh, start in zip(meshes, starts, strict=True)
        for flat in (*_signs(eye, mesh, start), *_boards(eye, mesh, start))
    ]
    # A sign stands in front of the wall or pole that bears it, which has the same distance.
    farness = np.concatenate([distance[index], [flat.distance - 0.05 for flat in flats]])
    return Scene(
        eye=eye,
        faces=faces,
        colours=colours[index].astype(float),
        normals=normals[index].astype(float),
        distances=distance[index].astype(float),
        face_things=owner[index],
        flats=flats,
        order=np.argsort(-farness, kind="stable").tolist(),
        things=things,
    )


@lru_cache(maxsize=1024)
def _middle(town: Town, i: int, j: int) -> tuple[float, float]:
    """Middle of a cell's four corners."""
    x, y = np.mean([node(town, i + a, j + b) for a in (0, 1) for b in (0, 1)], axis=0).tolist()
    return x, y


def cells_in_view(town: Town, eye: Eye, reach_m: float = RANGE_M) -> list[tuple[int, int]]:
    """Grid cells of which something may stand in the picture."""
    half = np.arctan(eye.width / 2 / eye.focal)
    h = np.radians(eye.heading)
    found = []
    for i, j in cells_near(town, eye.x, eye.y, reach_m):
        x, y = _middle(town, i, j)
        dx, dy = x - eye.x, y - eye.y
        distance = float(np.hypot(dx, dy))
        off = abs((np.arctan2(dx, dy) - h + np.pi) % (2 * np.pi) - np.pi)
        if distance < 110 or (off - half < np.arcsin(min(1.0, 95 / distance)) and distance < reach_m + 80):
            found.append((i, j))
    return found


def _drawn(eye: Eye, space: Floats) -> list[NDArray[np.int32]]:
    """Corners in cv2's fixed-point coordinates; what reaches behind the eye is cut off in front of it."""
    whole = space[..., 2].min(axis=1) > _NEAR_M
    depth = np.where(whole[:, None], space[..., 2], 1.0)
    pixels = space[..., :2] / depth[..., None] * eye.focal + (eye.width / 2, eye.height / 2)
    points = np.rint((pixels - 0.5) * (1 << _SHIFT)).astype(np.int32)
    faces = list(points)
    for n in np.flatnonzero(~whole):
        cut = clip_near(space[n])
        faces[n] = np.rint((eye.pixels(cut) - 0.5) * (1 << _SHIFT)).astype(np.int32)
    return faces


def clip_near(polygon: Floats) -> Floats:
    """The part of a polygon in camera space that lies before the near plane (Sutherland-Hodgman)."""
    found = []
    for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if a[2] > _NEAR_M:
            found.append(a)
        if (a[2] > _NEAR_M) != (b[2] > _NEAR_M):
            found.append(a + (b - a) * (_NEAR_M - a[2]) / (b[2] - a[2]))
    return np.array(found)


def _signs(eye: Eye, mesh: Mesh, start: int) -> list[Flat]:
    found = []
    position, ahead = np.array([eye.x, eye.y, eye.z]), eye.axes[2]
    for sign in mesh.signs:
        distance = math.hypot(sign.group[0] - eye.x, sign.group[1] - eye.y)
        to_sign = sign.corners[0] - position
        if distance > RANGE_M or to_sign @ ahead < _NEAR_M or to_sign @ sign.normal >= 0:
            continue
        space = eye.camera_space(sign.corners)
        if space[:, 2].min() <= _NEAR_M:
            continue
        corners = eye.pixels(space)
        if _outside(eye, corners):
            continue
        letters = eye.pixels(eye.camera_space(sign.letters))
        found.append(Flat(sign.sprite, corners, sign.thing + start, distance, sign, letters))
    return found


def _boards(eye: Eye, mesh: Mesh, start: int) -> list[Flat]:
    x, y, width, base, top = mesh.board_frames.T
    east, north = x - eye.x, y - eye.y
    distances = np.hypot(east, north)
    near = np.flatnonzero((distances < RANGE_M) & (distances > 0.8))
    if not len(near):
        return []
    x, y, width, base, top, distance = (values[near] for values in (x, y, width, base, top, distances))
    across, ahead = north[near] / distance * width / 2, -east[near] / distance * width / 2
    corners = np.empty((len(near), 4, 3))
    corners[:, (0, 3), 0], corners[:, (0, 3), 1] = (x - across)[:, None], (y - ahead)[:, None]
    corners[:, (1, 2), 0], corners[:, (1, 2), 1] = (x + across)[:, None], (y + ahead)[:, None]
    corners[:, :2, 2], corners[:, 2:, 2] = top[:, None], base[:, None]
    space = eye.camera_space(corners)
    whole = space[..., 2].min(axis=1) > _NEAR_M
    near, distance, pixels = near[whole], distance[whole], eye.pixels(space[whole])
    low, high = pixels.min(axis=1), pixels.max(axis=1)
    found = []
    for n in np.flatnonzero((high >= 0).all(axis=1) & (low <= (eye.width, eye.height)).all(axis=1)).tolist():
        board = mesh.boards[near[n]]
        found.append(Flat(board.draw(), pixels[n], board.thing + start, float(distance[n]), None, None))
    return found


def _outside(eye: Eye, corners: Floats) -> bool:
    low, high = corners.min(axis=0), corners.max(axis=0)
    return bool(high[0] < 0 or high[1] < 0 or low[0] > eye.width or low[1] > eye.height)


def paint_things(image: NDArray[np.uint8], scene: Scene, light: Light) -> None:
    """Paint all things over a picture of sky and ground."""
    lit = np.clip(scene.normals @ light.sun(), 0, 1)
    tone = light.ambient + light.direct * np.where(scene.normals.any(axis=1), lit, 0.6) + 0.06 * scene.normals[:, 2]
    haze = (1 - np.exp(-scene.distances / light.haze_m))[:, None]
    colours = np.clip(scene.colours * tone[:, None], 0, 255) * (1 - haze) + np.array(light.haze) * haze
    palette = colours.tolist()
    count = len(scene.faces)
    for n in scene.order:
        if n < count:
            cv2.fillConvexPoly(image, scene.faces[n], palette[n], cv2.LINE_AA, _SHIFT)
        else:
            flat = scene.flats[n - count]
            share = 1 - np.exp(-flat.distance / light.haze_m)
            stamp(image, flat.sprite, flat.corners, np.array([*light.haze, share]))


def paint_numbers(numbers: NDArray[np.int32], scene: Scene, first: int) -> None:
    """Write `first` + the thing's number over a picture of ground numbers; letters get -1 - the flat's number."""
    owners = scene.face_things.tolist()
    count = len(scene.faces)
    for n in scene.order:
        if n < count:
            cv2.fillConvexPoly(numbers, scene.faces[n], first + owners[n], cv2.LINE_8, _SHIFT)
            continue
        flat = scene.flats[n - count]
        if flat.letters is None:
            stamp_label(numbers, flat.sprite, flat.corners, first + flat.thing)
            continue
        for corners, number in ((flat.corners, first + flat.thing), (flat.letters, count - n - 1)):
            points = np.rint((corners - 0.5) * (1 << _SHIFT)).astype(np.int32)
            cv2.fillConvexPoly(numbers, points, number, cv2.LINE_8, _SHIFT)
