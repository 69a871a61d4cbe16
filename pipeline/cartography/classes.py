"""Classifies a map feature by its tags: one of our few kinds, and the source's own class.

Tags are OSM's (https://wiki.openstreetmap.org/wiki/Map_features). Overture's and other files' properties are brought to
them by `pipeline.sources.maps.read_geo`, where a class of their own goes into the tag `category` or `class`.
"""

from typing import Literal, NamedTuple

from schemas.records import FactKind

Tags = dict[str, str]
Shape = Literal["point", "line", "area"]


class Class(NamedTuple):
    """The class of a feature."""

    kind: FactKind
    category: str


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STREETS = _words("trunk primary secondary tertiary unclassified residential living_street pedestrian road unknown")
"""Road classes whose meeting makes a junction; slip roads and ways through yards and parks do not."""
LINKS = _words("motorway_link trunk_link primary_link secondary_link tertiary_link")
PATHS = _words("footway path steps cycleway bridleway track")
ROADS = STREETS | LINKS | PATHS | {"motorway", "service", "busway"}

_RAILS = _words("rail light_rail subway tram narrow_gauge monorail funicular standard_gauge")
_STATIONS = _words("station halt tram_stop subway_entrance")
_GREEN = {
    "leisure": _words("park garden playground pitch nature_reserve golf_course dog_park common"),
    "landuse": _words(
        "grass forest meadow village_green recreation_ground cemetery allotments orchard vineyard flowerbed "
        "greenfield farmland"
    ),
    "natural": _words("wood scrub grassland heath tree tree_row wetland"),
    "category": _words("national_park state_park dog_park community_gardens botanical_garden"),
}
_WATER = {
    "natural": _words("water bay"),
    "landuse": _words("reservoir basin"),
    "waterway": _words("river stream canal drain ditch riverbank"),
    "leisure": _words("swimming_pool"),
    "category": _words("lake pond ocean human_made"),
}
_STOPS = _words(
    "bus_stop bus_station train_station railway_station subway_station tram_stop metro_station light_rail_station "
    "ferry_terminal transportation public_transportation"
)
_SIGNALS = frozenset({"traffic_signals", "traffic_lights"})
_CROSSINGS = frozenset({"crossing", "crosswalk", "pedestrian_crossing", "level_crossing"})
_SQUARES = frozenset({"square", "plaza", "public_plaza", "pedestrian"})
_LANDMARKS = {
    "man_made": _words("bridge tower water_tower communications_tower chimney lighthouse pier windmill"),
    "barrier": frozenset({"city_wall"}),
    "natural": frozenset({"beach", "peak", "spring"}),
    "railway": frozenset({"turntable"}),
}
_POI_KEYS = ("amenity", "shop", "tourism", "historic", "office", "craft", "healthcare", "leisure")
_TRIFLES = _words(
    "bench waste_basket waste_disposal recycling bicycle_parking motorcycle_parking parking_space parking_entrance "
    "vending_machine grit_bin hunting_stand clock loading_dock telephone shelter smoking_area bbq drinking_water "
    "post_box letter_box payment_terminal lounger picnic_table outdoor_seating bleachers information vacant no "
    "fitness_station ashtray table chair compressed_air give_box"
)
_PLAIN_BUILDINGS = _words(
    "yes house residential apartments detached semidetached_house terrace bungalow garage garages carport shed roof "
    "hut cabin static_caravan outbuilding farm_auxiliary greenhouse service commercial retail office industrial "
    "building construction mixed_use allotment_house ger"
)
_PLAIN_GROUND = _words("grass flowerbed scrub grassland heath greenfield farmland meadow tree wetland")
_PLAIN_WATER = _words("drain ditch swimming_pool basin")
LAND_USES = _words("residential commercial retail industrial railway construction brownfield garages")
"""Classes of built-up ground: the map's background, drawn and never told."""
_MINOR_WAYS = {
    "footway": _words("sidewalk crossing crosswalk traffic_island link access_aisle"),
    "service": _words("driveway parking_aisle emergency_access drive-through"),
}


def _by_word() -> dict[str, FactKind]:
    """Kinds of single words, for sources that give a class but no key."""
    words: dict[str, FactKind] = {}
    for values in _GREEN.values():
        words |= dict.fromkeys(values, "green")
    for values in _WATER.values():
        words |= dict.fromkeys(values, "water")
    words |= dict.fromkeys(_STOPS, "stop")
    words |= dict.fromkeys(_CROSSINGS | _SIGNALS, "crossing")
    words |= dict.fromkeys(_SQUARES, "square")
    for landmarks in _LANDMARKS.values():
        words |= dict.fromkeys(landmarks, "other")
    return words


_KIND_OF_WORD = _by_word()

KEYS = (
    "highway", "railway", "public_transport", "place", "landuse", "natural", "waterway", "man_made", "barrier",
    "building", *_POI_KEYS,
)  # fmt: skip
"""OSM keys that `classify` looks at: objects with none of them need not be read."""


def classify(tags: Tags, shape: Shape) -> Class | None:
    """Kind and category of a feature; None for what has no place in a description or on a chip.

    Whether it is there, and can be seen, is for `pipeline.cartography.existence` to say.
    """
    for rule in (_way, _transport, _ground, _place, _landmark, _building, _foreign, _land_use):
        found = rule(tags, shape)
        if found is not None:
            return found
    return None


def encloses(tags: Tags) -> bool:
    """Whether a closed OSM way with these tags is an area. Follows the `area` key's page on the OSM wiki."""
    if tags.get("area") in {"yes", "no"}:
        return tags["area"] == "yes"
    if "highway" in tags or "barrier" in tags or tags.get("railway") in _RAILS:
        return False
    return tags.get("waterway", "riverbank") == "riverbank" and tags.get("natural") != "tree_row"


def is_background(what: Class) -> bool:
    """Whether a feature is the ground that others lie on."""
    return what.kind == "other" and what.category in LAND_USES


def worth_telling(what: Class, tags: Tags, name: str | None) -> bool:
    """Whether a feature helps a description. The others are drawn only."""
    kind, category = what
    if is_background(what) or category == "tunnel":
        return False
    if kind == "road":
        return not any(tags.get(key) in values for key, values in _MINOR_WAYS.items())
    if name:
        return True
    if kind == "building":
        return category not in _PLAIN_BUILDINGS or number(tags.get("height")) >= 30.0  # about ten storeys
    if kind == "other":
        return category in {"bridge", "city_wall", "tower", "water_tower", "chimney"}
    return category not in _PLAIN_GROUND | _PLAIN_WATER


def _way(tags: Tags, shape: Shape) -> Class | None:
    road = tags.get("highway", "")
    if shape == "area":
        return Class("square", "pedestrian") if road in {"pedestrian", "footway"} else None
    if shape == "line" and road in ROADS:
        return Class("other", "tunnel") if tags.get("tunnel") == "yes" and road not in PATHS else Class("road", road)
    if shape == "point":
        if road in _SIGNALS or (road == "crossing" and _signalled(tags)):
            return Class("crossing", "traffic_signals")
        if road in _CROSSINGS:
            return Class("crossing", "zebra" if _zebra(tags) else "crossing")
        if road == "mini_roundabout":
            return Class("junction", "mini_roundabout")
    return None


def _signalled(tags: Tags) -> bool:
    return tags.get("crossing") == "traffic_signals" or tags.get("crossing:signals") == "yes"


def _zebra(tags: Tags) -> bool:
    return "zebra" in {tags.get("crossing"), tags.get("crossing_ref"), tags.get("crossing:markings")}


def _transport(tags: Tags, shape: Shape) -> Class | None:
    rail = tags.get("railway", "")
    if rail in _RAILS and shape == "line":
        return Class("rail", rail)
    if rail in _STATIONS:
        return Class("stop", rail)
    if rail in _CROSSINGS and shape == "point":
        return Class("crossing", rail)
    for key in ("highway", "amenity"):
        if tags.get(key, "") in _STOPS:
            return Class("stop", tags[key])
    return Class("stop", "station") if tags.get("public_transport") == "station" else None


def _ground(tags: Tags, shape: Shape) -> Class | None:
    if tags.get("place") == "square" and shape == "area":
        return Class("square", "square")
    for key in ("leisure", "natural", "landuse", "waterway"):
        value = tags.get(key, "")
        if value in _GREEN.get(key, ()):
            return Class("green", value)
        if value in _WATER.get(key, ()):
            return Class("water", tags.get("water", value))
    return None


def _place(tags: Tags, shape: Shape) -> Class | None:
    for key in _POI_KEYS:
        value = tags.get(key, "")
        if value == "yes":
            value = key if key in {"shop", "office", "craft"} else ""
        if value and value not in _TRIFLES and shape != "line":
            return Class("poi", value)
    return None


def _landmark(tags: Tags, _: Shape) -> Class | None:
    for key, values in _LANDMARKS.items():
        if tags.get(key, "") in values:
            return Class("other", tags[key])
    return None


def _building(tags: Tags, shape: Shape) -> Class | None:
    value = tags.get("building", "no")
    return Class("building", "building" if value == "yes" else value) if value != "no" and shape == "area" else None


def _foreign(tags: Tags, _: Shape) -> Class | None:
    if "category" in tags:
        return Class(_KIND_OF_WORD.get(tags["category"], "poi"), tags["category"])
    for word in (tags.get("class", ""), tags.get("subtype", "")):
        if word in _KIND_OF_WORD:
            return Class(_KIND_OF_WORD[word], tags.get("class") or word)
    return None


def _land_use(tags: Tags, shape: Shape) -> Class | None:
    built_up = tags.get("subtype") in {"residential", "developed", "construction"}  # Overture's land use
    value = tags.get("landuse") or (tags.get("class", "") if built_up else "")
    return Class("other", value) if value in LAND_USES and shape == "area" else None


def number(text: str | None) -> float:
    """The leading number of a tag's value, 0 if there is none (levels may read `-1;-2`, heights `12 m`)."""
    head = (text or "").replace(";", " ").replace(",", ".").split()
    try:
        return float(head[0]) if head else 0.0
    except ValueError:
        return 0.0
