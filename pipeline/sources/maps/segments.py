"""Segments of Overture's transportation theme, cut where their rules change whether they are there and can be seen.

A rule holds for a whole segment, or `between` two shares of its length:
https://docs.overturemaps.org/schema/concepts/by-theme/transportation/roads.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry
from shapely.ops import substring

from pipeline.cartography.classes import Tags

_TAGS = {
    "is_bridge": "bridge",
    "is_tunnel": "tunnel",
    "is_indoor": "indoor",
    "is_under_construction": "construction",
    "is_abandoned": "abandoned",
    "is_disused": "disused",
}
"""OSM's keys for what the flags say."""
_MOST_RULES = 200
"""Maximum number of rules of a segment; with more, each holds for the whole of it."""
_WHOLE = (0.0, 1.0)


@dataclass(frozen=True)
class _Rule:
    key: str
    value: str
    between: tuple[float, float]

    @property
    def cuts(self) -> bool:
        """Whether a part that it holds for is told otherwise than the rest. Bridges and upper levels are not."""
        return self.key != "bridge" and not (self.key == "layer" and not self.value.startswith("-"))


def pieces(properties: dict[str, Any], geometry: BaseGeometry | None) -> list[tuple[str, BaseGeometry | None, Tags]]:
    """The pieces of a segment: what is added to its id, the geometry, and OSM tags for what the rules say of it.

    The first piece keeps the segment's id. What has no rules is one piece.
    """
    rules = _rules(properties)
    if not any(rule.cuts and rule.between != _WHOLE for rule in rules):
        return [("", geometry, _tags(rules, *_WHOLE))]
    if geometry is None or geometry.geom_type != "LineString" or geometry.is_empty or len(rules) > _MOST_RULES:
        return [("", geometry, {rule.key: rule.value for rule in rules if rule.cuts})]
    ends = sorted({*_WHOLE, *(share for rule in rules if rule.cuts for share in rule.between)})
    cut: list[tuple[float, float, Tags]] = []
    for start, end in pairwise(ends):
        tags = _tags(rules, start, end)
        first = cut.pop()[0] if cut and cut[-1][2] == tags else start
        cut.append((first, end, tags))
    return [(f"@{start:.9g}" if start else "", _part(geometry, start, end), tags) for start, end, tags in cut]


def _rules(properties: dict[str, Any]) -> list[_Rule]:
    found = []
    for column in ("road_flags", "rail_flags"):
        for rule in _dicts(properties.get(column)):
            flags = [flag.lower() for flag in _list(rule.get("values")) if isinstance(flag, str)]
            found += [_Rule(_TAGS[flag], "yes", _between(rule)) for flag in flags if flag in _TAGS]
    for rule in _dicts(properties.get("level_rules")):
        value = rule.get("value", 0)
        if type(value) in {int, float} and float(value).is_integer():
            found.append(_Rule("layer", str(int(value)), _between(rule)))
    return [rule for rule in found if rule.between[0] < rule.between[1]]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _dicts(rules: Any) -> list[dict[str, Any]]:
    """Rules; a flag without one (releases before 2024) holds for the whole segment."""
    given = [{"values": rule} if isinstance(rule, str) else rule for rule in _list(rules)]
    return [rule for rule in given if isinstance(rule, dict)]


def _between(rule: dict[str, Any]) -> tuple[float, float]:
    """Shares of the length; the whole where they cannot be read."""
    given = rule.get("between")
    known = given if isinstance(given, list) and len(given) == 2 else []
    numbers = [float(share) for share in known if type(share) in {int, float} and math.isfinite(share)]
    readable = len(numbers) == 2 and numbers[0] <= numbers[1]
    return (max(numbers[0], 0.0), min(numbers[1], 1.0)) if readable else _WHOLE


def _tags(rules: list[_Rule], start: float, end: float) -> Tags:
    """The tags that hold for a part: of bridges and upper levels only those that hold for the whole segment."""
    known = [rule for rule in rules if rule.cuts or rule.between == _WHOLE]
    return {rule.key: rule.value for rule in known if rule.between[0] <= start and end <= rule.between[1]}


def _part(line: BaseGeometry, start: float, end: float) -> BaseGeometry:
    """A line in degrees between two shares of its length on the ground."""
    shrink = np.array([math.cos(math.radians(float(shapely.get_coordinates(line)[:, 1].mean()))), 1.0])
    part = substring(shapely.transform(line, lambda xy: xy * shrink), start, end, normalized=True)
    return shapely.transform(part, lambda xy: xy / shrink)
