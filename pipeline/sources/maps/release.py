"""A release of Overture Maps: GeoParquet by theme and type, in a folder or a bucket, read where a region lies.

The layout is `theme=.../type=.../*.parquet` with a struct column `bbox` that row groups are sorted by
(https://docs.overturemaps.org/getting-data/), so that a city is read without most of the planet being touched.
"""

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow import fs

from pipeline.cartography.features import as_utc
from pipeline.errors import MachineError, SiteError
from pipeline.geo.window import Box
from schemas.reasons import Reason

_COMMON = ("id", "geometry", "bbox", "names", "subtype", "class")
TYPES: dict[str, tuple[str, tuple[str, ...]]] = {
    "place": ("places", ("categories", "taxonomy")),
    "segment": ("transportation", ("subclass", "road_flags", "rail_flags", "level_rules")),
    "building": ("buildings", ("height", "num_floors", "is_underground")),
    "infrastructure": ("base", ()),
    "land": ("base", ()),
    "land_use": ("base", ()),
    "water": ("base", ()),
}
"""The types that are read, their themes, and the columns that they have beside the common ones."""
_DATE = re.compile(r"(?<![0-9])([0-9]{4}-[0-9]{2}-[0-9]{2})(?![0-9])")
_FATAL = ("ACCESS_DENIED", "NO_SUCH_BUCKET", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH")


@dataclass(frozen=True)
class Bucket:
    """Where a release lies that is not in a folder. Asked without credentials: releases are public."""

    region: str
    endpoint: str | None


class Release:
    """A release, opened when it is first read. Threads may share it.

    Row groups are asked for by Arrow's own S3 client, since it alone reads Parquet in ranges at speed: this traffic is
    no part of the network client's limits and cache. It goes to the one bucket that is configured, with Arrow's
    time-outs and tries.
    """

    def __init__(self, where: str, bucket: Bucket | None, *, connect_timeout_s: float = 10.0) -> None:
        """Open nothing yet.

        Args:
            where: folder, or bucket and prefix without the scheme.
            bucket: None for a folder.
            connect_timeout_s: for a connection; an answer may take six times as long.
        """
        self.where = where.rstrip("/")
        self._bucket = bucket
        self._timeout_s = connect_timeout_s
        self._lock = threading.Lock()
        self._opened: fs.FileSystem | None = None

    @property
    def shown(self) -> str:
        """As messages name it."""
        return f"s3://{self.where}" if self._bucket else self.where

    @property
    def date(self) -> datetime | None:
        """The date that stands in the path, as in `release/2026-10-21.0`."""
        found = _DATE.search(PurePosixPath(self.where).as_posix())
        return as_utc(found[1]) if found else None

    def types(self) -> list[str]:
        """Which of `TYPES` are there.

        Raises:
            SiteError: the bucket cannot be reached.
            MachineError: it may not be read, or there is no release at the path; says what is there instead.
        """
        with _explained(self.shown):
            system = self._system()
            there = {kind: system.get_file_info(self._folder(kind)).type for kind in TYPES}
            found = [kind for kind, what in there.items() if what is fs.FileType.Directory]
            if found:
                return found
            beside = self._listed(self.where) or self._listed(str(PurePosixPath(self.where).parent))
        raise MachineError(
            f"{self.shown} holds no Overture release (folders theme=places/type=place and the like); "
            f"found there or beside it: {', '.join(beside) or 'nothing'}; mend `release` in the map source's section"
        )

    def read(self, kind: str, boxes: Sequence[Box]) -> pa.Table:
        """The rows of a type that meet one of the boxes, with the columns that are used; `names` without its rules.

        Raises:
            SiteError: the bucket cannot be reached, or a file is broken.
            MachineError: it may not be read.
        """
        with _explained(self.shown):
            data = ds.dataset(self._folder(kind), filesystem=self._system(), format="parquet")
            columns = {name: pc.field(name) for name in (*_COMMON, *TYPES[kind][1]) if name in data.schema.names}
            columns |= {side: pc.field("bbox", side) for side in ("xmin", "ymin", "xmax", "ymax")}
            del columns["bbox"]
            if columns.pop("names", None) is not None:
                columns |= {"name": pc.field("names", "primary"), "common": pc.field("names", "common")}
            return data.to_table(columns=columns, filter=_meets(boxes))

    def _folder(self, kind: str) -> str:
        return f"{self.where}/theme={TYPES[kind][0]}/type={kind}"

    def _system(self) -> Any:
        with self._lock:
            if self._opened is None:
                self._opened = fs.LocalFileSystem() if self._bucket is None else self._s3(self._bucket)
            return self._opened

    def _s3(self, bucket: Bucket) -> Any:
        scheme, _, host = (bucket.endpoint or "https://").partition("://")
        return fs.S3FileSystem(
            anonymous=True,
            region=bucket.region,
            endpoint_override=host.rstrip("/") or None,
            scheme=scheme,
            connect_timeout=self._timeout_s,
            request_timeout=self._timeout_s * 6,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=5),
        )

    def _listed(self, folder: str) -> list[str]:
        infos = self._system().get_file_info(fs.FileSelector(folder, allow_not_found=True))
        return sorted(info.base_name for info in infos)[-12:]


def _meets(boxes: Sequence[Box]) -> pc.Expression:
    x0, y0, x1, y1 = (pc.field("bbox", side) for side in ("xmin", "ymin", "xmax", "ymax"))
    found = None
    for west, south, east, north in boxes:
        meets = (x0 <= east) & (x1 >= west) & (y0 <= north) & (y1 >= south)
        found = meets if found is None else found | meets
    return found


@contextmanager
def _explained(where: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowKeyError, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise SiteError(Reason.BAD_ANSWER, f"{where} is not as Overture's releases are: {error}") from error
    except OSError as error:
        if any(sign in str(error) for sign in _FATAL):
            raise MachineError(f"{where} cannot be read without credentials: {error}; is `release` right?") from error
        raise SiteError(Reason.UNREACHABLE, f"{where}: {error}") from error
