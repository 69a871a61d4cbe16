"""Estimates of what a build does and costs. Makes no network requests, needs no key, and writes nothing.

All counts are upper bounds: a site may have fewer views, or none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pipeline.config.build import Build
from pipeline.config.captioning import Composer
from pipeline.config.imagery import Imagery
from pipeline.config.region import Region
from pipeline.config.sources import KINDS, SourceKind
from pipeline.engine.charges import calls_per_site, money
from pipeline.engine.measuring import Measured
from pipeline.engine.plans import Plan, ProviderPlan, RegionPlan, SourcePlan
from pipeline.engine.ready import check_sources
from pipeline.engine.units import ground_of
from pipeline.errors import ConfigError, MachineError, Problem, SiteError
from pipeline.geo.shape import box_area_m2
from pipeline.net.base import Provider
from pipeline.publishing.division import Places
from pipeline.publishing.keys import NO_KEYS
from pipeline.publishing.room import left_out
from pipeline.regions.ground import Drawn, Floats, Ground
from pipeline.regions.samplers.uniform import AREA_DRAWS, draw_points, points
from pipeline.regions.sampling import asked_over_network, distractors, draw, units
from pipeline.registry.registry import Registry, registry_of
from pipeline.sources.base import AerialSource, AsksSeveral, KnowsArea, Lists, Networked

BYTES_PER_PIXEL = 0.22
"""JPEG of a photo at quality 88, bytes per pixel. The means of the primary views of two builds from real photos are
0.19 (Boulder, 35) and 0.26 (Seoul, 22)."""
MAP_BYTES = 55_000
"""PNG map chip of 512 px, bytes. The means of the same builds are 57 kB (Boulder) and 48 kB (Seoul)."""
ROW_BYTES = 12_000
"""Bytes of a site's rows in the layers beside its pictures. The mean of 5 sites of Boulder is 11,600."""
MOST_SITES = 1_000_000
"""Number of sites per region that a plan assumes where `max_sites` does not limit them."""


def plan(build: Build, measured: Measured | None = None) -> Plan:
    """Estimate a build.

    Args:
        build: the build.
        measured: what its sites took on this machine, if that is known.

    Raises:
        ConfigError: an input cannot be used, or a region has nothing to draw sites from.
        MachineError: a local source could not be read.
    """
    registry, assumed = registry_of(build), build.assumptions
    check_sources(build, registry)
    regions, drawn, problems, cells = [], [], list[Problem](), dict[str, list[str]]()
    for region in build.regions:
        ground = ground_of(build, registry, region)
        try:
            sites, estimated = _sites(ground)
        except ConfigError as error:
            problems += error.problems
            continue
        drawn.append(sites)
        count = len(sites.lon)
        described = round(count * (1.0 if ground.sampling.method == "imagery" else assumed.street_share))
        views = described * build.imagery.max_views
        reached = _in_area(registry.aerial(region.name), sites)
        cells[region.name] = units(ground, sites)
        count_of_units = len(set(cells[region.name]))
        regions.append(RegionPlan(region.name, count, count_of_units, estimated, described, views, reached))
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    regions = _with_left_out(build, regions, drawn, cells)
    around = [
        _with_distractors(ground_of(build, registry, region), sites)
        for region, sites in zip(build.regions, drawn, strict=True)
    ]
    shares = [region.described / (region.sites or 1) for region in regions]
    sources = _sources(build, registry, drawn, around, shares)
    views = sum(region.views for region in regions)
    described = sum(region.described for region in regions)
    calls = round(sum(p.described * calls_per_site(build, r) for p, r in zip(regions, build.regions, strict=True)))
    dataset_bytes = sum(_dataset_bytes(build, registry, plan_) for plan_ in regions)
    found = Plan(
        regions=regions,
        sources=sources,
        providers=_providers(sources),
        dataset_bytes=dataset_bytes,
        workspace_bytes=measured.bytes_of(described) if measured else dataset_bytes + described * ROW_BYTES,
        cpu_hours={stage: s * described / 3600 for stage, s in measured.cpu_s.items()} if measured else {},
        ocr_gpu_hours=views / assumed.ocr_images_per_s / 3600,
        model_calls=0 if isinstance(build.captioner, Composer) else calls,
        dialogue_calls=calls,
        dialogue_gpu_hours=calls / assumed.model_calls_per_gpu_s / 3600,
        money={},
    )
    return replace(found, money=money(build, found))


def _with_left_out(
    build: Build, regions: Sequence[RegionPlan], drawn: Sequence[Drawn], cells: Mapping[str, Sequence[str]]
) -> list[RegionPlan]:
    sites = {
        one.region: Places(
            np.array(cells[one.region], np.object_), at.lat, at.lon, NO_KEYS, np.zeros(len(at.lat), np.bool_)
        )
        for one, at in zip(regions, drawn, strict=True)
    }
    shares = left_out(build, sites)
    return [replace(one, left_out=shares.get(one.region, 0.0)) for one in regions]


def _sites(ground: Ground) -> tuple[Drawn, bool]:
    """The sites of a region, and whether they are an estimate."""
    if asked_over_network(ground):
        return _estimate(ground), True
    try:
        return draw(ground), False
    except SiteError as error:
        raise MachineError(f"the sites of region {ground.region.name} cannot be drawn: {error}") from error


def _estimate(ground: Ground) -> Drawn:
    """Random points on land (anywhere in the region if the mask has no land): `max_sites`, or one per square."""
    sampling, region = ground.sampling, ground.region
    _, _, share = points(ground, AREA_DRAWS, land_only=True)
    land_only = share > 0
    if not land_only:
        _, _, share = points(ground, AREA_DRAWS, land_only=False)
    if sampling.max_sites is not None:
        plain = sampling.model_copy(update={"max_per_sequence": None, "max_per_contributor": None})
        return draw_points(replace(ground, sampling=plain), sampling.max_sites, land_only=land_only)
    room = int(share * box_area_m2(region.bounds()) / sampling.spacing_m**2)
    if room > MOST_SITES:
        found = f"nothing, and {region.name} has room for some {room:,} sites"
        raise ConfigError([Problem("sampling.max_sites", found, "a number, for a plan of so large a region")])
    lon, lat, _ = points(ground, int(room / share) + 1, land_only=land_only)
    return Drawn(lon, lat, np.full(len(lon), sampling.spacing_m**2))


def _in_area(aerial: AerialSource | None, sites: Drawn) -> int:
    if aerial is None:
        return 0
    return int(aerial.covers(sites.lat, sites.lon).sum()) if isinstance(aerial, KnowsArea) else len(sites.lat)


def _with_distractors(ground: Ground, sites: Drawn) -> Drawn:
    """All places that get chips."""
    more = distractors(ground, len(sites.lon))
    return Drawn(np.concatenate([sites.lon, more.lon]), np.concatenate([sites.lat, more.lat]), np.empty(0))


def _sources(
    build: Build, registry: Registry, sites: Sequence[Drawn], around: Sequence[Drawn], shares: Sequence[float]
) -> list[SourcePlan]:
    """The requests to each source; `shares` of the sites of each region have a street view."""
    found: dict[tuple[SourceKind, str], tuple[object, list[int]]] = {}
    for i, region in enumerate(build.regions):
        for kind in KINDS:
            source = getattr(registry, kind)(region.name)
            if source is not None:
                found.setdefault((kind, source.name), (source, []))[1].append(i)
    plans = []
    for (kind, name), (source, users) in found.items():
        if not isinstance(source, Networked):
            plans.append(SourcePlan(kind, name, None, 0, 0))
            continue
        # All at once, since what regions share is asked for once.
        drawn = around if kind in ("aerial", "map") else sites
        lat = np.concatenate([drawn[i].lat for i in users])
        lon = np.concatenate([drawn[i].lon for i in users])
        if isinstance(source, AsksSeveral):
            for provider, count in source.requests_by_provider(lat, lon, build.imagery):
                plans.append(SourcePlan(kind, name, provider, count, count * build.assumptions.tile_bytes))
            continue
        requests = source.requests(lat, lon, _of_drone(build.imagery) if kind == "drone" else build.imagery)
        listing = _listing(build, registry, source, [build.regions[i] for i in users])
        if listing is not None:
            provider, count = listing
            if provider.name == source.provider().name:
                requests += count
            else:
                plans.append(SourcePlan(kind, name, provider, count, count * build.assumptions.tile_bytes))
        share = float(np.average([shares[i] for i in users], weights=[len(sites[i].lat) or 1 for i in users]))
        size = _download_bytes(build, kind, requests, lat, share)
        plans.append(SourcePlan(kind, name, source.provider(), requests, size))
    return plans


def _of_drone(imagery: Imagery) -> Imagery:
    """Chip settings of drone chips: one size, at their own scale."""
    chips = imagery.chips.model_copy(update={"gsd_m": imagery.chips.drone_gsd_m, "extra_sizes_m": []})
    return imagery.model_copy(update={"chips": chips})


def _listing(
    build: Build, registry: Registry, source: Networked, users: Sequence[Region]
) -> tuple[Provider, int] | None:
    """Providers and numbers of requests for listing what a source has in regions, if sites depend on it."""
    if not isinstance(source, Lists):
        return None
    asked = [source.listing_requests(r) for r in users if source in asked_over_network(ground_of(build, registry, r))]
    return (asked[0][0], sum(count for _, count in asked)) if asked else None


def _download_bytes(build: Build, kind: SourceKind, requests: int, lat: Floats, share: float) -> int:
    """Bytes: photos at the size of a photo, all other responses at the size of a tile."""
    photos = min(len(lat) * build.imagery.max_views, requests) if kind == "street" else 0
    return round(photos * share * build.assumptions.photo_bytes + (requests - photos) * build.assumptions.tile_bytes)


def _providers(sources: Sequence[SourcePlan]) -> list[ProviderPlan]:
    """The plan of each provider. Sources of one provider share its limits."""
    asked: dict[str, ProviderPlan] = {}
    for source in sources:
        if source.provider is not None:
            before = asked.get(source.provider.name)
            requests = source.requests + (before.requests if before else 0)
            asked[source.provider.name] = ProviderPlan(source.provider, requests)
    return list(asked.values())


def _dataset_bytes(build: Build, registry: Registry, region: RegionPlan) -> int:
    """Bytes of published pictures: views, chips from above, maps."""
    imagery = build.imagery
    size = region.views * imagery.long_side_px * imagery.long_side_px * 3 // 4 * BYTES_PER_PIXEL
    chips = region.aerial * (1 + len(imagery.chips.extra_sizes_m))
    if registry.drone(region.region) is not None:
        chips += region.sites
    size += chips * imagery.chips.size_px**2 * BYTES_PER_PIXEL
    if registry.map(region.region) is not None:
        size += region.sites * MAP_BYTES
    return round(size)
