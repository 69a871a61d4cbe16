"""Take-down lists: which samples may no longer be published, by their pictures' ids, authors and links, or by place.

    source_ids: [3f2a.., 17.pgw]        # the sources' ids of pictures
    authors: [Jane Doe]
    links: [https://example.org/p/1]
    areas:
      - {bbox: [8.53, 47.36, 8.54, 47.37]}
      - {centre: [47.3667, 8.5402], radius_m: 50}

A sample goes whole, since its descriptions are written from all its pictures. Datasets name entries by their digests
alone: who asked for something not to be found is nobody's to read.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from pipeline.config.base import Section
from pipeline.config.build import Build
from pipeline.config.strict_yaml import read_yaml
from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem
from pipeline.geo.point import Floats
from pipeline.geo.shape import Box, circle_bounds, in_box, in_circle

Text = Annotated[str, Field(min_length=1)]


class Area(Section):
    """A box (west, south, east, north) or a circle (latitude, longitude, radius)."""

    bbox: tuple[float, float, float, float] | None = None
    centre: tuple[Annotated[float, Field(ge=-90, le=90)], Annotated[float, Field(ge=-180, le=180)]] | None = None
    radius_m: Annotated[float, Field(gt=0, le=100_000)] | None = None

    @model_validator(mode="after")
    def _one(self) -> "Area":
        if (self.bbox is None) == (self.centre is None) or (self.centre is None) != (self.radius_m is None):
            raise ValueError("either bbox, or centre and radius_m")
        if self.bbox is not None and self.bbox[1] > self.bbox[3]:
            raise ValueError("bbox is west, south, east, north")
        return self

    @property
    def bounds(self) -> Box:
        """The box, or one around the circle."""
        if self.bbox is not None:
            return self.bbox
        assert self.centre is not None
        assert self.radius_m is not None
        return circle_bounds(*self.centre, self.radius_m)

    def holds(self, lat: Floats, lon: Floats) -> NDArray[np.bool_]:
        """Which positions lie in it."""
        if self.bbox is not None:
            return in_box(self.bbox, lon, lat)
        assert self.centre is not None
        assert self.radius_m is not None
        return in_circle(*self.centre, self.radius_m, lon, lat)


class Takedown(Section):
    """A list of what may not be published."""

    source_ids: tuple[Text, ...] = ()
    """The sources' ids of pictures."""
    authors: tuple[Text, ...] = ()
    """Authors, as the credits name them."""
    links: tuple[Text, ...] = ()
    """Links, as the credits give them."""
    areas: tuple[Area, ...] = ()
    """Where no camera may have stood, no sample lie, and no aerial chip reach."""

    def entries(self) -> list["Entry"]:
        """One entry each."""
        found: list[Entry] = [Entry("source_ids", text) for text in self.source_ids]
        found += [Entry("authors", text) for text in self.authors]
        found += [Entry("links", text) for text in self.links]
        return found + [Entry("areas", area) for area in self.areas]


@dataclass(frozen=True)
class Entry:
    """One entry of a list."""

    key: str
    """Key of the list: `source_ids`, `authors`, `links`, `areas`."""
    value: str | Area

    @property
    def digest(self) -> str:
        """Names the entry without saying it."""
        value = self.value.model_dump() if isinstance(self.value, Area) else self.value
        return digest("takedown", self.key, value, length=16)

    def __str__(self) -> str:
        if isinstance(self.value, str):
            return repr(self.value)
        return ", ".join(f"{key} {value}" for key, value in self.value.model_dump(exclude_none=True).items())


def read_takedown(path: Path) -> Takedown:
    """Read a list (YAML).

    Raises:
        ConfigError: it cannot be read, or is no such list.
    """
    raw = read_yaml(path, "take-down list")
    try:
        return Takedown.model_validate({} if raw is None else raw)
    except ValidationError as error:
        allowed = f"lists {', '.join(Takedown.model_fields)}"
        problems = [
            Problem(f"{path}: {'.'.join(map(str, fault['loc']))}", f"{fault['input']!r} ({fault['msg']})", allowed)
            for fault in error.errors()
        ]
        raise ConfigError(problems) from error


def takedown_of(build: Build) -> Takedown:
    """A build's take-down list; an empty one if it has none. Raises `ConfigError` if it cannot be read."""
    return read_takedown(build.publish.takedown) if build.publish.takedown is not None else Takedown()
