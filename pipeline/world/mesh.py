"""Bodies of buildings and other things for the street view: four-cornered faces, signs, and flat pictures of trees.

Faces are grouped: within a group the order in which they are listed is the order of painting, and groups are painted
from the farthest to the nearest. A group is a strip of wall a few metres wide, so its distance tells enough.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.geo.point import Floats
from pipeline.world.sprites import Sprite, lettering, lettering_aspect
from pipeline.world.things import Colour

Indices = NDArray[np.int32]
Spot = tuple[float, float]
"""A position on the ground, or a vector along it."""
Corner = tuple[float, float, float]
Face = tuple[Corner, Corner, Corner, Corner]
"""Top left, top right, bottom right, bottom left, as seen from the front."""


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


class Wall(NamedTuple):
    """A vertical plane from a to b; its front is to the right of that direction. `wall_between` makes it."""

    a: Spot
    b: Spot
    length: float
    """From a to b."""
    along: Spot
    """Unit vector from a to b."""

    @property
    def out(self) -> Spot:
        """Unit vector to the front."""
        return self.along[1], -self.along[0]

    def rect(self, left: float, right: float, low: float, high: float, out: float = 0.0) -> Face:
        """A rectangle on the wall: top left, top right, bottom right, bottom left as seen from the front."""
        dx, dy = self.along
        x, y = self.a[0] + out * dy, self.a[1] + out * -dx
        x0, y0, x1, y1 = x + left * dx, y + left * dy, x + right * dx, y + right * dy
        return (x0, y0, high), (x1, y1, high), (x1, y1, low), (x0, y0, low)

    def rects(
        self, left: Floats, right: Floats, low: Floats | float, high: Floats | float, out: Floats | float = 0.0
    ) -> Floats:
        """Several of them, ... x 4 x 3; all that is given is broadcast."""
        faces = np.empty((*np.broadcast(left, low).shape, 4, 3))
        dx, dy = self.along
        x, y = self.a[0] + out * dy, self.a[1] + out * -dx
        faces[..., 0, 0] = faces[..., 3, 0] = x + left * dx
        faces[..., 1, 0] = faces[..., 2, 0] = x + right * dx
        faces[..., 0, 1] = faces[..., 3, 1] = y + left * dy
        faces[..., 1, 1] = faces[..., 2, 1] = y + right * dy
        faces[..., 0, 2] = faces[..., 1, 2] = high
        faces[..., 2, 2] = faces[..., 3, 2] = low
        return faces

    def spot(self, x: float) -> Spot:
        """Position so far from a."""
        return self.a[0] + self.along[0] * x, self.a[1] + self.along[1] * x


def wall_between(a: Spot, b: Spot) -> Wall:
    """The wall from a to b."""
    x, y = b[0] - a[0], b[1] - a[1]
    length = math.hypot(x, y)
    unit = max(length, 1e-6)
    return Wall(a, b, length, (x / unit, y / unit))


@dataclass(frozen=True, eq=False)
class Sign:
    """A flat picture with letters."""

    corners: Floats
    """Top left, top right, bottom right, bottom left as seen from its front; 4 x 3."""
    colours: tuple[Colour, Colour]
    """Of its letters, and of the board."""
    text: str
    lasting: bool
    group: Spot
    thing: int
    _wall: Wall
    _place: tuple[float, float, float, float, float]
    """Left end, width, low edge and height on the wall, and how far it stands out."""

    @property
    def sprite(self) -> Sprite:
        """Its picture. No mesh holds it: those of all signs of a town would take hundreds of megabytes."""
        return lettering(self.text, *self.colours).sprite

    @property
    def letters(self) -> Floats:
        """The corners of the letters alone; 4 x 3. They are known only once they are drawn."""
        left, top, right, bottom = lettering(self.text, *self.colours).box
        start, width, low, height, out = self._place
        inner = self._wall.rect(
            start + left * width, start + right * width, low + (1 - bottom) * height, low + (1 - top) * height, out
        )
        return np.array(inner)

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
    draw: Callable[[], Sprite]
    """Draws its picture, which it need not do where the board is in no view."""
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

    @cached_property
    def board_frames(self) -> Floats:
        """East, north, width, base and top of the boards; n x 5."""
        frames = [(board.x, board.y, board.width, board.base, board.base + board.height) for board in self.boards]
        return np.array(frames).reshape(-1, 5)


class MeshBuilder:
    """Collects faces and makes a mesh of them."""

    def __init__(self) -> None:
        self._parts: list[tuple[Floats | Sequence[Face], ArrayLike, ArrayLike, bool, bool, int]] = []
        self.signs: list[Sign] = []
        self.boards: list[Board] = []
        self.things: list[Thing] = []
        self.current = -1
        """Number of the thing that is being built."""

    def start(self, thing: Thing) -> None:
        """Begin a thing: faces added from now on belong to it."""
        self.current = len(self.things)
        self.things.append(thing)

    def add(
        self,
        corners: Floats | Sequence[Face],
        colour: ArrayLike,
        group: ArrayLike,
        *,
        fine: bool = False,
        both: bool = False,
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

    def write(
        self,
        text: str,
        colours: tuple[Colour, Colour],
        wall: Wall,
        middle: float,
        low: float,
        height: float,
        widest: float,
        out: float,
        group: Spot,
        *,
        lasting: bool = True,
    ) -> None:
        """Put a sign on a wall, no wider than `widest`. Colours are those of the letters and of the board."""
        aspect = lettering_aspect(text)
        width = height * aspect
        if width > widest:
            width, height = widest, widest / aspect
        start = middle - width / 2
        corners = np.array(wall.rect(start, start + width, low, low + height, out))
        place = (start, width, low, height, out)
        self.signs.append(Sign(corners, colours, text, lasting, group, self.current, wall, place))

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


def ahead_of(heading: float) -> Spot:
    """Unit vector along a heading in degrees, clockwise from the frame's north."""
    h = np.radians(heading)
    return float(np.sin(h)), float(np.cos(h))


_PLAN = ((0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5))  # shares of length and width: front left, front right, ...
_SIDES = ((1, 0), (2, 1), (3, 2), (0, 3))  # left and right corner of each side as seen from its front


def _ring(x: float, y: float, heading: float, length: float, width: float) -> list[Spot]:
    sin, cos = ahead_of(heading)
    shares = [(ahead * length, right * width) for ahead, right in _PLAN]
    return [(x + ahead * sin + right * cos, y + ahead * cos - right * sin) for ahead, right in shares]


def plan(x: float, y: float, heading: float, length: float, width: float) -> Floats:
    """A rectangle on the ground whose length runs along its heading: front left, front right, back right, back left."""
    return np.array(_ring(x, y, heading, length, width))


def box(x: float, y: float, heading: float, length: float, width: float, low: float, high: float) -> list[Face]:
    """The front, right side, back, left side and top of a block whose length runs along its heading."""
    ring = _ring(x, y, heading, length, width)
    top, foot = [(*spot, high) for spot in ring], [(*spot, low) for spot in ring]
    sides: list[Face] = [(top[left], top[right], foot[right], foot[left]) for left, right in _SIDES]
    return [*sides, (top[0], top[1], top[2], top[3])]


def shaded(colour: Colour, factor: float) -> tuple[float, float, float]:
    """A lighter or darker colour."""
    r, g, b = (min(255.0, c * factor) for c in colour)
    return r, g, b
