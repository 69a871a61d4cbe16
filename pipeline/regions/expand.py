"""Regions as a build file may write them, turned into what `pipeline.config.build.Region` holds."""

from pathlib import Path
from typing import Any

from pipeline.config.base import Name, Section
from pipeline.errors import ConfigError, Problem
from pipeline.regions.catalogue import catalogue, nearest_ids
from pipeline.regions.polygon_file import read_outline

ALL = "catalogue"
"""In place of the list of regions: all of the catalogue."""
_SHAPES = ("bbox", "centre", "radius_m", "polygon")


class CatalogueRegion(Section):
    """One of the catalogue's regions. Its name, if left out, is its id."""

    catalogue: str
    """Id, see `geoscribe regions list`."""
    name: Name | None = None
    street: str | None = None
    """Name of the street source; may be left out where only one is defined. Likewise aerial, drone and map."""
    aerial: str | None = None
    drone: str | None = None
    map: str | None = None


def expand(regions: Any, base: Path) -> Any:
    """The list of regions with the catalogue's filled in and polygon files read.

    What is not of a known form is left as it is, for the validation that follows.

    Args:
        regions: value of the build file's key `regions`.
        base: folder that relative paths are taken from.

    Raises:
        ConfigError: listing all unknown ids and all outlines that cannot be used.
    """
    if regions == ALL:
        regions = [{"catalogue": id_} for id_ in catalogue()]
    if not isinstance(regions, list):
        return regions
    problems: list[Problem] = []
    expanded = []
    for i, region in enumerate(regions):
        try:
            expanded.append(_expanded(region, base, f"regions.{i}"))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return expanded


def _expanded(region: Any, base: Path, where: str) -> Any:
    if not isinstance(region, dict):
        return region
    if isinstance(region.get("catalogue"), str):
        return _from_catalogue(region, where)
    if isinstance(region.get("polygon"), str):
        return region | {"polygon": read_outline(region["polygon"], base, f"{where}.polygon")}
    return region


def _from_catalogue(region: dict[str, Any], where: str) -> dict[str, Any]:
    entry = catalogue().get(region["catalogue"])
    if entry is None:
        wanted = region["catalogue"]
        raise ConfigError([Problem(f"{where}.catalogue", repr(wanted), nearest_ids(wanted))])
    ours = {"centre": [entry.lat, entry.lon], "radius_m": entry.radius_m}
    # The same shape may stand beside the id: a build that was written out in full has both.
    given = {key: region[key] for key in _SHAPES if region.get(key) is not None}
    odd = [key for key, value in given.items() if (list(value) if isinstance(value, tuple) else value) != ours.get(key)]
    if odd:
        found = f"{', '.join(odd)} beside the catalogue's id"
        raise ConfigError([Problem(where, found, "the catalogue's shape, or a region of your own with a name")])
    return {"name": entry.id} | {key: value for key, value in region.items() if value is not None} | ours
