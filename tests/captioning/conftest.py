"""Made-up cue lists of the kinds that real places give."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from pipeline.captioning.base import Evidence
from pipeline.perception.cues import FROM_ABOVE
from pipeline.perception.vocabulary import vocabulary
from schemas.records import Cue, ImageryRow, Position

POSITIONS = list(Position)
BEARINGS = dict(zip(POSITIONS, (270.0, 315.0, 0.0, 45.0, 90.0, 180.0), strict=True))
SHOPS = [
    ("Trident Booksellers & Cafe", "bookstore", "TRIDENT"),
    ("Apotek Lejonet", "pharmacy", "APOTEK"),
    ("Hestra", "clothing_store", "HESTRA"),
    ("Nitro Club", "bar", "NITRO CLUB"),
    ("Island Farm", "flower_shop", "ISLAND FARM"),
    ("Mork's", "restaurant", "MORK'S"),
    ("Freebird", "hair_salon", "FREEBIRD"),
    ("Spruce Confections", "bakery", "SPRUCE"),
    ("Radiance Medspa", "beauty_salon", "radiance medspa"),
    ("Shoe Fly", "shoe_store", "shoe fly"),
    ("Allgood Law", "attorney_or_law_firm", ""),
    ("Piekarnia Nowak", "bakery", "PIEKARNIA"),
    ("Hotel Corona", "hotel", "HOTEL CORONA"),
    ("Bar Tabac", "cafe", "BAR-TABAC"),
    ("Altitude Gear", "sporting_goods_store", "ALTITUDE"),
    ("Cuvée", "wine_shop", "CUVÉE"),
    ("Lamps & More", "specialty_store", "LAMPS"),
]
KOREAN = [
    ("순창식당", "Sunchang Restaurant", "restaurant"),
    ("옛마을", "Old Village", "pub"),
    ("서울사우나", "Seoul Sauna", "sauna"),
    ("방산시장", "Bangsan Market", "marketplace"),
    ("종로약국", None, "pharmacy"),
]
LOOSE = [
    "DELI",
    "957 MAIN",
    "B CORP",
    "FRISCH & LECKER",
    "STOP",
    "ONE WAY",
    "Kaffee",
    "1137",
    "SINCE 1902",
    "LIBRAIRIE",
]


LOOKS = {
    "bench": ["green", "wooden"],
    "building": ["tall", "brick", "red"],
    "awning": ["green", "red", "striped"],
    "house": ["white", "brick"],
    "church": ["red-roofed", "stone"],
    "fountain": ["stone", "round"],
    "statue": ["bronze"],
    "bridge": ["stone", "wooden"],
    "wall": ["white", "stone"],
}


def above(kind: str, label: str) -> str | None:
    """As perception says it."""
    if kind == "object":
        return vocabulary()[label].above if label in vocabulary() else None
    return "street_only" if kind == "text" else "aerial" if label in FROM_ABOVE else "map"


def cue(cue_id: str, kind: str, label: str, **values: Any) -> Cue:
    """A cue of which no more is known than is given."""
    base: dict[str, Any] = {
        "cue_id": cue_id,
        "kind": kind,
        "label": label,
        "attribute": None,
        "category": None,
        "text": None,
        "text_en": None,
        "script": None,
        "position": None,
        "depth": None,
        "bearing_deg": None,
        "distance_m": None,
        "confidence": 0.95,
        "source": "made up",
        "view_id": None,
        "polygon": None,
        "area_share": None,
        "mask": None,
        "lasting": True,
        "confirmed": kind == "text",
        "from_above": above(kind, label),
        "in_sight": True,
    }
    return Cue.model_validate({**base, **values})


class Cues:
    """A growing cue list."""

    def __init__(self, random: Random, *, heading: bool = True) -> None:
        self.random = random
        self.heading = heading
        self.cues: list[Cue] = []

    def add(self, kind: str, label: str, **values: Any) -> None:
        """A cue with plausible values for what is not given."""
        position = values.pop("position", None) or self.random.choice(POSITIONS)
        on_map = kind == "map"
        likely: dict[str, Any] = {
            "position": position if self.heading or not on_map else None,
            "depth": None if on_map else self.random.choice(["near", "far", None]),
            "bearing_deg": (BEARINGS[position] + self.random.uniform(-20, 20)) % 360,
            "confidence": 1.0 if on_map else 0.9,
            "view_id": None if on_map else "0",
        }
        self.cues.append(cue(f"{kind[0]}{len(self.cues) + 1}", kind, label, **{**likely, **values}))

    def fact(self, label: str, category: str, distance: float, **values: Any) -> None:
        self.add("map", label, category=category, distance_m=distance, **values)

    def sign(self, text: str, **values: Any) -> None:
        values.setdefault("script", "Latn")
        self.add("text", "sign", text=text, **values)

    def thing(self, label: str, attribute: str | None = None, **values: Any) -> None:
        self.add("object", label, attribute=attribute, **values)


def _downtown(c: Cues) -> None:
    r = c.random
    c.fact("road", r.choice(["pedestrian", "secondary", "tertiary"]), r.uniform(0, 8), text="Pearl Street")
    c.fact("road", "residential", r.uniform(10, 40), text="10th Street")
    if r.random() < 0.7:
        c.fact("crossing", r.choice(["zebra", "traffic_signals", "crossing"]), r.uniform(3, 30))
    if r.random() < 0.5:
        c.fact("junction", r.choice(["t_junction", "crossroads", "roundabout"]), r.uniform(5, 45))
    for name, category, sign in r.sample(SHOPS, r.randint(4, 8)):
        position = r.choice(POSITIONS)
        c.fact("poi", category, r.uniform(6, 70), text=name, position=position)
        if sign and r.random() < 0.6:
            c.sign(sign, position=position, confidence=r.uniform(0.8, 1))
    for text in r.sample(LOOSE, r.randint(1, 3)):
        c.sign(text)
    if r.random() < 0.5:
        c.fact("stop", "bus_stop", r.uniform(5, 60), text="Pearl St & 10th St")
    for label in r.sample(["bench", "tree", "lamp", "building", "awning", "planter", "traffic light"], 4):
        c.thing(label, r.choice([None, *LOOKS.get(label, [])]))
    c.thing("car", lasting=False)
    c.sign("TAXI 4711", lasting=False)
    c.thing("sky", area_share=0.3)


def _suburb(c: Cues) -> None:
    r = c.random
    c.fact("road", "residential", r.uniform(0, 8), text="Elm Lane")
    if r.random() < 0.5:
        c.fact("road", "footway", r.uniform(1, 10))
    if r.random() < 0.5:
        c.fact("junction", "t_junction", r.uniform(8, 60))
    for _ in range(r.randint(1, 3)):
        c.thing("house", r.choice(["white", "brick", "two-storey", "yellow"]))
    for label in r.sample(["tree", "hedge", "fence", "lawn", "garage"], 3):
        c.thing(label)
    if r.random() < 0.5:
        c.fact("green", "playground", r.uniform(20, 70))


def _park(c: Cues) -> None:
    r = c.random
    c.fact("green", "park", 0.0, text="Tapgol Park")
    c.fact("road", r.choice(["footway", "path", "cycleway"]), r.uniform(0, 3))
    c.fact("water", r.choice(["pond", "river", "canal"]), r.uniform(10, 70), text="Boulder Creek")
    if r.random() < 0.6:
        c.fact("poi", "monument", r.uniform(10, 50), text="Samilmun Gate")
    for label in r.sample(["tree", "tree", "bench", "statue", "fountain", "flower bed", "bridge"], 4):
        c.thing(label, r.choice([None, *LOOKS.get(label, [])]))


def _junction(c: Cues) -> None:
    r = c.random
    c.fact("junction", r.choice(["crossroads", "t_junction", "roundabout"]), r.uniform(0, 11))
    c.fact("road", "secondary", r.uniform(0, 10), text="Main Street")
    c.fact("road", r.choice(["residential", "service", "tertiary"]), r.uniform(3, 14))
    c.fact("crossing", "zebra", r.uniform(5, 25))
    c.fact("rail", "tram", r.uniform(5, 40))
    c.fact("building", r.choice(["apartments", "church", "warehouse", "yes"]), r.uniform(10, 40))
    c.fact("poi", r.choice(["fuel", "supermarket", "school"]), r.uniform(20, 75))
    c.sign("MAIN ST")
    c.thing("church", r.choice(["red-roofed", "stone", None]))
    for label in r.sample(["traffic light", "tree", "apartment building", "billboard", "crossing"], 3):
        c.thing(label)


def _korean(c: Cues) -> None:
    r = c.random
    c.fact("road", r.choice(["living_street", "residential", "primary"]), r.uniform(0, 9))
    for text, english, category in r.sample(KOREAN, 3):
        position = r.choice(POSITIONS)
        c.sign(text, script="Hang", position=position, confidence=0.95)
        if r.random() < 0.5:
            c.fact("poi", category, r.uniform(5, 35), text=text, text_en=english, script="Hang", position=position)
    c.sign("20")
    c.fact("stop", "bus_stop", r.uniform(10, 50), text="종로3가")
    c.thing("building", "tall")
    c.thing("tree")


def _objects_only(c: Cues) -> None:
    r = c.random
    for label in r.sample(
        ["church", "tree", "bench", "bus stop", "shop", "house", "fountain", "crossing", "wall", "water"], 6
    ):
        c.thing(label, r.choice([None, *LOOKS.get(label, [])]), distance_m=r.choice([None, r.uniform(3, 90)]))


def _weak(c: Cues) -> None:
    r = c.random
    for label in r.sample(["road", "vegetation", "building", "sky", "water"], 3):
        c.thing(label, confidence=r.uniform(0.75, 0.85), depth=None, area_share=r.uniform(0.1, 0.5))


KINDS: dict[str, Callable[[Cues], None]] = {
    "downtown": _downtown,
    "suburb": _suburb,
    "park": _park,
    "junction": _junction,
    "korean": _korean,
    "objects": _objects_only,
    "weak": _weak,
    "downtown without heading": _downtown,
    "junction without heading": _junction,
}


def evidence(site_id: str, cues: list[Cue], region: str = "boulder-co") -> Evidence:
    """Cues as a captioner is given them."""
    site = ImageryRow(
        site_id=site_id,
        status="ok",
        reason=None,
        detail=None,
        region=region,
        unit="89268cdb597ffff",
        lat=40.0,
        lon=-105.0,
        weight=1.0,
        views=[],
        aerial=None,
        map=None,
        facts=[],
        missing=[],
    )
    return Evidence(site, cues)


def make_place(kind: str, number: int) -> Evidence:
    """A place of a kind, always the same for the same number."""
    cues = Cues(Random(f"{kind} {number}"), heading="without heading" not in kind)
    KINDS[kind](cues)
    return evidence(f"{kind.replace(' ', '-')}-{number}", cues.cues)


@pytest.fixture(scope="session")
def places() -> list[Evidence]:
    """Places of all kinds, some of each."""
    return [make_place(kind, number) for number in range(24) for kind in KINDS]
