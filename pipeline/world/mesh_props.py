"""Cars, lamps, benches, bus stops and other small things."""

from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from pipeline.world.mesh import (
    Board,
    Corner,
    MeshBuilder,
    Spot,
    Thing,
    Wall,
    ahead_of,
    box,
    shaded,
    wall_between,
)
from pipeline.world.sprites import person, tree
from pipeline.world.things import Colour, Prop, Tree

_WHITE: Colour = (246, 246, 244)
_METAL: Colour = (84, 88, 92)
_GLASS: Colour = (44, 52, 60)
_TYRE: Colour = (26, 26, 28)
PASSING = frozenset({"car", "van", "bus", "person"})
_LABELS = {"parapet": "bridge", "canopy": "roof"}


def add_tree(builder: MeshBuilder, grown: Tree) -> None:
    """A tree or bush."""
    label = "shrub" if grown.species == "bush" else "tree"
    builder.start(Thing(f"tree.{grown.x:.2f}.{grown.y:.2f}", label, None, True, grown.x, grown.y))
    draw = partial(tree, grown.species, grown.look)
    builder.boards.append(Board(grown.x, grown.y, grown.width, grown.height, draw, builder.current))


def add_prop(builder: MeshBuilder, prop: Prop) -> None:
    """Any other small thing."""
    key = f"{prop.kind}.{prop.x:.2f}.{prop.y:.2f}"
    label = _LABELS.get(prop.kind, prop.kind)
    builder.start(Thing(key, label, prop.word, prop.kind not in PASSING, prop.x, prop.y))
    shapes = {
        "car": _car, "van": _van, "bus": _bus, "person": _person, "lamp": _lamp, "bench": _bench, "bus stop": _bus_stop,
        "traffic light": _traffic_light, "sign": _name_plate, "hedge": _hedge, "fence": _fence, "statue": _statue,
        "fountain": _fountain, "canopy": _canopy, "parapet": _parapet, "kiosk": _kiosk,
    }  # fmt: skip
    shapes[prop.kind](builder, prop)


def _offset(prop: Prop, ahead: float, right: float) -> Spot:
    sin, cos = ahead_of(prop.heading)
    return prop.x + ahead * sin + right * cos, prop.y + ahead * cos - right * sin


def _block(
    builder: MeshBuilder,
    prop: Prop,
    ahead: float,
    right: float,
    length: float,
    width: float,
    low: float,
    high: float,
    colour: ArrayLike,
) -> None:
    """A block of the prop, placed relative to its middle and heading."""
    x, y = _offset(prop, ahead, right)
    builder.add(box(x, y, prop.heading, length, width, low, high), colour, (prop.x, prop.y))


def _pole(builder: MeshBuilder, prop: Prop, ahead: float, right: float, height: float, width: float = 0.12) -> None:
    _block(builder, prop, ahead, right, width, width, 0.0, height, _METAL)


def _side(prop: Prop, ahead: float, right: float, length: float, facing: float) -> Wall:
    """A vertical plane of some length through a point of the prop; its front looks `facing` degrees off the heading."""
    x, y = _offset(prop, ahead, right)
    sin, cos = ahead_of(prop.heading + facing)
    dx, dy = -cos * length / 2, sin * length / 2
    return wall_between((x - dx, y - dy), (x + dx, y + dy))


def _write(
    builder: MeshBuilder,
    prop: Prop,
    wall: Wall,
    low: float,
    height: float,
    letters: Colour,
    board: Colour,
    *,
    lasting: bool = True,
    out: float = 0.03,
) -> None:
    assert prop.text is not None
    spot = (prop.x, prop.y)
    builder.write(
        prop.text, (letters, board), wall, wall.length / 2, low, height, wall.length, out, spot, lasting=lasting
    )


def _wheels(builder: MeshBuilder, prop: Prop, spots: tuple[float, float], half_width: float, radius: float) -> None:
    r = radius
    for side in (-1, 1):
        for at in spots:
            wall = _side(prop, at, side * half_width, 2 * radius, 90.0 * side)
            tyre = [
                wall.rect(inset, 2 * r - inset, 0.29 * r - inset, 2 * r - 0.29 * r + inset, 0.01)
                for inset in (0.0, 0.29 * r)
            ]
            builder.add(tyre, _TYRE, (prop.x, prop.y))
            hub = wall.rect(r * 0.65, r * 1.35, r * 0.65, r * 1.35, 0.02)
            builder.add([hub], (150, 152, 156), (prop.x, prop.y), fine=True)


def _lights(builder: MeshBuilder, prop: Prop, length: float, width: float, height: float) -> None:
    for ahead, facing, colour in ((length / 2, 0.0, (236, 232, 210)), (-length / 2, 180.0, (176, 28, 26))):
        wall = _side(prop, ahead, 0.0, width, facing)
        for x in (0.1, width - 0.45):
            builder.add([wall.rect(x, x + 0.35, height, height + 0.16, 0.01)], colour, (prop.x, prop.y), fine=True)
        plate = wall.rect(width / 2 - 0.26, width / 2 + 0.26, height - 0.25, height - 0.12, 0.01)
        builder.add([plate], (228, 228, 222), (prop.x, prop.y), fine=True)


def _car(builder: MeshBuilder, prop: Prop) -> None:
    _block(builder, prop, 0.0, 0.0, 4.3, 1.76, 0.26, 0.92, prop.colour)
    _wheels(builder, prop, (-1.3, 1.35), 0.88, 0.32)
    _lights(builder, prop, 4.3, 1.76, 0.62)
    x, y = _offset(prop, -0.2, 0.0)

    def lean(corner: Corner) -> Corner:
        """Draws an upper corner of the windows in."""
        return x + (corner[0] - x) * 0.74, y + (corner[1] - y) * 0.74, corner[2]

    sides = box(x, y, prop.heading, 2.6, 1.62, 0.92, 1.46)[:4]
    glass = [(lean(a), lean(b), c, d) for a, b, c, d in sides]
    builder.add(glass, _GLASS, (prop.x, prop.y))
    roof = (glass[0][1], glass[0][0], glass[2][1], glass[2][0])
    builder.add([roof], shaded(prop.colour, 1.08), (prop.x, prop.y))


def _van(builder: MeshBuilder, prop: Prop) -> None:
    _block(builder, prop, 0.0, 0.0, 5.2, 1.95, 0.32, 2.25, prop.colour)
    _wheels(builder, prop, (-1.6, 1.6), 0.98, 0.36)
    _lights(builder, prop, 5.2, 1.95, 0.75)
    wall = _side(prop, 2.6, 0.0, 1.7, 0.0)
    builder.add([wall.rect(0.0, 1.7, 1.25, 2.05, 0.01)], _GLASS, (prop.x, prop.y))
    for side in (-1, 1):
        window = _side(prop, 1.75, side * 0.98, 1.0, 90.0 * side)
        builder.add([window.rect(0.0, 1.0, 1.3, 1.95, 0.01)], _GLASS, (prop.x, prop.y))
    if prop.text:
        ink = (24, 28, 36) if sum(prop.colour) > 330 else _WHITE
        for side in (-1, 1):
            _write(
                builder,
                prop,
                _side(prop, -0.75, side * 0.98, 3.3, 90.0 * side),
                1.05,
                0.75,
                ink,
                prop.colour,
                lasting=False,
            )


def _bus(builder: MeshBuilder, prop: Prop) -> None:
    _block(builder, prop, 0.0, 0.0, 11.0, 2.5, 0.35, 3.0, prop.colour)
    _wheels(builder, prop, (-3.2, 3.4), 1.26, 0.48)
    _lights(builder, prop, 11.0, 2.5, 0.8)
    for side in (-1, 1):
        wall = _side(prop, 0.0, side * 1.25, 10.4, 90.0 * side)
        left = np.arange(7.0) * 1.49
        builder.add(wall.rects(left, left + 1.38, 1.35, 2.55, 0.01), _GLASS, (prop.x, prop.y))
    for ahead, facing in ((5.5, 0.0), (-5.5, 180.0)):
        wall = _side(prop, ahead, 0.0, 2.3, facing)
        builder.add([wall.rect(0.0, 2.3, 1.2, 2.6, 0.01)], _GLASS, (prop.x, prop.y))


def _person(builder: MeshBuilder, prop: Prop) -> None:
    look = int(abs(prop.x * 7 + prop.y * 13)) % 8
    draw = partial(person, prop.colour, look)
    builder.boards.append(Board(prop.x, prop.y, 0.7, 1.6 + 0.03 * look, draw, builder.current))


def _lamp(builder: MeshBuilder, prop: Prop) -> None:
    _pole(builder, prop, 0.0, 0.0, 6.2)
    _block(builder, prop, 0.55, 0.0, 1.1, 0.08, 6.1, 6.2, _METAL)
    _block(builder, prop, 1.2, 0.0, 0.6, 0.28, 6.0, 6.14, (210, 210, 200))


def _bench(builder: MeshBuilder, prop: Prop) -> None:
    for side in (-0.7, 0.7):
        _block(builder, prop, 0.0, side, 0.4, 0.08, 0.0, 0.42, _METAL)
    _block(builder, prop, 0.0, 0.0, 0.45, 1.7, 0.42, 0.5, prop.colour)
    _block(builder, prop, -0.24, 0.0, 0.06, 1.7, 0.55, 0.9, prop.colour)


def _bus_stop(builder: MeshBuilder, prop: Prop) -> None:
    back = _side(prop, -0.6, 0.0, 3.6, 0.0)
    builder.add([back.rect(0.0, 3.6, 0.1, 2.3)], (150, 172, 180), (prop.x, prop.y), both=True)
    for side in (-1.78, 1.78):
        _block(builder, prop, -0.6, side, 0.08, 0.08, 0.0, 2.4, _METAL)
        _block(builder, prop, 0.6, side, 0.08, 0.08, 0.0, 2.4, _METAL)
    _block(builder, prop, -0.3, 0.0, 0.4, 2.4, 0.42, 0.5, (120, 90, 60))
    _block(builder, prop, 0.0, 0.0, 1.5, 3.8, 2.4, 2.5, (70, 74, 80))
    _write(builder, prop, _side(prop, 0.75, 0.0, 3.4, 0.0), 2.32, 0.5, _WHITE, prop.colour)


def _traffic_light(builder: MeshBuilder, prop: Prop) -> None:
    _pole(builder, prop, 0.0, 0.0, 2.5)
    _block(builder, prop, 0.0, 0.0, 0.28, 0.34, 2.4, 3.4, (30, 32, 32))
    wall = _side(prop, 0.14, 0.0, 0.34, 0.0)
    for z, colour in ((3.12, (210, 40, 36)), (2.8, (92, 74, 30)), (2.48, (24, 72, 44))):
        builder.add([wall.rect(0.07, 0.27, z, z + 0.2, 0.01)], colour, (prop.x, prop.y))


def _name_plate(builder: MeshBuilder, prop: Prop) -> None:
    _pole(builder, prop, 0.0, 0.0, 3.2, 0.09)
    for facing in (0.0, 180.0):
        _write(builder, prop, _side(prop, 0.0, 0.0, 2.4, facing), 2.75, 0.42, _WHITE, prop.colour, out=0.06)


def _hedge(builder: MeshBuilder, prop: Prop) -> None:
    height = 1.15 + 0.05 * (int(abs(prop.x)) % 6)
    _block(builder, prop, 0.0, 0.0, 0.8, prop.length, 0.0, height, shaded(prop.colour, 0.7))


def _fence(builder: MeshBuilder, prop: Prop) -> None:
    wall = _side(prop, 0.0, 0.0, prop.length, 0.0)
    for z in (0.25, 0.75):
        builder.add([wall.rect(0.0, prop.length, z, z + 0.1)], shaded(prop.colour, 0.85), (prop.x, prop.y), both=True)
    left = np.arange(0.0, prop.length, 0.22)
    builder.add(wall.rects(left, left + 0.12, 0.05, 1.0), prop.colour, (prop.x, prop.y), both=True)


def _parapet(builder: MeshBuilder, prop: Prop) -> None:
    _block(builder, prop, 0.0, 0.0, 0.3, prop.length, 0.0, 1.0, prop.colour)
    _block(builder, prop, 0.0, 0.0, 0.42, prop.length, 1.0, 1.1, shaded(prop.colour, 1.1))


def _statue(builder: MeshBuilder, prop: Prop) -> None:
    _block(builder, prop, 0.0, 0.0, 1.8, 1.8, 0.0, 0.5, (150, 146, 138))
    _block(builder, prop, 0.0, 0.0, 1.1, 1.1, 0.5, 2.0, (166, 162, 152))
    draw = partial(person, (70, 84, 72), 3)
    builder.boards.append(Board(prop.x, prop.y, 1.1, 2.8, draw, builder.current, 2.0))


def _fountain(builder: MeshBuilder, prop: Prop) -> None:
    for turn in (0.0, 45.0):
        rim = box(prop.x, prop.y, turn, 4.4, 4.4, 0.0, 0.55)
        builder.add(rim[:4], (170, 164, 152), (prop.x, prop.y))
    builder.add(rim[4:], (120, 160, 176), (prop.x, prop.y))
    _block(builder, prop, 0.0, 0.0, 0.6, 0.6, 0.5, 1.7, (160, 154, 144))
    _block(builder, prop, 0.0, 0.0, 1.8, 1.8, 1.6, 1.8, (172, 166, 156))


def _canopy(builder: MeshBuilder, prop: Prop) -> None:
    for side in (-6.0, 6.0):
        _block(builder, prop, 0.0, side, 0.4, 0.4, 0.0, 4.6, _WHITE)
        _block(builder, prop, 0.0, side * 0.6, 0.6, 1.0, 0.1, 1.7, prop.colour)
    _block(builder, prop, 0.0, 0.0, 10.0, prop.length, 4.6, 5.5, prop.colour)
    for ahead, facing in ((5.0, 0.0), (-5.0, 180.0)):
        _write(builder, prop, _side(prop, ahead, 0.0, prop.length, facing), 4.62, 0.86, _WHITE, prop.colour)


def _kiosk(builder: MeshBuilder, prop: Prop) -> None:
    _block(builder, prop, 0.0, 0.0, 3.0, 3.0, 0.0, 2.6, prop.colour)
    for facing in (0.0, 90.0, 180.0, 270.0):
        h = np.radians(facing)
        wall = _side(prop, 1.5 * float(np.cos(h)), 1.5 * float(np.sin(h)), 2.4, facing)
        builder.add([wall.rect(0.3, 2.1, 1.0, 2.1, 0.02)], _GLASS, (prop.x, prop.y))
    _block(builder, prop, 0.0, 0.0, 4.0, 4.0, 2.6, 2.85, shaded(prop.colour, 0.6))
