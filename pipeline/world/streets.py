"""The street network: stretches between the junctions of the grid, and what the junctions are.

A line of the grid is a street, a main road, a river or a railway. A river takes the place of a street; streets that it
cuts end there, main roads and some others cross it on a bridge.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np

from pipeline.geo.point import Floats
from pipeline.world.chance import pick
from pipeline.world.town import Town, node

StretchKind = Literal["primary", "secondary", "residential", "living_street", "footway", "river", "rail"]
JunctionKind = Literal["roundabout", "signals", "crossroads", "t_junction", "none"]

ALONG_EAST, ALONG_NORTH = 0, 1
"""The two families of stretches: from junction (i, j) to (i + 1, j), and from (i, j) to (i, j + 1)."""
ROADS = frozenset({"primary", "secondary", "residential", "living_street"})
ROUNDABOUT_M = 16.0
"""Outer radius of a roundabout's carriageway."""
_RIVER_GAP_M = 27.0  # a street that has no bridge ends so far from the river's middle line
_STREET_RUN = 5  # so many stretches of a line bear one name


@dataclass(frozen=True, eq=False)
class Stretch:
    """A piece of street, river or railway between two junctions."""

    family: int
    i: int
    j: int
    kind: StretchKind
    street_id: str
    name: str | None
    lanes: int
    width: float
    """Width of the carriageway, the water or the ballast."""
    pavement: float
    """Width of the pavement on each side."""
    tram: bool
    bridge: bool
    """Whether it crosses the river at one of its ends."""
    shade: float
    """-1 to 1: how dark or light its surface is."""
    line: Floats
    """Middle line, n x 2."""

    @property
    def half(self) -> float:
        """From the middle line to the outer edge of the pavement."""
        return self.width / 2 + self.pavement

    @property
    def parking(self) -> bool:
        """Whether cars are parked along its kerbs."""
        if self.kind == "residential":
            return self.width > 7.2
        return self.kind == "secondary" and self.width > 3.3 * self.lanes + 1

    @property
    def lane_m(self) -> float:
        """From the middle line to the middle of the outer driving lane."""
        if self.lanes < 2:
            return 0.0
        return max(self.width / 2 - (2.1 if self.parking else 0.0) - 1.75, 0.0)

    @cached_property
    def stations(self) -> Floats:
        """Distance along the middle line of each of its points."""
        return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(self.line, axis=0).T))])

    @cached_property
    def length(self) -> float:
        """Length of the middle line."""
        return float(self.stations[-1])

    def at(self, along: Floats | float, aside: Floats | float = 0.0) -> Floats:
        """Positions so far along the middle line and so far to its right; ... x 2."""
        along = np.minimum(np.maximum(along, 0.0), self.length)
        (line_x, line_y), (dx, dy) = self._columns[:2], self._direction(along)
        found = np.empty((*np.broadcast(along, aside).shape, 2))
        found[..., 0] = np.interp(along, self.stations, line_x) + dy * aside
        found[..., 1] = np.interp(along, self.stations, line_y) - dx * aside
        return found

    def direction(self, along: Floats | float) -> Floats:
        """Unit vectors along the middle line; ... x 2."""
        found = np.empty((*np.shape(along), 2))
        found[..., 0], found[..., 1] = self._direction(along)
        return found

    def _direction(self, along: Floats | float) -> tuple[Floats, Floats]:
        x, y = (np.interp(along, self.stations, column) for column in self._columns[2:])
        norm = np.hypot(x, y)
        return x / norm, y / norm

    @cached_property
    def _columns(self) -> Floats:
        """East and north of the middle line's points, then of its tangents there; 4 x n."""
        return np.concatenate([self.line.T, np.gradient(self.line, self.stations, axis=0).T])

    def ribbon(self, left: float, right: float, start: float = 0.0, end: float | None = None) -> Floats:
        """Polygon between two offsets from the middle line (positive to the right), between two distances along it."""
        end = self.length if end is None else end
        inner = self.stations[(self.stations > start + 0.1) & (self.stations < end - 0.1)]
        along = np.concatenate([[start], inner, [end]])
        return self.at(np.concatenate([along, along[::-1]]), np.repeat([left, right], len(along)))


@lru_cache(maxsize=4096)
def _line_kind(town: Town, family: int, line: int) -> StretchKind:
    every, first = town.river
    if family == ALONG_NORTH and (line - first) % every == 0:
        return "river"
    every, first = town.rail
    if family == ALONG_EAST and (line - first) % every == 0:
        return "rail"
    every, first = town.main[family]
    if (line - first) % every == 0:
        return "primary" if town.draws("line", family, line).random() < 0.5 else "secondary"
    return "residential"


@lru_cache(maxsize=4096)
def stretch(town: Town, family: int, i: int, j: int) -> Stretch:
    """The stretch of a family that starts at junction (i, j)."""
    line, run = (j, i // _STREET_RUN) if family == ALONG_EAST else (i, j // _STREET_RUN)
    kind = _line_kind(town, family, line)
    u = town.draws("stretch", family, i, j).random(8)
    street_id = f"{family}.{line}.{run}"
    g = town.draws("street", family, line, run)
    street_style = g.random(6)
    if kind == "residential":
        kind = "footway" if u[0] < 0.06 else "living_street" if street_style[0] < 0.15 else kind
    tram = kind == "primary" and bool(town.draws("line", family, line).random(2)[1] < 0.55)
    lanes, width, pavement = _section(kind, street_style, tram)
    a, b = np.array(node(town, i, j)), np.array(node(town, i + (family == 0), j + (family == 1)))
    curve = _curve(a, b, (u[1] - 0.5) * (4.0 if kind in ("primary", "secondary", "rail") else 16.0))
    bridge = False
    if family == ALONG_EAST and kind != "rail":
        curve, bridge = _at_river(town, i, j, kind, curve)
    return Stretch(
        family=family,
        i=i,
        j=j,
        kind=kind,
        street_id=street_id,
        name=_name(town, kind, family, line, run),
        lanes=lanes,
        width=width,
        pavement=pavement,
        tram=tram,
        bridge=bridge,
        shade=float(street_style[4] * 2 - 1),
        line=curve,
    )


def _section(kind: StretchKind, style: Floats, tram: bool) -> tuple[int, float, float]:
    """Lanes, width of the carriageway and of each pavement."""
    main, side = 3 if style[2] < 0.4 else 2, 1 if style[2] < 0.2 else 2
    sections: dict[StretchKind, tuple[int, float, float]] = {
        "primary": (4, 13.6 + 3.0 * tram, 3.5 + 1.5 * style[1]),
        "secondary": (main, 3.3 * main + 2.0 * (style[3] < 0.6), 2.6 + 1.6 * style[1]),
        "residential": (side, 5.2 + 1.8 * side * style[3], 1.8 + 1.6 * style[1]),
        "living_street": (1, 4.6, 1.2),
        "footway": (0, 3.0, 0.0),
        "river": (0, 26.0, 0.0),
        "rail": (0, 8.5, 0.0),
    }
    return sections[kind]


def _curve(a: Floats, b: Floats, bulge_m: float) -> Floats:
    t = np.linspace(0.0, 1.0, 9)[:, None]
    along = b - a
    aside = np.array([along[1], -along[0]]) / np.hypot(*along)
    return np.asarray(a + t * along + aside * bulge_m * 4 * t * (1 - t))


def _at_river(town: Town, i: int, j: int, kind: StretchKind, curve: Floats) -> tuple[Floats, bool]:
    """The middle line, cut back where it ends at the river; and whether it has a bridge instead."""
    ends = [_line_kind(town, ALONG_NORTH, i + step) == "river" for step in (0, 1)]
    if not any(ends):
        return curve, False
    river = i if ends[0] else i + 1
    if kind in ("primary", "secondary") or town.draws("bridge", river, j).random() < 0.35:
        return curve, True
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
    start, end = (_RIVER_GAP_M if ends[0] else 0.0), length[-1] - (_RIVER_GAP_M if ends[1] else 0.0)
    along = np.linspace(start, end, len(curve))
    return np.stack([np.interp(along, length, curve[:, k]) for k in (0, 1)], axis=-1), False


def _name(town: Town, kind: StretchKind, family: int, line: int, run: int) -> str | None:
    if kind in ("rail", "footway"):
        return None
    words = town.language
    if kind == "river":
        return words.river.format(pick(town.draws("river", line), words.roots))
    g = town.draws("name", family, line, run)
    return pick(g, words.streets).format(pick(g, words.roots))


@dataclass(frozen=True, eq=False)
class Junction:
    """Where lines of the grid meet."""

    x: float
    y: float
    kind: JunctionKind
    radius: float
    """Half the width of the widest carriageway; outer radius of a roundabout."""
    pavement: float
    arms: int


@lru_cache(maxsize=4096)
def junction(town: Town, i: int, j: int) -> Junction:
    """The junction (i, j)."""
    x, y = node(town, i, j)
    meeting = [arm for arm, _ in arms(town, i, j)]
    roads = [arm for arm in meeting if arm.kind in ROADS]
    mains = {arm.family for arm in roads if arm.kind in ("primary", "secondary")}
    chance = town.draws("junction", i, j).random()
    radius = max((arm.width / 2 for arm in roads), default=0.0)
    pavement = max((arm.pavement for arm in roads), default=0.0)
    kind: JunctionKind
    if len({arm.family for arm in roads}) < 2:
        kind = "none"
    elif len(roads) < 4:
        kind = "t_junction"
    elif any(arm.tram for arm in roads):
        kind = "signals"
    elif (mains and chance < 0.3) or chance < 0.04:
        kind, radius, pavement = "roundabout", max(ROUNDABOUT_M, radius + 5.0), 2.5
    else:
        kind = "signals" if len(mains) == 2 or (mains and chance > 0.75) else "crossroads"
    return Junction(x, y, kind, float(radius), float(pavement), len(roads))


def arms(town: Town, i: int, j: int) -> list[tuple[Stretch, bool]]:
    """Stretches that reach junction (i, j), and whether they start there."""
    found = [
        (stretch(town, ALONG_EAST, i, j), True),
        (stretch(town, ALONG_NORTH, i, j), True),
        (stretch(town, ALONG_EAST, i - 1, j), False),
        (stretch(town, ALONG_NORTH, i, j - 1), False),
    ]
    here = np.array(node(town, i, j))
    return [(arm, start) for arm, start in found if np.hypot(*(arm.line[0 if start else -1] - here)) < 1.0]


def end_of(road: Stretch, *, start: bool) -> tuple[int, int]:
    """The junction that a stretch starts or ends at."""
    return road.i + (road.family == ALONG_EAST and not start), road.j + (road.family == ALONG_NORTH and not start)


def clearance(town: Town, arm: Stretch, *, start: bool) -> float:
    """How far along a stretch, from one of its ends, the street or river that crosses there reaches."""
    at = end_of(arm, start=start)
    if np.hypot(*(arm.line[0 if start else -1] - node(town, *at))) > 1.0:
        return 0.0
    crossing = [other.width / 2 for other, _ in arms(town, *at) if other.family != arm.family]
    here = junction(town, *at)
    return max([here.radius if here.kind == "roundabout" else 0.0, *crossing])
