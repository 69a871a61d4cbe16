"""Bodies of buildings and other things for the street view: four-cornered faces, signs, and flat pictures of trees.

Faces are grouped: within a group the order in which they are listed is the order of painting, and groups are painted
from the farthest to the nearest. A group is a strip of wall a few metres wide, so its distance tells enough.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.geo.point import Floats
from pipeline.world.sprites import Sprite, lettering
from pipeline.world.things import Colour

Indices = NDArray[np.int32]


@dataclass(frozen=True)
class Thing:
    """The thing that a face belongs to."""

    key: str
    label: str
    """Class of the vocabulary."""
    attribute: str | None
    lasting: bool
    x: float
    y: float


@dataclass(frozen=True, eq=False)
class Sign:
    """A flat picture with letters."""

    corners: Floats
    """Top left, top right, bottom right, bottom left as seen from its front; 4 x 3."""
    colours: tuple[Colour, Colour]
    """Of its letters, and of the board."""
    letters: Floats
    """The corners of the letters alone; 4 x 3."""
    text: str
    lasting: bool
    group: tuple[float, float]
    thing: int

    @property
    def sprite(self) -> Sprite:
        """Its picture. No mesh holds it: those of all signs of a town would take hundreds of megabytes."""
        return lettering(self.text, *self.colours).sprite

    @cached_property
    def normal(self) -> Floats:
        """Vector towards those who can read it."""
        a, b, _, d = self.corners
        return np.asarray(np.cross(d - a, b - a))


@dataclass(frozen=True, eq=False)
class Board:
    """A picture of something round (tree, person) that always faces the camera."""

    x: float
    y: float
    width: float
    height: float
    sprite: Sprite
    thing: int
    base: float = 0.0
    """Height of its foot above the ground."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """Faces, signs and boards. `thing` numbers point into `things`."""

    corners: NDArray[np.float32]
    """n x 4 x 3."""
    normals: NDArray[np.float32]
    """n x 3, outward; zero for a face that is seen from both sides."""
    colours: NDArray[np.float32]
    """n x 3."""
    groups: NDArray[np.float32]
    """n x 2: the position by whose distance the face is sorted."""
    fine: NDArray[np.bool_]
    """n: left out from afar."""
    thing: Indices
    signs: tuple[Sign, ...]
    boards: tuple[Board, ...]
    things: tuple[Thing, ...]


class MeshBuilder:
    """Collects faces and makes a mesh of them."""

    def __init__(self) -> None:
        self._parts: list[tuple[Floats, ArrayLike, ArrayLike, bool, bool, int]] = []
        self.signs: list[Sign] = []
        self.boards: list[Board] = []
        self.things: list[Thing] = []

    def start(self, thing: Thing) -> None:
        """Begin a thing: faces added from now on belong to it."""
        self.things.append(thing)

    @property
    def current(self) -> int:
        """Number of the thing that is being built."""
        return len(self.things) - 1

    def add(
        self, corners: Floats, colour: ArrayLike, group: ArrayLike, *, fine: bool = False, both: bool = False
    ) -> None:
        """Faces, n x 4 x 3, with one colour and group for all or one for each.

        Args:
            corners: Top left, top right, bottom right, bottom left, as seen from the front.
            colour: RGB.
            group: Position by whose distance the faces are sorted.
            fine: Left out from afar.
            both: Seen from both sides.
        """
        self._parts.append((corners, colour, group, fine, both, self.current))

    def build(self) -> Mesh:
        """The mesh."""
        total = sum(len(part[0]) for part in self._parts)
        corners, colours, groups = (
            np.empty((total, 4, 3)),
            np.empty((total, 3), np.float32),
            np.empty((total, 2), np.float32),
        )
        fine, both, thing = np.empty(total, bool), np.empty(total, bool), np.empty(total, np.int32)
        at = 0
        for part in self._parts:
            here = slice(at, at + len(part[0]))
            corners[here], colours[here], groups[here], fine[here], both[here], thing[here] = part
            at = here.stop
        # The cross product of the diagonals, which also holds where two corners of a face coincide.
        normals = -np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        normals[both] = 0.0
        return Mesh(
            corners=corners.astype(np.float32),
            normals=normals.astype(np.float32),
            colours=colours,
            groups=groups,
            fine=fine,
            thing=thing,
            signs=tuple(self.signs),
            boards=tuple(self.boards),
            things=tuple(self.things),
        )


@dataclass(frozen=True)
class Wall:
    """A vertical plane from a to b; its front is to the right of that direction."""

    a: Floats
    b: Floats

    @cached_property
    def length(self) -> float:
        """From a to b."""
        return math.hypot(self.b[0] - self.a[0], self.b[1] - self.a[1])

    @cached_property
    def along(self) -> Floats:
        """Unit vector from a to b."""
        return np.asarray((self.b - self.a) / max(self.length, 1e-6))

    @cached_property
    def out(self) -> Floats:
        """Unit vector to the front."""
        return np.array([self.along[1], -self.along[0]])

    def rects(self, left: ArrayLike, right: ArrayLike, low: ArrayLike, high: ArrayLike, out: ArrayLike = 0.0) -> Floats:
        """Rectangles on the wall, n x 4 x 3: top left, top right, bottom right, bottom left as seen from the front."""
        faces = np.empty((max(map(np.size, (left, right, low, high, out))), 4, 3))
        x = np.empty(faces.shape[:2])
        x[:, 0] = x[:, 3] = left
        x[:, 1] = x[:, 2] = right
        foot = self.a + np.asarray(out, float)[..., None, None] * self.out
        faces[..., :2] = foot + x[..., None] * self.along
        faces[:, 0, 2] = faces[:, 1, 2] = high
        faces[:, 2, 2] = faces[:, 3, 2] = low
        return faces

    def spot(self, x: float) -> Floats:
        """Position so far from a."""
        return np.asarray(self.a + self.along * x)


_PLAN = np.array([[1, -1], [1, 1], [-1, 1], [-1, -1]]) / 2  # shares of length and width: front left, front right, ...
_FACES = np.array([[1, 0], [2, 1], [3, 2], [0, 3]])  # left and right corner of each side as seen from its front


def plan(x: float, y: float, heading: float, length: float, width: float) -> Floats:
    """A rectangle on the ground whose length runs along its heading: front left, front right, back right, back left."""
    h = np.radians(heading)
    sin, cos = np.sin(h), np.cos(h)
    ahead, right = _PLAN[:, 0] * length, _PLAN[:, 1] * width
    return np.stack([x + ahead * sin + right * cos, y + ahead * cos - right * sin], axis=1)


def box(x: float, y: float, heading: float, length: float, width: float, low: float, high: float) -> Floats:
    """The front, right side, back, left side and top of a block whose length runs along its heading; 5 x 4 x 3."""
    ring = plan(x, y, heading, length, width)
    faces = np.empty((5, 4, 3))
    faces[:4, :, :2] = ring[_FACES[:, [0, 1, 1, 0]]]
    faces[:4, :, 2] = (high, high, low, low)
    faces[4, :, :2], faces[4, :, 2] = ring, high
    return faces


def sign_on(
    wall: Wall,
    middle: float,
    low: float,
    height: float,
    widest: float,
    out: float,
    letters: tuple[Sprite, tuple[float, float, float, float]],
) -> tuple[Floats, Floats]:
    """Corners of a sign on a wall, and of its letters; no wider than `widest`."""
    sprite, (left, top, right, bottom) = letters
    width = height * sprite.aspect
    if width > widest:
        width, height = widest, widest / sprite.aspect
    start = middle - width / 2
    whole = wall.rects(start, start + width, low, low + height, out)[0]
    inner = wall.rects(
        start + left * width, start + right * width, low + (1 - bottom) * height, low + (1 - top) * height, out
    )[0]
    return whole, inner


def shaded(colour: Colour, factor: float) -> tuple[float, float, float]:
    """A lighter or darker colour."""
    r, g, b = (min(255.0, c * factor) for c in colour)
    return r, g, b
