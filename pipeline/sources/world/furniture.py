"""What stands along streets and at junctions, and what drives there."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.sources.world import buildings
from pipeline.sources.world.chance import pick
from pipeline.sources.world.places import Place
from pipeline.sources.world.streets import ROADS, Stretch, clearance, junction, stretch
from pipeline.sources.world.things import Colour, Prop, Tree
from pipeline.sources.world.town import Town

ZEBRA_M = 3.6
"""Width of a crossing along the street."""
PLATES: tuple[Colour, ...] = ((24, 58, 120), (20, 84, 60), (120, 30, 34), (36, 36, 40))
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
    """What stands along one stretch."""

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
        _kerbside(town, g, road, low, road.length - high, trees, props)
        _corners(town, g, road, props)
    if road.bridge:
        _parapets(road, town, props)
    return Furniture(tuple(trees), tuple(props))


def _spot(road: Stretch, along: float, aside: float) -> tuple[float, float, float]:
    """Position so far along and aside, and the street's direction there in degrees."""
    x, y = road.at(along, aside)
    dx, dy = road.direction(along)
    return float(x), float(y), float(np.degrees(np.arctan2(dx, dy)))


def _kerbside(
    town: Town, g: np.random.Generator, road: Stretch, low: float, high: float, trees: list[Tree], props: list[Prop]
) -> None:
    if high - low < 10:
        return
    row = town.draws("row", road.street_id).random(6)
    planted = row[0] < town.green * 0.8 and road.pavement > 2.2
    species = "slim" if row[1] < 0.25 else "broad" if row[1] < 0.45 else "round"
    step = 9.0 + 6.0 * row[2]
    zebras = [crossing.along for crossing in crossings(town, road)]
    for side in (-1, 1):
        if planted and (side == 1 or row[3] < 0.7):
            for along in np.arange(low + 2.0, high, step):
                if min((abs(along - z) for z in zebras), default=99.0) > 4.0:
                    x, y, _ = _spot(road, float(along + g.uniform(-1, 1)), side * (road.width / 2 + 0.8))
                    grown = buildings.tree(town, g, (species,), x, y)
                    trees.append(grown)
        for along in np.arange(low + (0.5 if side == 1 else 0.75) * step, high, 26.0):
            x, y, direction = _spot(road, float(along), side * (road.width / 2 + 0.5))
            props.append(Prop("lamp", x, y, (direction - 90.0 * side) % 360.0))
        if road.parking:
            share = 0.2 + 0.6 * row[4]
            for along in np.arange(low, high, 6.2):
                if g.random() < share and min((abs(along - z) for z in zebras), default=99.0) > 6.0:
                    x, y, direction = _spot(road, float(along), side * (road.width / 2 - 1.05))
                    colour, word = pick(g, buildings.CAR_COLOURS)
                    van = g.random() < 0.12
                    text = pick(g, town.language.delivery) if van and g.random() < 0.7 else None
                    props.append(
                        Prop("van" if van else "car", x, y, (direction + 90 - 90 * side) % 360.0, colour, word, text)
                    )
    _stop(town, g, road, low, high, props)


def _stop(town: Town, g: np.random.Generator, road: Stretch, low: float, high: float, props: list[Prop]) -> None:
    if high - low > 24 and g.random() < (0.4 if road.kind in ("primary", "secondary") else 0.05):
        side = 1 if g.random() < 0.5 else -1
        x, y, direction = _spot(road, (low + high) / 2, side * (road.width / 2 + road.pavement - 0.9))
        name = pick(g, town.language.roots)
        props.append(Prop("bus stop", x, y, (direction - 90.0 * side) % 360.0, pick(g, PLATES), None, name))
    elif high - low > 20 and road.pavement > 2.6 and g.random() < 0.4:
        x, y, direction = _spot(road, low + 7.0, road.half - 0.6)
        props.append(Prop("bench", x, y, (direction - 90.0) % 360.0, (122, 84, 50)))


def _corners(town: Town, g: np.random.Generator, road: Stretch, props: list[Prop]) -> None:
    """Street-name plates and traffic lights at both ends."""
    for start in (True, False):
        near = clearance(town, road, start=start)
        i, j = road.i + (road.family == 0 and not start), road.j + (road.family == 1 and not start)
        here = junction(town, i, j)
        along = near + 2.2 if start else road.length - near - 2.2
        inwards = 0.0 if start else 180.0  # the way one looks when leaving the junction
        if here.arms >= 3 and road.name and g.random() < 0.6:
            x, y, direction = _spot(road, along, (road.width / 2 + 0.7) * (1 if start else -1))
            colour = PLATES[int(town.draws("plates").random() * len(PLATES))]
            props.append(Prop("sign", x, y, (direction + inwards + 180.0) % 360.0, colour, None, road.name))
        if here.kind == "signals":
            side = (-1 if start else 1) * (-1 if town.left_hand else 1)
            x, y, direction = _spot(road, along + (1.2 if start else -1.2), side * (road.width / 2 + 0.6))
            props.append(Prop("traffic light", x, y, (direction + inwards) % 360.0))


def _parapets(road: Stretch, town: Town, props: list[Prop]) -> None:
    for start in (True, False):
        i, j = road.i + (road.family == 0 and not start), road.j + (road.family == 1 and not start)
        if stretch(town, 1, i, j).kind != "river":
            continue
        for step in range(5):
            along = 2.0 + 4.0 * step
            for side in (-1, 1):
                x, y, direction = _spot(road, along if start else road.length - along, side * (road.half - 0.2))
                props.append(Prop("parapet", x, y, (direction - 90.0 * side) % 360.0, (168, 160, 148), None, None, 4.0))


def traffic(town: Town, place: Place) -> list[Prop]:
    """What passes by when the photos of a place are taken; nothing stands in the camera's way."""
    g = town.draws("traffic", *place.key)
    road = stretch(town, place.family, place.i, place.j)
    found: list[Prop] = []
    here = (place.k + 0.5) * 20.0
    ahead = float(np.dot(road.direction(here), (np.sin(np.radians(place.heading)), np.cos(np.radians(place.heading)))))
    for _ in range(int(g.random() * (4 if road.kind in ("primary", "secondary") else 2.4))):
        offset = float(g.uniform(13, 60)) * (1 if g.random() < 0.6 else -1)
        own_lane = g.random() < 0.4
        side = (1 if ahead > 0 else -1) * (1 if own_lane else -1) * (-1 if town.left_hand else 1)
        along = here + offset
        if not 4.0 < along < road.length - 4.0:
            continue
        x, y, direction = _spot(road, along, side * road.lane_m)
        travel = direction if side * (-1 if town.left_hand else 1) > 0 else direction + 180.0
        colour, word = pick(g, buildings.CAR_COLOURS)
        u = g.random()
        kind = "van" if u < 0.25 else "bus" if u < 0.33 and road.lanes >= 2 else "car"
        text = pick(g, town.language.delivery) if kind == "van" else None
        found.append(Prop(kind, x, y, travel % 360.0, colour, word, text))
    for _ in range(int(g.random() * 5)):
        along, side = here + float(g.uniform(-45, 45)), 1 if g.random() < 0.5 else -1
        if 3.0 < along < road.length - 3.0 and road.pavement > 0:
            x, y, direction = _spot(
                road, along, side * (road.width / 2 + float(g.uniform(0.7, max(0.9, road.pavement - 0.7))))
            )
            found.append(Prop("person", x, y, direction % 360.0, pick(g, CLOTHES)))
    return found
