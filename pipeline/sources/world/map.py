"""The synthetic world's map: facts around a point, and a picture of them in the manner of common web maps."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pipeline.config import Region
from pipeline.config_sources import WorldMap
from pipeline.errors import SiteError
from pipeline.sources.base import Point, RasterChip
from pipeline.sources.world.facts import facts_around
from pipeline.sources.world.ground import Window
from pipeline.sources.world.regions import AUTHOR, LICENCE, LINK, WORLD_VERSION, Homes
from pipeline.sources.world.sheet import paint_map
from pipeline.sources.world.town import locate
from schemas.reasons import Reason
from schemas.records import MapFact

_DRAWN = datetime(2024, 1, 1, tzinfo=UTC)


class WorldMapSource:
    """The map of made-up towns, one town a region."""

    synthetic = True

    def __init__(self, name: str, config: WorldMap, regions: Sequence[Region]) -> None:
        self.name = name
        self._config = config
        self._homes = Homes(config.seed, regions)

    def fingerprint(self) -> str:
        """The world's version and the settings."""
        return f"world-map {WORLD_VERSION} {self._config.model_dump_json()}"

    def around(self, point: Point, radius_m: float) -> list[MapFact]:
        """Streets, junctions, crossings, shops and notable places within a radius, nearest first."""
        home = self._homes.at(point)
        return [] if home is None else facts_around(home.town, locate(home.town, point), radius_m)

    def chip(self, point: Point, size_px: int, gsd_m: float) -> RasterChip:
        """The map in the aerial chip's frame and scale.

        Raises:
            SiteError: NO_OVERLAP, for a point outside of all regions.
        """
        home = self._homes.at(point)
        if home is None:
            raise SiteError(Reason.NO_OVERLAP, f"{self.name} has no town at {point.lat:.6f}, {point.lon:.6f}")
        here = locate(home.town, point)
        window = Window(here.x, here.y, here.north_deg, size_px, 1 / gsd_m)
        pixels = paint_map(home.town, window, labels=self._config.labels)
        return RasterChip(pixels, 1.0, f"{home.region.name}/{home.town.seed}", AUTHOR, LICENCE, LINK, _DRAWN)
