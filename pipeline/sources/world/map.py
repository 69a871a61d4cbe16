"""The synthetic world's map: facts around a point, and a picture of them in the manner of common web maps."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np

from pipeline.config.region import Region
from pipeline.config.sources import WorldMap
from pipeline.errors import SiteError
from pipeline.geo.point import Point
from pipeline.sources.base import RasterChip, Road
from pipeline.world.facts import facts_around
from pipeline.world.ground import Window
from pipeline.world.regions import AUTHOR, LICENCE, LINK, WORLD_VERSION, Homes
from pipeline.world.sheet import paint_map
from pipeline.world.streets import ALONG_EAST, ALONG_NORTH, ROADS, stretch
from pipeline.world.town import Town, cells_near, locate
from schemas.reasons import Reason
from schemas.records import FactKind, MapFact

_CHARTED = frozenset[FactKind]({"road", "junction", "crossing", "poi", "green", "water", "rail", "stop", "square"})
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

    def charted(self) -> frozenset[FactKind]:
        """The kinds that `pipeline.world.facts` knows all of; of buildings only those with names."""
        return _CHARTED

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

    def roads(self, region: Region) -> Iterator[Road]:
        """Streets and footways, a stretch between two junctions each; see `pipeline.sources.base.HasRoads`."""
        home = self._homes.named(region.name)
        if home is None:
            return
        west, south, east, north = region.bounds()
        for cell in _cells(home.town, region):
            for family in (ALONG_EAST, ALONG_NORTH):
                line = stretch(home.town, family, *cell)
                if line.kind not in ROADS and line.kind != "footway":
                    continue
                lon, lat = home.town.frame.to_degrees(*line.line.T)
                offset = (lon - west + 180.0) % 360.0 - 180.0
                inside = offset.max() >= 0.0 and offset.min() <= (east - west) % 360.0
                if inside and lat.max() >= south and lat.min() <= north:
                    yield Road(f"{home.town.name}/{family}.{line.i}.{line.j}", line.kind, lon, lat)


def _cells(town: Town, region: Region) -> list[tuple[int, int]]:
    """Grid cells that a region's bounds may reach into."""
    west, south, east, north = region.bounds()
    x, y = town.frame.to_metres([west, west, east, east], [south, north, south, north])
    return cells_near(town, 0.0, 0.0, float(np.hypot(x, y).max()) + 100.0)
