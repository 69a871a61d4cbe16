"""Walls, windows, shop fronts and roofs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.geo.point import Floats
from pipeline.world.chance import draws, pick
from pipeline.world.mesh import MeshBuilder, Sign, Thing, Wall, shaded, sign_on
from pipeline.world.sprites import lettering
from pipeline.world.things import Building, Colour, Shop

_PANES: tuple[Colour, ...] = ((52, 62, 74), (66, 78, 92), (40, 46, 56), (92, 104, 114), (150, 148, 138))
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
    for side in range(4):
        wall = Wall(building.footprint[side], building.footprint[(side + 1) % 4])
        _facade(builder, building, wall, g, front=side == 0)
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
    shop: NDArray[np.int64]
    """Which shop each strip belongs to, n; only of use on a front with shops."""
    groups: Floats
    """n x 2. A shop front is one group, so that nothing comes between its sign and its wall."""

    def band(self, low: float, high: float, out: float = 0.0) -> Floats:
        """One rectangle on each strip between two heights; n x 4 x 3."""
        return self.wall.rects(self.left, self.left + self.width, low, high, out)


def _bays(building: Building, wall: Wall, *, front: bool) -> _Bays:
    count = building.bays if front else max(1, round(wall.length / building.bay_m))
    width = wall.length / count
    left = np.arange(count, dtype=float) * width
    shop = np.minimum(np.arange(count) // 2, max(count // 2 - 1, 0))
    group = shop if front and any(building.shops) else np.arange(count)
    spots = wall.a + wall.along * (left + width / 2)[:, None]
    return _Bays(wall, width, left, shop, np.array([spots[group == g].mean(axis=0) for g in group]))


def _facade(builder: MeshBuilder, building: Building, wall: Wall, g: np.random.Generator, *, front: bool) -> None:
    bays = _bays(building, wall, front=front)
    top = building.height
    builder.add(bays.band(0.0, top), building.wall, bays.groups)
    builder.add(bays.band(0.0, 0.5, 0.03), shaded(building.wall, 0.72), bays.groups, fine=True)
    builder.add(bays.band(top - 0.3, top, 0.1), shaded(building.wall, 1.1), bays.groups, fine=True)
    if building.brick:  # light bands between storeys, where a plain brick wall would look like paint
        for level in range(building.storeys):
            z = building.ground_m + level * building.storey_m - 0.12
            builder.add(bays.band(z, z + 0.16, 0.05), (196, 184, 164), bays.groups, fine=True)
    shops = building.shops if front else ()
    taken = np.array([n < len(shops) and shops[n] is not None for n in bays.shop.tolist()])
    door = int(g.random() * len(taken)) if front else -1
    _windows(builder, building, bays, g, taken | (np.arange(len(taken)) == door))
    if front and not taken[door] and building.label != "church":
        spot = bays.left[door] + bays.width / 2
        builder.add(wall.rects(spot - 0.65, spot + 0.65, 0.0, 2.45, 0.04), building.trim, bays.groups[door])
        builder.add(wall.rects(spot - 0.52, spot + 0.52, 0.0, 2.3, 0.05), pick(g, _DOORS), bays.groups[door])
    for number, shop in enumerate(shops):
        if shop is not None:
            group = bays.groups[bays.shop == number][0]
            _shop_front(builder, shop, wall, building.shop_span(number), group, building.ground_m, g)


def _windows(
    builder: MeshBuilder, building: Building, bays: _Bays, g: np.random.Generator, no_ground: NDArray[np.bool_]
) -> None:
    """Windows of all storeys; none on the ground floor of some bays."""
    floors, columns = np.meshgrid(np.arange(building.storeys), np.arange(len(bays.left)), indexing="ij")
    keep = (floors > 0) | ~no_ground[columns]
    level, bay = floors[keep], columns[keep]
    if not len(bay):
        return
    storey = np.where(level == 0, building.ground_m, building.storey_m)
    floor = np.where(level == 0, 0.0, building.ground_m + (level - 1) * building.storey_m)
    across, tall = building.window[0] * bays.width, building.window[1] * np.minimum(storey, 3.2)
    if building.label == "church":
        tall = np.full(len(bay), building.ground_m * 0.6)
    left = bays.left[bay] + (bays.width - across) / 2
    right, middle = left + across, left + across / 2
    low = np.minimum(floor + np.maximum((storey - tall) * 0.55, 0.5), floor + storey - tall - 0.25)
    high = low + tall
    groups, rects = bays.groups[bay], bays.wall.rects
    builder.add(rects(left - 0.1, right + 0.1, low - 0.1, high + 0.1, 0.04), building.trim, groups, fine=True)
    panes = np.array(_PANES, float)[(g.random(len(bay)) ** 1.6 * len(_PANES)).astype(int)]
    builder.add(rects(left, right, low, high, 0.05), panes, groups)
    builder.add(rects(middle - 0.04, middle + 0.04, low, high, 0.06), building.trim, groups, fine=True)
    sill = rects(left - 0.16, right + 0.16, low - 0.2, low - 0.08, 0.12)
    builder.add(sill, shaded(building.trim, 0.8), groups, fine=True)


def _shop_front(
    builder: MeshBuilder,
    shop: Shop,
    wall: Wall,
    span: tuple[float, float],
    group: Floats,
    ground_m: float,
    g: np.random.Generator,
) -> None:
    left, right = span[0] + 0.2, span[1] - 0.2
    low, height = ground_m * 0.74, ground_m * 0.2
    builder.add(wall.rects(left, right, 0.0, low + height + 0.1, 0.05), shaded(shop.board, 0.55), group)
    door = right - 1.3 if g.random() < 0.5 else left + 0.2
    glass = (left + 0.2, right - 1.5) if door > left + 1 else (left + 1.5, right - 0.2)
    builder.add(wall.rects(*glass, 0.5, low - 0.25, 0.08), pick(g, _GLASS), group)
    for _ in range(4):  # goods on display
        x = float(g.uniform(glass[0] + 0.2, max(glass[1] - 0.7, glass[0] + 0.3)))
        z = float(g.uniform(0.6, 1.2))
        builder.add(
            wall.rects(x, x + 0.5, z, z + float(g.uniform(0.3, 0.7)), 0.09), g.uniform(90, 230, 3), group, fine=True
        )
    builder.add(wall.rects(door, door + 1.1, 0.05, low - 0.25, 0.08), pick(g, _GLASS), group)
    builder.add(wall.rects(door, door + 0.1, 0.05, low - 0.25, 0.09), shop.letters, group, fine=True)
    builder.add(wall.rects(left, right, low, low + height, 0.14), shop.board, group)
    picture = lettering(shop.name, shop.letters, shop.board)
    face = (picture.sprite, picture.box)
    whole, inner = sign_on(wall, (left + right) / 2, low, height, right - left - 0.1, 0.16, face)
    spot = (float(group[0]), float(group[1]))
    builder.signs.append(Sign(whole, (shop.letters, shop.board), inner, shop.name, True, spot, builder.current))
    if shop.awning:
        out = wall.rects(left, right, low - 0.75, low - 0.05, 0.1)
        out[:, 2:, :2] += wall.out * 1.1
        builder.add(out, shop.awning, group, both=True)
    if shop.blade:
        _blade(builder, shop, wall, span[0] + 0.05, low + 0.1)


def _blade(builder: MeshBuilder, shop: Shop, wall: Wall, x: float, low: float) -> None:
    """A sign that sticks out over the pavement and is read by whoever walks along it."""
    word = max(shop.name.split(), key=len)
    picture = lettering(word, shop.letters, shop.board)
    foot = wall.spot(x) + wall.out * 0.2
    tip = foot + wall.out * 1.9
    spot = foot + wall.out * 0.95
    for plane in (Wall(foot, tip), Wall(tip, foot)):
        whole, inner = sign_on(plane, 0.95, low, 0.5, 1.9, 0.03, (picture.sprite, picture.box))
        builder.signs.append(
            Sign(
                whole, (shop.letters, shop.board), inner, word, True, (float(spot[0]), float(spot[1])), builder.current
            )
        )


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
    front = Wall(building.footprint[0], building.footprint[1])
    middle, half = front.length / 2, 3.2
    corners = ((-half, 1.2), (half, 1.2), (half, -5.2), (-half, -5.2))
    return np.array([front.spot(middle + along) + front.out * out for along, out in corners])


def _tower(builder: MeshBuilder, building: Building) -> None:
    ring, top, half = tower_corners(building), building.tower_m, 3.2
    tip = np.array([*ring.mean(axis=0), top + 9.0])
    for k in range(4):
        wall = Wall(ring[k], ring[(k + 1) % 4])
        group = wall.spot(half)
        builder.add(wall.rects(0.0, wall.length, 0.0, top), building.wall, group)
        for z in (top * 0.35, top * 0.6, top - 4.5):
            builder.add(wall.rects(half - 0.7, half + 0.7, z, z + 2.8, 0.05), (48, 46, 50), group)
        a, b = (np.array([*p, top]) for p in (wall.a, wall.b))
        builder.add(np.array([[tip, tip, b, a]]), building.roof_colour, group)
    door = Wall(ring[0], ring[1])
    builder.add(door.rects(half - 1.1, half + 1.1, 0.0, 3.4, 0.05), (84, 56, 40), door.spot(half))
