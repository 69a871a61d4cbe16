"""Draws the sites of a region and groups them into units."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import h3
import numpy as np

from pipeline.digest import digest
from pipeline.regions.ground import DECIMALS, Drawn, Ground
from pipeline.regions.samplers import SAMPLERS
from pipeline.regions.samplers.uniform import draw_points
from pipeline.sources.base import Networked
from schemas.records import Site

VERSION = 2


def draw(ground: Ground) -> Drawn:
    """Positions and weights of the sites, by the sampler of the build file.

    Raises:
        ConfigError: the region has nothing to draw from.
        SiteError: a source could not be reached.
    """
    return SAMPLERS[ground.sampling.method](ground)


def lists_photos(ground: Ground) -> bool:
    """Whether drawing the sites of a region needs the list of all its photos."""
    sampling = ground.sampling
    capped = sampling.max_per_sequence is not None or sampling.max_per_contributor is not None
    return sampling.method == "imagery" or capped


def asked_over_network(ground: Ground) -> list[Networked]:
    """The sources on the network that drawing a region's sites needs."""
    asked: list[Networked] = []
    if lists_photos(ground) and isinstance(ground.street, Networked):
        asked.append(ground.street)
    if ground.sampling.method == "roads" and isinstance(ground.map, Networked):
        asked.append(ground.map)
    return asked


def sample(ground: Ground) -> list[Site]:
    """The sites, ordered by unit.

    The id of a site is the region's name with a digest of what it was drawn at: the id of a photo, or a position.
    Distractors are among them.

    Raises:
        ConfigError, SiteError: as `draw`.
    """
    drawn, name = draw(ground), ground.region.name
    places = _places(drawn)
    keys = drawn.keys or [f"{lat:.{DECIMALS}f},{lon:.{DECIMALS}f}" for lon, lat in places]
    sites = [
        Site(site_id=f"{name}-{digest(name, key)}", region=name, unit=unit, lat=lat, lon=lon, weight=round(weight, 6))
        for (lon, lat), key, unit, weight in zip(places, keys, units(ground, drawn), drawn.weight.tolist(), strict=True)
    ]
    around = distractors(ground, len(sites))
    for (lon, lat), unit in zip(_places(around), units(ground, around), strict=True):
        site_id = f"{name}-{digest(name, 'distractor', lat, lon)}"
        sites.append(Site(site_id=site_id, region=name, unit=unit, lat=lat, lon=lon, weight=0.0))
    return sorted(sites, key=lambda site: (site.unit, site.site_id))


def distractors(ground: Ground, sites: int) -> Drawn:
    """Points on the region's land, `sampling.distractors` for each of its sites, or as many as the spacing allows.

    Raises:
        ConfigError: there are to be some, and the region is on open water.
    """
    count = round(ground.sampling.distractors * sites)
    if not count:
        return Drawn(np.empty(0), np.empty(0), np.empty(0))
    first = sites if ground.sampling.method == "uniform" else 0  # these points are the sites themselves
    sampling = ground.sampling.model_copy(update={"max_per_sequence": None, "max_per_contributor": None})
    drawn = draw_points(replace(ground, sampling=sampling), first + count, land_only=True)
    return Drawn(drawn.lon[first:], drawn.lat[first:], np.zeros(max(0, len(drawn.lon) - first)))


def units(ground: Ground, drawn: Drawn) -> list[str]:
    """The unit of each site: the H3 cell that it lies in."""
    resolution = ground.sampling.unit_resolution
    return [h3.latlng_to_cell(lat, lon, resolution) for lon, lat in _places(drawn)]


def digests_by_unit(sites: Sequence[Site]) -> dict[str, str]:
    """Digest of each unit's sites, from which its imagery is made."""
    groups: dict[str, list[Site]] = defaultdict(list)
    for site in sites:
        groups[site.unit].append(site)
    return {unit: digest(group) for unit, group in groups.items()}


def _places(drawn: Drawn) -> list[tuple[float, float]]:
    """Longitude and latitude, rounded by Python: numpy's rounding can differ in the last digit."""
    places = zip(drawn.lon.tolist(), drawn.lat.tolist(), strict=True)
    return [(round(lon, DECIMALS), round(lat, DECIMALS)) for lon, lat in places]
