"""A tile service as chips: tiles fetched together, decoded once, checked, and warped into the site's frame."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from pipeline.config.imagery import ImageLimits, Imagery
from pipeline.config.region import Region
from pipeline.errors import SiteError
from pipeline.geo.point import Floats, Point
from pipeline.imaging.decode import decode_rgba
from pipeline.net.base import Request, Response, Session, Verdict
from pipeline.net.status import by_status
from pipeline.sources.aerial.areas import common_point, inside
from pipeline.sources.aerial.blank import is_blank
from pipeline.sources.aerial.layouts import RGBA
from pipeline.sources.aerial.tiles import MAX_LATITUDE, Matrix, TileGrid, choose, count_tiles
from pipeline.sources.aerial.warp import raster_chip, warp_chip
from pipeline.sources.base import RasterChip
from pipeline.sources.listing import Box
from schemas.reasons import Reason

LIMITS = ImageLimits(max_bytes=8_000_000, max_pixels=1024 * 1024, min_side_px=64)
"""Limits of a tile; one of 512 px as lossless PNG is below 1 MB."""
MEDIA = ("image/",)
_PROBE_GSD_M = 0.6


@dataclass(frozen=True)
class Attribution:
    """Credit and date of each chip of a source."""

    author: str
    licence: str
    link: str
    captured_at: datetime | None = None
    redistributable: bool = True


class TileMemory:
    """Decoded tiles, the least recently used forgotten first. Neighbouring sites share most of theirs."""

    def __init__(self, max_bytes: int = 64_000_000) -> None:
        """64 MB are some 240 tiles of 256 px: a street's, at a dozen new tiles a site."""
        self._max_bytes, self._bytes = max_bytes, 0
        self._tiles: OrderedDict[tuple[str, int, int, int], RGBA | None] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, int, int, int]) -> tuple[bool, RGBA | None]:
        """Whether it is known, and the tile; None is a tile that the source does not have."""
        with self._lock:
            if key not in self._tiles:
                return False, None
            self._tiles.move_to_end(key)
            return True, self._tiles[key]

    def put(self, key: tuple[str, int, int, int], tile: RGBA | None) -> None:
        """Keep a tile. It must not be written to any more."""
        with self._lock:
            self._bytes += _size(tile) - (_size(self._tiles[key]) if key in self._tiles else 0)
            self._tiles[key] = tile
            self._tiles.move_to_end(key)
            while self._bytes > self._max_bytes:
                self._bytes -= _size(self._tiles.popitem(last=False)[1])


def _size(tile: RGBA | None) -> int:
    return 200 + (0 if tile is None else tile.nbytes)  # the key and its place in the dictionary


class TileService:
    """The common part of XYZ, WMTS and WMS sources. Threads may share it."""

    def __init__(
        self,
        name: str,
        session: Session,
        address: Callable[[Matrix, int, int], Request],
        attribution: Attribution,
        *,
        boxes: Sequence[Box] = (),
        blank: Collection[str] = (),
        memory: TileMemory | None = None,
    ) -> None:
        """Nothing is fetched yet.

        Args:
            name: Stands before z/x/y in the chips' source ids.
            session: Whom to ask.
            address: The request of a matrix's tile x, y.
            attribution: What goes with the chips.
            boxes: Where there is imagery; anywhere if empty.
            blank: SHA-256 digests of placeholders.
            memory: Where decoded tiles are kept; a memory of its own if left out.
        """
        self.name = name
        self._session, self._address, self._attribution = session, address, attribution
        self._boxes, self._blank = tuple(boxes), frozenset(blank)
        self._memory = memory or TileMemory()

    def chip(self, matrices: Sequence[Matrix], point: Point, size_px: int, gsd_m: float) -> RasterChip:
        """A chip centred on a point.

        Raises:
            SiteError: NO_OVERLAP: outside of what the source covers, or it has none of the tiles; ALL_NODATA: its tiles
                are transparent here; BLANK_TILE; BAD_ANSWER; or a reason of the network.
        """
        self._check_reach(point)
        matrix = choose(matrices, point.lat, gsd_m)
        grid = TileGrid(self.name, matrix, lambda _z, places: self._tiles(matrix, places))
        warped = warp_chip(grid, point, size_px, gsd_m)
        if not warped.overlaps:
            raise SiteError(
                Reason.NO_OVERLAP, f"{self.name} has no tile of zoom {matrix.z} at {point.lat}, {point.lon}"
            )
        if not warped.covered.any():
            raise SiteError(Reason.ALL_NODATA, f"the tiles of {self.name} are empty at {point.lat}, {point.lon}")
        credit = self._attribution
        return raster_chip(
            warped,
            credit.author,
            credit.licence,
            credit.link,
            credit.captured_at,
            redistributable=credit.redistributable,
        )

    def requests(self, matrices: Sequence[Matrix], lat: Floats, lon: Floats, imagery: Imagery) -> int:
        """How many different tiles the sites' chips take; sites outside the boxes take none."""
        covered = inside(self._boxes, lat, lon)
        return count_tiles(matrices, np.asarray(lat)[covered], np.asarray(lon)[covered], imagery)

    def probe(self, matrices: Sequence[Matrix], region: Region) -> str:
        """Fetch one tile within a region and tell what it is.

        Raises:
            SiteError: NO_OVERLAP: the source covers no part of the region; or the tile cannot be had.
        """
        place = common_point(self._boxes, region)
        if place is None:
            raise SiteError(Reason.NO_OVERLAP, f"{self.name} covers no part of {region.name}")
        point = Point(*place)
        self._check_reach(point)
        matrix = choose(matrices, point.lat, _PROBE_GSD_M)
        x, y = matrix.tile_at(point.lat, point.lon)
        what = f"{self.name} answers; licence {self._attribution.licence}; tile {matrix.z}/{x}/{y}"
        (tile,) = self._tiles(matrix, [(x, y)])
        if tile is None:
            return f"{what} in {region.name}: no imagery"
        return f"{what} in {region.name}: {matrix.gsd_m(point.lat):.2f} m a pixel"

    def _check_reach(self, point: Point) -> None:
        if abs(point.lat) >= MAX_LATITUDE:
            raise SiteError(Reason.NO_OVERLAP, f"latitude {point.lat}: Web Mercator tiles end at {MAX_LATITUDE:.2f}")
        if not inside(self._boxes, point.lat, point.lon):
            raise SiteError(Reason.NO_OVERLAP, f"{point.lat}, {point.lon} lies outside of {self.name}'s area")

    def _tiles(self, matrix: Matrix, places: list[tuple[int, int]]) -> list[RGBA | None]:
        found: dict[tuple[int, int], RGBA | None] = {}
        for x, y in places:
            if not matrix.has(x, y):
                found[x, y] = None
                continue
            known, tile = self._memory.get((self.name, matrix.z, x, y))
            if known:
                found[x, y] = tile
        wanted = [place for place in dict.fromkeys(places) if place not in found]
        answers = self._session.fetch_many([self._address(matrix, x, y) for x, y in wanted]) if wanted else []
        faults: list[Exception] = []
        for (x, y), answer in zip(wanted, answers, strict=True):
            try:
                found[x, y] = self._tile(f"{matrix.z}/{x}/{y}", answer)
            except SiteError as fault:
                faults.append(fault)
                continue
            self._memory.put((self.name, matrix.z, x, y), found[x, y])
        if faults:  # after the others are kept for the neighbours
            raise faults[0]
        return [found[place] for place in places]

    def _tile(self, place: str, answer: Response | Exception) -> RGBA | None:
        """An answer's pixels; None where the source says that it has no such tile."""
        if isinstance(answer, SiteError) and answer.reason == Reason.GONE:
            return None
        if isinstance(answer, Exception):
            raise answer
        if not answer.body:
            return None
        try:
            rgba = np.ascontiguousarray(decode_rgba(answer.body, LIMITS).transpose(2, 0, 1))
        except SiteError as error:
            raise SiteError(Reason.BAD_ANSWER, f"{self.name} tile {place}: {error}") from error
        if is_blank(answer.body, rgba, self._blank):
            raise SiteError(Reason.BLANK_TILE, f"{self.name} tile {place} is a placeholder or of one colour")
        rgba.setflags(write=False)
        return rgba


def tile_verdict(status: int, headers: Mapping[str, str], body: bytes) -> Verdict:
    """Interpret a tile server's answer: no content is a tile that it does not have, 401 a wrong or missing key."""
    if status == 401:
        return Verdict("fatal", Reason.REFUSED, "it does not accept the key, or wants one (key_env)")
    if status in {204, 404, 410} or (status == 200 and not body):
        return Verdict("final", Reason.GONE, "no such tile")
    return by_status(status, headers, body)
