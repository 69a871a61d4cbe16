"""Maps that are read a cell at a time: what is around a point is read with all else in its cell, and kept a while.

A cell is a tile of the Web Mercator grid, widened on all sides by how far around a point may be asked for.
"""

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import mercantile

from pipeline.config.imagery import Imagery
from pipeline.config.region import Region
from pipeline.errors import SiteError
from pipeline.geo import window
from pipeline.geo.point import Floats, Point
from pipeline.memo import LruMemo
from pipeline.sources.base import Road
from pipeline.sources.maps.feature_map import FeatureMap, FeatureStore, MapSection, roads_of
from schemas.reasons import Reason

LEAST_REACH_M = 128.0
_MOST_FEATURES = 150_000
"""Held in memory, some 2 kB each."""
_MERCATOR_ENDS = 85.05  # degrees of latitude


@dataclass(frozen=True)
class Cell:
    """A tile and its surroundings."""

    zoom: int
    x: int
    y: int
    reach_m: float
    """How far around a point of the tile things are known; a power of two, so that few different ones are read."""
    area: str = ""
    """Which of several maps it is of."""

    def boxes(self) -> list[window.Box]:
        """The tile and its surroundings in degrees."""
        wider = self.reach_m * 1.02  # a degree of WGS84 is up to 0.6% shorter than one of the sphere
        return window.padded(tuple(mercantile.bounds(self.x, self.y, self.zoom)), wider)


class CellMap(FeatureMap):
    """A map source that reads cells as they are needed. Threads may share it."""

    def __init__(self, name: str, section: MapSection, extracted_at: datetime | None, zoom: int) -> None:
        """Read nothing yet; see `FeatureMap`. `zoom` is that of the cells."""
        super().__init__(name, section, extracted_at)
        self._zoom = zoom
        self._stores: LruMemo[Cell, FeatureStore] = LruMemo(_MOST_FEATURES, len)

    @abstractmethod
    def _read(self, cell: Cell) -> FeatureStore:
        """Read a cell."""

    def _store(self, cell: Cell) -> FeatureStore:
        return self._stores.get(cell, lambda: self._read(cell))

    def _area(self, point: Point) -> str:  # noqa: ARG002 - most sources have one map only
        """Which of several maps a point is on."""
        return ""

    def store(self, point: Point, radius_m: float) -> FeatureStore:
        """The features in the point's cell; see `FeatureMap`."""
        if abs(point.lat) > _MERCATOR_ENDS:
            raise SiteError(Reason.NO_OVERLAP, f"{self.name}: the grid of cells ends at 85 degrees")
        tile = mercantile.tile(point.lon, point.lat, self._zoom)
        reach = 2.0 ** math.ceil(math.log2(max(radius_m, LEAST_REACH_M)))
        return self._store(Cell(self._zoom, tile.x, tile.y, reach, self._area(point)))

    def roads(self, region: Region) -> Iterator[Road]:
        """The roads of a region, cell by cell and by id within one; see `pipeline.sources.base.HasRoads`.

        Every cell of the region is read: an Overpass server is asked some 250 times for a city of 1,000 km2.
        """
        given: set[str] = set()
        for tile in tiles_of(region, self._zoom):
            cell = Cell(self._zoom, tile.x, tile.y, LEAST_REACH_M)
            for road in roads_of(self._store(cell).features, region):
                if road.road_id not in given:
                    given.add(road.road_id)
                    yield road


def tiles_of(region: Region, zoom: int) -> list[mercantile.Tile]:
    """The tiles that a region's bounds meet, from north to south, each row from west to east."""
    found = {
        tile for box in window.unwrapped(*region.bounds()) for tile in mercantile.tiles(*box, zooms=zoom, truncate=True)
    }
    return sorted(found, key=lambda tile: (tile.y, tile.x))


def cells_asked(lat: Floats, lon: Floats, zoom: int, imagery: Imagery) -> int:
    """How many cells the sites at some positions take: those they lie in, once for each reach that is asked for."""
    tiles = {
        mercantile.tile(x, y, zoom) for x, y in zip(lon.tolist(), lat.tolist(), strict=True) if abs(y) < _MERCATOR_ENDS
    }
    chip = imagery.chips.size_px * imagery.chips.gsd_m * math.sqrt(0.5)
    reaches = {math.ceil(math.log2(max(radius, LEAST_REACH_M))) for radius in (imagery.map_radius_m, chip)}
    return len(tiles) * len(reaches)
