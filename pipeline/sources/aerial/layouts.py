"""How rasters lie on disk: georeferenced files, or an XYZ tile folder. Both are grids of pixels that can be read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any, Protocol

import mercantile
import numpy as np
import pyproj
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from pyproj.exceptions import CRSError, ProjError
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import RasterioError, RasterioIOError
from rasterio.windows import Window

from pipeline.config.build import ImageLimits
from pipeline.config.sources import RasterSource
from pipeline.errors import Problem, SiteError
from pipeline.imaging.decode import decode_rgba
from schemas.reasons import Reason

_TILE_SUFFIXES = (".jpg", ".png")
_TILE_LIMITS = ImageLimits(max_pixels=2048 * 2048, min_side_px=64)
_SUFFIXES = (".tif", ".tiff")
_ALLOWED = f"GeoTIFF files ({', '.join(_SUFFIXES)})"
_GDAL = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": "NO"}
"""Nothing beside the file is read: not .ovr, which may be of any format, such as one that names URLs; not .aux.xml."""
RGBA = NDArray[np.uint8]
"""4 x height x width; alpha is 255 where there is data and 0 elsewhere."""


@dataclass(frozen=True)
class Grid:
    """Where a raster's pixels lie."""

    name: str
    crs: str
    """WKT or authority code."""
    transform: Affine
    width: int
    height: int


class Layout(Protocol):
    """A way to keep rasters on disk."""

    grids: list[Grid]

    def read(self, grid: Grid, window: Window, shape: tuple[int, int]) -> tuple[RGBA, list[str]]:
        """A window, averaged down to `shape` or left as it is, and the names of the files it comes from, if any.

        Raises:
            SiteError: READ_FAILED.
        """
        ...

    def files(self) -> Iterator[tuple[str, Path]]:
        """Names and paths of all files, sorted."""
        ...


class RasterFiles:
    """GeoTIFFs, each a grid of its own."""

    def __init__(self, settings: RasterSource, where: str, problems: list[Problem]) -> None:
        self._settings = settings
        self._root = settings.path if settings.path.is_dir() else settings.path.parent
        self._bands: dict[str, list[int]] = {}
        self.grids: list[Grid] = []
        if settings.zoom is not None:
            problems.append(Problem(f"{where}.zoom", str(settings.zoom), "nothing where layout is files"))
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
        try:
            with _open(path) as raster:
                bands = list(self._settings.bands or ((1, 2, 3) if raster.count >= 3 else (1, 1, 1)))
                faults = raster_faults(raster, bands, scaled=self._settings.scale is not None)
                problems += [Problem(str(path), found, allowed) for found, allowed in faults]
                if not faults:
                    self._bands[path.name] = bands
                    place = raster.crs.to_wkt(), raster.transform, raster.width, raster.height
                    self.grids.append(Grid(path.name, *place))
        except RasterioError as error:
            problems.append(Problem(str(path), f"unreadable: {error}", _ALLOWED))

    def read(self, grid: Grid, window: Window, shape: tuple[int, int]) -> tuple[RGBA, list[str]]:
        """A window, averaged down to `shape`."""
        try:
            with _open(self._root / grid.name) as raster:
                rgba = read_rgba(raster, self._bands[grid.name], window, shape, self._settings.scale)
        except (RasterioError, OSError) as error:
            raise SiteError(Reason.READ_FAILED, f"{grid.name}: {error}") from error
        return rgba, [grid.name]

    def files(self) -> Iterator[tuple[str, Path]]:
        """Names and paths of all files, sorted."""
        return ((grid.name, self._root / grid.name) for grid in self.grids)


class TileFolder:
    """An XYZ folder: one grid, the whole of Web Mercator at one zoom."""

    def __init__(self, settings: RasterSource, where: str, problems: list[Problem]) -> None:
        self.grids: list[Grid] = []
        problems += [
            Problem(f"{where}.{key}", str(value), "nothing where layout is xyz")
            for key, value in (("bands", settings.bands), ("scale", settings.scale))
            if value is not None
        ]
        zooms = _numbered(settings.path) if settings.path.is_dir() else []
        zoom = settings.zoom if settings.zoom is not None else max(zooms, default=0)
        self._folder = settings.path / str(zoom)
        first = next(self.files(), None)
        if first is None:
            found = f"no tile {self._folder}/x/y.jpg or .png; zooms present: {zooms or 'none'}"
            problems.append(Problem(f"{where}.path", found, "an XYZ tile folder with tiles of that zoom"))
            return
        try:
            self._side = len(decode_rgba(first[1].read_bytes(), _TILE_LIMITS))
        except (SiteError, OSError) as error:
            problems.append(Problem(str(first[1]), str(error), "a JPEG or PNG tile"))
            return
        self._zoom = zoom
        size = self._side * 2**zoom
        half = mercantile.CE / 2
        transform = Affine(mercantile.CE / size, 0, -half, 0, -mercantile.CE / size, half)
        self.grids = [Grid(settings.path.name, "EPSG:3857", transform, size, size)]

    def read(self, _grid: Grid, window: Window, _shape: tuple[int, int]) -> tuple[RGBA, list[str]]:
        """A window in full resolution; transparent where there is no tile."""
        side = self._side
        left, top = window.col_off // side, window.row_off // side
        right, bottom = (window.col_off + window.width - 1) // side, (window.row_off + window.height - 1) // side
        mosaic = np.zeros((4, (bottom - top + 1) * side, (right - left + 1) * side), np.uint8)
        names = []
        for x, y in product(range(left, right + 1), range(top, bottom + 1)):
            tile = self._tile(x, y)
            if tile is not None:
                name, rgba = tile
                names.append(name)
                mosaic[:, (y - top) * side :, (x - left) * side :][:, :side, :side] = rgba
        skip_x, skip_y = window.col_off - left * side, window.row_off - top * side
        part = mosaic[:, skip_y : skip_y + window.height, skip_x : skip_x + window.width]
        return np.ascontiguousarray(part), names

    def _tile(self, x: int, y: int) -> tuple[str, RGBA] | None:
        path = next((p for s in _TILE_SUFFIXES if (p := self._folder / str(x) / f"{y}{s}").is_file()), None)
        if path is None:
            return None
        name = f"{self._zoom}/{x}/{path.name}"
        try:
            rgba = decode_rgba(path.read_bytes(), _TILE_LIMITS).transpose(2, 0, 1)
        except (SiteError, OSError) as error:
            raise SiteError(Reason.READ_FAILED, f"tile {name}: {error}") from error
        if rgba.shape != (4, self._side, self._side):
            found = f"tile {name} is {rgba.shape[2]} x {rgba.shape[1]}, the first {self._side} x {self._side}"
            raise SiteError(Reason.READ_FAILED, found)
        return name, rgba

    def files(self) -> Iterator[tuple[str, Path]]:
        """Names and paths of the zoom's tiles, sorted."""
        for x in _numbered(self._folder):
            column = self._folder / str(x)
            for path in sorted(p for p in column.iterdir() if p.suffix in _TILE_SUFFIXES and p.stem.isdecimal()):
                yield f"{self._folder.name}/{x}/{path.name}", path


def read_rgba(
    raster: Any, bands: list[int], window: Window, shape: tuple[int, int], scale: tuple[float, float] | None
) -> RGBA:
    """A window of an open raster, averaged down to `shape`.

    Args:
        raster: rasterio's dataset.
        bands: Red, green and blue, from 1.
        window: In pixels of the raster.
        shape: Height and width of what comes.
        scale: Values that become black and white; none for bytes.
    """
    out_shape = (3, *shape)
    values = raster.read(bands, window=window, out_shape=out_shape, resampling=Resampling.average)
    # A value that means "no data" in one band is a colour as long as another band has another value.
    valid = raster.read_masks(bands, window=window, out_shape=out_shape).any(axis=0)
    if np.issubdtype(values.dtype, np.floating):
        valid &= np.isfinite(values).all(axis=0)
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    if scale is not None:
        black, white = scale
        values = np.clip(np.rint((values.astype(float) - black) / (white - black) * 255), 0, 255)
    alpha = np.where(valid, 255, 0)[None]
    return np.concatenate([values, alpha]).astype(np.uint8)


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """An open GeoTIFF that cannot make GDAL read any other file, or anything on the network."""
    # The driver is named, or GDAL would see that a VRT or WMS description is called .tif, and open the URLs in it.
    with rasterio.Env(**_GDAL), rasterio.open(path, driver="GTiff", sharing=False) as raster:
        if raster.tags(ns="OVERVIEWS"):  # GDAL opens what is named here, a URL too
            raise RasterioIOError("its metadata names overviews in another file")
        yield raster


def _numbered(folder: Path) -> list[int]:
    """Numbers that subfolders are called by, sorted."""
    if not folder.is_dir():
        return []
    return sorted(int(p.name) for p in folder.iterdir() if p.name.isdecimal() and p.is_dir())


def raster_faults(raster: Any, bands: list[int], *, scaled: bool) -> list[tuple[str, str]]:
    """What makes an open raster unusable: found, allowed."""
    faults = []
    if Path(f"{raster.name}.msk").exists():
        faults.append(("a mask file beside it", "the mask inside the file (GDAL_TIFF_INTERNAL_MASK=YES)"))
    if raster.crs is None:
        faults.append(("no coordinate system", "a georeferenced raster"))
    elif not _known(raster.crs.to_wkt()):
        faults.append((f"coordinate system {raster.crs.to_wkt()[:80]}", "one that can be converted to WGS84"))
    if raster.transform.is_identity:
        faults.append(("no georeference (identity transform)", "a geotransform inside the file"))
    elif raster.transform.is_degenerate:
        faults.append((f"pixels without area: {tuple(raster.transform)[:6]}", "a transform that can be inverted"))
    missing = sorted({band for band in bands if not 1 <= band <= raster.count})
    if missing:
        faults.append((f"{raster.count} bands, without {missing}", f"bands between 1 and {raster.count}"))
        return faults
    kinds = {raster.dtypes[band - 1] for band in bands}
    if any(np.dtype(kind).kind not in "uif" for kind in kinds):
        faults.append((f"pixels of type {', '.join(sorted(kinds))}", "integers or floats"))
    elif kinds != {"uint8"} and not scaled:
        faults.append((f"{', '.join(sorted(kinds))} pixels and no scale", "scale: [value of black, value of white]"))
    if any(raster.colorinterp[band - 1] == ColorInterp.palette for band in bands):
        faults.append(("palette colours", "red, green and blue bands (gdal_translate -expand rgb)"))
    return faults


def _known(crs: str) -> bool:
    try:
        from_degrees(crs)
    except (CRSError, ProjError):
        return False
    return True


@lru_cache(maxsize=256)
def from_degrees(crs: str) -> Transformer:
    """From WGS84 longitude and latitude to x and y (east and north, whatever order the system itself has)."""
    return Transformer.from_crs("OGC:CRS84", pyproj.CRS.from_user_input(crs), always_xy=True)
