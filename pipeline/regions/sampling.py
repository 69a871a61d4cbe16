"""Sites of a region: imagery first, thinned to a minimum spacing, in an order that depends on the seed alone."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

import h3

from pipeline.config import Region, Sampling
from pipeline.digest import digest
from pipeline.imaging.frame import Floats, LocalFrame
from pipeline.sources.base import Photo
from schemas.records import Site

VERSION = 1


def sample(region: Region, sampling: Sampling, seed: int, candidates: Iterable[Photo]) -> list[Site]:
    """Sites at the positions of photos, no two nearer than `spacing_m`, at most `max_sites`.

    Candidates are visited in the order of a digest of (seed, region, photo id), and one is taken if no site stands
    within the spacing. So more sites (a higher `max_sites`) never move the ones there are, and neither does another
    region. A site's weight is the number of candidates that it stands for: itself and those it kept out, scaled up to
    all candidates where `max_sites` ended the visit early.
    """
    photos = sorted(
        candidates, key=lambda photo: (digest(seed, region.name, photo.source_id, length=32), photo.source_id)
    )
    if not photos:
        return []
    x, y = LocalFrame(*region.middle()).to_metres([p.position.lon for p in photos], [p.position.lat for p in photos])
    taken: list[int] = []
    stands_for: dict[int, int] = {}
    grid: dict[tuple[int, int], list[int]] = defaultdict(list)
    visited = 0
    for i in range(len(photos)):
        if sampling.max_sites is not None and len(taken) == sampling.max_sites:
            break
        visited += 1
        cell = (math.floor(x[i] / sampling.spacing_m), math.floor(y[i] / sampling.spacing_m))
        near = _neighbour(cell, grid, x, y, i, sampling.spacing_m)
        if near is None:
            taken.append(i)
            grid[cell].append(i)
            stands_for[i] = 1
        else:
            stands_for[near] += 1
    scale = len(photos) / visited
    sites = [_site(region, sampling, photos[i], stands_for[i] * scale) for i in taken]
    return sorted(sites, key=lambda site: (site.unit, site.site_id))


def digests_by_unit(sites: Sequence[Site]) -> dict[str, str]:
    """Digest of each unit's sites: what the unit's imagery is made from."""
    groups: dict[str, list[Site]] = defaultdict(list)
    for site in sites:
        groups[site.unit].append(site)
    return {unit: digest(group) for unit, group in groups.items()}


def _neighbour(
    cell: tuple[int, int],
    grid: dict[tuple[int, int], list[int]],
    x: Floats,
    y: Floats,
    i: int,
    spacing: float,
) -> int | None:
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            for j in grid.get((cell[0] + dx, cell[1] + dy), ()):
                if math.hypot(x[i] - x[j], y[i] - y[j]) < spacing:
                    return j
    return None


def _site(region: Region, sampling: Sampling, photo: Photo, weight: float) -> Site:
    lat, lon = round(photo.position.lat, 7), round(photo.position.lon, 7)
    return Site(
        site_id=f"{region.name}-{digest(region.name, photo.source_id)}",
        region=region.name,
        unit=h3.latlng_to_cell(lat, lon, sampling.unit_resolution),
        lat=lat,
        lon=lon,
        weight=round(weight, 6),
    )
