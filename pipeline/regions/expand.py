"""Expands the short forms of regions in a build file to `pipeline.config.region.Region`."""

from pathlib import Path
from typing import Any

from pipeline.config.base import Name, Section
from pipeline.config.region import RegionCaptioner, RegionPerception
from pipeline.config.sampling import Sampling
from pipeline.errors import ConfigError, Problem
from pipeline.regions.catalogue import catalogue, nearest_ids
from pipeline.regions.polygon_file import read_outline
from schemas.records import Continent

ALL = "catalogue"
"""Takes the place of the list of regions: the whole catalogue."""
_SHAPES = ("bbox", "centre", "radius_m", "polygon")


class CatalogueRegion(Section):
    """A region of the catalogue."""

    catalogue: str
    """Id of the region (`geoscribe regions list`)."""
    name: Name | None = None
    """Name of the region; its id if left out."""
    street: str | None = None
    """Name of the street source to use. May be left out where the build has only one."""
    aerial: str | None = None
    """Name of the aerial source to use. May be left out where the build has only one."""
    drone: str | None = None
    """Name of the drone source to use. May be left out where the build has only one."""
    map: str | None = None
    """Name of the map source to use. May be left out where the build has only one."""
    continent: Continent | None = None
    """Continent, for the split by continents. If left out, the catalogue's."""
    sampling: Sampling | None = None
    """Where sites are drawn in this region. Keys that are left out are as in the build's section `sampling`."""
    perception: RegionPerception | None = None
    """The OCR engine of this region, if it is not the build's."""
    captioner: RegionCaptioner | None = None
    """The prompt set of this region, if it is not the build's."""


def expand(regions: Any, base: Path) -> Any:
    """The list of regions, with those of the catalogue filled in and polygon files read.

    Unknown forms stay as they are, for the validation that follows.

    Args:
        regions: value of the key `regions` of a build file.
        base: folder that relative paths are relative to.

    Raises:
        ConfigError: listing all unknown ids and all unusable outlines.
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
    if isinstance(region.get("polygon"), str | int | float):  # a file may be called 75001
        return region | {"polygon": read_outline(str(region["polygon"]), base, f"{where}.polygon")}
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
