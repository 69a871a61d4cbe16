"""GeoTIFFs at addresses as grids that a chip can be warped from, and the chip itself."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin

import numpy as np
from rasterio.windows import Window

from pipeline.config.sources import RasterLook
from pipeline.errors import Problem, SiteError
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.memo import LruMemo
from pipeline.net.base import Session
from pipeline.sources.aerial.datum import from_degrees
from pipeline.sources.aerial.gdal_reading import with_raster
from pipeline.sources.aerial.geotiff import GLANCE_PX, Whole, glance, grid_of, raster_faults, read_rgba
from pipeline.sources.aerial.layouts import RGBA, Grid, Layout
from pipeline.sources.aerial.raster_limits import MOST_WINDOW, check_window, limit_faults, pixels_read
from pipeline.sources.aerial.warp import Warped, warp_chip
from pipeline.sources.range_file import RangeFile
from schemas.reasons import Reason

V = TypeVar("V")
_KEPT_HEADERS = 5_000
_KEPT_WHOLES = 64
"""Glances: at most 1 MB each."""
_KEPT_FILES = 32
"""Files whose last blocks are kept in memory: at most 8 MiB each."""
_HEADERS_AT_ONCE = 8


@dataclass(frozen=True)
class Remote:
    """A GeoTIFF at an address."""

    name: str
    """Unique among those of a chip; stands in its `source_id`, so without spaces."""
    url: str


class RemoteRasters:
    """Opens remote GeoTIFFs and remembers their headers and last blocks. Threads may share it."""

    def __init__(self, session: Session, look: RasterLook) -> None:
        """Ask nothing yet.

        Args:
            session: What fetches.
            look: How values become a picture.
        """
        self._session, self._look = session, look
        self._files: LruMemo[str, RangeFile] = LruMemo(_KEPT_FILES)
        self._grids: LruMemo[str, Grid] = LruMemo(_KEPT_HEADERS)
        self._wholes: LruMemo[str, Whole] = LruMemo(_KEPT_WHOLES)

    def layout(self, remotes: Sequence[Remote]) -> "RemoteLayout":
        """Files as a layout; headers that are not known are read, several at once.

        Raises:
            SiteError: of the first file that cannot be used: READ_FAILED, or a reason of the network.
        """
        new = [remote for remote in remotes if remote.url not in self._grids]
        if len(new) > 1:
            with ThreadPoolExecutor(_HEADERS_AT_ONCE) as pool:
                list(pool.map(self.grid, new))
        return RemoteLayout(self, [self.grid(remote) for remote in remotes], list(remotes))

    def grid(self, remote: Remote) -> Grid:
        """Where a file's pixels lie.

        Raises:
            SiteError: READ_FAILED where it is no GeoTIFF that can be used, or a reason of the network.
        """
        return self._grids.get(remote.url, lambda: self._use(remote, lambda raster: self._check(raster, remote.name)))

    def read(self, remote: Remote, window: Window, shape: tuple[int, int]) -> RGBA:
        """A window, averaged down to `shape`.

        Raises:
            SiteError: as `grid`.
        """
        self.grid(remote)

        def pixels(raster: Any) -> RGBA:
            check_window(raster, remote.name, window, shape)
            return read_rgba(raster, self._look, window, shape, lambda: self._whole(remote, raster))

        return self._use(remote, pixels)

    def _whole(self, remote: Remote, raster: Any) -> Whole:
        """A glance at a file, unless it has no overview to look at."""
        everything = Window(0, 0, raster.width, raster.height)
        if pixels_read(raster, everything, (GLANCE_PX, GLANCE_PX)) > MOST_WINDOW:
            return Whole(None, None)
        return self._wholes.get(remote.url, lambda: glance(raster, self._look))

    def _check(self, raster: Any, name: str) -> Grid:
        faults = raster_faults(raster, self._look) + limit_faults(raster)
        if faults:
            said = "; ".join(f"found {found}, allowed: {allowed}" for found, allowed in faults)
            raise SiteError(Reason.READ_FAILED, f"{name}: {said}")
        return grid_of(raster, name)

    def _use(self, remote: Remote, action: Callable[[Any], V]) -> V:
        file = self._files.get(remote.url, lambda: RangeFile(self._session, remote.url))
        try:
            return with_raster(file, action)
        except SiteError:  # it may have changed, and what is kept of it be of two versions
            self._files.drop(remote.url)
            self._grids.drop(remote.url)
            self._wholes.drop(remote.url)
            raise


class RemoteLayout:
    """Remote files as a `pipeline.sources.aerial.layouts.Layout`."""

    def __init__(self, rasters: RemoteRasters, grids: list[Grid], remotes: list[Remote]) -> None:
        self.grids = grids
        self._rasters = rasters
        self._remotes = {remote.name: remote for remote in remotes}

    def read(self, grid: Grid, window: Window, shape: tuple[int, int]) -> tuple[RGBA, list[str]]:
        """A window, averaged down to `shape`."""
        return self._rasters.read(self._remotes[grid.name], window, shape), [grid.name]

    def files(self) -> Iterator[tuple[str, Path]]:
        """None: nothing lies on disk."""
        return iter(())


def chip_of(layout: Layout, point: Point, size_px: int, gsd_m: float, what: str) -> Warped:
    """A chip that shows something.

    Args:
        layout: What to read from.
        point: The centre.
        size_px: Side in pixels.
        gsd_m: Metres a pixel.
        what: The source, for messages.

    Raises:
        SiteError: NO_OVERLAP, ALL_NODATA, or as the layout raises it.
    """
    warped = warp_chip(layout, point, size_px, gsd_m)
    if not warped.overlaps:
        raise SiteError(Reason.NO_OVERLAP, f"none of {what} reaches {point.lat}, {point.lon}")
    if not warped.covered.any():
        raise SiteError(Reason.ALL_NODATA, f"no data in {what} at {point.lat}, {point.lon}")
    return warped


def ground_pixel_m(grid: Grid, point: Point) -> float:
    """Side of a grid's pixels on the ground at a point, in metres: the longer one; infinite where it has none there."""
    lon, lat = LocalFrame(point.lat, point.lon).to_degrees([0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    x, y = from_degrees(grid.crs).transform(lon, lat)
    inverse = ~grid.transform
    east, north = (np.array((x[i] - x[0], y[i] - y[0])) for i in (1, 2))
    # Pixels along a metre east and a metre north; the inverse maps a pixel's sides back to the ground.
    pixels = np.array([[inverse.a, inverse.b], [inverse.d, inverse.e]]) @ np.column_stack([east, north])
    if not np.isfinite(pixels).all() or np.linalg.det(pixels) == 0:
        return float("inf")
    return float(np.linalg.norm(np.linalg.inv(pixels), axis=0).max())


def joined(base: str, href: str) -> str:
    """An address as it stands in a document at `base`.

    Raises:
        SiteError: UNSAFE_ADDRESS where it is none.
    """
    try:
        return urljoin(base, href)
    except ValueError as error:
        raise SiteError(Reason.UNSAFE_ADDRESS, f"{href[:200]!r}: {error}") from error


def check_scale(scale: tuple[float, float] | None, where: str, problems: list[Problem]) -> None:
    """Add a problem for a scale whose black is its white."""
    if scale is not None and scale[0] == scale[1]:
        problems.append(Problem(f"{where}.scale", f"{scale}", "two different values"))
