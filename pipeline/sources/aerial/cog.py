"""Aerial chips from cloud-optimised GeoTIFFs at addresses, read in windows. Where files overlap, the first counts."""

from urllib.parse import urlsplit

import rasterio
from pyproj import proj_version_str

from pipeline.config import sources as config
from pipeline.config.imagery import Imagery
from pipeline.config.region import Region
from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem, SiteError
from pipeline.geo.point import Floats, Point
from pipeline.net.base import Client, Provider
from pipeline.sources.aerial.areas import check_reach, grid_box
from pipeline.sources.aerial.remote_raster import Remote, RemoteRasters, check_scale, chip_of
from pipeline.sources.aerial.terms import check_credits, check_open, parse_date
from pipeline.sources.aerial.warp import raster_chip
from pipeline.sources.base import RasterChip
from pipeline.sources.origins import origin_of
from schemas.reasons import Reason

_VERSION = 2
_RATE = config.Rate(per_s=20, at_once=8)
"""For each host, where the configuration says nothing: storage that documents no limit."""
_PER_CHIP = 4
"""Requests that a chip takes: the tiles of one file that it touches lie in a run for each row of tiles."""


class CogSource:
    """Cloud-optimised GeoTIFFs at addresses. Each one's header is read once, when the first chip is asked for."""

    synthetic = False

    def __init__(self, name: str, settings: config.CogSource, _regions: list[Region], client: Client) -> None:
        """Check the settings; ask nothing.

        Raises:
            ConfigError: for every setting that cannot be used, and why.
        """
        self.name = name
        self._settings = settings
        where = f"sources.aerial.{name}"
        problems: list[Problem] = []
        check_credits(settings.credits, f"{where}.credits", problems)
        check_scale(settings.scale, where, problems)
        for url in settings.urls:
            check_open(url, None, f"{where}.urls", problems)
        twice = sorted({url for url in settings.urls if settings.urls.count(url) > 1})
        problems += [Problem(f"{where}.urls", f"{url} twice", "each address once") for url in twice]
        self._captured_at = parse_date(settings.captured_on, f"{where}.captured_on", problems)
        if problems:
            raise ConfigError(problems)
        self._remotes = [Remote(_name(url), url) for url in settings.urls]
        self._rasters = RemoteRasters(client.session(self.provider()), settings)

    def fingerprint(self) -> str:
        """Digest of the settings and the versions of GDAL and PROJ."""
        return digest(
            _VERSION,
            rasterio.__gdal_version__,
            proj_version_str,
            self._settings.model_dump(mode="json", exclude={"rate"}),
        )

    def provider(self) -> Provider:
        """The hosts of the files."""
        rate = self._settings.rate or _RATE
        origins = tuple(dict.fromkeys(origin_of(url) for url in self._settings.urls))
        return Provider(f"cog {urlsplit(origins[0]).netloc}", origins, rate.per_s, rate.at_once, rate.per_day)

    def requests(self, lat: Floats, lon: Floats, imagery: Imagery) -> int:  # noqa: ARG002 - as `Networked` has it
        """Headers, and for each chip the rows of tiles that it touches."""
        chips = 1 + len(imagery.chips.extra_sizes_m)
        return 2 * len(self._remotes) + _PER_CHIP * chips * len(lat)

    def probe(self, region: Region) -> str:
        """Read the headers.

        Raises:
            SiteError: NO_OVERLAP: none of the files reaches the region.
        """
        grids = self._rasters.layout(self._remotes).grids
        problems: list[Problem] = []
        check_reach([grid_box(grid) for grid in grids], [region], "its files", problems)
        if problems:
            raise SiteError(Reason.NO_OVERLAP, str(problems[0]))
        return f"{grids[0].name}: {grids[0].width} x {grids[0].height} pixels; {self._settings.credits.licence}"

    def chip(self, point: Point, size_px: int, gsd_m: float) -> RasterChip:
        """A chip centred on a point, north up; black where there is no data.

        Raises:
            SiteError: NO_OVERLAP, ALL_NODATA, READ_FAILED, or a reason of the network. A file whose header cannot be
                had fails every chip, as nobody knows what it covers.
        """
        warped = chip_of(self._rasters.layout(self._remotes), point, size_px, gsd_m, self.name)
        credits_ = self._settings.credits
        return raster_chip(warped, credits_.author, credits_.licence, credits_.link, self._captured_at)


def _name(url: str) -> str:
    """An address without its query, which may be a signature."""
    return url.partition("?")[0]
