"""GeoTIFFs on disk, each a grid of its own. GDAL reads them alone: no file beside them, nothing on the network."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rasterio
from rasterio.errors import RasterioIOError
from rasterio.windows import Window

from pipeline.config.sources import RasterSource
from pipeline.errors import Problem, SiteError
from pipeline.memo import LruMemo
from pipeline.sources.aerial.gdal_warnings import refuse_made_up_pixels
from pipeline.sources.aerial.geotiff import Whole, glance, grid_of, raster_faults, read_rgba
from pipeline.sources.aerial.layouts import RGBA, Grid
from pipeline.sources.aerial.raster_limits import RASTER_FAULTS, check_window, limit_faults
from schemas.reasons import Reason

_SUFFIXES = (".tif", ".tiff")
_ALLOWED = f"GeoTIFF files ({', '.join(_SUFFIXES)})"
_GDAL = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": "NO", "GDAL_NUM_THREADS": "1"}
"""Nothing beside the file is read: not .ovr, which may be of any format, such as one that names URLs; not .aux.xml.
And by the threads that ask only, which hear GDAL's warnings."""
_KEPT = 64
"""Glances at files: at most 1 MB each."""


class RasterFiles:
    """GeoTIFFs, each a grid of its own. Threads may share it."""

    def __init__(self, settings: RasterSource, where: str, problems: list[Problem]) -> None:
        """Read all headers; what is wrong with a file or a setting is added to the problems."""
        self._settings = settings
        self._root = settings.path if settings.path.is_dir() else settings.path.parent
        self._wholes: LruMemo[str, Whole] = LruMemo(_KEPT)
        self.grids: list[Grid] = []
        problems += [
            Problem(f"{where}.{key}", str(value), "nothing where layout is files")
            for key, value in (("zoom", settings.zoom), ("tms", settings.tms))
            if value is not None
        ]
        if settings.scale is not None and settings.scale[0] == settings.scale[1]:
            problems.append(Problem(f"{where}.scale", f"{settings.scale}", "two different values"))
        paths = [settings.path]
        if settings.path.is_dir():
            paths = sorted(p for p in settings.path.iterdir() if p.suffix.lower() in _SUFFIXES and p.is_file())
        if not paths:
            problems.append(Problem(f"{where}.path", f"no raster in {settings.path}", _ALLOWED))
        for path in paths:
            self._add(path, problems)

    def _add(self, path: Path, problems: list[Problem]) -> None:
        if path.suffix.lower() not in _SUFFIXES:
            problems.append(Problem(str(path), f"a file ending {path.suffix!r}", _ALLOWED))
            return
        if path.exists() and not path.is_file():
            problems.append(Problem(str(path), "a pipe or a device", _ALLOWED))
            return
        try:
            with _open(path) as raster:
                faults = raster_faults(raster, self._settings) + limit_faults(raster)
                problems += [Problem(str(path), found, allowed) for found, allowed in faults]
                if not faults:
                    self.grids.append(grid_of(raster, path.name))
        except RASTER_FAULTS as error:
            problems.append(Problem(str(path), f"unreadable: {error}", _ALLOWED))

    def read(self, grid: Grid, window: Window, shape: tuple[int, int]) -> tuple[RGBA, list[str]]:
        """A window, averaged down to `shape`."""
        try:
            with _open(self._root / grid.name) as raster:
                check_window(raster, grid.name, window, shape)

                def whole() -> Whole:
                    return self._wholes.get(grid.name, lambda: glance(raster, self._settings))

                rgba = read_rgba(raster, self._settings, window, shape, whole)
        except RASTER_FAULTS as error:
            said = str(error.__cause__ or error).replace(str(self._root / grid.name), grid.name)[:200]
            raise SiteError(Reason.READ_FAILED, f"{grid.name}: {said}") from error
        return rgba, [grid.name]

    def files(self) -> Iterator[tuple[str, Path]]:
        """Names and paths of all files, sorted."""
        return ((grid.name, self._root / grid.name) for grid in self.grids)


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """An open GeoTIFF that cannot make GDAL read any other file, or anything on the network."""
    # The driver is named, or GDAL would see that a VRT or WMS description is called .tif, and open the URLs in it.
    with rasterio.Env(**_GDAL), rasterio.open(path, driver="GTiff", sharing=False) as raster:
        if raster.tags(ns="OVERVIEWS"):  # GDAL opens what is named here, a URL too
            raise RasterioIOError("its metadata names overviews in another file")
        with refuse_made_up_pixels():
            yield raster
