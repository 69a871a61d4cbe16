"""Walls, windows, shop fronts and roofs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pipeline.geo.point import Floats
from pipeline.world.chance import draws, pick
from pipeline.world.mesh import MeshBuilder, Spot, Thing, Wall, shaded, wall_between
from pipeline.world.things import Building, Colour, Shop

_PANES = np.array([(52, 62, 74), (66, 78, 92), (40, 46, 56), (92, 104, 114), (150, 148, 138)], float)
_GLASS: tuple[Colour, ...] = ((60, 70, 78), (84, 88, 84), (120, 108, 82), (46, 52, 60))
_DOORS: tuple[Colour, ...] = ((92, 58, 42), (52, 72, 62), (60, 64, 82), (120, 40, 36), (74, 68, 62))
_COUNT_WORDS = {2: "two-storey", 3: "three-storey", 4: "four-storey", 5: "five-storey"}


def add_building(builder: MeshBuilder, building: Building) -> None:
    """A building with all that is on it."""
    g = draws("facade", building.key, *np.rint(building.footprint[0] * 100).astype(int))
    middle = building.footprint.mean(axis=0)
    count = _COUNT_WORDS.get(building.storeys)
    word = count if count and not building.name and g.random() < 0.4 else building.wall_word
    builder.start(Thing(building.key, building.label, word, True, float(middle[0]), float(middle[1])))
    a, b, c, d = building.footprint.tolist()
    for wall, front in (
        (wall_between(a, b), True),
        (wall_between(b, c), False),
        (wall_between(c, d), False),
        (wall_between(d, a), False),
    ):
        _facade(builder, building, wall, g, front=front)
    _roof(builder, building)
    if building.tower_m:
        _tower(builder, building)


@dataclass(frozen=True, eq=False)
class _Bays:
    """A wall in strips of equal width, one column of windows each."""

    wall: Wall
    width: float
    left: Floats
    """Where each strip begins, n."""
    shop: list[int]
    """Which shop each strip belongs to, n; only of use on a front with shops."""
    groups: Floats
    """n x 2. A shop front is one group, so that nothing comes between its sign and its wall."""


def _bays(building: Building, wall: Wall, *, front: bool) -> _Bays:
    count = building.bays if front else max(1, round(wall.length / building.bay_m))
    width = wall.length / count
    left = np.arange(float(count)) * width
    shop = [min(n // 2, max(count // 2 - 1, 0)) for n in range(count)]
    groups = np.array(wall.a) + np.array(wall.along) * (left + width / 2)[:, None]
    if front and any(building.shops):
        groups = np.array([groups[np.equal(shop, number)].mean(axis=0) for number in shop])
    return _Bays(wall, width, left, shop, groups)


def _facade(builder: MeshBuilder, building: Building, wall: Wall, g: np.random.Generator, *, front: bool) -> None:
    bays = _bays(building, wall, front=front)
    _bands(builder, building, bays)
    shops = building.shops if front else ()
    taken = [n < len(shops) and shops[n] is not None for n in bays.shop]
    door = int(g.random() * len(taken)) if front else -1
    _windows(builder, building, bays, g, [n != door and not shop for n, shop in enumerate(taken)])
    if front and not taken[door] and building.label != "church":
        spot = float(bays.left[door]) + bays.width / 2
        builder.add([wall.rect(spot - 0.65, spot + 0.65, 0.0, 2.45, 0.04)], building.trim, bays.groups[door])
        builder.add([wall.rect(spot - 0.52, spot + 0.52, 0.0, 2.3, 0.05)], pick(g, _DOORS), bays.groups[door])
    for number, shop in enumerate(shops):
        if shop is not None:
            x, y = bays.groups[bays.shop.index(number)].tolist()
            _shop_front(builder, shop, wall, building.shop_span(number), (x, y), building.ground_m, g)


def _bands(builder: MeshBuilder, building: Building, bays: _Bays) -> None:
    """The wall itself, its foot and its upper edge."""
    top = building.height
    bands: list[tuple[float, float, float, ArrayLike]] = [
        (0.0, top, 0.0, building.wall),
        (0.0, 0.5, 0.03, shaded(building.wall, 0.72)),
        (top - 0.3, top, 0.1, shaded(building.wall, 1.1)),
    ]
    if building.brick:  # light bands between storeys, where a plain brick wall would look like paint
        for level in range(building.storeys):
            z = building.ground_m + level * building.storey_m - 0.12
            bands.append((z, z + 0.16, 0.05, (196, 184, 164)))
    low, high, out = np.array([band[:3] for band in bands]).T[..., None]
    faces = bays.wall.rects(bays.left, bays.left + bays.width, low, high, out)
    for number, (strips, band) in enumerate(zip(faces, bands, strict=True)):
        builder.add(strips, band[3], bays.groups, fine=number > 0)


def _windows(builder: MeshBuilder, building: Building, bays: _Bays, g: np.random.Generator, ground: list[bool]) -> None:
    """Windows of all storeys; on the ground floor, of those bays that may have one there."""
    shown = np.array(ground + [True] * (len(ground) * (building.storeys - 1)))  # storey by storey
    count = int(np.count_nonzero(shown))
    if not count:
        return
    edges = [_window_edges(building, level) for level in range(building.storeys)]
    low, high = np.array(edges).T
    across = building.window[0] * bays.width
    left = bays.left + (bays.width - across) / 2
    right, middle = left + across, left + across / 2
    # Frames, panes, bars and sills, each for all storeys and bays.
    faces = bays.wall.rects(
        np.array([left - 0.1, left, middle - 0.04, left - 0.16])[:, None],
        np.array([right + 0.1, right, middle + 0.04, right + 0.16])[:, None],
        np.array([low - 0.1, low, low, low - 0.2])[..., None],
        np.array([high + 0.1, high, high, low - 0.08])[..., None],
        np.array([0.04, 0.05, 0.06, 0.12])[:, None, None],
    )
    frames, panes, bars, sills = faces.reshape(4, -1, 4, 3)[:, shown]
    groups = np.tile(bays.groups, (building.storeys, 1))[shown]
    builder.add(frames, building.trim, groups, fine=True)
    builder.add(panes, _PANES[(g.random(count) ** 1.6 * len(_PANES)).astype(int)], groups)
    builder.add(bars, building.trim, groups, fine=True)
    builder.add(sills, shaded(building.trim, 0.8), groups, fine=True)


def _window_edges(building: Building, level: int) -> tuple[float, float]:
    """Heights between which the windows of a storey lie."""
    storey = building.storey_m if level else building.ground_m
    floor = building.ground_m + (level - 1) * building.storey_m if level else 0.0
    tall = building.window[1] * min(storey, 3.2)
    if building.label == "church":
        tall = building.ground_m * 0.6
    low = min(floor + max((storey - tall) * 0.55, 0.5), floor + storey - tall - 0.25)
    return low, low + tall


def _shop_front(
    builder: MeshBuilder,
    shop: Shop,
    wall: Wall,
    span: tuple[float, float],
    group: Spot,
    ground_m: float,
    g: np.random.Generator,
) -> None:
    left, right = span[0] + 0.2, span[1] - 0.2
    low, height = ground_m * 0.74, ground_m * 0.2
    builder.add([wall.rect(left, right, 0.0, low + height + 0.1, 0.05)], shaded(shop.board, 0.55), group)
    door = right - 1.3 if g.random() < 0.5 else left + 0.2
    glass = (left + 0.2, right - 1.5) if door > left + 1 else (left + 1.5, right - 0.2)
    builder.add([wall.rect(*glass, 0.5, low - 0.25, 0.08)], pick(g, _GLASS), group)
    for _ in range(4):  # goods on display
        x = float(g.uniform(glass[0] + 0.2, max(glass[1] - 0.7, glass[0] + 0.3)))
        z = float(g.uniform(0.6, 1.2))
        goods = wall.rect(x, x + 0.5, z, z + float(g.uniform(0.3, 0.7)), 0.09)
        builder.add([goods], g.uniform(90, 230, 3), group, fine=True)
    builder.add([wall.rect(door, door + 1.1, 0.05, low - 0.25, 0.08)], pick(g, _GLASS), group)
    builder.add([wall.rect(door, door + 0.1, 0.05, low - 0.25, 0.09)], shop.letters, group, fine=True)
    builder.add([wall.rect(left, right, low, low + height, 0.14)], shop.board, group)
    colours = (shop.letters, shop.board)
    builder.write(shop.name, colours, wall, (left + right) / 2, low, height, right - left - 0.1, 0.16, group)
    if shop.awning:
        a, b, c, d = wall.rect(left, right, low - 0.75, low - 0.05, 0.1)
        x, y = wall.out[0] * 1.1, wall.out[1] * 1.1
        builder.add([(a, b, (c[0] + x, c[1] + y, c[2]), (d[0] + x, d[1] + y, d[2]))], shop.awning, group, both=True)
    if shop.blade:
        _blade(builder, shop, wall, span[0] + 0.05, low + 0.1)


def _blade(builder: MeshBuilder, shop: Shop, wall: Wall, x: float, low: float) -> None:
    """A sign that sticks out over the pavement and is read by whoever walks along it."""
    word = max(shop.name.split(), key=len)
    (x, y), out = wall.spot(x), wall.out
    foot = x + out[0] * 0.2, y + out[1] * 0.2
    tip = foot[0] + out[0] * 1.9, foot[1] + out[1] * 1.9
    spot = foot[0] + out[0] * 0.95, foot[1] + out[1] * 0.95
    for plane in (wall_between(foot, tip), wall_between(tip, foot)):
        builder.write(word, (shop.letters, shop.board), plane, 0.95, low, 0.5, 1.9, 0.03, spot)


def roof_faces(building: Building) -> tuple[Floats, Floats]:
    """The slopes of a roof, n x 4 x 3, and the gables under it."""
    base = building.footprint
    z, ridge_z = building.height, building.height + building.roof_m
    if building.roof == "flat":
        return np.column_stack([base[[3, 2, 1, 0]], np.full(4, z)])[None], np.zeros((0, 4, 3))
    front, side = np.hypot(*(base[1] - base[0])), np.hypot(*(base[2] - base[1]))
    ring = base if front >= side * 0.8 and building.label != "church" else np.roll(base, -1, axis=0)
    start, end = (ring[3] + ring[0]) / 2, (ring[1] + ring[2]) / 2
    if building.roof == "hip":
        start, end = start + (end - start) * 0.25, end + (start - end) * 0.25
    eaves = [np.array([*p, z]) for p in ring]
    a, b = np.array([*start, ridge_z]), np.array([*end, ridge_z])
    slopes = np.array([[a, b, eaves[1], eaves[0]], [b, a, eaves[3], eaves[2]]])
    ends = np.array([[b, b, eaves[2], eaves[1]], [a, a, eaves[0], eaves[3]]])
    return (np.concatenate([slopes, ends]), ends[:0]) if building.roof == "hip" else (slopes, ends)


def _roof(builder: MeshBuilder, building: Building) -> None:
    slopes, gables = roof_faces(building)
    builder.add(slopes, building.roof_colour, slopes[..., :2].mean(axis=1))
    if len(gables):
        builder.add(gables, building.wall, gables[..., :2].mean(axis=1))


def tower_corners(building: Building) -> Floats:
    """Footprint of a church's tower, counter-clockwise with the front first; 4 x 2."""
    a, b = building.footprint[:2].tolist()
    front = wall_between(a, b)
    middle, half = front.length / 2, 3.2
    corners = ((-half, 1.2), (half, 1.2), (half, -5.2), (-half, -5.2))
    return np.array([np.array(front.spot(middle + along)) + np.array(front.out) * out for along, out in corners])


def _tower(builder: MeshBuilder, building: Building) -> None:
    ring, top, half = tower_corners(building), building.tower_m, 3.2
    tip = (*ring.mean(axis=0).tolist(), top + 9.0)
    corners = ring.tolist()
    for k in range(4):
        wall = wall_between(corners[k], corners[(k + 1) % 4])
        group = wall.spot(half)
        builder.add([wall.rect(0.0, wall.length, 0.0, top)], building.wall, group)
        for z in (top * 0.35, top * 0.6, top - 4.5):
            builder.add([wall.rect(half - 0.7, half + 0.7, z, z + 2.8, 0.05)], (48, 46, 50), group)
        builder.add([(tip, tip, (*wall.b, top), (*wall.a, top))], building.roof_colour, group)
    door = wall_between(corners[0], corners[1])
    builder.add([door.rect(half - 1.1, half + 1.1, 0.0, 3.4, 0.05)], (84, 56, 40), door.spot(half))
