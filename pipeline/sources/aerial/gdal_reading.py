"""GDAL reads remote GeoTIFFs through us: it is handed bytes, and never opens an address itself.

rasterio lets GDAL read from Python objects (`opener=`). It adds a file system to GDAL for each file that is opened and
takes it away after, which GDAL does without a lock, so that another thread that opens any file at that moment may meet
a table in pieces. Here the file system is added once: a file of one pixel is opened and stays open, and all others are
opened beside it, by paths that are used once.
"""

import atexit
import io
import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import cache
from itertools import count
from pathlib import PurePosixPath
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
import rasterio
from affine import Affine
from rasterio.abc import MultiByteRangeResourceContainer
from rasterio.errors import RasterioIOError
from rasterio.io import MemoryFile

from pipeline.errors import SiteError
from pipeline.sources.aerial.gdal_warnings import refuse_made_up_pixels
from pipeline.sources.aerial.raster_limits import RASTER_FAULTS
from pipeline.sources.range_file import RangeFile
from schemas.reasons import Reason

T = TypeVar("T")
_FOLDER = "remote"
_IMAGE = "image.tif"
_MOST_READ = 256 * 2**20
"""Bytes that one use of a file may take; a chip of 512 pixels takes some MB."""
_GDAL = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_NUM_THREADS": "1",
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
}
"""Nothing beside the file is read, by the threads that ask only, and curl stands still whatever the file names."""


class _Use:
    """A file while GDAL reads it. An exception cannot pass through GDAL: it is kept, and GDAL is given nothing."""

    def __init__(self, file: RangeFile) -> None:
        self.file = file
        self.fault: Exception | None = None
        self._left = _MOST_READ

    def size(self) -> int:
        return self._kept(self.file.size, 0)

    def read(self, ranges: list[tuple[int, int]]) -> list[bytes]:
        return self._kept(lambda: self._read(ranges), [b""] * len(ranges))

    def _read(self, ranges: list[tuple[int, int]]) -> list[bytes]:
        size = self.file.size()
        self._left -= sum(min(length, max(size - first, 0)) for first, length in ranges)
        if self._left < 0:
            found = f"a chip takes more than {_MOST_READ >> 20} MiB of it; it is not laid out to be read in parts"
            raise SiteError(Reason.READ_FAILED, f"{self.file.name}: {found}")
        return self.file.read_many(ranges)

    def _kept(self, action: Callable[[], T], otherwise: T) -> T:
        if self.fault is None:
            try:
                return action()
            except Exception as error:  # noqa: BLE001 - raised again as soon as GDAL has returned
                self.fault = error
        return otherwise


class _Opened:
    """One handle of GDAL's on a file: what GDAL calls of a Python file."""

    def __init__(self, use: _Use) -> None:
        self._use = use
        self._at = 0

    def __enter__(self) -> "_Opened":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nothing to close."""

    def read(self, length: int) -> bytes:
        data = self._use.read([(self._at, length)])[0]
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at}.get(whence)
        self._at = offset + (self._use.size() if base is None else base)
        return self._at

    def tell(self) -> int:
        return self._at

    def get_byte_ranges(self, offsets: list[int], sizes: list[int]) -> list[bytes]:
        """Several ranges, in full: GDAL takes what it finds in the memory that a short one leaves as it was."""
        ranges = self._use.read(list(zip(offsets, sizes, strict=True)))
        return [data.ljust(size, b"\0") for data, size in zip(ranges, sizes, strict=True)]


class _FileSystem(MultiByteRangeResourceContainer):  # type: ignore[misc]  # rasterio has no types
    """The files that GDAL reads at the moment, each alone in a folder with a number, and the one pixel above them."""

    def __init__(self) -> None:
        self.uses: dict[str, _Use] = {}

    def open(self, path: str, mode: str = "r", **_more: Any) -> Any:
        if PurePosixPath(path).parts[-2:] == (_FOLDER, _IMAGE):
            return io.BytesIO(_one_pixel())
        if "w" in mode or "+" in mode:
            raise FileNotFoundError(path)
        return _Opened(self._use(path))

    def isfile(self, path: str) -> bool:
        return PurePosixPath(path).name == _IMAGE

    def isdir(self, path: str) -> bool:  # noqa: ARG002 - as rasterio calls it, likewise below
        return False

    def ls(self, path: str) -> list[str]:  # noqa: ARG002
        return []

    def mtime(self, path: str) -> int:  # noqa: ARG002
        return 0

    def rm(self, path: str) -> None:
        raise FileNotFoundError(path)

    def size(self, path: str) -> int:
        return self._use(path).size()

    def _use(self, path: str) -> _Use:
        where = PurePosixPath(path)
        if where.name != _IMAGE or where.parent.name not in self.uses:
            raise FileNotFoundError(path)
        return self.uses[where.parent.name]


_lock = threading.Lock()
_numbers = count()


def with_raster(file: RangeFile, action: Callable[[Any], T]) -> T:
    """Run an action on an open rasterio dataset.

    Args:
        file: A GeoTIFF. Another format is refused, however the file is called: there are some that name addresses.
        action: Reads from the dataset, and keeps nothing of it.

    Raises:
        SiteError: READ_FAILED, or as the file raises it.
    """
    with _lock:
        files, folder, context = _mounted()
    number = str(next(_numbers))
    path = f"{folder}/{number}/{_IMAGE}"
    files.uses[number] = use = _Use(file)
    try:
        found = context.copy().run(_open, path, action)
    except RASTER_FAULTS as error:
        said = str(error.__cause__ or error).replace(path, _IMAGE)[:200]  # without what differs from run to run
        raise use.fault or SiteError(Reason.READ_FAILED, f"{file.name}: {said}") from error
    finally:
        del files.uses[number]
    if use.fault is not None:  # GDAL went on with pixels of its own making
        raise use.fault
    return found


def _open(path: str, action: Callable[[Any], T]) -> T:
    with rasterio.Env(**_GDAL), rasterio.open(path, driver="GTiff", sharing=False) as raster:
        if raster.tags(ns="OVERVIEWS"):  # GDAL opens what is named here, an address too
            raise RasterioIOError("its metadata names overviews in another file")
        with refuse_made_up_pixels():
            return action(raster)


@cache
def _mounted() -> tuple[_FileSystem, str, Context]:
    """Our file system, its folder in GDAL, and the context in which rasterio finds it again."""
    files = _FileSystem()
    with rasterio.Env(**_GDAL):
        anchor = rasterio.open(f"{_FOLDER}/{_IMAGE}", driver="GTiff", sharing=False, opener=files)
    atexit.register(anchor.close)
    return files, str(PurePosixPath(anchor.name).parent), copy_context()


@cache
def _one_pixel() -> bytes:
    place = {"crs": "EPSG:3857", "transform": Affine.scale(2, -2)}
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", width=1, height=1, count=1, dtype="uint8", **place) as raster:
            raster.write(np.zeros((1, 1, 1), np.uint8))
        return bytes(memory.read())
