"""Aerial chips from local rasters: GeoTIFF (or COG) files in any coordinate system, or an XYZ tile folder.

Each chip is warped once, from the source's own pixels to the site's local metric frame, so that its scale does not
depend on the latitude. Files are opened for each chip, as a GDAL dataset may not be shared between threads.
"""

from datetime import UTC, datetime
from functools import cached_property

import rasterio
from pyproj import proj_version_str

from pipeline.config import sources as config
from pipeline.config.region import Region
from pipeline.digest import digest, digest_file
from pipeline.errors import ConfigError, Problem, SiteError
from pipeline.geo.point import Point
from pipeline.sources.aerial.areas import check_reach, grid_box
from pipeline.sources.aerial.layouts import Layout
from pipeline.sources.aerial.raster_files import RasterFiles
from pipeline.sources.aerial.terms import check_credits
from pipeline.sources.aerial.tile_folder import TileFolder
from pipeline.sources.aerial.warp import raster_chip, warp_chip
from pipeline.sources.base import RasterChip
from schemas.reasons import Reason

_VERSION = 4


class RasterSource:
    """Aerial imagery on local disk. Where files overlap, the first by name that holds data counts."""

    synthetic = False

    def __init__(self, name: str, settings: config.RasterSource, regions: list[Region]) -> None:
        """Read all headers.

        Args:
            name: Of the source in the configuration.
            settings: Its section.
            regions: Those that use it: imagery that reaches none of them is refused.

        Raises:
            ConfigError: for every file that cannot be used, and why.
        """
        self.name = name
        self._settings = settings
        where = f"sources.aerial.{name}"
        problems: list[Problem] = []
        check_credits(settings.credits, f"{where}.credits", problems)
        self._captured_at = _date(settings.captured_on, f"{where}.captured_on", problems)
        self._layout: Layout
        if settings.layout == "xyz":
            self._layout = TileFolder(settings, regions, where, problems)
        else:
            self._layout = RasterFiles(settings, where, problems)
            check_reach([grid_box(grid) for grid in self._layout.grids], regions, f"{where}.path", problems)
        if problems:
            raise ConfigError(problems)

    def fingerprint(self) -> str:
        """Digest of the settings, GDAL's and PROJ's versions, and every file's name, size and content."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        files = [(name, digest_file(path)) for name, path in self._layout.files()]
        settings = config.with_flat_credits(
            self._settings.model_dump(mode="json", exclude={"path", "max_datum_error_m"})
        )
        # A shift grid that is installed later moves what chips show.
        ways = [grid.datum_accuracy_m for grid in self._layout.grids]
        return digest(_VERSION, rasterio.__gdal_version__, proj_version_str, settings, files, ways)

    def chip(self, point: Point, size_px: int, gsd_m: float) -> RasterChip:
        """A chip centred on a point, north up; black where there is no data.

        Args:
            point: The centre.
            size_px: Side in pixels.
            gsd_m: Metres a pixel, in the point's local frame.

        Raises:
            SiteError: NO_OVERLAP, ALL_NODATA or READ_FAILED.
        """
        warped = warp_chip(self._layout, point, size_px, gsd_m)
        if not warped.overlaps:
            raise SiteError(Reason.NO_OVERLAP, f"none of {self._settings.path.name} reaches {point.lat}, {point.lon}")
        if not warped.covered.any():
            raise SiteError(Reason.ALL_NODATA, f"no data in {self._settings.path.name} at {point.lat}, {point.lon}")
        credits_ = self._settings.credits
        return raster_chip(warped, credits_.author, credits_.licence, credits_.link, self._captured_at)


def _date(text: str | None, where: str, problems: list[Problem]) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        problems.append(Problem(where, repr(text), "a date like 2024-06-30"))
        return None
