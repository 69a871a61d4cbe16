"""What stands on the land between four streets: rows of houses, gardens, a park, a square, a school."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import shapely

from pipeline.imaging.frame import Floats
from pipeline.sources.world import buildings
from pipeline.sources.world.chance import pick
from pipeline.sources.world.names import SAINTS
from pipeline.sources.world.streets import ALONG_EAST, ALONG_NORTH, Stretch, clearance, junction, stretch
from pipeline.sources.world.things import Building, Colour, Feature, Patch, Prop, Tree
from pipeline.sources.world.town import Town

BlockKind = Literal["rows", "houses", "slabs", "park", "square", "school", "fuel", "retail"]

GREENS: tuple[Colour, ...] = ((104, 132, 72), (116, 142, 80), (96, 122, 66), (128, 146, 88))
_YARDS: tuple[Colour, ...] = ((168, 160, 146), (150, 146, 138), (176, 164, 140), (132, 134, 112))
_GRAVEL: Colour = (196, 182, 152)
_WATER: Colour = (86, 118, 130)


@dataclass(frozen=True, eq=False)
class Block:
    """The land between four streets and what stands on it."""

    kind: BlockKind
    buildings: tuple[Building, ...]
    trees: tuple[Tree, ...]
    props: tuple[Prop, ...]
    patches: tuple[Patch, ...]
    features: tuple[Feature, ...]


def density(town: Town, i: int, j: int) -> float:
    """How built-up the town is around a block, 0 (gardens) to 1 (high street); changes slowly from block to block."""
    u, v = i / 4.0, j / 4.0
    a, b = int(np.floor(u)), int(np.floor(v))
    corner = [[_lattice(town, a + p, b + q) for q in (0, 1)] for p in (0, 1)]
    s, t = u - a, v - b
    return (corner[0][0] * (1 - t) + corner[0][1] * t) * (1 - s) + (corner[1][0] * (1 - t) + corner[1][1] * t) * s


@lru_cache(maxsize=1024)
def _lattice(town: Town, a: int, b: int) -> float:
    return float(town.draws("density", a, b).random())


def _sides(town: Town, i: int, j: int) -> list[tuple[Stretch, bool]]:
    """The four streets around a block, counter-clockwise, and whether they run that way."""
    return [
        (stretch(town, ALONG_EAST, i, j), True),
        (stretch(town, ALONG_NORTH, i + 1, j), True),
        (stretch(town, ALONG_EAST, i, j + 1), False),
        (stretch(town, ALONG_NORTH, i, j), False),
    ]


def _kind(town: Town, i: int, j: int, dense: float) -> BlockKind:
    u = town.draws("kind", i, j).random()
    if u < 0.07:
        return "park"
    if u < 0.115 and dense > 0.3:
        return "square"
    if u < 0.14:
        return "school"
    if u < 0.165:
        return "fuel"
    if u < 0.19:
        return "retail"
    if dense > 0.52:
        return "rows"
    return "slabs" if 0.40 < dense and u > 0.6 else "rows" if dense > 0.45 else "houses"


@lru_cache(maxsize=512)
def block(town: Town, i: int, j: int) -> Block:
    """The block whose first corner is junction (i, j)."""
    return _Builder(town, i, j).build()


class _Builder:
    """Collects what stands on one block."""

    def __init__(self, town: Town, i: int, j: int) -> None:
        self.town, self.i, self.j = town, i, j
        self.dense = density(town, i, j)
        self.kind = _kind(town, i, j, self.dense)
        self.sides = _sides(town, i, j)
        self.g = town.draws("block", i, j)
        corners = [side.line if forward else side.line[::-1] for side, forward in self.sides]
        # Streets that end at the river leave a gap in the ring; a straight line closes it.
        self.ring = np.concatenate([line[:-1] for line in corners])
        streets = [shapely.LineString(side.line).buffer(side.half, quad_segs=2) for side, _ in self.sides]
        nodes = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)]
        for at in nodes:
            here = junction(town, *at)
            if here.kind == "roundabout":
                streets.append(shapely.Point(here.x, here.y).buffer(here.radius + here.pavement))
        self.free = shapely.difference(shapely.Polygon(self.ring).buffer(0), shapely.union_all(streets))
        self.land = shapely.buffer(self.free, 0.3)
        self.buildings: list[Building] = []
        self.trees: list[Tree] = []
        self.props: list[Prop] = []
        self.patches: list[Patch] = []
        self.features: list[Feature] = []

    def build(self) -> Block:
        """The block, complete."""
        g = self.g
        paved = self.kind in ("rows", "square", "fuel", "retail")
        base = pick(g, _YARDS) if paved else pick(g, GREENS)
        self.patches.append(Patch(0, "paved ground" if paved else "grass", base, (self.ring,)))
        fill = {
            "rows": self._rows, "houses": self._houses, "slabs": self._slabs, "park": self._park,
            "square": self._square, "school": self._school, "fuel": self._fuel, "retail": self._retail,
        }  # fmt: skip
        fill[self.kind]()
        return Block(
            self.kind, tuple(self.buildings), tuple(self.trees), tuple(self.props), tuple(self.patches),
            tuple(self.features),
        )  # fmt: skip

    def _key(self) -> str:
        return f"{self.i}.{self.j}.{len(self.buildings)}"

    def _place(self, footprint: Floats) -> bool:
        """Whether a building fits there: on free land, over no other."""
        shape = shapely.Polygon(footprint)
        if not shape.is_valid or not self.land.contains(shape):
            return False
        others = [shapely.Polygon(other.footprint) for other in self.buildings]
        return not others or float(np.max(shapely.area(shapely.intersection(others, shape)))) < 0.5

    def _frontage(self, side: Stretch, forward: bool) -> tuple[float, float]:
        ends = [clearance(self.town, side, start=start) for start in (True, False)]
        low, high = ends[0] + 3.0, side.length - ends[1] - 3.0
        return low, high

    def _lot(self, side: Stretch, forward: bool, start: float, end: float, setback: float, depth: float) -> Floats:
        """Footprint between two distances along a street's side; counter-clockwise with the front first."""
        front, back = side.half + setback, side.half + setback + depth
        if forward:  # the block lies to the left
            a, b = side.at(np.array([start, end]), np.array([-front, -front]))
        else:
            a, b = side.at(np.array([end, start]), np.array([front, front]))
        along = (b - a) / np.hypot(*(b - a))
        inward = np.array([-along[1], along[0]])
        return np.array([a, b, b + inward * (back - front), a + inward * (back - front)])

    def _along(
        self, widths: tuple[float, float], setback: tuple[float, float], gap: float, depth: float
    ) -> list[tuple[Stretch, bool, Floats]]:
        """Footprints side by side along all streets of the block, as far as they fit."""
        found = []
        for number, (side, forward) in enumerate(self.sides):
            if side.kind in ("river", "rail") and self.kind != "rows":
                continue
            low, high = self._frontage(side, forward)
            here = self.g.uniform(*setback) + (6.0 if side.kind in ("river", "rail") else 0.0)
            at = low + (depth if number % 2 and gap == 0 else 0.0)
            while at < high - widths[0]:
                width = min(float(self.g.uniform(*widths)), high - at)
                footprint = self._lot(side, forward, at, at + width, here, depth * float(self.g.uniform(0.85, 1.1)))
                if self._place(footprint):
                    found.append((side, forward, footprint))
                    yield_to = at + width
                else:
                    yield_to = at + 3.0
                at = yield_to + gap * float(self.g.uniform(0.6, 1.6))
                if found and found[-1][2] is footprint:
                    self._raise(side, footprint)
        return found

    def _raise(self, side: Stretch, footprint: Floats) -> None:
        """Put a building on a footprint."""
        self.buildings.append(buildings.design(self.town, self._key(), self.kind, self.dense, side, footprint))

    def _rows(self) -> None:
        self._along((9.0, 19.0), (0.0, 0.0), 0.0, 11.5)
        yard = shapely.buffer(self.free, -14.5)
        if not yard.is_empty and self.g.random() < 0.3 + 0.6 * self.town.green:
            self.patches.append(
                Patch(1, "grass", pick(self.g, GREENS), (np.asarray(shapely.get_coordinates(_largest(yard))),))
            )
        self._scatter(int(6 + 22 * self.town.green), ("round", "slim", "broad", "bush"), away=3.0)

    def _houses(self) -> None:
        self._along((8.0, 13.0), (3.5, 7.5), 5.0, 9.5)
        hedge = self.g.random()
        for side, forward in self.sides:
            if hedge < 0.75 and side.kind not in ("river", "rail", "footway"):
                self._front_line(side, forward, "hedge" if hedge < 0.4 * (1 + self.town.green) else "fence")
        self._scatter(int(12 + 30 * self.town.green), ("round", "broad", "conifer", "bush"), away=2.0)

    def _slabs(self) -> None:
        self._along((22.0, 34.0), (7.0, 11.0), 9.0, 12.0)
        for side, forward in self.sides:
            if side.kind not in ("river", "rail", "footway") and self.g.random() < 0.35:
                self._front_line(side, forward, "hedge")
        self._scatter(int(16 + 30 * self.town.green), ("round", "slim", "bush"), away=3.5)

    def _park(self) -> None:
        g, words = self.g, self.town.language
        name = words.park.format(pick(g, words.roots))
        inner = shapely.buffer(self.free, -0.5)
        ring = np.asarray(shapely.get_coordinates(_largest(inner)))
        self.features.append(Feature(f"park.{self.i}.{self.j}", "green", "park", name, ring))
        self.patches.append(Patch(1, "park", pick(g, GREENS), (ring,)))
        centre = self.ring.mean(axis=0)
        pond = g.random() < 0.45
        if pond:
            turn = np.linspace(0, 2 * np.pi, 28, endpoint=False)
            radius = g.uniform(9, 14) * (1 + 0.18 * np.sin(2 * turn + g.uniform(0, 6)) + 0.1 * np.sin(3 * turn))
            shore = centre + np.stack([np.cos(turn) * 1.4, np.sin(turn)], axis=1) * radius[:, None]
            self.patches.append(Patch(3, "pond", _WATER, (shore,), thing=f"pond.{self.i}.{self.j}"))
            self.features.append(Feature(f"pond.{self.i}.{self.j}", "water", "pond", None, shore))
        for a, b in ((0, 16), (8, 24)):
            self._path(self.ring[a % len(self.ring)], centre, self.ring[b % len(self.ring)])
        if not pond:
            self.props.append(Prop(pick(g, ("statue", "fountain")), float(centre[0]), float(centre[1]), 0.0))
        self._scatter(int(40 + 50 * self.town.green), ("round", "broad", "conifer", "slim", "bush"), away=2.5)

    def _path(self, a: Floats, middle: Floats, b: Floats) -> None:
        t = np.linspace(0, 1, 13)[:, None]
        bend = middle + self.g.uniform(-14, 14, 2)
        line = (1 - t) ** 2 * a + 2 * t * (1 - t) * bend + t**2 * b
        walk = shapely.intersection(shapely.LineString(line).buffer(1.3, quad_segs=2), shapely.buffer(self.free, 1.0))
        self.patches.append(Patch(2, "path", _GRAVEL, (np.asarray(shapely.get_coordinates(_largest(walk))),)))
        for at in (4, 8):
            x, y = line[at] + self.g.uniform(1.5, 2.0)
            heading = float(np.degrees(np.arctan2(*(line[at] - (x, y)))))
            self.props.append(Prop("bench", float(x), float(y), heading % 360.0, (122, 84, 50)))

    def _square(self) -> None:
        g, words = self.g, self.town.language
        name = words.square.format(pick(g, words.roots))
        ring = np.asarray(shapely.get_coordinates(_largest(shapely.buffer(self.free, -0.5))))
        self.features.append(Feature(f"square.{self.i}.{self.j}", "square", "square", name, ring))
        colour = pick(g, ((188, 176, 158), (172, 166, 160), (184, 160, 140)))
        self.patches.append(Patch(1, "square", colour, (ring,)))
        side, forward = self.sides[int(g.random() * 4)]
        middle = side.length / 2
        footprint = self._lot(side, forward, middle - 7.0, middle + 7.0, 16.0, 30.0)
        if self._place(footprint):
            church = words.church.format(
                pick(g, SAINTS) if "." in words.church or "-" in words.church else pick(g, words.roots)
            )
            self.buildings.append(buildings.church(self.town, self._key(), church, footprint))
        centre = self.ring.mean(axis=0)
        spot = centre + (centre - footprint.mean(axis=0)) * 0.8 + g.uniform(-3, 3, 2)
        self.props.append(
            Prop(
                pick(g, ("fountain", "statue", "kiosk")),
                float(spot[0]),
                float(spot[1]),
                0.0,
                pick(g, ((150, 60, 50), (60, 96, 84), (130, 126, 118))),
            )
        )
        self._scatter(14, ("round", "slim"), away=4.0)

    def _school(self) -> None:
        g, words = self.g, self.town.language
        side, forward = self.sides[int(g.random() * 4)]
        low, high = self._frontage(side, forward)
        width = min(52.0, high - low - 8.0)
        start = (low + high - width) / 2
        footprint = self._lot(side, forward, start, start + width, 12.0, 15.0)
        if width > 20 and self._place(footprint):
            name = words.school.format(pick(g, words.roots))
            self.buildings.append(buildings.school(self.town, self._key(), name, footprint))
        self._scatter(int(16 + 16 * self.town.green), ("round", "broad", "bush"), away=3.0)

    def _fuel(self) -> None:
        g = self.g
        side, forward = self.sides[0]
        low, high = self._frontage(side, forward)
        middle = (low + high) / 2
        canopy = self._lot(side, forward, middle - 9, middle + 9, 5.0, 10.0)
        if self._place(canopy) and side.kind not in ("river", "rail"):
            x, y = canopy.mean(axis=0)
            front = canopy[1] - canopy[0]
            heading = float(np.degrees(np.arctan2(front[1], -front[0])) % 360.0)
            colour, word = pick(g, (((196, 40, 36), "red"), ((28, 92, 160), "blue"), ((30, 128, 76), "green")))
            self.props.append(Prop("canopy", float(x), float(y), heading, colour, word, self.town.language.fuel, 18.0))
            self.features.append(Feature(f"fuel.{self.i}.{self.j}", "poi", "fuel", None, canopy))
            hut = self._lot(side, forward, middle - 6, middle + 6, 19.0, 7.0)
            if self._place(hut):
                self.buildings.append(buildings.plain(self.town, self._key(), "kiosk", "kiosk", hut))
        self._along((9.0, 17.0), (0.0, 3.0), 3.0, 10.0) if self.dense > 0.5 else None
        self._scatter(8, ("round", "bush"), away=12.0 if self.dense < 0.5 else 4.0)

    def _retail(self) -> None:
        g = self.g
        side, forward = self.sides[int(g.random() * 2) * 2]
        low, high = self._frontage(side, forward)
        footprint = self._lot(side, forward, low + 8, high - 8, 24.0, 26.0)
        if high - low > 40 and self._place(footprint):
            self.buildings.append(buildings.supermarket(self.town, self._key(), footprint))
        lot = self._lot(side, forward, low + 2, high - 2, 1.5, 20.0)
        self.patches.append(Patch(1, "parking area", (92, 93, 96), (lot,)))
        along = (lot[1] - lot[0]) / np.hypot(*(lot[1] - lot[0]))
        inward = np.array([-along[1], along[0]])
        heading = float(np.degrees(np.arctan2(*inward)) % 360.0)
        lines = []
        for n in range(int(np.hypot(*(lot[1] - lot[0])) / 2.6)):
            for row, (near, far) in enumerate(((0.5, 5.5), (14.0, 19.0))):
                at = lot[0] + along * (n * 2.6 + 1)
                lines.append(
                    np.array(
                        [
                            at + inward * near,
                            at + inward * far,
                            at + inward * far + along * 0.12,
                            at + inward * near + along * 0.12,
                        ]
                    )
                )
                if g.random() < 0.45:
                    x, y = at + along * 1.3 + inward * (near + far) / 2
                    colour, word = pick(g, buildings.CAR_COLOURS)
                    self.props.append(Prop("car", float(x), float(y), (heading + 180.0 * row) % 360.0, colour, word))
        self.patches.append(Patch(2, "", (214, 214, 210), tuple(lines)))
        self._scatter(10, ("round", "bush"), away=2.0)

    def _front_line(self, side: Stretch, forward: bool, kind: Literal["hedge", "fence"]) -> None:
        """A hedge or fence along a street, with gaps."""
        low, high = self._frontage(side, forward)
        offset = (side.half + 0.6) * (-1 if forward else 1)
        colour = (
            pick(self.g, GREENS) if kind == "hedge" else pick(self.g, ((150, 132, 108), (206, 204, 198), (104, 84, 66)))
        )
        at = low + 2.0
        while at < high - 4.0:
            length = float(self.g.uniform(3.0, 5.0))
            if self.g.random() < 0.75:
                x, y = side.at(at + length / 2, offset)
                dx, dy = side.direction(at + length / 2)
                heading = np.degrees(np.arctan2(dx, dy)) + 90.0
                self.props.append(Prop(kind, float(x), float(y), float(heading % 360.0), colour, None, None, length))
            at += length

    def _scatter(self, number: int, species: tuple[str, ...], away: float) -> None:
        """Trees on free ground, away from buildings, paths and water."""
        taken = [shapely.Polygon(b.footprint) for b in self.buildings]
        taken += [shapely.Polygon(p) for patch in self.patches if patch.layer > 1 for p in patch.polygons if len(p) > 3]
        keep_off = shapely.buffer(shapely.union_all(taken), away)
        land = shapely.buffer(self.free, -1.8)
        low, high = self.ring.min(axis=0), self.ring.max(axis=0)
        spots = self.g.uniform(low, high, (number * 2, 2))
        inside = shapely.contains_xy(land, spots) & ~shapely.contains_xy(keep_off, spots)
        for x, y in spots[inside][:number]:
            self.trees.append(buildings.tree(self.town, self.g, species, float(x), float(y)))


def _largest(shape: shapely.Geometry) -> shapely.Geometry:
    """The outer ring of the largest polygon in a shape."""
    parts = [part for part in shapely.get_parts(shape) if isinstance(part, shapely.Polygon) and not part.is_empty]
    return max(parts, key=lambda part: part.area).exterior if parts else shapely.LineString()
