"""Compares the settings of two builds, and tables of counts."""

from collections.abc import Mapping
from typing import Any

Pair = tuple[Any, Any]
"""A value before and after; None where there was none."""


def differing(before: Any, after: Any, where: str = "") -> dict[str, Pair]:
    """The values that differ between two nested mappings, by dotted key."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        keys = [*before, *(key for key in after if key not in before)]
        found: dict[str, Pair] = {}
        for key in keys:
            found |= differing(before.get(key), after.get(key), f"{where}.{key}".lstrip("."))
        return found
    return {} if before == after else {where: (before, after)}


def named(regions: list[Any]) -> dict[str, Any]:
    """A list of regions by name, so that one more does not shift the others."""
    return {region["name"]: region for region in regions}
