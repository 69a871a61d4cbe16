"""Colours, widths and sizes in the manner of openstreetmap-carto at zoom 19.

Widths are in pixels of a zoom 19 tile of 256 pixels, 0.2986 m times the cosine of the latitude. The values are those of
https://github.com/gravitystorm/openstreetmap-carto (CC0); the drawing is our own.
"""

from typing import NamedTuple

from pipeline.cartography.canvas import Colour
from pipeline.cartography.features import Feature


class Road(NamedTuple):
    """How a road class is drawn."""

    width: float
    """With its casing."""
    fill: Colour
    casing: Colour
    casing_width: float


class Path(NamedTuple):
    """How a path is drawn: dashes on a pale band."""

    width: float
    colour: Colour
    dash: float
    gap: float


class Ground(NamedTuple):
    """How an area is drawn."""

    fill: Colour
    edge: Colour | None = None


LAND: Colour = (242, 239, 233)
WATER: Colour = (170, 211, 223)
BUILDING = Ground((217, 208, 201), (189, 174, 163))
MAJOR_BUILDING = Ground((197, 182, 171), (165, 144, 128))
SQUARE = Ground((221, 221, 232), (176, 176, 176))
WHITE: Colour = (255, 255, 255)
RAIL: Colour = (112, 112, 112)
TRAM: Colour = (110, 110, 110)
WALL: Colour = (120, 120, 120)
CANOPY: Colour = (184, 214, 174)
TRUNK: Colour = (178, 127, 54)
BRIDGE: Colour = (40, 40, 40)
TUNNEL: Colour = (150, 150, 150)
BAND: Colour = (250, 248, 244)
"""Below the dashes of a path."""

BLUE: Colour = (0, 146, 218)
BROWN: Colour = (115, 74, 8)
PURPLE: Colour = (172, 57, 172)
ORANGE: Colour = (199, 116, 0)
RED: Colour = (191, 0, 0)
BLACK: Colour = (0, 0, 0)
GREY: Colour = (84, 84, 84)
OFFICE: Colour = (72, 99, 160)
GREEN_TEXT: Colour = (51, 102, 51)
WATER_TEXT: Colour = (77, 128, 179)
TEXT: Colour = (34, 34, 34)

_MAJOR, _LINK, _MINOR = 27.0, 16.0, 17.0
_ROADS: dict[str, Road] = {
    "motorway": Road(_MAJOR, (232, 146, 162), (220, 42, 103), 1.0),
    "trunk": Road(_MAJOR, (249, 178, 156), (200, 78, 47), 1.0),
    "primary": Road(_MAJOR, (252, 214, 164), (160, 107, 0), 1.0),
    "secondary": Road(_MAJOR, (247, 250, 191), (112, 125, 5), 1.0),
    "tertiary": Road(_MAJOR, WHITE, (143, 143, 143), 0.8),
    "residential": Road(_MINOR, WHITE, (187, 187, 187), 0.8),
    "living_street": Road(_MINOR, (237, 237, 237), (187, 187, 187), 0.8),
    "pedestrian": Road(_MINOR, (221, 221, 232), (153, 153, 153), 0.8),
    "service": Road(11.0, WHITE, (187, 187, 187), 0.8),
    "road": Road(11.0, (221, 221, 221), (187, 187, 187), 0.8),
    "busway": Road(_MINOR, WHITE, (111, 111, 111), 0.8),
}
_AISLE_WIDTH = 5.5
_ORDER = ("service", "road", "pedestrian", "living_street", "residential", "busway", "tertiary", "secondary", "primary",
          "trunk", "motorway")  # fmt: skip
PATHS: dict[str, Path] = {
    "footway": Path(1.6, (250, 128, 114), 3.0, 3.5),
    "path": Path(1.6, (250, 128, 114), 3.0, 3.5),
    "steps": Path(3.6, (250, 128, 114), 1.4, 1.0),
    "cycleway": Path(1.4, (0, 0, 255), 3.0, 3.5),
    "bridleway": Path(1.4, (0, 128, 0), 4.0, 2.0),
    "track": Path(1.6, (153, 102, 0), 7.0, 3.0),
}
_GRASS, _FOREST, _PARK = (205, 235, 176), (173, 209, 158), (200, 250, 204)
_SOCIETY = Ground((255, 255, 229), (205, 205, 160))
_GROUNDS: dict[str, Ground] = {
    "residential": Ground((224, 223, 223), (201, 201, 201)),
    "retail": Ground((255, 214, 209), (217, 156, 149)),
    "commercial": Ground((242, 218, 217), (209, 178, 176)),
    "industrial": Ground((235, 219, 232), (198, 179, 195)),
    "railway": Ground((235, 219, 232)),
    "construction": Ground((199, 199, 180)),
    "brownfield": Ground((199, 199, 180)),
    "garages": Ground((223, 221, 206)),
    "park": Ground(_PARK),
    "recreation_ground": Ground((223, 252, 226)),
    "village_green": Ground(_GRASS),
    "playground": Ground((223, 252, 226), (150, 200, 155)),
    "dog_park": Ground((223, 252, 226)),
    "pitch": Ground((136, 224, 190), (90, 180, 145)),
    "golf_course": Ground((222, 246, 192)),
    "wood": Ground(_FOREST),
    "forest": Ground(_FOREST),
    "nature_reserve": Ground(_PARK),
    "scrub": Ground((200, 215, 171)),
    "heath": Ground((214, 217, 159)),
    "cemetery": Ground((170, 203, 175)),
    "allotments": Ground((201, 225, 191), (170, 200, 160)),
    "farmland": Ground((238, 240, 213), (213, 216, 180)),
    "orchard": Ground((174, 223, 163)),
    "vineyard": Ground((174, 223, 163)),
    "wetland": Ground((198, 224, 204)),
    "tree_row": Ground(_FOREST),
    "parking": Ground((238, 238, 238), (200, 190, 190)),
    "bicycle_parking": Ground((238, 238, 238), (200, 190, 190)),
    "beach": Ground((255, 241, 186)),
    "fountain": Ground(WATER, (115, 170, 190)),
    "swimming_pool": Ground(WATER, (115, 170, 190)),
    "marketplace": Ground((255, 214, 209), (217, 156, 149)),
    "place_of_worship": Ground((208, 208, 208), (140, 140, 140)),
    "stadium": Ground((223, 252, 226), (150, 200, 155)),
    "sports_centre": Ground((223, 252, 226), (150, 200, 155)),
    "camp_site": Ground((222, 246, 192)),
    "hospital": _SOCIETY,
    "clinic": _SOCIETY,
    "school": _SOCIETY,
    "kindergarten": _SOCIETY,
    "university": _SOCIETY,
    "college": _SOCIETY,
    "library": _SOCIETY,
    "community_centre": _SOCIETY,
    "social_facility": _SOCIETY,
}
_MAJOR_BUILDINGS = frozenset(
    "place_of_worship church cathedral mosque temple synagogue shrine station train_station terminal".split()  # noqa: SIM905
)
_STREAMS = {"river": 12.0, "canal": 10.0, "stream": 4.0, "drain": 3.0, "ditch": 2.5}
_COLOURS: tuple[tuple[Colour, tuple[str, ...]], ...] = (
    (ORANGE, ("restaurant", "cafe", "coffee", "bar", "pub", "food", "eat", "brewery", "ice_cream")),
    (RED, ("health", "doctor", "clinic", "hospital", "pharmacy", "dent", "medic", "therap", "veterinary")),
    (BLUE, ("hotel", "hostel", "motel", "guest_house", "parking", "fuel", "gas_station", "bicycle_rental", "car_rental",
            "taxi", "charging_station")),
    (BLACK, ("worship", "church", "temple", "mosque", "shrine", "synagogue", "cathedral")),
    (PURPLE, ("shop", "store", "market", "convenience", "salon", "hairdresser", "clothes", "boutique", "bakery",
              "bookstore", "books", "florist", "deli", "jewelry", "electronics", "optician", "laundry", "beauty")),
    (OFFICE, ("office", "company", "lawyer", "estate_agent", "insurance", "agency", "consult", "professional")),
)  # fmt: skip


def road(feature: Feature) -> Road:
    """How a road that is no path is drawn."""
    parent = feature.category.removesuffix("_link")
    drawn = _ROADS.get(parent, _ROADS["residential"])
    if parent != feature.category:
        return drawn._replace(width=_LINK)
    if parent == "service" and not feature.told:  # a driveway, an aisle of a car park
        return drawn._replace(width=_AISLE_WIDTH)
    return drawn


def road_rank(feature: Feature) -> tuple[int, str]:
    """Drawing order within a layer: the lesser roads first."""
    parent = feature.category.removesuffix("_link")
    return _ORDER.index(parent) if parent in _ORDER else _ORDER.index("residential"), feature.feature_id


def ground(feature: Feature) -> Ground | None:
    """How an area that is neither building nor water is drawn; None where it is not filled."""
    known = _GROUNDS.get(feature.category)
    if known is None and feature.kind == "green":
        return Ground(_GRASS)
    return SQUARE if feature.kind == "square" else known


def building(feature: Feature) -> Ground:
    """How a building is drawn."""
    return MAJOR_BUILDING if feature.category in _MAJOR_BUILDINGS else BUILDING


def stream_width(feature: Feature) -> float:
    """Width of a river or lesser stream that is mapped as a line."""
    return _STREAMS.get(feature.category, 4.0)


def place_colour(feature: Feature) -> Colour:
    """Colour of the symbol of a place and of its name."""
    if feature.kind == "stop":
        return BLUE
    if feature.kind == "green":
        return GREEN_TEXT
    for colour, words in _COLOURS:
        if any(word in feature.category for word in words):
            return colour
    return BROWN


def text_colour(feature: Feature) -> Colour:
    """Colour of a name."""
    if feature.kind == "water":
        return WATER_TEXT
    if feature.kind in {"poi", "stop", "green"} and not feature.building:
        return place_colour(feature)
    return TEXT
