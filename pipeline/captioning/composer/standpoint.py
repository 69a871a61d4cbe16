"""Finds the standpoint: the road, junction, crossing, stop, square or park around the site."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.captioning.language.facts import Fact
from pipeline.captioning.language.nouns import Nouns

# From the site to the middle of the road or junction; positions of photos are off by 3 to 15 m.
_ON_ROAD_M = 12.0
_ON_PATH_M = 5.0
_AT_SPOT_M = {"junction": 12.0, "crossing": 6.0, "stop": 6.0}
_BY_ROAD_M = 25.0
_EDGE_M = 10.0
_WITHIN_M = 0.5


@dataclass(frozen=True)
class Standpoint:
    """Where one stands, as a shape of `phrases.ground` and the facts that fill it."""

    shape: str
    parts: dict[str, Fact]

    @property
    def seen(self) -> bool:
        """Whether the photos show the ground that the map says one stands on."""
        return any(fact.seen for fact in self.parts.values())

    @property
    def cue_ids(self) -> list[str]:
        """Cue ids of all parts."""
        return [cue_id for fact in self.parts.values() for cue_id in fact.cue_ids]


def standpoint_of(facts: Sequence[Fact], nouns: Nouns) -> tuple[Standpoint | None, list[Fact]]:
    """The standpoint, if the map tells it, and the facts that are left to be said of the surroundings.

    The road that the photos show underfoot is part of the standpoint, unless its looks are to be told. In a park, away
    from the roads of the map, what engines call one, or paved, may be a walk, sand or a lawn, and is left out.
    """
    standpoint = _standpoint([fact for fact in facts if fact.quote is None and fact.name is None], nouns)
    used = list(standpoint.parts.values()) if standpoint else []
    if standpoint and "area" in standpoint.parts and not any(_is_driven(fact, nouns) for fact in used):
        walked = {nouns.called("object", label) for label in ("road", "paved ground")}
        facts = [fact for fact in facts if fact.kind != "object" or fact.noun not in walked]
    roads = {fact.noun for fact in used if fact.kind == "road"}
    underfoot = [fact for fact in facts if roads and _is_underfoot(fact, nouns)]
    rest = [
        fact
        for fact in facts
        if fact not in used
        and fact not in underfoot
        and not _is_around(fact)
        and not (fact.kind == "road" and fact.noun in roads and _metres(fact) <= _BY_ROAD_M)
    ]
    return standpoint and _shown(standpoint, underfoot), rest


def _is_underfoot(fact: Fact, nouns: Nouns) -> bool:
    return fact.kind == "object" and not fact.looks and fact.noun is not None and fact.noun.singular in nouns.underfoot


def _shown(standpoint: Standpoint, underfoot: Sequence[Fact]) -> Standpoint:
    """The standpoint, whose road the photos show as well."""
    ids = tuple(cue_id for fact in underfoot for cue_id in fact.cue_ids)
    role = next((role for role, fact in standpoint.parts.items() if fact.kind == "road"), None)
    if not ids or role is None:
        return standpoint
    road = standpoint.parts[role]
    shown = replace(road, cue_ids=(*ids, *road.cue_ids), seen=True)
    return replace(standpoint, parts={**standpoint.parts, role: shown})


def _is_around(fact: Fact) -> bool:
    """Whether the site lies within it, so that it has no direction."""
    return fact.where.position is None and _metres(fact) < _WITHIN_M


def _standpoint(facts: Sequence[Fact], nouns: Nouns) -> Standpoint | None:
    near = sorted((fact for fact in facts if fact.where.distance_m is not None), key=lambda f: (_metres(f), f.cue_ids))
    walked = [fact for fact in near if fact.kind == "road" and _noun(fact) in nouns.paths]
    driven = [fact for fact in near if _is_driven(fact, nouns)]
    roads = [fact for fact in driven if _metres(fact) <= _ON_ROAD_M]
    path = next((fact for fact in walked if _metres(fact) <= _ON_PATH_M), None)
    spot = next((fact for fact in near if _metres(fact) <= _AT_SPOT_M.get(fact.kind, -1.0) and fact.count == 1), None)
    areas = [fact for fact in near if fact.kind in ("green", "square") and _noun(fact) in nouns.inside]
    inside = next((fact for fact in areas if _metres(fact) < _WITHIN_M), None)
    edge = next((fact for fact in areas if _WITHIN_M <= _metres(fact) <= _EDGE_M), None)
    other = next((fact for fact in driven if roads and fact.noun != roads[0].noun and _metres(fact) <= 15.0), None)
    # The first shape whose parts are all there.
    shapes: list[tuple[str, dict[str, Fact | None]]] = [
        ("path_by_road", {"path": path if _nearer(path, roads) and spot is None else None, "road": _first(roads)}),
        ("spot_of_roads", {"spot": spot, "road": _first(roads), "other": other if _is_junction(spot) else None}),
        ("spot_on_road", {"spot": spot, "road": _first(roads)}),
        ("spot", {"spot": spot}),
        ("path_in_area", {"path": _first(roads), "area": inside}),
        ("road_at_area", {"road": _first(roads), "area": edge}),
        ("road", {"road": _first(roads)}),
        ("path_in_area", {"path": path, "area": inside}),
        ("area", {"area": inside}),
        ("road", {"road": path}),
        ("by_road", {"road": _first([fact for fact in driven if _metres(fact) <= _BY_ROAD_M])}),
    ]
    for shape, wanted in shapes:
        found = {role: fact for role, fact in wanted.items() if fact is not None}
        if len(found) == len(wanted):
            return Standpoint(shape, found)
    return None


def _is_driven(fact: Fact, nouns: Nouns) -> bool:
    return fact.kind == "road" and _noun(fact) not in nouns.paths


def _first(facts: Sequence[Fact]) -> Fact | None:
    return facts[0] if facts else None


def _nearer(path: Fact | None, roads: Sequence[Fact]) -> bool:
    return path is not None and bool(roads) and _metres(path) < _metres(roads[0])


def _is_junction(spot: Fact | None) -> bool:
    return spot is not None and spot.kind == "junction"


def _noun(fact: Fact) -> str:
    return fact.noun.singular if fact.noun else ""


def _metres(fact: Fact) -> float:
    return fact.where.distance_m if fact.where.distance_m is not None else float("inf")
