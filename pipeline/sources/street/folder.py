"""Street photos in a folder, described by an index.

The index is JSON Lines (`.jsonl`, one object a line), CSV (`.csv`, with a header) or GeoParquet (`.parquet`), in
UTF-8, one row a photo:

| column | meaning | |
|---|---|---|
| `path` | file, relative to the source's `root`, with `/`; must stay below it, symbolic links followed | required |
| `id` | unique within the index | default: `path` |
| `lat`, `lon` | camera's WGS84 position, degrees; in GeoParquet the point of the geometry column instead | required |
| `heading` | degrees clockwise from north of the optical axis, or a panorama's image centre; -1: unknown | optional |
| `hfov_deg` | horizontal field of view, degrees; below 180, for a panorama 360 | optional |
| `projection` | `perspective`, `equirectangular` or `fisheye` | default: `perspective` |
| `camera_parameters` | of a fisheye: focal length in units of the longer side, k1, k2 (OpenSfM's model) | optional |
| `sequence` | id of the capture sequence (drive, walk) | optional |
| `panorama` | true means `equirectangular`; instead of `projection` | optional |
| `captured_at` | ISO 8601; without a zone it is UTC | optional |
| `author` | who is credited | required |
| `licence` | SPDX identifier or `LicenseRef-...`; `proprietary`, `unknown` and the like are refused | required |
| `link` | http(s) page of the photo | required |

Empty cells and nulls count as missing. So does what programs write for them (`nan`, `None`, ...) in `id`, `sequence`
and `captured_at`. Unknown columns, NaN, the position 0, 0, ids that come twice and files that are not there are
refused when the source is made, all at once, with the row's number.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import numpy as np
import shapely

from pipeline.config.region import Region
from pipeline.config.sources import FolderSource
from pipeline.errors import SiteError
from pipeline.geo import window
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.imaging.lens import Fisheye
from pipeline.sources.base import Photo
from pipeline.sources.street.index import IndexedFile, read_index, within
from schemas.reasons import Reason

_MOST_BYTES = 500_000_000
"""Limit for a file, beside the build's own (`imagery.limits.max_bytes`)."""


class FolderStreetSource:
    """Photos of a folder. Threads may share it: nothing changes after it is made."""

    synthetic = False

    def __init__(self, name: str, config: FolderSource, regions: Sequence[Region]) -> None:
        """Read and check the index.

        Args:
            name: of the source in the configuration.
            config: its section.
            regions: of the build; used to notice swapped latitudes and longitudes. Photos outside them are kept.

        Raises:
            ConfigError: listing the bad rows.
        """
        self.name = name
        self._root = os.path.realpath(config.root)
        files = sorted(read_index(config.index, config.root, regions), key=lambda file: file.row.id)
        self._photos = [_photo(file) for file in files]
        self._files = {file.row.id: file for file in files}
        self._lon = np.array([file.row.lon for file in files])
        self._lat = np.array([file.row.lat for file in files])
        self._tree = shapely.STRtree(shapely.points(self._lon, self._lat))
        digest = hashlib.blake2b(digest_size=16)
        for file in files:
            digest.update(json.dumps([file.row.model_dump(mode="json"), file.size]).encode())
        self._fingerprint = digest.hexdigest()

    def fingerprint(self) -> str:
        """Digest of the index's rows and the files' sizes; see `pipeline.sources.base.Source`."""
        return self._fingerprint

    def candidates(self, region: Region) -> Iterator[Photo]:
        """Photos of a region, by id."""
        for i in np.flatnonzero(within(region, self._lat, self._lon)):
            yield self._photos[i]

    def near(self, point: Point, radius_m: float) -> list[Photo]:
        """Photos within a radius in metres, nearest first; ties by id."""
        boxes = [shapely.box(*box) for box in window.around(point.lat, point.lon, radius_m)]
        near = np.unique(self._tree.query(boxes)[1])
        distances = np.hypot(*LocalFrame(point.lat, point.lon).to_metres(self._lon[near], self._lat[near]))
        order = np.argsort(distances, kind="stable")  # the photos stand in the order of their ids
        return [self._photos[near[i]] for i in order if distances[i] <= radius_m]

    def read(self, photo: Photo) -> bytes:
        """The file's bytes.

        Raises:
            SiteError: READ_FAILED, also where the file, or a folder that it lies in, became a link or grew since the
                index was checked; IMAGE_TOO_LARGE.
        """
        file = self._files[photo.source_id]
        try:
            return _read_below(self._root, file.place, file.size)
        except OSError as error:
            raise SiteError(Reason.READ_FAILED, f"{self.name}: {file.row.path}: {error.strerror}") from error


def _read_below(root: str, place: str, size: int) -> bytes:
    """The bytes of a regular file of at most a size, found from the root down without following a link.

    Raises:
        OSError: it cannot be read.
        SiteError: READ_FAILED where it is no file any more, or larger; IMAGE_TOO_LARGE.
    """
    if size > _MOST_BYTES:
        raise SiteError(Reason.IMAGE_TOO_LARGE, f"{place}: {size} bytes, at most {_MOST_BYTES} are read")
    *folders, name = PurePosixPath(place).parts
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        for folder in folders:
            below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = below
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)  # a pipe would block
    finally:
        os.close(here)
    with open(opened, "rb") as file:  # noqa: PTH123 - of a descriptor
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > size:
            raise SiteError(Reason.READ_FAILED, f"{place} changed since the index was read")
        return file.read(size)


def _photo(file: IndexedFile) -> Photo:
    row = file.row
    panorama = row.projection == "equirectangular"
    return Photo(
        source_id=row.id,
        position=Point(row.lat, row.lon),
        heading_deg=None if row.heading is None else row.heading % 360.0,
        hfov_deg=360.0 if panorama else row.hfov_deg,
        projection=row.projection,
        lens=Fisheye(*row.camera_parameters) if row.camera_parameters else None,
        sequence=row.sequence,
        captured_at=row.captured_at,
        author=row.author,
        licence=row.licence,
        link=row.link,
        size_bytes=file.size,
    )
