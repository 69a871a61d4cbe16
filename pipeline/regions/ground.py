"""What samplers work with and what they give."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Region, Sampling
from pipeline.digest import digest
from pipeline.imaging.frame import LocalFrame
from pipeline.sources.base import MapSource, Photo, StreetSource

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


def rounded(degrees: Floats) -> Floats:
    """Degrees as a site keeps them."""
    return np.round(degrees, DECIMALS)
