"""Colours and widths of the map chip: a muted street map in the manner of common web maps."""

from typing import NamedTuple

from pipeline.cartography.canvas import Colour
from pipeline.cartography.classes import PATHS, STREETS
from pipeline.cartography.features import Feature


class Road(NamedTuple):
    """How a road class is drawn."""

    width_m: float
    """Where the number of lanes is unknown."""
    fill: Colour
    casing: Colour


LAND: Colour = (242, 239, 233)
WATER: Colour = (170, 211, 223)
SQUARE: Colour = (225, 224, 232)
BUILDING: Colour = (217, 208, 201)
BUILDING_EDGE: Colour = (190, 178, 168)
GROUNDS: Colour = (238, 232, 214)
"""Areas of a school, hospital, palace, car park."""
RAIL: Colour = (112, 112, 118)
TUNNEL: Colour = (205, 200, 198)
TEXT: Colour = (58, 56, 60)
HALO: Colour = (255, 255, 255)
WATER_TEXT: Colour = (70, 112, 140)
GREEN_TEXT: Colour = (66, 106, 62)
NUMBER_TEXT: Colour = (102, 102, 102)

LANE_M = 3.2
LEAST_PX = 2.0

_WHITE: Colour = (255, 255, 255)
_GREY: Colour = (190, 186, 182)
_ROADS: dict[str, Road] = {
    "motorway": Road(14.0, (232, 146, 162), (204, 90, 120)),
    "trunk": Road(13.0, (249, 178, 156), (208, 120, 96)),
    "primary": Road(12.0, (252, 214, 164), (200, 160, 100)),
    "secondary": Road(10.0, (247, 250, 191), (184, 184, 110)),
    "tertiary": Road(7.0, _WHITE, (172, 168, 164)),
    "residential": Road(6.0, _WHITE, _GREY),
    "service": Road(4.0, _WHITE, (206, 202, 198)),
    "pedestrian": Road(6.0, (221, 221, 232), (182, 180, 196)),
    "busway": Road(6.5, (228, 226, 240), (160, 150, 190)),
}
_PATHS: dict[str, Colour] = {
    "footway": (226, 140, 126),
    "path": (190, 150, 110),
    "steps": (226, 110, 98),
    "cycleway": (110, 130, 214),
    "bridleway": (120, 160, 90),
    "track": (166, 134, 82),
}
_GREENS: dict[str, Colour] = {
    "wood": (173, 209, 158),
    "forest": (173, 209, 158),
    "cemetery": (180, 208, 184),
    "pitch": (170, 224, 203),
    "farmland": (238, 240, 213),
    "wetland": (198, 224, 204),
    "tree": (150, 194, 136),
    "tree_row": (150, 194, 136),
    "scrub": (200, 215, 171),
}
_GREEN: Colour = (205, 235, 188)
_DOTS: tuple[tuple[Colour, tuple[str, ...]], ...] = (
    ((198, 112, 20), ("restaurant", "cafe", "coffee", "bar", "pub", "food", "eat", "deli", "bakery", "brewery")),
    ((192, 60, 70), ("health", "doctor", "clinic", "hospital", "pharmacy", "dent", "medic", "therap")),
    ((120, 82, 40), ("museum", "gallery", "historic", "memorial", "artwork", "theatre", "hotel", "attraction",
                     "worship", "church", "temple", "library", "school", "university", "college")),
    ((160, 62, 164), ("shop", "store", "market", "convenience", "salon", "clothes", "boutique", "bookstore")),
)  # fmt: skip
_OTHER_DOT: Colour = (110, 108, 120)
_STOP_DOT: Colour = (30, 130, 190)
_CROSSING_DOT: Colour = (150, 146, 150)

_ORDER = ("service", "busway", "pedestrian", "residential", "tertiary", "secondary", "primary", "trunk", "motorway")


def road(category: str) -> Road:
    """How a road that is no path is drawn. Slip roads look like their parents."""
    return _ROADS.get(category.removesuffix("_link"), _ROADS["residential"])


def road_width(feature: Feature, gsd_m: float) -> float:
    """Width in pixels: lanes of 3.2 m and a margin, or the class's usual width; never too thin to see."""
    usual = road(feature.category).width_m * (0.6 if feature.category.endswith("_link") else 1.0)
    # Not much narrower than usual, or the side streets' round ends would show on its far side.
    width = max(feature.lanes * LANE_M + 1.0, 0.7 * usual) if feature.lanes else usual
    return max(width / gsd_m, LEAST_PX)


def road_rank(feature: Feature) -> tuple[int, int, str]:
    """Drawing order: lower layers first, then lesser roads, then by id."""
    category = feature.category.removesuffix("_link")
    rank = _ORDER.index(category) if category in _ORDER else _ORDER.index("residential")
    return feature.layer, rank, feature.feature_id


def is_path(feature: Feature) -> bool:
    """Whether a road is drawn as a dashed line."""
    return feature.category in PATHS


def is_street(feature: Feature) -> bool:
    """Whether a feature's name is written along it."""
    return feature.kind == "road" and (feature.category in STREETS or not is_path(feature))


def path_colour(category: str) -> Colour:
    """Colour of the dashes."""
    return _PATHS[category]


def green_colour(category: str) -> Colour:
    """Colour of an area or tree."""
    return _GREENS.get(category, _GREEN)


def dot_colour(feature: Feature) -> Colour:
    """Colour of the dot of a place, by what its class is about."""
    if feature.kind == "stop":
        return _STOP_DOT
    if feature.kind == "crossing":
        return _CROSSING_DOT
    if feature.kind == "green":
        return GREEN_TEXT
    for colour, words in _DOTS:
        if any(word in feature.category for word in words):
            return colour
    return _OTHER_DOT


def text_colour(feature: Feature) -> Colour:
    """Colour of a feature's name."""
    if feature.shape == "point":
        return dot_colour(feature)
    if feature.kind == "water":
        return WATER_TEXT
    return GREEN_TEXT if feature.kind == "green" else TEXT
