"""Whether a thing on the map is there to be seen: its lifecycle, status, dates and confidence, and what lies hidden.

OSM's ways to say it: https://wiki.openstreetmap.org/wiki/Lifecycle_prefix (`disused:shop=bakery`), plain keys
(`demolished=yes`), values of the main keys (`railway=abandoned`, `shop=vacant`, `railway=disused_station`), `end_date`,
`opening_date`, opening hours (`off "for good"`) and a name that ends by saying so (`Star Cinema (closed)`). Overture's
and other files' status, dates and confidence are read from tags of the same names.
"""

import math
import re
from dataclasses import dataclass
from datetime import date

from pipeline.cartography.classes import KEYS, PATHS, Class, Shape, Tags, number

CLOSED = "closed or out of use"
GONE = "demolished or removed"
PLANNED = "proposed or under construction"
DOUBTED = "confidence below min_confidence"
UNKNOWN = "of an operating status that is not known"
HIDDEN = "below ground or indoors"
FERRY = "a ferry route"

_STAGES = dict.fromkeys(
    ("disused", "abandoned", "closed", "vacant", "inactive", "defunct", "decommissioned", "derelict", "ruins",
     "permanently_closed", "temporarily_closed", "closed_permanently", "closed_temporarily", "ruined", "shut",
     "shut_down", "ceased", "out_of_business", "out_of_use", "burnt", "burned"),
    CLOSED,
)  # fmt: skip
_STAGES |= dict.fromkeys(
    ("demolished", "razed", "removed", "destroyed", "dismantled", "collapsed", "was", "burnt_down", "burned_down"),
    GONE,
)
_STAGES |= dict.fromkeys(
    ("proposed", "planned", "construction", "under_construction", "cancelled", "canceled", "unbuilt", "coming_soon"),
    PLANNED,
)
_FORMERLY = frozenset({"was", "historic", "historical", "former", "formerly", "no_longer", "ex", "old"})
"""Prefixes only: as keys and values they say nothing of whether a thing is there."""
_PREFIXES = _STAGES | dict.fromkeys(_FORMERLY, GONE)
_VALUES = _STAGES | dict.fromkeys(("empty", "unoccupied"), CLOSED)
"""Of the main keys. There a word may stand before what the thing was, as `disused_station`."""
_LEADS = "|".join(sorted({"former", *_STAGES} - {"closed", "construction", "planned", "was"}))
_LED = re.compile(rf"({_LEADS})_")
_STATUS_KEYS = frozenset(
    {"operating_status", "operational_status", "business_status", "status", "state", "condition", "damage", "station",
     "lifecycle", "lifecycle_status", "building:status", "building:condition", "building:use"}
)  # fmt: skip
_OPEN = frozenset(
    {"open", "opened", "reopened", "operational", "operating", "active", "in_operation", "in_use", "functional",
     "existing", "yes", "true", "unknown"}
)  # fmt: skip
"""Values of Overture's status, and of like columns of others, of things that are there. What else stands in it is one
that says otherwise in words of its own: Overture's own schema has three."""
_ENDS = ("end_date", "date_closed", "closing_date", "closed_date")
_BEGINS = ("opening_date", "start_date")
_DATES = frozenset({*_ENDS, *_BEGINS})
_SHUT = re.compile(r'(closed|off)(_*".*")?')
"""Opening hours that never come."""
_CLOSED = r"((now|permanently|temporarily)\s+)?closed(\s+(permanently|temporarily|down|for good))?"
_SAYS_SO = re.compile(
    rf"[(\[*]\s*{_CLOSED}\s*[)\]*]*\s*$"
    rf"|\s[-\u2013\u2014|:]+\s*{_CLOSED}\s*$"
    r"|\b(permanently|temporarily)\s+closed\W*$"
    r"|[(\[]\s*(demolished|abandoned|disused|fermée?|geschlossen|cerrado|chiuso)\s*[)\]]\s*$",
    re.IGNORECASE,
)
"""Additions that map editors, and owners of pages about places, add to a name."""
_NO = frozenset({"", "no", "false", "0", "none"})
_LESSER_WORKS = frozenset({"minor", "widening"})
"""Values of `construction` on a road that is in use."""
_MAIN_KEYS = frozenset(KEYS) - {"landuse"}  # landuse=construction is ground that is there
_TENANTS = frozenset({"amenity", "shop", "tourism", "office", "craft", "healthcare", "leisure"})
"""Keys of what is in a building, whose name the building bears."""
_IN_TUNNEL = frozenset({"yes", "true", "1", "culvert", "flooded", "cave"})  # building_passage is open
_LONGEST_REMARK = 60
"""Characters at the end of a name that are looked at."""
_COMPACT = re.compile(r"(?<![0-9])([0-9]{4})([0-9]{2})([0-9]{2})(?![0-9])")
_YEAR = re.compile(r"(?<![0-9])([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?(?![0-9])")
_CENTURY = re.compile(r"\bC([0-9]{1,2})\b")
_SPAN = re.compile(r"\s*(-?[0-9]+(?:\.[0-9]+)?)(?:\s*-\s*(-?[0-9]+(?:\.[0-9]+)?))?\s*")


@dataclass(frozen=True)
class Trust:
    """How far a map is believed."""

    as_of: date
    """The map's date: what ended before it is gone, what opens after it is not there yet."""
    min_confidence: float = 0.0
    """Things that the map itself gives less confidence, 0 to 1, are left out."""


def absence(tags: Tags, trust: Trust) -> str | None:
    """Why a thing is not there, or not known well enough to be: one of this module's reasons; None if it is there."""
    if tags.get("route") == "ferry":
        return FERRY
    for key, value in tags.items():
        found = _stage(key, value, tags)
        if found is not None:
            return found
    if any(moment <= trust.as_of for moment in _moments(tags, _ENDS)):
        return GONE
    if any(moment > trust.as_of for moment in _moments(tags, _BEGINS)):
        return PLANNED
    if _SAYS_SO.search(tags.get("name", "")[-_LONGEST_REMARK:]):
        return CLOSED
    stated = confidence(tags)
    return DOUBTED if stated is not None and stated < trust.min_confidence else None


def confidence(tags: Tags) -> float | None:
    """The map's own confidence that a thing exists, 0 to 1; None where it states none."""
    try:
        value = float(tags.get("confidence", "nan"))
    except ValueError:
        return None
    return value if math.isfinite(value) and 0.0 <= value <= 1.0 else None


def tells_of_life(key: str) -> bool:
    """Whether a tag's key can say, whatever else a thing is, that it is no more or not yet."""
    return key.partition(":")[0] in _PREFIXES or key in _STATUS_KEYS or key in _DATES


def lost_its_tenant(tags: Tags) -> bool:
    """Whether a building's name may be that of something in it that is no more: `building=yes, disused:shop=bakery`."""
    parts = [key.partition(":") for key in tags if ":" in key]
    lost = any(before in _PREFIXES and after in _TENANTS for before, _, after in parts)
    return lost and not any(key in tags for key in _TENANTS)


def hidden(tags: Tags, what: Class) -> bool:
    """Whether a thing lies where nobody sees it from the street: below ground, in a tunnel, indoors, on an upper floor.

    Streams and greens with a negative layer are seen: the layer only says that something else crosses above them.
    """
    if tags.get("indoor", "no").lower() not in _NO or tags.get("location") in {"underground", "indoor"}:
        return True
    in_tunnel = tags.get("tunnel", "").lower() in _IN_TUNNEL
    if what.kind == "water":
        return in_tunnel
    if what.kind in {"building", "green", "other", "junction"} and what.category != "tunnel":
        return False
    floors = _floors(tags.get("level"))
    upper = 1.0 if what.kind == "poi" else math.inf
    on_no_floor_seen = bool(floors) and not any(low <= upper and high >= 0.0 for low, high in floors)
    return in_tunnel or number(tags.get("layer")) < 0 or on_no_floor_seen


def is_drawn_hidden(what: Class, shape: Shape) -> bool:
    """Whether a hidden thing is still drawn, and only not told: streets, whose course shows where others end."""
    return shape == "line" and (what.kind == "road" or what.category == "tunnel") and what.category not in PATHS


def _stage(key: str, value: str, tags: Tags) -> str | None:
    """The stage of a thing's life that one tag states."""
    said = value.strip().lower().replace(" ", "_").replace("-", "_")
    if key in _MAIN_KEYS:
        led = _LED.match(said)
        return (
            None
            if (key, said) == ("historic", "ruins")
            else _VALUES.get(said) or (_STAGES.get(led[1], GONE) if led else None)
        )
    if key in _STATUS_KEYS:
        unknown = key == "operating_status" and said not in _OPEN and said not in _NO
        return _STAGES.get(said, UNKNOWN if unknown else None)
    if key == "opening_hours":
        return CLOSED if _SHUT.fullmatch(said) else None
    if key in _STAGES and key not in _FORMERLY:
        in_use = said in _NO or (key == "construction" and said in _LESSER_WORKS)
        in_use |= key == "ruins" and "historic" in tags  # a sight
        return None if in_use else _STAGES[key]
    return _by_prefix(key, said, tags)


def _by_prefix(key: str, said: str, tags: Tags) -> str | None:
    """The stage that `disused:shop=...` states of a thing that is a `shop` as well."""
    before, _, after = key.partition(":")
    if after not in _MAIN_KEYS or after not in tags or said in _NO:
        return None
    if before in _FORMERLY and said not in {"yes", tags[after].lower()}:
        return None  # it was something else
    return _PREFIXES.get(before)


def _moments(tags: Tags, keys: tuple[str, ...]) -> list[date]:
    """First days of the dates that some keys state."""
    return [moment for key in keys if (moment := _begin(tags.get(key))) is not None]


def _begin(text: str | None) -> date | None:
    """First day of a stated date: `1987`, `1987-05`, `19870531`, `~1980`, `1980s`, `2010..2012` (of its end), `C19`."""
    years = _YEAR.findall(_COMPACT.sub(r"\1-\2-\3", (text or "").removesuffix("s")))
    if years:
        year, month, day = (int(part or 1) for part in years[-1])
    else:
        centuries = _CENTURY.findall(text or "")
        if not centuries:
            return None
        year, month, day = max((int(centuries[-1]) - 1) * 100, 1), 1, 1
    try:
        return date(year, month, day)
    except ValueError:
        return date(max(year, 1), 1, 1)


def _floors(text: str | None) -> list[tuple[float, float]]:
    """The ranges of floors that a `level` names, as `-1;0`, `0-3`, `2`; none where it cannot be read."""
    spans = [_SPAN.fullmatch(part) for part in re.split("[;,]", text or "")]
    found = [(float(span[1]), float(span[2] or span[1])) for span in spans if span]
    return [(min(pair), max(pair)) for pair in found]
