"""Counts the sites of a build that have imagery, before the build runs, and draws them on a map."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from pipeline.config.build import Build
from pipeline.config.region import Region
from pipeline.engine.units import sample_region
from pipeline.errors import SiteError
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.imaging.types import Pixels
from pipeline.regions.ground import NothingThereError
from pipeline.registry.registry import Registry, registry_of
from pipeline.stopping import check_stop
from schemas.reasons import Reason
from schemas.records import Site
from tools.inspect.pictures.drawing import beside, heading, on_paper, stack
from tools.inspect.pictures.lettering import LINE, MUTED, PAPER, Colour, Style, flow

_PANEL = 560
_BEYOND: Colour = (236, 236, 232)
_COLOURS: dict[str, Colour] = {
    "street and reference": (34, 139, 84),
    "street only": (66, 120, 200),
    "reference only": (230, 150, 30),
    "neither": (200, 50, 50),
}


@dataclass(frozen=True)
class Covered:
    """The imagery of a site."""

    site: Site
    street: bool
    reference: bool
    """Whether there is an aerial or a map chip."""
    why_not: tuple[str, ...]
    """Reasons for missing views, such as `street: no_street_view`."""

    @property
    def kind(self) -> str:
        """One of the four cases, as text."""
        if self.street:
            return "street and reference" if self.reference else "street only"
        return "reference only" if self.reference else "neither"


@dataclass(frozen=True)
class RegionCoverage:
    """The sites of one region that were examined."""

    region: Region
    sampled: int
    """Number of sites that the build would have."""
    sites: list[Covered]
    empty: str | None = None
    """Why it would have none."""

    def share(self, of: Callable[[Covered], bool]) -> float:
        """Share of the examined sites; 0 if there are none."""
        return sum(map(of, self.sites)) / max(1, len(self.sites))

    def reasons(self) -> Counter[str]:
        """Number of times each reason occurred."""
        return Counter(reason for site in self.sites for reason in site.why_not)


def coverage(build: Build, most: int) -> list[RegionCoverage]:
    """Ask the sources about up to `most` sites of each region: photos near them, and an aerial or map chip.

    Photos are not fetched. Aerial chips are, because only the tiles show whether there is imagery. The sites are spread
    evenly over those of the build; distractors, which want no photo, are none of them.

    Raises:
        ConfigError, MachineError: as a build does.
    """
    registry = registry_of(build)
    found = []
    for region in build.regions:
        try:
            sites = [site for site in sample_region(build, registry, region) if not site.distractor]
        except NothingThereError as error:
            found.append(RegionCoverage(region, 0, [], error.problems[0].found))
            continue
        chosen = [sites[i] for i in np.unique(np.linspace(0, len(sites) - 1, min(most, len(sites))).astype(int))]
        with ThreadPoolExecutor(build.limits.sites_at_once) as threads:
            found.append(
                RegionCoverage(region, len(sites), list(threads.map(lambda site: _look(site, registry), chosen)))
            )
    return found


def _look(site: Site, registry: Registry) -> Covered:
    check_stop()
    point, settings = Point(site.lat, site.lon), registry.build.imagery
    lacks: list[str] = []

    def street() -> None:
        photos = registry.street(site.region).near(point, settings.search_radius_m)
        if not photos:
            raise SiteError(Reason.NO_STREET_VIEW, "")
        if all(photo.unusable for photo in photos):
            assert photos[0].unusable is not None
            raise SiteError(*photos[0].unusable)

    def aerial() -> None:
        source = registry.aerial(site.region)
        if source is None:
            raise SiteError(Reason.NO_OVERLAP, "")
        if source.chip(point, settings.chips.size_px, settings.chips.gsd_m).covered < settings.chips.min_covered:
            raise SiteError(Reason.PARTLY_COVERED, "")

    def around() -> None:
        source = registry.map(site.region)
        if source is None:
            raise SiteError(Reason.NO_OVERLAP, "")
        source.chip(point, settings.chips.size_px, settings.chips.gsd_m)

    def there(kind: str, ask: Callable[[], None]) -> bool:
        try:
            ask()
        except SiteError as error:
            lacks.append(f"{kind}: {error.reason}")
            return False
        return True

    has_street = there("street", street)
    has_aerial, has_map = there("aerial", aerial), there("map", around)
    return Covered(site, has_street, has_aerial or has_map, tuple(lacks))


def draw_coverage(regions: Sequence[RegionCoverage]) -> Image.Image:
    """One panel per region, three per row: its sites in metres east and north, coloured by coverage."""
    panels = [_panel(region) for region in regions]
    rows = [beside(panels[i : i + 3], 24) for i in range(0, len(panels), 3)]
    legend = [beside([_dot(colour), flow(f"{words}", 220, Style(size=16))], 8) for words, colour in _COLOURS.items()]
    return on_paper(stack([beside(legend, 16), *rows], 24), 32)


def _panel(found: RegionCoverage) -> Image.Image:
    frame = LocalFrame(*found.region.middle())
    west, south, east, north = found.region.bounds()
    x, y = frame.to_metres([west, east, west, east], [south, south, north, north])
    reach = 1.04 * float(max(np.ptp(x), np.ptp(y), 1.0))
    panel = Image.fromarray(_ground(found.region, frame, reach))
    draw = ImageDraw.Draw(panel)
    draw.rectangle((0, 0, _PANEL - 1, _PANEL - 1), outline=LINE)
    radius = 4 if len(found.sites) < 1_000 else 2
    x, y = frame.to_metres([s.site.lon for s in found.sites], [s.site.lat for s in found.sites])
    across, down = (x / reach + 0.5) * _PANEL, (0.5 - y / reach) * _PANEL
    for site, i, j in zip(found.sites, across.tolist(), down.tolist(), strict=True):
        draw.ellipse((i - radius, j - radius, i + radius, j + radius), fill=_COLOURS[site.kind])
    words = found.empty or (
        f"{found.share(lambda s: s.street):.0%} street, {found.share(lambda s: s.reference):.0%} reference, of "
        f"{len(found.sites)} sites examined ({found.sampled} sampled). {reach / 1000:.1f} km across, north up."
    )
    return stack([heading(found.region.name, _PANEL, 20), panel, flow(words, _PANEL, Style(size=15, colour=MUTED))], 8)


def _ground(region: Region, frame: LocalFrame, reach: float) -> Pixels:
    """The square of a panel, with the region in another shade than its surroundings."""
    metres = ((np.arange(_PANEL) + 0.5) / _PANEL - 0.5) * reach
    lon, lat = frame.to_degrees(*(side.ravel() for side in np.meshgrid(metres, -metres)))
    inside = region.contains(lon, lat).reshape(_PANEL, _PANEL, 1)
    return np.where(inside, np.array(PAPER, np.uint8), np.array(_BEYOND, np.uint8))


def _dot(colour: Colour) -> Image.Image:
    dot = Image.new("RGB", (18, 18), PAPER)
    ImageDraw.Draw(dot).ellipse((3, 4, 15, 16), fill=colour)
    return dot
