"""What a build would do and cost, without a network and without writing anything."""

from dataclasses import dataclass

from pipeline.config import Build
from pipeline.toolbox import toolbox
from pipeline.units import sample_region

BYTES_PER_PIXEL = 0.22
"""JPEG of a photo at quality 88: between the means of the primary views of two builds from real photos, 0.19
(Boulder, 35) and 0.26 (Seoul, 22)."""
MAP_BYTES = 55_000
"""A PNG map chip of 512 px: 57 kB (Boulder) and 48 kB (Seoul) on average in the same builds."""


@dataclass(frozen=True)
class RegionPlan:
    """One region's share of a plan. Counts of requests and images are upper bounds: a site may have fewer views."""

    region: str
    units: int
    sites: int
    requests: dict[str, int]
    """By source."""
    ocr_images: int
    model_calls: int
    """Requests to a vision-language model."""
    bytes: int
    """Of the published dataset."""


def plan(build: Build) -> list[RegionPlan]:
    """The plan of each region.

    Raises:
        ConfigError: an input cannot be used, or a region has no photo.
    """
    tools = toolbox(build)
    plans = []
    settings = build.imagery
    view_bytes = settings.long_side_px * settings.long_side_px * 3 // 4 * BYTES_PER_PIXEL
    for region in build.regions:
        sites = sample_region(build, tools, region)
        n = len(sites)
        street, aerial, around = tools.street(region.name), tools.aerial(region.name), tools.map(region.name)
        requests = {f"street {street.name}": n * (1 + settings.max_views)}  # one search, and the photos
        size = n * settings.max_views * view_bytes
        if aerial:
            requests[f"aerial {aerial.name}"] = n
            size += n * settings.chips.size_px**2 * BYTES_PER_PIXEL
        if around:
            requests[f"map {around.name}"] = 2 * n  # the chip and the facts
            size += n * MAP_BYTES
        plans.append(
            RegionPlan(
                region=region.name,
                units=len({site.unit for site in sites}),
                sites=n,
                requests=requests,
                ocr_images=n * settings.max_views,
                model_calls=0 if tools.captioner.model is None else n,
                bytes=int(size),
            )
        )
    return plans
