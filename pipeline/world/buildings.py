"""The looks of buildings and trees, chosen from the town's character and the place."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.geo.point import Floats
from pipeline.world.chance import pick
from pipeline.world.streets import Stretch
from pipeline.world.things import Building, Colour, Roof, Shop, Species, Tree
from pipeline.world.town import Town

WALLS: tuple[tuple[Colour, str], ...] = (
    ((226, 214, 190), "cream"),
    ((214, 196, 150), "yellow"),
    ((206, 184, 120), "yellow"),
    ((222, 222, 218), "white"),
    ((236, 234, 226), "white"),
    ((176, 178, 176), "grey"),
    ((150, 154, 156), "grey"),
    ((196, 152, 136), "pink"),
    ((204, 170, 156), "pink"),
    ((160, 176, 188), "blue"),
    ((126, 150, 172), "blue"),
    ((160, 178, 150), "green"),
    ((138, 158, 132), "green"),
    ((200, 150, 104), "orange"),
    ((184, 112, 92), "red"),
    ((150, 124, 100), "brown"),
)
BRICKS: tuple[Colour, ...] = ((156, 88, 70), (138, 76, 62), (170, 108, 82), (122, 74, 64), (172, 132, 98))
RED_ROOFS: tuple[Colour, ...] = ((168, 78, 56), (182, 92, 64), (150, 66, 52))
OTHER_ROOFS: tuple[Colour, ...] = ((86, 88, 94), (72, 70, 72), (110, 92, 78), (98, 104, 110), (124, 112, 100))
FLAT_ROOFS: tuple[Colour, ...] = ((150, 148, 144), (120, 120, 120), (176, 172, 166), (98, 100, 104), (190, 186, 176))
TRIMS: tuple[Colour, ...] = ((240, 238, 232), (70, 62, 56), (196, 192, 182), (92, 58, 42), (52, 72, 62))
SIGNS: tuple[tuple[Colour, Colour], ...] = (
    ((28, 92, 60), (246, 246, 240)),
    ((164, 28, 32), (250, 248, 240)),
    ((24, 52, 104), (248, 248, 248)),
    ((248, 246, 238), (150, 24, 28)),
    ((246, 244, 236), (22, 24, 30)),
    ((22, 24, 28), (244, 220, 150)),
    ((240, 196, 44), (34, 30, 26)),
    ((236, 236, 230), (20, 70, 130)),
    ((98, 38, 70), (250, 242, 232)),
    ((232, 226, 208), (20, 84, 54)),
)
AWNINGS: tuple[Colour, ...] = ((160, 36, 38), (40, 88, 62), (36, 62, 112), (214, 170, 60), (228, 224, 212))
WOOD: Colour = (122, 84, 50)
CAR_COLOURS: tuple[tuple[Colour, str], ...] = (
    ((200, 202, 204), "silver"),
    ((30, 32, 36), "black"),
    ((236, 236, 234), "white"),
    ((168, 34, 34), "red"),
    ((36, 66, 120), "blue"),
    ((112, 116, 120), "grey"),
    ((70, 98, 72), "green"),
    ((206, 170, 58), "yellow"),
)


def design(town: Town, key: str, block_kind: str, dense: float, street: Stretch, footprint: Floats) -> Building:
    """A building for a lot on a street."""
    g = town.draws("building", key)
    main = street.kind in ("primary", "secondary")
    detached = block_kind == "houses"
    brick = bool(g.random() < town.brick)
    wall, word = (pick(g, BRICKS), "brick") if brick else pick(g, WALLS)
    if detached:
        storeys = 1 + int(g.random() < 0.55)
    elif block_kind == "slabs":
        storeys = 4 + int(g.random() * 4)
    else:
        storeys = 2 + int(g.random() * (1.5 + 2.6 * dense + main))
    roof: Roof = (
        "flat"
        if block_kind == "slabs" or (not detached and g.random() < 0.3)
        else "gable"
        if g.random() < 0.7
        else "hip"
    )
    depth = float(np.hypot(*(footprint[3] - footprint[0])))
    colours = FLAT_ROOFS if roof == "flat" else RED_ROOFS if g.random() < town.red_roofs else OTHER_ROOFS
    building = Building(
        key=key,
        footprint=footprint,
        label="house" if detached else "apartment building" if storeys >= 4 else "building",
        category="house" if detached else "apartments" if storeys >= 3 else "yes",
        name=None,
        storeys=storeys,
        storey_m=float(g.uniform(2.8, 3.4)),
        ground_m=float(g.uniform(2.9, 3.4)) if detached or block_kind == "slabs" else float(g.uniform(4.0, 4.5)),
        wall=wall,
        wall_word=word,
        brick=brick,
        trim=pick(g, TRIMS),
        window=(float(g.uniform(0.36, 0.62)), float(g.uniform(0.46, 0.66))),
        bay_m=float(g.uniform(2.7, 3.4)),
        roof=roof,
        roof_m=0.0 if roof == "flat" else float(g.uniform(0.22, 0.36) * depth),
        roof_colour=pick(g, colours),
    )
    wanted = 0.0 if block_kind != "rows" else 0.25 + 0.4 * dense + 0.3 * main
    if street.kind in ("river", "rail", "footway"):
        wanted *= 0.2
    cell, _, number = key.rpartition(".")
    trades = town.draws("trades", cell).permutation(len(town.language.trades))  # neighbours differ
    shops = tuple(
        _shop(town, g, int(trades[(2 * int(number) + n) % len(trades)])) if g.random() < wanted else None
        for n in range(building.bays // 2)
    )
    return replace(building, shops=shops) if any(shops) else building


def _shop(town: Town, g: np.random.Generator, number: int) -> Shop:
    trade = town.language.trades[number]
    board, letters = pick(g, SIGNS)
    awning = pick(g, AWNINGS) if g.random() < 0.3 else None
    name = trade.sign.format(pick(g, town.language.families))
    return Shop(name, trade.category, board, letters, awning, bool(g.random() < 0.45))


def _special(town: Town, key: str, footprint: Floats, label: str, category: str, name: str | None) -> Building:
    g = town.draws("building", key)
    wall, word = pick(g, WALLS)
    return Building(
        key=key, footprint=footprint, label=label, category=category, name=name, storeys=1, storey_m=3.3, ground_m=3.6,
        wall=wall, wall_word=word, brick=False, trim=pick(g, TRIMS), window=(0.6, 0.6), bay_m=3.3, roof="flat",
        roof_m=0.0, roof_colour=pick(g, FLAT_ROOFS),
    )  # fmt: skip


def plain(town: Town, key: str, label: str, category: str, footprint: Floats) -> Building:
    """A small flat-roofed building."""
    return _special(town, key, footprint, label, category, None)


def church(town: Town, key: str, name: str, footprint: Floats) -> Building:
    """A church: a nave with a steep roof, a tower and a spire at the front."""
    g = town.draws("church", key)
    stone = pick(g, (((206, 198, 180), "stone"), ((232, 230, 224), "white"), ((160, 92, 72), "brick")))
    return replace(
        _special(town, key, footprint, "church", "church", name),
        wall=stone[0], wall_word=stone[1], brick=stone[1] == "brick", ground_m=float(g.uniform(8, 10)), roof="gable",
        roof_m=7.0, roof_colour=pick(g, (*RED_ROOFS, (84, 120, 104), (74, 78, 86))), tower_m=float(g.uniform(20, 30)),
        window=(0.3, 0.7), bay_m=4.5,
    )  # fmt: skip


def school(town: Town, key: str, name: str, footprint: Floats) -> Building:
    """A school: long, with wide windows and its name over the middle."""
    g = town.draws("school", key)
    board, letters = pick(g, SIGNS)
    building = replace(
        _special(town, key, footprint, "school", "school", name), storeys=2 + int(g.random() * 2), window=(0.82, 0.55)
    )
    sign = Shop(name, "school", board, letters, None, False)
    return replace(building, shops=tuple(sign if n == building.bays // 4 else None for n in range(building.bays // 2)))


def supermarket(town: Town, key: str, footprint: Floats) -> Building:
    """A large shop behind its car park."""
    g = town.draws("supermarket", key)
    board, letters = pick(g, SIGNS)
    name = pick(g, ("MAXI", "PRIMA", "NOVA", "FRESKA", "TOPMARKT", "MERCADO", "OKAY")) + pick(
        g, (" Markt", " Plus", " Center", "")
    )
    building = replace(
        _special(town, key, footprint, "shop", "supermarket", name), ground_m=6.5, bay_m=5.0, window=(0.5, 0.3)
    )
    sign = Shop(name, "supermarket", board, letters, None, False)
    return replace(building, shops=tuple(sign if n == building.bays // 4 else None for n in range(building.bays // 2)))


def tree(town: Town, g: np.random.Generator, species: Sequence[Species], x: float, y: float) -> Tree:
    """A tree of one of the species; conifers where the town has many."""
    kind = pick(g, species)
    if kind in ("round", "broad", "slim") and g.random() < town.conifers * 0.6:
        kind = "conifer"
    heights = {"round": (5, 9), "broad": (8, 14), "slim": (8, 15), "conifer": (7, 16), "bush": (1.2, 2.6)}[kind]
    shares = {"round": (0.6, 0.8), "broad": (0.8, 1.05), "slim": (0.28, 0.4), "conifer": (0.4, 0.55), "bush": (1, 1.5)}[
        kind
    ]
    height = float(g.uniform(*heights))
    return Tree(x, y, height, height * float(g.uniform(*shares)), kind, int(g.random() * 24))
