"""What samplers work with and what they give."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.config.build import Region, Sampling
from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem
from pipeline.geo.frame import LocalFrame
from pipeline.sources.base import MapSource, Networked, Photo, StreetSource

Floats = NDArray[np.float64]
DECIMALS = 7
"""Of a site's position in degrees: a centimetre."""


@dataclass(frozen=True)
class Ground:
    """A region to draw sites from, and how."""

    region: Region
    sampling: Sampling
    seed: int
    street: StreetSource
    map: MapSource | None
    search_radius_m: float
    """Photos this near to a site are its own."""
    where: str
    """The region's key in the build file, for messages."""

    @cached_property
    def frame(self) -> LocalFrame:
        """The region's metric frame, centred on its middle."""
        return LocalFrame(*self.region.middle())

    @cached_property
    def photos(self) -> list[Photo]:
        """All that the street source knows of in the region, by id.

        Raises:
            SiteError: it could not be asked.
        """
        return sorted(self.street.candidates(self.region), key=lambda photo: photo.source_id)

    def chance(self, *what: str) -> np.random.Generator:
        """A counter-based generator of its own for the region and `what`: no other region or number changes it."""
        return np.random.Generator(np.random.Philox(key=int(digest(self.seed, self.region.name, *what, length=32), 16)))


@dataclass(frozen=True)
class Drawn:
    """Sites as drawn, in the order in which they were taken."""

    lon: Floats
    lat: Floats
    weight: Floats
    """What each stands for, see `pipeline.regions.samplers`."""
    keys: list[str] = field(default_factory=list)
    """What each was drawn at (a photo's id); a site without one is known by its position."""


class NothingThereError(ConfigError):
    """A source over the network has nothing to draw a region's sites from.

    Only asking shows it, and it may change: a build of several regions goes on without this one. What lies on this
    machine, and the land mask, can be known before; that nothing is there is an error of the configuration then.
    """


def nothing_in(ground: Ground, source: StreetSource | MapSource, found: str) -> ConfigError:
    """The error that a source has nothing to draw a region's sites from."""
    kind = NothingThereError if isinstance(source, Networked) else ConfigError
    return kind([Problem(ground.where, found, "a region that has some")])


def rounded(degrees: Floats) -> Floats:
    """Degrees as a site keeps them."""
    return np.round(degrees, DECIMALS)
