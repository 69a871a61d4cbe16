"""Whether a thing on the map is there to be seen: its lifecycle, status, dates and confidence, and what lies hidden.

OSM's ways to say it: https://wiki.openstreetmap.org/wiki/Lifecycle_prefix (`disused:shop=bakery`), plain keys
(`demolished=yes`), values of the main keys (`railway=abandoned`, `shop=vacant`), `end_date`, `opening_date`. Overture's
and other files' status and confidence are read from tags of the same names.
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
HIDDEN = "below ground or indoors"
FERRY = "a ferry route"

_STAGES = dict.fromkeys("disused abandoned closed vacant inactive defunct decommissioned".split(), CLOSED)  # noqa: SIM905
_STAGES |= dict.fromkeys("demolished razed removed destroyed dismantled was".split(), GONE)  # noqa: SIM905
_STAGES |= dict.fromkeys("proposed planned construction under_construction".split(), PLANNED)  # noqa: SIM905
_STATUS_KEYS = frozenset({"operating_status", "operational_status", "business_status", "status"})
_STATUS = _STAGES | dict.fromkeys(
    ("permanently_closed", "temporarily_closed", "closed_permanently", "closed_temporarily"), CLOSED
)
_DATES = frozenset({"end_date", "opening_date", "start_date"})
_NO = frozenset({"", "no", "false", "0", "none"})
_LESSER_WORKS = frozenset({"minor", "widening"})
"""Values of `construction` on a road that is in use."""
_MAIN_KEYS = frozenset(KEYS) - {"landuse"}  # landuse=construction is ground that is there
_TENANTS = frozenset({"amenity", "shop", "tourism", "office", "craft", "healthcare", "leisure"})
"""Keys of what is in a building, whose name the building bears."""
_IN_TUNNEL = frozenset({"yes", "true", "culvert", "flooded", "cave"})  # building_passage, avalanche_protector are open
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
    ended = _begin(tags.get("end_date"))
    if ended is not None and ended <= trust.as_of:
        return GONE
    opened = [moment for key in ("opening_date", "start_date") if (moment := _begin(tags.get(key))) is not None]
    if any(moment > trust.as_of for moment in opened):
        return PLANNED
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
    return key.partition(":")[0] in _STAGES or key in _STATUS_KEYS or key in _DATES


def lost_its_tenant(tags: Tags) -> bool:
    """Whether a building's name may be that of something in it that is no more: `building=yes, disused:shop=bakery`."""
    parts = [key.partition(":") for key in tags if ":" in key]
    lost = any(before in _STAGES and after in _TENANTS for before, _, after in parts)
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
    """What one tag says of a thing's life."""
    said = value.strip().lower().replace(" ", "_")
    if key in _MAIN_KEYS:
        return _STAGES.get(said)
    if key in _STATUS_KEYS:
        return _STATUS.get(said)
    if key == "opening_hours":
        return CLOSED if said in {"closed", "off"} else None
    if key in _STAGES and key != "was":
        in_use = said in _NO or (key == "construction" and said in _LESSER_WORKS)
        return None if in_use else _STAGES[key]
    before, colon, after = key.partition(":")
    return _STAGES.get(before) if colon and after in _MAIN_KEYS and after in tags and said not in _NO else None


def _begin(text: str | None) -> date | None:
    """First day of a stated date: `1987`, `1987-05`, `~1980`, `1980s`, `2010..2012` (of its end), `C19`."""
    years = _YEAR.findall((text or "").removesuffix("s"))
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
