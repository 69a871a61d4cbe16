"""The checked-in open aerial sources together: for each place the first that covers it."""

import numpy as np
from numpy.typing import NDArray

from pipeline.config import sources as config
from pipeline.config.imagery import Imagery
from pipeline.config.region import Region
from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem, SiteError
from pipeline.geo.point import Floats, Point
from pipeline.net.base import Client, Provider
from pipeline.sources.aerial.areas import inside, meets
from pipeline.sources.aerial.service import TileMemory
from pipeline.sources.aerial.xyz import TileSource, preset_source, presets
from pipeline.sources.base import RasterChip
from schemas.reasons import Reason

_VERSION = 2
LEAST_ZOOM = 17
"""1.2 m a pixel at the equator: below it a street cannot be told from a path."""
_NEXT = frozenset({Reason.NO_OVERLAP, Reason.ALL_NODATA, Reason.BLANK_TILE})
"""Faults that mean `this source has no imagery here`; another one fails the chip, as it may pass."""


class OpenAerialSource:
    """All listed open tile sources, or those named, in their order."""

    synthetic = False

    def __init__(self, name: str, settings: config.OpenAerial, _regions: list[Region], client: Client) -> None:
        """Check the settings; nothing is fetched. A region that no source covers is no fault: its sites get a map.

        Raises:
            ConfigError: a preset that is not listed, stands twice, needs a key, or whose terms forbid datasets.
        """
        self.name = name
        where = f"sources.aerial.{name}"
        problems: list[Problem] = []
        known = presets()
        names = settings.presets if settings.presets is not None else default_presets()
        self._sources: list[TileSource] = []
        for preset in names:
            fault = _fault(preset, names)
            if fault is not None:
                problems.append(Problem(f"{where}.presets", *fault))
                continue
            entry, tiles = known[preset]
            self._sources.append(preset_source(entry, tiles, rate=settings.rate, where=where, problems=problems))
        if problems:
            raise ConfigError(list(dict.fromkeys(problems)))
        memory = TileMemory()
        self._services = [(source, source.service(client, memory)) for source in self._sources]

    def fingerprint(self) -> str:
        """Digest of what is checked in for its sources, and their order."""
        kept = [
            (s.name, s.template, s.max_zoom, s.tile_px, s.boxes, sorted(s.blank), s.attribution) for s in self._sources
        ]
        return digest(_VERSION, repr(kept))

    def chip(self, point: Point, size_px: int, gsd_m: float) -> RasterChip:
        """A chip of the first source that has imagery.

        Raises:
            SiteError: NO_OVERLAP, naming those tried; or what another fault of one of them was.
        """
        tried = []
        for source, service in self._services:
            if not inside(source.boxes, point.lat, point.lon):
                continue
            try:
                return service.chip(source.matrices, point, size_px, gsd_m)
            except SiteError as error:
                if error.reason not in _NEXT:
                    raise
                tried.append(f"{source.name}: {error.reason}")
        found = f"tried {', '.join(tried)}" if tried else "no listed open source covers it"
        raise SiteError(Reason.NO_OVERLAP, f"{point.lat}, {point.lon}: {found}")

    def covers(self, lat: Floats, lon: Floats) -> NDArray[np.bool_]:
        """Whether positions lie in the boxes of any of its sources; see `pipeline.sources.base.KnowsArea`."""
        found = np.zeros(lat.shape, bool)
        for source in self._sources:
            found |= inside(source.boxes, lat, lon)
        return found

    def provider(self) -> Provider:
        """The first source's; each has its own limits. See `providers`."""
        return self._sources[0].provider

    def providers(self) -> list[Provider]:
        """All that it may ask."""
        return [source.provider for source in self._sources]

    def requests(self, lat: Floats, lon: Floats, imagery: Imagery) -> int:
        """How many different tiles the sites take; see `requests_by_provider`."""
        return sum(count for _, count in self.requests_by_provider(lat, lon, imagery))

    def requests_by_provider(self, lat: Floats, lon: Floats, imagery: Imagery) -> list[tuple[Provider, int]]:
        """How many different tiles the sites take, each of the first source that covers it, and of which that is."""
        open_still = np.ones(lat.shape, bool)
        found = []
        for source, service in self._services:
            mine = open_still & inside(source.boxes, lat, lon)
            open_still &= ~mine
            if mine.any():
                found.append((source.provider, service.requests(source.matrices, lat[mine], lon[mine], imagery)))
        return found

    def probe(self, region: Region) -> str:
        """Fetch one tile of the first source that covers a part of the region."""
        for source, service in self._services:
            if meets(source.boxes, region):
                return service.probe(source.matrices, region)
        return f"no listed open source covers {region.name}: its sites get no aerial view"


def default_presets() -> list[str]:
    """Names of the listed sources that need no key and are fine enough, as listed: the preferred first."""
    return [
        name
        for name, (entry, tiles) in presets().items()
        if entry.kind == "aerial" and entry.refused is None and entry.key_env is None and tiles.max_zoom >= LEAST_ZOOM
    ]


def _fault(preset: str, names: list[str]) -> tuple[str, str] | None:
    """The fault of a preset, and what is allowed."""
    known = presets()
    if preset not in known:
        return repr(preset), f"one of {', '.join(default_presets())}"
    entry, _ = known[preset]
    if names.count(preset) > 1:
        return f"{preset} {names.count(preset)} times", "each source once"
    if entry.refused is not None:
        return f"{preset}: {entry.refused}", "sources whose terms allow datasets"
    if entry.key_env is not None:
        return (
            f"{preset}, which needs a key",
            f"type: xyz with preset: {preset}, and {entry.key_env} in the environment",
        )
    return None
