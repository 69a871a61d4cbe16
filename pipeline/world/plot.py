"""The land between four streets while it is being built on: what is free, and where a building fits."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import shapely

from pipeline.geo.point import Floats
from pipeline.world import buildings
from pipeline.world.chance import pick
from pipeline.world.streets import ALONG_EAST, ALONG_NORTH, Stretch, clearance, junction, stretch
from pipeline.world.things import Building, Colour, Feature, Patch, Prop, Species, Tree
from pipeline.world.town import Town

GREENS: tuple[Colour, ...] = ((104, 132, 72), (116, 142, 80), (96, 122, 66), (128, 146, 88))
_FENCES: tuple[Colour, ...] = ((150, 132, 108), (206, 204, 198), (104, 84, 66))


class Side:
    """One of the four streets around a plot, followed counter-clockwise, so that the plot lies to its left."""

    def __init__(self, town: Town, street: Stretch, *, forward: bool) -> None:
        self.street = street
        self.forward = forward
        ends = [clearance(town, street, start=start) for start in (True, False)]
        self.low, self.high = ends[0] + 3.0, street.length - ends[1] - 3.0
        """Where along the street a building may begin and end."""

    @property
    def built_up(self) -> bool:
        """Whether one builds towards it: not towards a river or railway."""
        return self.street.kind not in ("river", "rail")

    def lot(self, start: float, end: float, setback: float, depth: float) -> Floats:
        """Footprint between two distances along the street; counter-clockwise with the front first, 4 x 2."""
        front = self.street.half + setback
        if self.forward:
            a, b = self.street.at(np.array([start, end]), np.array([-front, -front]))
        else:
            a, b = self.street.at(np.array([end, start]), np.array([front, front]))
        along = (b - a) / np.hypot(*(b - a))
        inward = np.array([-along[1], along[0]]) * depth
        return np.array([a, b, b + inward, a + inward])


class Plot:
    """Collects what stands on the land whose first corner is junction (i, j)."""

    def __init__(self, town: Town, i: int, j: int, dense: float) -> None:
        self.town, self.i, self.j, self.dense = town, i, j, dense
        self.g = town.draws("block", i, j)
        self.sides = [
            Side(town, stretch(town, ALONG_EAST, i, j), forward=True),
            Side(town, stretch(town, ALONG_NORTH, i + 1, j), forward=True),
            Side(town, stretch(town, ALONG_EAST, i, j + 1), forward=False),
            Side(town, stretch(town, ALONG_NORTH, i, j), forward=False),
        ]
        # Where a street ends at the river the ring has a gap, which a straight line closes.
        lines = [side.street.line if side.forward else side.street.line[::-1] for side in self.sides]
        self.ring = np.concatenate([line[:-1] for line in lines])
        taken = [shapely.LineString(side.street.line).buffer(side.street.half, quad_segs=2) for side in self.sides]
        for at in ((i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)):
            here = junction(town, *at)
            if here.kind == "roundabout":
                taken.append(shapely.Point(here.x, here.y).buffer(here.radius + here.pavement))
        self.free = shapely.difference(shapely.Polygon(self.ring).buffer(0), shapely.union_all(taken))
        self._land = shapely.buffer(self.free, 0.3)
        self.buildings: list[Building] = []
        self.trees: list[Tree] = []
        self.props: list[Prop] = []
        self.patches: list[Patch] = []
        self.features: list[Feature] = []

    @property
    def key(self) -> str:
        """Key of the plot."""
        return f"{self.i}.{self.j}"

    @property
    def next_key(self) -> str:
        """Key of the building that comes next."""
        return f"{self.i}.{self.j}.{len(self.buildings)}"

    def fits(self, footprint: Floats) -> bool:
        """Whether a building has room there: on free land, over no other."""
        shape = shapely.Polygon(footprint)
        if not shape.is_valid or not self._land.contains(shape):
            return False
        if not self.buildings:
            return True
        others = shapely.polygons([other.footprint for other in self.buildings])
        return float(np.max(shapely.area(shapely.intersection(others, shape)))) < 0.5

    def build_along(
        self, kind: str, widths: tuple[float, float], setback: tuple[float, float], gap: float, depth: float
    ) -> None:
        """Buildings side by side along all streets, as far as they fit.

        Args:
            kind: Kind of the block, for `buildings.design`.
            widths: Least and greatest width of a front.
            setback: Least and greatest distance of the fronts from the pavement.
            gap: Mean distance of neighbours.
            depth: Mean depth.
        """
        for number, side in enumerate(self.sides):
            if not side.built_up and gap > 0:
                continue
            back = float(self.g.uniform(*setback)) + (0.0 if side.built_up else 6.0)
            at = side.low + (depth if number % 2 and gap == 0 else 0.0)
            while at < side.high - widths[0]:
                width = min(float(self.g.uniform(*widths)), side.high - at)
                footprint = side.lot(at, at + width, back, depth * float(self.g.uniform(0.85, 1.1)))
                if self.fits(footprint):
                    self.buildings.append(
                        buildings.design(self.town, self.next_key, kind, self.dense, side.street, footprint)
                    )
                    at += width
                else:
                    at += 3.0
                at += gap * float(self.g.uniform(0.6, 1.6))

    def front_line(self, side: Side, kind: Literal["hedge", "fence"]) -> None:
        """A hedge or fence along a street, with gaps."""
        street = side.street
        offset = (street.half + 0.6) * (-1 if side.forward else 1)
        colour = pick(self.g, GREENS if kind == "hedge" else _FENCES)
        at = side.low + 2.0
        while at < side.high - 4.0:
            length = float(self.g.uniform(3.0, 5.0))
            if self.g.random() < 0.75:
                x, y = street.at(at + length / 2, offset)
                dx, dy = street.direction(at + length / 2)
                heading = (float(np.degrees(np.arctan2(dx, dy))) + 90.0) % 360.0
                self.props.append(Prop(kind, float(x), float(y), heading, colour, length=length))
            at += length

    def scatter(self, number: int, species: Sequence[Species], away: float) -> None:
        """Trees on free ground, so far away from buildings, paths and water."""
        taken = [shapely.Polygon(building.footprint) for building in self.buildings]
        taken += [shapely.Polygon(p) for patch in self.patches if patch.layer > 1 for p in patch.polygons if len(p) > 3]
        keep_off = shapely.buffer(shapely.union_all(taken), away)
        land = shapely.buffer(self.free, -1.8)
        spots = self.g.uniform(self.ring.min(axis=0), self.ring.max(axis=0), (number * 2, 2))
        inside = shapely.contains_xy(land, spots) & ~shapely.contains_xy(keep_off, spots)
        for x, y in spots[inside][:number].tolist():
            self.trees.append(buildings.tree(self.town, self.g, species, x, y))

    def inner(self, margin_m: float) -> Floats | None:
        """Outline of the free land, so far away from its rim; None where nothing is left."""
        return largest_ring(shapely.buffer(self.free, -margin_m))


def largest_ring(shape: shapely.Geometry) -> Floats | None:
    """Outline of the largest polygon in a shape, n x 2."""
    parts = [part for part in shapely.get_parts(shape) if isinstance(part, shapely.Polygon) and not part.is_empty]
    if not parts:
        return None
    return np.asarray(shapely.get_coordinates(max(parts, key=lambda part: part.area).exterior))
