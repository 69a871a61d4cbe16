"""The synthetic world's aerial imagery."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pipeline.config.region import Region
from pipeline.config.sources import WorldAerial
from pipeline.errors import SiteError
from pipeline.geo.point import Point
from pipeline.sources.base import RasterChip
from pipeline.world.above import paint_above
from pipeline.world.ground import Window
from pipeline.world.regions import AUTHOR, LICENCE, LINK, WORLD_VERSION, Homes
from pipeline.world.town import locate
from schemas.reasons import Reason

_FLOWN = datetime(2023, 6, 14, 10, tzinfo=UTC)


class WorldAerialSource:
    """Aerial chips of made-up towns, one town a region."""

    synthetic = True

    def __init__(self, name: str, config: WorldAerial, regions: Sequence[Region]) -> None:
        self.name = name
        self._config = config
        self._homes = Homes(config.seed, regions)

    def fingerprint(self) -> str:
        """The world's version and the settings."""
        return f"world-aerial {WORLD_VERSION} {self._config.model_dump_json()}"

    def chip(self, point: Point, size_px: int, gsd_m: float) -> RasterChip:
        """A chip centred on a point; the town goes on beyond its region.

        Raises:
            SiteError: NO_OVERLAP, for a point outside of all regions.
        """
        home = self._homes.at(point)
        if home is None:
            raise SiteError(Reason.NO_OVERLAP, f"{self.name} has no town at {point.lat:.6f}, {point.lon:.6f}")
        here = locate(home.town, point)
        pixels = paint_above(home.town, Window(here.x, here.y, here.north_deg, size_px, 1 / gsd_m))
        return RasterChip(pixels, 1.0, f"{home.region.name}/{home.town.seed}", AUTHOR, LICENCE, LINK, _FLOWN)
