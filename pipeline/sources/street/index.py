"""The index of a folder of street photos, read and checked. `pipeline.sources.street.folder` describes the format."""

import os
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.config.region import Region
from pipeline.errors import ConfigError, Problem
from pipeline.sources.missing import NO_VALUES
from pipeline.sources.street.camera import UNKNOWN_HEADING
from pipeline.sources.street.index_rows import READERS
from pipeline.sources.wire import Text

Degrees = NDArray[np.float64]
MOST_PROBLEMS = 50
_NO_LICENCES = frozenset({"proprietary", "unknown", "none", "noassertion", "other", "na", "unlicensed", "various"})
_TEXTS = frozenset({"id", "sequence", "captured_at"})
"""Columns that may be empty, and whose texts are any."""
_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")  # SPDX specification 2.3, annex D: idstring, and LicenseRef-


class IndexRow(BaseModel):
    """One row of an index. See `pipeline.sources.street.folder` for the meaning of the fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, coerce_numbers_to_str=True)

    path: Annotated[str, Field(min_length=1)]
    id: str
    lat: Annotated[float, Field(ge=-90, le=90)]
    lon: Annotated[float, Field(ge=-180, le=180)]
    heading: Annotated[float, Field(ge=0, le=360)] | None = None
    hfov_deg: Annotated[float, Field(gt=0, le=360)] | None = None
    projection: Literal["perspective", "equirectangular", "fisheye"] = "perspective"
    camera_parameters: tuple[float, ...] | None = None
    sequence: str | None = None
    captured_at: datetime | None = None
    author: Annotated[Text, Field(min_length=1)]
    licence: str
    link: Annotated[str, Field(pattern=r"^https?://[^\s<>\"]+$")]

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, row: dict[str, Any]) -> dict[str, Any]:
        """Empty cells are missing ones, a heading of -1 too; the id is the path; a panorama flag is a projection."""
        known = {key: value for key, value in row.items() if value is not None and value != ""}
        for key in _TEXTS & known.keys():
            if str(known[key]) in NO_VALUES:  # photos of the sequence "nan" would be taken for neighbours
                del known[key]
        for key, value in known.items():
            if isinstance(value, bool) and key != "panorama":  # where it would pass for a number
                raise ValueError(f"{key} is {str(value).lower()}")
        known.setdefault("id", known.get("path", ""))
        if _is_unknown(known.get("heading")):
            del known["heading"]
        flag = known.pop("panorama", None)
        if flag is None:
            return known
        if str(flag).lower() not in {"true", "false", "1", "0", "yes", "no"}:
            raise ValueError(f"panorama is {flag!r}, must be true or false")
        projection = "equirectangular" if str(flag).lower() in {"true", "1", "yes"} else "perspective"
        if known.setdefault("projection", projection) != projection:
            raise ValueError(f"panorama is {flag!r} and projection is {known['projection']!r}")
        return known

    @field_validator("camera_parameters", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """A list, or its numbers with commas between, as a CSV file has them."""
        return value.split(",") if isinstance(value, str) else value

    @field_validator("captured_at", mode="before")
    @classmethod
    def _iso(cls, value: Any) -> Any:
        """ISO 8601 only (no bare numbers); without a zone it is UTC."""
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError as error:
            raise ValueError(f"must be ISO 8601, such as 2026-04-02T04:00:06Z ({error})") from error
        if type(moment) is date:  # a column of dates
            moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
        if not isinstance(moment, datetime):
            raise ValueError("must be ISO 8601, such as 2026-04-02T04:00:06Z")  # noqa: TRY004 - pydantic wants it
        try:
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except OverflowError as error:
            raise ValueError("must be a moment that lies between years 1 and 9999 also in UTC") from error

    @field_validator("licence")
    @classmethod
    def _usable(cls, value: str) -> str:
        if not _SPDX.fullmatch(value) or value.lower() in _NO_LICENCES:
            raise ValueError("must be an SPDX identifier, such as CC-BY-SA-4.0, or LicenseRef-...")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "IndexRow":
        if self.lat == 0 and self.lon == 0:
            raise ValueError("lat and lon are both 0, which stands for no position")
        if self.projection == "equirectangular" and self.hfov_deg not in (None, 360):
            raise ValueError(f"hfov_deg of an equirectangular photo is 360, not {self.hfov_deg:g}")
        if self.camera_parameters is not None and self.projection != "fisheye":
            raise ValueError(f"camera_parameters are of a fisheye, and projection is {self.projection}")
        if self.camera_parameters is not None and not (
            len(self.camera_parameters) == 3 and 0.05 < self.camera_parameters[0] < 5
        ):
            raise ValueError("camera_parameters are focal length (0.05 to 5, in units of the longer side), k1, k2")
        if self.projection == "perspective" and self.hfov_deg is not None and self.hfov_deg >= 180:
            raise ValueError(f"hfov_deg of a perspective photo is below 180, not {self.hfov_deg:g}")
        return self


def _is_unknown(heading: Any) -> bool:
    """Whether a heading, perhaps as text, is the number that stands for none."""
    try:
        return float(heading) == UNKNOWN_HEADING
    except (TypeError, ValueError):
        return False


@dataclass(frozen=True)
class IndexedFile:
    """A row and its file."""

    row: IndexRow
    place: str
    """Path of the file below the root, links resolved: no part of it is a link."""
    size: int
    """Bytes."""


def read_index(index: Path, root: Path, regions: Sequence[Region]) -> list[IndexedFile]:
    """All rows of an index, checked, in its order.

    Args:
        index: `.jsonl`, `.csv` or `.parquet`.
        root: folder that the paths are relative to.
        regions: a row outside all of them that lies in one with latitude and longitude swapped is refused.

    Raises:
        ConfigError: with the first 50 faults of the rows and the number of the others.
    """
    reader = READERS.get(index.suffix.lower())
    if reader is None:
        raise ConfigError([Problem(str(index), f"the suffix {index.suffix!r}", ", ".join(READERS))])
    files: list[IndexedFile] = []
    places: list[str] = []
    problems: list[Problem] = []
    first: dict[str, str] = {}
    look_up = _lookup(root)
    for where, raw in reader(index):
        if isinstance(raw, Problem):
            problems.append(raw)
            continue
        try:
            row = IndexRow.model_validate(raw)
        except ValidationError as error:
            problems += _problems(where, error)
            continue
        found = look_up(row.path)
        if isinstance(found, str):
            problems.append(Problem(f"{where} path", f"{row.path!r}, {found}", f"a file in {root}"))
            continue
        if first.setdefault(row.id, where) != where:
            problems.append(Problem(f"{where} id", f"{row.id!r}, as in {first[row.id]}", "each id once"))
        files.append(IndexedFile(row, *found))
        places.append(where)
    problems += _swapped(places, files, regions)
    if not files and not problems:
        problems.append(Problem(str(index), "no rows", "one row a photo"))
    if problems:
        more = len(problems) - MOST_PROBLEMS
        rest = [Problem(str(index), f"and {more} more problems", "none")] if more > 0 else []
        raise ConfigError(problems[:MOST_PROBLEMS] + rest)
    return files


def within(region: Region, lat: Degrees, lon: Degrees) -> NDArray[np.bool_]:
    """Which positions lie in a region."""
    return region.contains(lon, lat)


def _swapped(places: Sequence[str], files: Sequence[IndexedFile], regions: Sequence[Region]) -> list[Problem]:
    """Rows outside all regions that would lie in one with latitude and longitude swapped."""
    lat = np.array([file.row.lat for file in files])
    lon = np.array([file.row.lon for file in files])
    suspect = np.abs(lon) <= 90
    swapped = np.zeros_like(suspect)
    for region in regions:
        suspect &= ~within(region, lat, lon)
        swapped |= within(region, lon, lat)
    return [
        Problem(
            f"{places[i]} lat, lon",
            f"{lat[i]:g}, {lon[i]:g}, which is in no region, but would be with the two swapped",
            "latitude in lat, longitude in lon",
        )
        for i in np.flatnonzero(suspect & swapped).tolist()
    ]


def _problems(where: str, error: ValidationError) -> list[Problem]:
    problems = []
    faults = error.errors(include_url=False)
    for fault in sorted(faults, key=lambda fault: fault["type"] != "extra_forbidden"):  # it may explain the others
        column = ".".join(str(part) for part in fault["loc"])
        found = "nothing" if fault["type"] == "missing" else repr(fault["input"])
        allowed = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            found, allowed = "an unknown column", ", ".join([*IndexRow.model_fields, "panorama", "geometry"])
        elif column == "lat" and fault["type"] in {"less_than_equal", "greater_than_equal"}:
            allowed += " (are lat and lon swapped?)"
        elif not column:
            found, allowed = allowed, "see `pipeline.sources.street.folder`"
        problems.append(Problem(f"{where} {column}".rstrip(), found[:200], allowed))
    return problems


def _lookup(root: Path) -> Callable[[str], tuple[str, int] | str]:
    """A function that gives a path's place below the root and its size in bytes, or says in words why it is no file."""
    base = Path(os.path.realpath(root))

    @lru_cache(maxsize=65_536)
    def resolved(folder: str) -> Path:
        return Path(os.path.realpath(folder))

    def look_up(path: str) -> tuple[str, int] | str:
        parts = PurePosixPath(path)
        if parts.is_absolute() or ".." in parts.parts or "\0" in path or "\\" in path:
            return "which is not a plain path below the root"
        try:
            place = resolved(str((base / path).parent)) / parts.name
            if not place.is_relative_to(base):
                return "which leads out of the root"
            found = place.lstat()
            if stat.S_ISLNK(found.st_mode):
                place = Path(os.path.realpath(place))
                if not place.is_relative_to(base):
                    return "which leads out of the root"
                found = place.lstat()
        except OSError as error:
            return f"which cannot be had ({error.strerror})"
        except ValueError as error:  # half a character, which no file system can have
            return f"which cannot be had ({error})"
        return (str(place.relative_to(base)), found.st_size) if stat.S_ISREG(found.st_mode) else "which is no file"

    return look_up
