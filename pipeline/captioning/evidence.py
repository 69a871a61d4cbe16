"""The evidence about a place as claims are compared with it: each thing's kind, look, words, and where it is."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.captioning.base import Evidence
from pipeline.captioning.language.en.kinds import Kinds
from pipeline.captioning.likeness import folded
from pipeline.perception.cues import ASSUMED_HFOV_DEG
from schemas.records import Cue, MapFact, Position, StreetView

_POSITION_ERROR_M = 3.0
"""Of a camera, at the least: a thing on the map so near may be on either side."""
_WIDEST_DEG = 40.0
_STRETCH_DEG = 15.0
"""Something that runs or spreads may well be this much to either side of its nearest point on the map."""
_SECTORS = {
    Position.LEFT: (-90.0, 30.0),
    Position.AHEAD_LEFT: (-40.0, 20.0),
    Position.AHEAD: (0.0, 20.0),
    Position.AHEAD_RIGHT: (40.0, 20.0),
    Position.RIGHT: (90.0, 30.0),
    Position.BEHIND: (180.0, 60.0),
}
"""Middle and half width of each position's sector; `pipeline.perception.cues` cuts them."""


@dataclass(frozen=True)
class Item:
    """One thing in evidence."""

    cue_id: str | None
    """None for what is on the map but in no cue."""
    source: str
    """`text`, `object` or `map`."""
    kind: str | None
    """What it is, in the words of `Kinds`; None for what is only named."""
    shown: frozenset[str]
    """Every kind of thing that it bears out: what it is, and what the words on it or its name say."""
    group: str
    """Label of the cue: the fact's kind on the map."""
    look: str | None
    words: tuple[str, ...]
    """Its text and its name, folded; in English too where that is known."""
    position: Position | None
    angle_deg: float | None
    """Clockwise from the optical axis of the first view."""
    half_width_deg: float
    bearing_deg: float | None
    distance_m: float | None
    view_id: str | None
    lasting: bool
    around: bool
    """The site lies in or on it."""


@dataclass(frozen=True)
class Known:
    """All that is in evidence of a place."""

    items: tuple[Item, ...]
    region: str
    charted: bool
    """Whether there is a map of the place: what is on none of its things is not there."""
    scripts: frozenset[str]
    """ISO 15924 codes of the scripts that were read."""

    @property
    def lasting(self) -> list[Item]:
        """What will be there tomorrow."""
        return [item for item in self.items if item.lasting]


def known(evidence: Evidence, kinds: Kinds) -> Known:
    """The evidence, made ready. The map's facts that became no cue count as well."""
    flat = {view.view_id: view for view in evidence.site.views if view.projection == "perspective"}
    heading = next((view.heading_deg for view in flat.values()), None)
    items = [_of_cue(cue, flat, heading, kinds) for cue in evidence.cues]
    told = {(cue.label, cue.category, cue.distance_m) for cue in evidence.cues if cue.kind == "map"}
    rest = [f for f in evidence.site.facts if (f.kind, f.category, f.distance_m) not in told]
    items += [_of_fact(fact, heading, kinds) for fact in rest]
    return Known(
        items=tuple(items),
        region=evidence.site.region,
        charted=any(item.source == "map" for item in items),
        scripts=frozenset(cue.script for cue in evidence.cues if cue.script),
    )


def _of_cue(cue: Cue, views: dict[str, StreetView], heading: float | None, kinds: Kinds) -> Item:
    on_map = cue.kind == "map"
    kind = "sign" if cue.kind == "text" else kinds.of_class(*_class(cue))
    angle = None if heading is None or cue.bearing_deg is None else _turn(cue.bearing_deg - heading)
    words = _folded(cue.text, cue.text_en)
    width = _map_error(cue.distance_m) if on_map else _seen_width(cue, views)
    return Item(
        cue_id=cue.cue_id,
        source=cue.kind,
        kind=kind,
        shown=_shown(kind, words, kinds),
        group=cue.label,
        look=cue.attribute,
        words=words,
        position=cue.position,
        angle_deg=angle,
        half_width_deg=width + (_STRETCH_DEG if on_map and kind and kinds.stretched(kind) else 0.0),
        bearing_deg=cue.bearing_deg,
        distance_m=cue.distance_m,
        view_id=cue.view_id,
        lasting=cue.lasting,
        around=on_map and (cue.distance_m or 0.0) < 0.5,
    )


def _class(cue: Cue) -> tuple[str, str]:
    return ("object", cue.label) if cue.kind == "object" else (cue.label, cue.category or "")


def _of_fact(fact: MapFact, heading: float | None, kinds: Kinds) -> Item:
    kind, words = kinds.of_class(fact.kind, fact.category), _folded(fact.name, fact.name_en)
    return Item(
        cue_id=None,
        source="map",
        kind=kind,
        shown=_shown(kind, words, kinds),
        group=fact.kind,
        look=None,
        words=words,
        position=None,
        angle_deg=None if heading is None else _turn(fact.bearing_deg - heading),
        half_width_deg=_map_error(fact.distance_m) + (_STRETCH_DEG if kind and kinds.stretched(kind) else 0.0),
        bearing_deg=fact.bearing_deg,
        distance_m=fact.distance_m,
        view_id=None,
        lasting=True,
        around=fact.distance_m < 0.5,
    )


def _shown(kind: str | None, words: Iterable[str], kinds: Kinds) -> frozenset[str]:
    told = frozenset[str]().union(*(kinds.shown_by(sort) for text in words for sort in kinds.signed(text)))
    return (told - {"building"}) | (kinds.shown_by(kind) if kind else frozenset())  # a sign is no building


def _folded(*texts: str | None) -> tuple[str, ...]:
    return tuple(f for text in texts if text and (f := folded(text)))


def _turn(degrees: float) -> float:
    return (degrees + 180.0) % 360.0 - 180.0


def _map_error(distance_m: float | None) -> float:
    return math.degrees(math.atan2(_POSITION_ERROR_M, distance_m or 0.01))


def _seen_width(cue: Cue, views: dict[str, StreetView]) -> float:
    """Half of the angle that it takes up in its view."""
    view = views.get(cue.view_id or "")
    if view is None or not cue.polygon:
        return 0.0
    focal = view.width / 2 / math.tan(math.radians(min(view.hfov_deg or ASSUMED_HFOV_DEG, 170.0)) / 2)
    low, high = (math.atan((x - view.width / 2) / focal) for x in (min(cue.polygon[::2]), max(cue.polygon[::2])))
    return min(math.degrees(high - low) / 2, _WIDEST_DEG)


def within(item: Item, low: float, high: float) -> bool:
    """Whether it may stand between two angles from the first view's axis, high above low. Unknown counts as yes."""
    if item.angle_deg is not None:
        middle, half = item.angle_deg, item.half_width_deg
    elif item.position is not None:
        middle, half = _SECTORS[item.position]
    else:
        return True
    return any(middle + turn + half > low and middle + turn - half < high for turn in (-360.0, 0.0, 360.0))


def towards(item: Item, bearing_deg: float, tolerance_deg: float) -> bool:
    """Whether it may lie in a direction of the compass. Unknown counts as yes."""
    if item.bearing_deg is None or item.around:
        return True
    return abs(_turn(item.bearing_deg - bearing_deg)) <= tolerance_deg + item.half_width_deg


def ids(items: Iterable[Item]) -> list[str]:
    """Ids of the cues among them, each once, in order."""
    return list(dict.fromkeys(item.cue_id for item in items if item.cue_id))
