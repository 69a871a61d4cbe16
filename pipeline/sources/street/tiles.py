"""Coverage in vector tiles: the tiles of a region and the photos in them."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import mercantile
import numpy as np
import shapely

from pipeline.config.region import Region
from pipeline.errors import SiteError
from pipeline.geo.point import Point
from pipeline.net.base import Request, Response, Session
from pipeline.sources.vector_tile import decode_tile
from schemas.reasons import Reason

MAX_TILE_BYTES = 20_000_000
_MOST_FEATURES = 500_000
"""Photos of a large city's middle; each takes some 40 bytes of a tile."""
_MOST_NUMBERS = 20_000_000
_AT_ONCE = 64


@dataclass(frozen=True)
class Spot:
    """A point of a vector tile."""

    position: Point
    properties: dict[str, Any]


def cover(region: Region, zoom: int) -> Iterator[mercantile.Tile]:
    """The tiles of a zoom that meet a region's bounds, also across the antimeridian."""
    yield from mercantile.tiles(*region.bounds(), zooms=zoom)


def count(region: Region, zoom: int) -> int:
    """How many tiles `cover` gives."""
    return sum(1 for _ in cover(region, zoom))


def spots(
    session: Session, region: Region, zoom: int, ask: Callable[[mercantile.Tile], Request], layer: str
) -> Iterator[Spot]:
    """The points of a layer in a region, tile by tile. A tile that is not there is empty, unless none is there.

    Raises:
        SiteError: a tile cannot be had or read. Sites drawn from the others would be drawn unevenly.
    """
    tiles = cover(region, zoom)
    missing: SiteError | None = None
    any_there = False
    while batch := list(islice(tiles, _AT_ONCE)):
        for tile, answer in zip(batch, session.fetch_many([ask(tile) for tile in batch]), strict=True):
            if isinstance(answer, Response):
                any_there = True
                yield from _within(region, list(points(answer.body, tile, layer)))
            elif isinstance(answer, SiteError) and answer.reason is Reason.GONE:
                missing = answer
            else:
                raise answer
    if missing is not None and not any_there:
        raise missing


def _within(region: Region, found: list[Spot]) -> Iterator[Spot]:
    """Those in a region: a tile reaches beyond it, and to read the properties of a photo takes the most time."""
    lon, lat = (np.array([getattr(spot.position, axis) for spot in found], float) for axis in ("lon", "lat"))
    return (found[i] for i in np.flatnonzero(region.contains(lon, lat)).tolist())


def points(body: bytes, tile: mercantile.Tile, layer: str) -> Iterator[Spot]:
    """The points of a layer of a vector tile that lie in the tile itself.

    Those in the margin around it are left out: the neighbouring tile has them too.

    Raises:
        SiteError: BAD_ANSWER, where it is no such tile; ANSWER_TOO_LARGE.
    """
    limits = {"most_features": _MOST_FEATURES, "most_numbers": _MOST_NUMBERS}
    for found in decode_tile(body, layer.__eq__, f"tile {tile.z}/{tile.x}/{tile.y}", **limits):
        side, extent = 2**tile.z, found.extent
        geometries = np.array([feature.geometry for feature in found.features], dtype=object)
        places = zip(shapely.get_x(geometries).tolist(), shapely.get_y(geometries).tolist(), strict=True)
        for feature, (x, y) in zip(found.features, places, strict=True):  # NaN of what is no point
            if 0 <= x < extent and 0 <= y < extent:
                lon = (tile.x + x / extent) / side * 360.0 - 180.0
                lat = math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * (tile.y + y / extent) / side))))
                yield Spot(Point(lat, lon), feature.properties)
