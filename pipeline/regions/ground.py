"""Input and output of samplers."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.config.region import Region
from pipeline.config.sampling import Sampling
from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem
from pipeline.geo.frame import LocalFrame
from pipeline.sources.base import MapSource, Networked, Photo, StreetSource

Floats = NDArray[np.float64]
DECIMALS = 7
"""Decimals of a site's position in degrees: a centimetre."""


@dataclass(frozen=True)
class Ground:
    """A region to draw sites from, with the settings and sources for it."""

    region: Region
    sampling: Sampling
    seed: int
    street: StreetSource
    map: MapSource | None
    search_radius_m: float
    """Maximum distance between a site and its photos, metres."""
    where: str
    """The region's key in the build file, for messages."""
    _photos: list[list[Photo]] = field(default_factory=list, init=False, repr=False, compare=False)

    @cached_property
    def frame(self) -> LocalFrame:
        """The region's metric frame, around its middle."""
        return LocalFrame(*self.region.middle())

    @property
    def photos(self) -> list[Photo]:
        """All photos of the street source in the region, by id.

        Raises:
            SiteError: the source could not be reached.
        """
        # No cached_property: before Python 3.12 its lock is one for all regions, and many are drawn at once.
        if not self._photos:
            self._photos.append(sorted(self.street.candidates(self.region), key=lambda photo: photo.source_id))
        return self._photos[0]

    def chance(self, *what: str) -> np.random.Generator:
        """A counter-based generator for the region and `what`, independent of other regions and numbers."""
        return np.random.Generator(np.random.Philox(key=int(digest(self.seed, self.region.name, *what, length=32), 16)))


@dataclass(frozen=True)
class Drawn:
    """The sites in the order in which they were drawn."""

    lon: Floats
    lat: Floats
    weight: Floats
    """Inclusion weights (`pipeline.regions.samplers`)."""
    keys: list[str] = field(default_factory=list)
    """Id of the photo that each site was drawn at; a site without one is identified by its position."""


class NothingThereError(ConfigError):
    """A source on the network has nothing to draw a region's sites from.

    This shows only when the source is asked, and may change, so a build of several regions continues without this one.
    With local sources and the land mask it is known before, and is an error of the build file.
    """


def nothing_in(ground: Ground, source: StreetSource | MapSource, found: str) -> ConfigError:
    """The error for a source that has nothing to draw a region's sites from."""
    kind = NothingThereError if isinstance(source, Networked) else ConfigError
    return kind([Problem(ground.where, found, "a region that has some")])


def rounded(degrees: Floats) -> Floats:
    """Degrees, rounded as in a site."""
    return np.round(degrees, DECIMALS)
