"""Things along streets and at junctions, and the traffic there."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.geo.point import Floats
from pipeline.world import buildings
from pipeline.world.chance import pick
from pipeline.world.places import PHOTO_EVERY_M, Place
from pipeline.world.streets import ALONG_NORTH, ROADS, Stretch, clearance, end_of, junction, stretch
from pipeline.world.things import Colour, Prop, PropKind, Species, Tree
from pipeline.world.town import Town

ZEBRA_M = 3.6
"""Width of a crossing along the street."""
PLATES: tuple[Colour, ...] = ((24, 58, 120), (20, 84, 60), (120, 30, 34), (36, 36, 40))
STONE: Colour = (168, 160, 148)
CLOTHES: tuple[Colour, ...] = (
    (40, 50, 80),
    (150, 40, 40),
    (60, 90, 70),
    (190, 170, 120),
    (60, 60, 64),
    (120, 130, 160),
)


@dataclass(frozen=True)
class Crossing:
    """A zebra crossing over a stretch."""

    key: str
    along: float
    """Distance of its middle from the stretch's start."""


@dataclass(frozen=True, eq=False)
class Furniture:
    """The furniture along one stretch of street."""

    trees: tuple[Tree, ...]
    props: tuple[Prop, ...]


@lru_cache(maxsize=2048)
def crossings(town: Town, road: Stretch) -> tuple[Crossing, ...]:
    """Zebra crossings of a road, near its ends."""
    if road.kind not in ROADS or road.kind == "living_street":
        return ()
    g = town.draws("crossings", road.family, road.i, road.j)
    chance = 0.75 if road.kind in ("primary", "secondary") else 0.3
    found = []
    for number, start in enumerate((True, False)):
        at = clearance(town, road, start=start) + 5.0
        if g.random() < chance and at > 6.0 and road.length > 2 * at + 12:
            along = at if start else road.length - at
            found.append(Crossing(f"crossing.{road.family}.{road.i}.{road.j}.{number}", along))
    return tuple(found)


@lru_cache(maxsize=2048)
def furniture(town: Town, road: Stretch) -> Furniture:
    """Trees, lamps, parked cars, bus stops and the rest along a stretch."""
    trees: list[Tree] = []
    props: list[Prop] = []
    g = town.draws("furniture", road.family, road.i, road.j)
    if road.kind in ROADS:
        low, high = (clearance(town, road, start=start) + 7.0 for start in (True, False))
        if road.length - high - low > 10.0:
            free = (low, road.length - high)
            trees += _trees(town, g, road, free)
            props += [*_lamps(town, road, free), *_parked(town, g, road, free), *_stop(town, g, road, free)]
        props += _corners(town, g, road)
    if road.bridge:
        props += _parapets(town, road)
    return Furniture(tuple(trees), tuple(props))


def _spot(road: Stretch, along: float, aside: float) -> tuple[float, float, float]:
    """Position so far along and aside, and the street's direction there in degrees."""
    x, y = road.at(along, aside)
    dx, dy = road.direction(along)
    return float(x), float(y), float(np.degrees(np.arctan2(dx, dy)))


def _taste(town: Town, road: Stretch) -> Floats:
    """Random numbers that a whole street shares: whether it has trees, how far apart, how many cars are parked."""
    return town.draws("row", road.street_id).random(5)


def _off_zebras(town: Town, road: Stretch, along: float, distance: float) -> bool:
    return all(abs(along - zebra.along) > distance for zebra in crossings(town, road))


def _trees(town: Town, g: np.random.Generator, road: Stretch, free: tuple[float, float]) -> list[Tree]:
    taste = _taste(town, road)
    if taste[0] > town.green * 0.8 or road.pavement < 2.2:
        return []
    species: Species = "slim" if taste[1] < 0.25 else "broad" if taste[1] < 0.45 else "round"
    found = []
    for side in (-1, 1) if taste[3] < 0.7 else (1,):
        for at in np.arange(free[0] + 2.0, free[1], 9.0 + 6.0 * taste[2]).tolist():
            x, y, _ = _spot(road, at + float(g.uniform(-1, 1)), side * (road.width / 2 + 0.8))
            if _off_zebras(town, road, at, 4.0):
                found.append(buildings.tree(town, g, (species,), x, y))
    return found


def _lamps(town: Town, road: Stretch, free: tuple[float, float]) -> list[Prop]:
    step = 9.0 + 6.0 * _taste(town, road)[2]  # half-way between trees
    found = []
    for side, shift in ((1, 0.5), (-1, 0.75)):
        for at in np.arange(free[0] + shift * step, free[1], 26.0).tolist():
            x, y, direction = _spot(road, at, side * (road.width / 2 + 0.5))
            found.append(Prop("lamp", x, y, (direction - 90.0 * side) % 360.0))
    return found


def _parked(town: Town, g: np.random.Generator, road: Stretch, free: tuple[float, float]) -> list[Prop]:
    if not road.parking:
        return []
    share = 0.2 + 0.6 * float(_taste(town, road)[4])
    found = []
    for side in (-1, 1):
        for at in np.arange(*free, 6.2).tolist():
            if g.random() < share and _off_zebras(town, road, at, 6.0):
                x, y, direction = _spot(road, at, side * (road.width / 2 - 1.05))
                colour, word = pick(g, buildings.CAR_COLOURS)
                van = g.random() < 0.12
                text = pick(g, town.language.delivery) if van and g.random() < 0.7 else None
                heading = (direction + 90.0 - 90.0 * side) % 360.0
                found.append(Prop("van" if van else "car", x, y, heading, colour, word, text))
    return found


def _stop(town: Town, g: np.random.Generator, road: Stretch, free: tuple[float, float]) -> list[Prop]:
    """A bus stop in the middle, or else perhaps a bench."""
    if free[1] - free[0] < 24.0:
        return []
    if g.random() < (0.4 if road.kind in ("primary", "secondary") else 0.05):
        side = 1 if g.random() < 0.5 else -1
        x, y, direction = _spot(road, sum(free) / 2, side * (road.half - 0.9))
        name = pick(g, town.language.roots)
        return [Prop("bus stop", x, y, (direction - 90.0 * side) % 360.0, pick(g, PLATES), None, name)]
    if road.pavement > 2.6 and g.random() < 0.4:
        x, y, direction = _spot(road, free[0] + 7.0, road.half - 0.6)
        return [Prop("bench", x, y, (direction - 90.0) % 360.0, buildings.WOOD)]
    return []


def _corners(town: Town, g: np.random.Generator, road: Stretch) -> list[Prop]:
    """Street-name plates and traffic lights at both ends."""
    found = []
    plate = pick(town.draws("plates"), PLATES)
    for start in (True, False):
        near = clearance(town, road, start=start)
        here = junction(town, *end_of(road, start=start))
        along = near + 2.2 if start else road.length - near - 2.2
        leaving = 0.0 if start else 180.0
        if here.arms >= 3 and road.name and g.random() < 0.6:
            x, y, direction = _spot(road, along, (road.width / 2 + 0.7) * (1 if start else -1))
            found.append(Prop("sign", x, y, (direction + leaving + 180.0) % 360.0, plate, None, road.name))
        if here.kind == "signals":
            side = (-1 if start else 1) * (-1 if town.left_hand else 1)
            x, y, direction = _spot(road, along + (1.2 if start else -1.2), side * (road.width / 2 + 0.6))
            found.append(Prop("traffic light", x, y, (direction + leaving) % 360.0))
    return found


def _parapets(town: Town, road: Stretch) -> list[Prop]:
    found = []
    for start in (True, False):
        if stretch(town, ALONG_NORTH, *end_of(road, start=start)).kind == "river":
            for at in np.arange(2.0, 20.0, 4.0).tolist():
                for side in (-1, 1):
                    along = at if start else road.length - at
                    x, y, direction = _spot(road, along, side * (road.half - 0.2))
                    found.append(Prop("parapet", x, y, (direction - 90.0 * side) % 360.0, STONE, length=4.0))
    return found


def traffic(town: Town, place: Place) -> list[Prop]:
    """The traffic when the photos of a place are taken; nothing stands in the camera's way."""
    g = town.draws("traffic", *place.key)
    road = stretch(town, place.family, place.i, place.j)
    here = (place.k + 0.5) * PHOTO_EVERY_M
    heading = np.radians(place.heading)
    along_road = float(road.direction(here) @ (np.sin(heading), np.cos(heading))) > 0
    right = -1 if town.left_hand else 1  # the side of the road, seen in its own direction, that cars drive on
    found: list[Prop] = []
    used: list[tuple[float, int]] = []
    for _ in range(int(g.random() * (4 if road.kind in ("primary", "secondary") else 2.4))):
        along = here + float(g.uniform(13, 60)) * (1 if g.random() < 0.6 else -1)
        own_lane = g.random() < 0.4
        side = right * (1 if along_road == own_lane else -1)
        kind, (colour, word), text = _vehicle(town, g, bus=road.lanes >= 2)
        if not 4.0 < along < road.length - 4.0 or any(abs(along - at) < 14 and side == on for at, on in used):
            continue
        used.append((along, side))
        x, y, direction = _spot(road, along, side * road.lane_m)
        found.append(Prop(kind, x, y, (direction if side == right else direction + 180.0) % 360.0, colour, word, text))
    for _ in range(int(g.random() * 5) if road.pavement > 0 else 0):
        along, side = here + float(g.uniform(-45, 45)), 1 if g.random() < 0.5 else -1
        aside = road.width / 2 + float(g.uniform(0.7, max(0.9, road.pavement - 0.7)))
        if 3.0 < along < road.length - 3.0:
            x, y, direction = _spot(road, along, side * aside)
            found.append(Prop("person", x, y, direction % 360.0, pick(g, CLOTHES)))
    return found


def _vehicle(town: Town, g: np.random.Generator, *, bus: bool) -> tuple[PropKind, tuple[Colour, str], str | None]:
    """Kind, colour and lettering of a vehicle."""
    u = g.random()
    kind: PropKind = "van" if u < 0.25 else "bus" if u < 0.33 and bus else "car"
    colour = pick(g, buildings.CAR_COLOURS)
    return kind, colour, pick(g, town.language.delivery) if kind == "van" else None
