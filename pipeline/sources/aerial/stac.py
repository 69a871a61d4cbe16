"""Aerial chips from the GeoTIFFs that a STAC search finds for each place, the newest first."""

import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import rasterio
from pyproj import proj_version_str
from rasterio.windows import Window

from pipeline.config import sources as config
from pipeline.config.imagery import Imagery
from pipeline.config.region import Region
from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem, SiteError
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Floats, Point
from pipeline.net.base import Client, Provider
from pipeline.sources.aerial.layouts import RGBA, Grid
from pipeline.sources.aerial.remote_raster import RemoteRasters, check_scale, ground_pixel_m
from pipeline.sources.aerial.scenes import Rules, Scene, scene_of
from pipeline.sources.aerial.stac_search import CELL_DEG, Catalogue, Query
from pipeline.sources.aerial.terms import check_credits, check_open
from pipeline.sources.aerial.warp import Warped, raster_chip, warp_chip
from pipeline.sources.base import RasterChip
from pipeline.sources.origins import host_origins, origin
from schemas.reasons import TRANSIENT, Reason

_VERSION = 2
_RATE = config.Rate(per_s=10, at_once=8)
"""For each host, where the configuration says nothing."""
_MOST_IN_MOSAIC = 8
_MOST_READ = 32
"""Scenes whose headers are read for one chip; some catalogues hold scenes with bounds far beyond their pixels."""
_COARSER = 1.05
"""A scene's pixels may be longer than the limit by so much: a stated GSD is rounded, and one side may be longer."""
_PER_CHIP = 6
"""Requests: the header and the rows of tiles of a scene, and where two scenes meet of both."""
_INTERVAL = re.compile(r"[0-9TZ:.+-]{4,35}|(\.\.|[0-9TZ:.+-]{4,35})?/(\.\.|[0-9TZ:.+-]{4,35})?")


class StacSource:
    """Scenes found by a STAC search. Where several overlap, the newest that holds data counts."""

    synthetic = False

    def __init__(
        self,
        name: str,
        settings: config.StacSource,
        _regions: list[Region],
        client: Client,
        *,
        rules: Rules | None = None,
        provider: Provider | None = None,
    ) -> None:
        """Check the settings; ask nothing.

        Args:
            name: As in the configuration.
            settings: Its section.
            _regions: Those that use it.
            client: What fetches.
            rules: What items must be, where the settings are not enough to say it.
            provider: Whom it asks, where that is listed.

        Raises:
            ConfigError: for every setting that cannot be used, and why.
        """
        self.name = name
        self._settings = settings
        self._rules = rules or Rules(settings.asset, max_gsd_m=settings.max_gsd_m)
        self._provider = provider
        where = f"sources.aerial.{name}"
        problems: list[Problem] = []
        if settings.credits is not None:
            check_credits(settings.credits, f"{where}.credits", problems)
        check_open(settings.endpoint, None, f"{where}.endpoint", problems)
        for host in settings.allowed_hosts:
            check_open(host, None, f"{where}.allowed_hosts", problems)
        check_scale(settings.scale, where, problems)
        if settings.datetime is not None and not _INTERVAL.fullmatch(settings.datetime):
            allowed = "a STAC interval like 2021-01-01/2023-12-31, 2021-01-01/.. or one date"
            problems.append(Problem(f"{where}.datetime", repr(settings.datetime), allowed))
        if problems:
            raise ConfigError(problems)
        session = client.session(self.provider())
        query = Query(settings.endpoint, tuple(settings.collections), settings.datetime)
        self._catalogue = Catalogue(session, query)
        self._rasters = RemoteRasters(session, settings)

    def fingerprint(self) -> str:
        """Digest of the settings, the rules and the versions of GDAL and PROJ."""
        settings = self._settings.model_dump(mode="json", exclude={"rate", "allowed_hosts"})
        return digest(_VERSION, rasterio.__gdal_version__, proj_version_str, settings, asdict(self._rules))

    def provider(self) -> Provider:
        """The API's host and those of the assets."""
        if self._provider is not None:
            return self._provider
        rate = self._settings.rate or _RATE
        name = f"stac {urlsplit(self._settings.endpoint).netloc}"
        return Provider(name, origins(self._settings), rate.per_s, rate.at_once, rate.per_day)

    def requests(self, lat: Floats, lon: Floats, imagery: Imagery) -> int:
        """A search for each cell that holds sites and each size of chip, and some ranges for each chip."""
        cells = len(np.unique(np.floor(np.column_stack([lat, lon]) / CELL_DEG), axis=0)) if len(lat) else 0
        chips = 1 + len(imagery.chips.extra_sizes_m)
        return cells * chips + _PER_CHIP * chips * len(lat) + len(self._settings.collections)

    def probe(self, region: Region) -> str:
        """Search around the region's middle."""
        point = Point(*region.middle())
        items = self._catalogue.around(LocalFrame(point.lat, point.lon).chip_bbox(1, 1.0))
        scenes, faults = self._scenes(point, 1, 1.0)
        said = f"{len(items)} items at the middle of {region.name}, {len(scenes)} of them usable"
        if scenes:
            return f"{said}; the newest: {scenes[0].remote.name}, {scenes[0].licence}"
        return f"{said}" + (f"; {faults[0]}" if faults else "")

    def chip(self, point: Point, size_px: int, gsd_m: float) -> RasterChip:
        """A chip centred on a point, north up; black where there is no data.

        All of its pixels are under one licence: where scenes of several would make it up, those under the licence of
        the newest do.

        Raises:
            SiteError: NO_OVERLAP, ALL_NODATA, UNUSABLE_LICENCE, READ_FAILED, or a reason of the network. A scene that
                cannot be used for good is passed over for the next one; one that a retry may mend is not, so that a
                build's pictures do not depend on the network's mood.
        """
        scenes, faults = self._scenes(point, size_px, gsd_m)
        warped, used = self._mosaic(scenes, faults, point, size_px, gsd_m)
        if len({scene.licence for scene in used}) > 1:
            alike = [scene for scene in scenes if scene.licence == used[0].licence]
            warped, used = self._mosaic(alike, faults, point, size_px, gsd_m)
        if warped is None or not used:
            raise self._nothing(point, faults, found=warped is not None and warped.overlaps)
        authors = ", ".join(dict.fromkeys(scene.author for scene in used))
        return raster_chip(warped, authors, used[0].licence, used[0].link, used[0].captured_at)

    def _scenes(self, point: Point, size_px: int, gsd_m: float) -> tuple[list[Scene], list[SiteError]]:
        """The scenes that may be used around a chip, newest first, and why others may not."""
        scenes, faults = [], []
        for item in self._catalogue.around(LocalFrame(point.lat, point.lon).chip_bbox(size_px, gsd_m)):
            try:
                scenes.append(scene_of(item, self._catalogue, self._rules, self._settings.credits))
            except SiteError as fault:
                _unless_transient(fault)
                faults.append(fault)
        return scenes, faults

    def _mosaic(
        self, scenes: list[Scene], faults: list[SiteError], point: Point, size_px: int, gsd_m: float
    ) -> tuple[Warped | None, list[Scene]]:
        """A chip from as few scenes as cover it, and those that it shows; faults are added to."""
        layout = _Mosaic(self._rasters, faults)
        warped, used = None, list[Scene]()
        for scene in scenes[:_MOST_READ]:
            if not self._add(layout, scene, point):
                continue
            warped = warp_chip(layout, point, size_px, gsd_m)
            used = [layout.scenes[name] for name in warped.names]
            if warped.covered.all() or len(used) == _MOST_IN_MOSAIC:
                break
        return warped, used

    def _add(self, layout: "_Mosaic", scene: Scene, point: Point) -> bool:
        try:
            grid = self._rasters.grid(scene.remote)
        except SiteError as fault:
            _unless_transient(fault)
            layout.faults.append(fault)
            return False
        limit = self._rules.max_gsd_m
        pixel_m = ground_pixel_m(grid, point)
        if limit is not None and pixel_m > limit * _COARSER:
            found = f"{grid.name}: {pixel_m:.3g} m a pixel, coarser than {limit:g}"
            layout.faults.append(SiteError(Reason.NO_OVERLAP, found))
            return False
        layout.grids.append(grid)
        layout.scenes[grid.name] = scene
        return True

    def _nothing(self, point: Point, faults: list[SiteError], *, found: bool) -> SiteError:
        """Why there is no chip: what speaks against an item that reaches it, or that there is none."""
        where = f"{self.name} has nothing usable at {point.lat}, {point.lon}"
        telling = [fault for fault in faults if fault.reason is not Reason.NO_OVERLAP]
        if telling:
            return SiteError(telling[0].reason, f"{where}: {'; '.join(fault.detail for fault in telling[:3])}")
        if found:
            return SiteError(Reason.ALL_NODATA, f"{where}: no data in the scenes that reach it")
        said = "; ".join(fault.detail for fault in faults[:3]) or "no item reaches it"
        return SiteError(Reason.NO_OVERLAP, f"{where}: {said}")


class _Mosaic:
    """Scenes as a `pipeline.sources.aerial.layouts.Layout`; one that cannot be read is left out of it."""

    def __init__(self, rasters: RemoteRasters, faults: list[SiteError]) -> None:
        self.grids: list[Grid] = []
        self.scenes: dict[str, Scene] = {}
        self.faults = faults
        self._rasters = rasters

    def read(self, grid: Grid, window: Window, shape: tuple[int, int]) -> tuple[RGBA, list[str]]:
        """A window, averaged down to `shape`; transparent where the file cannot be read."""
        try:
            return self._rasters.read(self.scenes[grid.name].remote, window, shape), [grid.name]
        except SiteError as fault:
            _unless_transient(fault)
            self.faults.append(fault)
            return np.zeros((4, *shape), np.uint8), []

    def files(self) -> Iterator[tuple[str, Path]]:
        """None: nothing lies on disk."""
        return iter(())


def origins(settings: config.StacSource | config.OpenAerialMap) -> tuple[str, ...]:
    """Where the API and its assets may lie."""
    hosts = [one for host in settings.allowed_hosts for one in host_origins(host)]
    return tuple(dict.fromkeys([origin(settings.endpoint), *hosts]))


def _unless_transient(fault: SiteError) -> None:
    if fault.reason in TRANSIENT:
        raise fault
