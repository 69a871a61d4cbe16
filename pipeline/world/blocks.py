"""The land between four streets: rows of houses, gardens, a park, a square, a school."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import shapely

from pipeline.geo.point import Floats
from pipeline.world import buildings
from pipeline.world.chance import pick
from pipeline.world.names import SAINTS
from pipeline.world.plot import GREENS, Plot, largest_ring
from pipeline.world.things import Building, Colour, Feature, Patch, Prop, PropKind, Tree
from pipeline.world.town import Town

BlockKind = Literal["rows", "houses", "slabs", "park", "square", "school", "fuel", "retail"]

_YARDS: tuple[Colour, ...] = ((168, 160, 146), (150, 146, 138), (176, 164, 140), (132, 134, 112))
_PAVINGS: tuple[Colour, ...] = ((188, 176, 158), (172, 166, 160), (184, 160, 140))
_GRAVEL: Colour = (196, 182, 152)
_POND: Colour = (86, 118, 130)
_CANOPIES: tuple[tuple[Colour, str], ...] = (
    ((196, 40, 36), "red"),
    ((28, 92, 160), "blue"),
    ((30, 128, 76), "green"),
)


@dataclass(frozen=True, eq=False)
class Block:
    """The land between four streets and what stands on it."""

    kind: BlockKind
    buildings: tuple[Building, ...]
    trees: tuple[Tree, ...]
    props: tuple[Prop, ...]
    patches: tuple[Patch, ...]
    features: tuple[Feature, ...]


@lru_cache(maxsize=512)
def block(town: Town, i: int, j: int) -> Block:
    """The block whose first corner is junction (i, j)."""
    dense = density(town, i, j)
    kind = _kind(town, i, j, dense)
    plot = Plot(town, i, j, dense)
    paved = kind in ("rows", "square", "fuel", "retail")
    base = pick(plot.g, _YARDS if paved else GREENS)
    plot.patches.append(Patch(0, "paved ground" if paved else "grass", base, (plot.ring,)))
    _FILL[kind](plot)
    return Block(
        kind, tuple(plot.buildings), tuple(plot.trees), tuple(plot.props), tuple(plot.patches), tuple(plot.features)
    )


def density(town: Town, i: int, j: int) -> float:
    """How built-up the town is around a block, 0 (gardens) to 1 (high street); changes slowly from block to block."""
    a, s = divmod(i / 4.0, 1.0)
    b, t = divmod(j / 4.0, 1.0)
    corner = [[_lattice(town, int(a) + p, int(b) + q) for q in (0, 1)] for p in (0, 1)]
    west, east = (column[0] * (1 - t) + column[1] * t for column in corner)
    return west * (1 - s) + east * s


@lru_cache(maxsize=1024)
def _lattice(town: Town, a: int, b: int) -> float:
    return float(town.draws("density", a, b).random())


def _kind(town: Town, i: int, j: int, dense: float) -> BlockKind:
    u = town.draws("kind", i, j).random()
    special: tuple[tuple[float, BlockKind], ...] = (
        (0.07, "park"),
        (0.115, "square"),
        (0.14, "school"),
        (0.165, "fuel"),
        (0.19, "retail"),
    )
    for below, kind in special:
        if u < below and (kind != "square" or dense > 0.3):
            return kind
    if dense > 0.45:
        return "slabs" if dense < 0.52 and u > 0.6 else "rows"
    return "slabs" if dense > 0.40 and u > 0.6 else "houses"


def _rows(plot: Plot) -> None:
    plot.build_along("rows", (9.0, 19.0), (0.0, 0.0), 0.0, 11.5)
    yard = plot.inner(14.5)
    if yard is not None and plot.g.random() < 0.3 + 0.6 * plot.town.green:
        plot.patches.append(Patch(1, "grass", pick(plot.g, GREENS), (yard,)))
    plot.scatter(int(6 + 22 * plot.town.green), ("round", "slim", "broad", "bush"), away=3.0)


def _houses(plot: Plot) -> None:
    plot.build_along("houses", (8.0, 13.0), (3.5, 7.5), 5.0, 9.5)
    taste = plot.g.random()
    if taste < 0.75:
        for side in plot.sides:
            if side.built_up and side.street.kind != "footway":
                plot.front_line(side, "hedge" if taste < 0.4 * (1 + plot.town.green) else "fence")
    plot.scatter(int(12 + 30 * plot.town.green), ("round", "broad", "conifer", "bush"), away=2.0)


def _slabs(plot: Plot) -> None:
    plot.build_along("slabs", (22.0, 34.0), (7.0, 11.0), 9.0, 12.0)
    for side in plot.sides:
        if side.built_up and side.street.kind != "footway" and plot.g.random() < 0.35:
            plot.front_line(side, "hedge")
    plot.scatter(int(16 + 30 * plot.town.green), ("round", "slim", "bush"), away=3.5)


def _park(plot: Plot) -> None:
    g, words = plot.g, plot.town.language
    name = words.park.format(pick(g, words.roots))
    ring = plot.inner(0.5)
    if ring is None:
        return
    plot.features.append(Feature(f"park.{plot.key}", "green", "park", name, ring))
    plot.patches.append(Patch(1, "park", pick(g, GREENS), (ring,)))
    centre = plot.ring.mean(axis=0)
    for start in (0, 8):
        _path(plot, plot.ring[start], centre, plot.ring[(start + 16) % len(plot.ring)])
    if g.random() < 0.45:
        turn = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        waves = 1 + 0.18 * np.sin(2 * turn + g.uniform(0, 6)) + 0.1 * np.sin(3 * turn)
        shore = centre + g.uniform(9, 14) * waves[:, None] * np.stack([np.cos(turn) * 1.4, np.sin(turn)], axis=1)
        plot.patches.append(Patch(3, "pond", _POND, (shore,), thing=f"pond.{plot.key}"))
        plot.features.append(Feature(f"pond.{plot.key}", "water", "pond", None, shore))
    else:
        kind: PropKind = "statue" if g.random() < 0.5 else "fountain"
        plot.props.append(Prop(kind, float(centre[0]), float(centre[1]), 0.0))
    plot.scatter(int(40 + 50 * plot.town.green), ("round", "broad", "conifer", "slim", "bush"), away=2.5)


def _path(plot: Plot, a: Floats, middle: Floats, b: Floats) -> None:
    """A gravel path that bends, and benches along it."""
    t = np.linspace(0, 1, 13)[:, None]
    bend = middle + plot.g.uniform(-14, 14, 2)
    line = (1 - t) ** 2 * a + 2 * t * (1 - t) * bend + t**2 * b
    walk = shapely.intersection(shapely.LineString(line).buffer(1.3, quad_segs=2), shapely.buffer(plot.free, 1.0))
    outline = largest_ring(walk)
    if outline is None:
        return
    plot.patches.append(Patch(2, "path", _GRAVEL, (outline,)))
    for at in (4, 8):
        x, y = line[at] + plot.g.uniform(1.5, 2.0)
        heading = float(np.degrees(np.arctan2(*(line[at] - (x, y))))) % 360.0
        plot.props.append(Prop("bench", float(x), float(y), heading, buildings.WOOD))


def _square(plot: Plot) -> None:
    g, words = plot.g, plot.town.language
    ring = plot.inner(0.5)
    if ring is None:
        return
    name = words.square.format(pick(g, words.roots))
    plot.features.append(Feature(f"square.{plot.key}", "square", "square", name, ring))
    plot.patches.append(Patch(1, "square", pick(g, _PAVINGS), (ring,)))
    side = pick(g, plot.sides)
    middle = side.street.length / 2
    footprint = side.lot(middle - 7.0, middle + 7.0, 16.0, 30.0)
    if plot.fits(footprint):
        church = words.church.format(pick(g, SAINTS))
        plot.buildings.append(buildings.church(plot.town, plot.next_key, church, footprint))
    centre = plot.ring.mean(axis=0)
    x, y = centre + (centre - footprint.mean(axis=0)) * 0.8 + g.uniform(-3, 3, 2)
    kinds: tuple[PropKind, ...] = ("fountain", "statue", "kiosk")
    colours: tuple[Colour, ...] = ((150, 60, 50), (60, 96, 84), (130, 126, 118))
    plot.props.append(Prop(pick(g, kinds), float(x), float(y), 0.0, pick(g, colours)))
    for _ in range(6):
        bench = plot.ring.mean(axis=0) + g.uniform(-24, 24, 2)
        if shapely.contains_xy(plot.free, *bench) and float(np.hypot(*(bench - (x, y)))) > 4.0:
            plot.props.append(Prop("bench", float(bench[0]), float(bench[1]), float(g.uniform(0, 360)), buildings.WOOD))
    plot.scatter(22, ("round", "slim"), away=4.0)


def _school(plot: Plot) -> None:
    g, words = plot.g, plot.town.language
    side = pick(g, plot.sides)
    width = min(52.0, side.high - side.low - 8.0)
    start = (side.low + side.high - width) / 2
    footprint = side.lot(start, start + width, 12.0, 15.0)
    if width > 20 and plot.fits(footprint):
        name = words.school.format(pick(g, words.roots))
        plot.buildings.append(buildings.school(plot.town, plot.next_key, name, footprint))
    plot.scatter(int(16 + 16 * plot.town.green), ("round", "broad", "bush"), away=3.0)


def _fuel(plot: Plot) -> None:
    side = plot.sides[0]
    middle = (side.low + side.high) / 2
    canopy = side.lot(middle - 9, middle + 9, 5.0, 10.0)
    if side.built_up and plot.fits(canopy):
        x, y = canopy.mean(axis=0)
        front = canopy[1] - canopy[0]
        heading = float(np.degrees(np.arctan2(front[1], -front[0]))) % 360.0
        colour, word = pick(plot.g, _CANOPIES)
        text = plot.town.language.fuel
        plot.props.append(Prop("canopy", float(x), float(y), heading, colour, word, text, length=18.0))
        plot.features.append(Feature(f"fuel.{plot.key}", "poi", "fuel", None, canopy))
        hut = side.lot(middle - 6, middle + 6, 19.0, 7.0)
        if plot.fits(hut):
            plot.buildings.append(buildings.plain(plot.town, plot.next_key, "kiosk", "kiosk", hut))
    plot.scatter(8, ("round", "bush"), away=12.0)


def _retail(plot: Plot) -> None:
    g = plot.g
    side = plot.sides[int(g.random() * 2) * 2]
    footprint = side.lot(side.low + 8, side.high - 8, 24.0, 26.0)
    if side.high - side.low > 40 and plot.fits(footprint):
        plot.buildings.append(buildings.supermarket(plot.town, plot.next_key, footprint))
    _parking_area(plot, side.lot(side.low + 2, side.high - 2, 1.5, 20.0))
    plot.scatter(10, ("round", "bush"), away=2.0)


def _parking_area(plot: Plot, lot: Floats) -> None:
    """Asphalt, the lines of two rows of bays, and some cars in them."""
    g = plot.g
    plot.patches.append(Patch(1, "parking area", (92, 93, 96), (lot,)))
    width = float(np.hypot(*(lot[1] - lot[0])))
    along = (lot[1] - lot[0]) / width
    inward = np.array([-along[1], along[0]])
    heading = float(np.degrees(np.arctan2(*inward))) % 360.0
    lines = []
    for n in range(int(width / 2.6)):
        corner = lot[0] + along * (n * 2.6 + 1)
        for row, (near, far) in enumerate(((0.5, 5.5), (14.0, 19.0))):
            ends = np.array([corner + inward * near, corner + inward * far])
            lines.append(np.concatenate([ends, ends[::-1] + along * 0.12]))
            if g.random() < 0.45:
                x, y = ends.mean(axis=0) + along * 1.3
                colour, word = pick(g, buildings.CAR_COLOURS)
                plot.props.append(Prop("car", float(x), float(y), (heading + 180.0 * row) % 360.0, colour, word))
    plot.patches.append(Patch(2, "", (214, 214, 210), tuple(lines)))


_FILL: dict[BlockKind, Callable[[Plot], None]] = {
    "rows": _rows,
    "houses": _houses,
    "slabs": _slabs,
    "park": _park,
    "square": _square,
    "school": _school,
    "fuel": _fuel,
    "retail": _retail,
}
