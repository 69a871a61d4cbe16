"""Aerial chips from the raster tiles of one PMTiles archive, a file or an address read in ranges."""

from functools import cached_property, partial
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import rasterio
from pmtiles.tile import TileType

from pipeline.config import sources as config
from pipeline.config.imagery import Imagery
from pipeline.config.region import Region
from pipeline.digest import digest, digest_file
from pipeline.errors import ConfigError, Problem, SiteError
from pipeline.geo.point import Floats, Point
from pipeline.imaging.decode import decode_rgba
from pipeline.memo import LruMemo
from pipeline.net.base import Client, Provider
from pipeline.sources.aerial.areas import check_reach
from pipeline.sources.aerial.layouts import RGBA
from pipeline.sources.aerial.remote_raster import chip_of
from pipeline.sources.aerial.service import LIMITS
from pipeline.sources.aerial.terms import check_credits, check_open, parse_date
from pipeline.sources.aerial.tiles import MAX_LATITUDE, Matrix, TileGrid, choose, count_tiles, web_mercator
from pipeline.sources.aerial.warp import raster_chip
from pipeline.sources.archive import Archive, open_archive
from pipeline.sources.base import RasterChip
from pipeline.sources.origins import origin_of
from schemas.reasons import Reason

_VERSION = 2
_RATE = config.Rate(per_s=20, at_once=8)
"""Where the configuration says nothing: storage that documents no limit."""
_TYPES = {TileType.PNG: "png", TileType.JPEG: "jpg", TileType.WEBP: "webp"}
_KEPT = 96
"""Decoded tiles: at most 1 MB each."""
_ASSUMED_ZOOMS = range(23)
"""For the estimate of requests, before the archive is asked."""
_DIRECTORIES = 0.1
"""Directories of an archive read for each tile: a directory tells where some thousand tiles lie, near each other."""


class PmtilesAerialSource:
    """Raster tiles in an archive. The coarsest zoom that is as fine as a chip is read."""

    synthetic = False

    def __init__(self, name: str, settings: config.PmtilesAerial, regions: list[Region], client: Client) -> None:
        """Check the settings, and the archive where it is a file; ask nothing over the network.

        Args:
            name: Of the source in the configuration.
            settings: Its section.
            regions: Those that use it: an archive on disk that reaches none of them is refused.
            client: What fetches.

        Raises:
            ConfigError: for every setting that cannot be used, and why.
        """
        self.name = name
        self._settings = settings
        self._remote = "://" in settings.archive
        where = f"sources.aerial.{name}"
        problems: list[Problem] = []
        check_credits(settings.credits, f"{where}.credits", problems)
        self._captured_at = parse_date(settings.captured_on, f"{where}.captured_on", problems)
        if self._remote:
            try:
                origin_of(settings.archive)
            except SiteError as error:
                problems.append(Problem(f"{where}.archive", error.detail, "a file or an https address"))
            check_open(settings.archive, None, f"{where}.archive", problems)
        else:
            try:
                archive = open_archive(settings.archive, None)
                _layout_of(archive)
                check_reach([archive.header.bounds], regions, f"{where}.archive", problems)
            except SiteError as error:
                problems.append(Problem(f"{where}.archive", error.detail, "a PMTiles archive of PNG, JPEG or WebP"))
        if problems:
            raise ConfigError(problems)
        session = client.session(self.provider()) if self._remote else None
        self._archive = open_archive(settings.archive, session)
        self._matrices: LruMemo[None, list[Matrix]] = LruMemo(1)
        self._tiles: LruMemo[tuple[int, int, int], RGBA | None] = LruMemo(_KEPT)

    def fingerprint(self) -> str:
        """Digest of the settings, GDAL's version, and the archive's content where it is a file."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        settings = self._settings.model_dump(mode="json", exclude={"rate", "archive"})
        archive = self._settings.archive if self._remote else digest_file(Path(self._settings.archive))
        return digest(_VERSION, rasterio.__gdal_version__, settings, archive)

    def provider(self) -> Provider:
        """The archive's host; a file has none."""
        rate = self._settings.rate or _RATE
        origins = (origin_of(self._settings.archive),) if self._remote else ()
        name = f"pmtiles {urlsplit(self._settings.archive).netloc}"
        return Provider(name, origins, rate.per_s, rate.at_once, rate.per_day)

    def requests(self, lat: Floats, lon: Floats, imagery: Imagery) -> int:
        """A range for each tile, and some for directories; none for a file."""
        if not self._remote:
            return 0
        tiles = count_tiles([web_mercator(z) for z in _ASSUMED_ZOOMS], np.asarray(lat), np.asarray(lon), imagery)
        return 3 + int(tiles * (1 + _DIRECTORIES))

    def probe(self, region: Region) -> str:  # noqa: ARG002 - as `Networked` has it
        """Read the header and the first tile."""
        matrices = self._levels()
        header = self._archive.header
        what = f"{_TYPES[header.tile_type]} tiles of {matrices[0].tile_px} px, zooms {header.min_zoom} to"
        return f"{self._archive.name}: {what} {header.max_zoom}; licence {self._settings.credits.licence}"

    def chip(self, point: Point, size_px: int, gsd_m: float) -> RasterChip:
        """A chip centred on a point, north up; black where there is no tile.

        Raises:
            SiteError: NO_OVERLAP, ALL_NODATA, READ_FAILED, or a reason of the network.
        """
        if abs(point.lat) >= MAX_LATITUDE:
            raise SiteError(Reason.NO_OVERLAP, f"latitude {point.lat}: Web Mercator tiles end at {MAX_LATITUDE:.2f}")
        grid = TileGrid(self.name, choose(self._levels(), point.lat, gsd_m), self._read)
        warped = chip_of(grid, point, size_px, gsd_m, self._archive.name)
        credits_ = self._settings.credits
        return raster_chip(warped, credits_.author, credits_.licence, credits_.link, self._captured_at)

    def _levels(self) -> list[Matrix]:
        return self._matrices.get(None, lambda: _layout_of(self._archive))

    def _read(self, z: int, places: list[tuple[int, int]]) -> list[RGBA | None]:
        """Tiles' pixels. Those that are not kept are read together, before they are decoded one by one."""
        wanted = [(x, y) for x, y in dict.fromkeys(places) if (z, x, y) not in self._tiles]
        bodies = dict(zip(wanted, self._archive.tiles(z, wanted), strict=True))

        def tile(x: int, y: int) -> RGBA | None:
            body = bodies[x, y] if (x, y) in bodies else self._archive.tile(z, x, y)
            return None if body is None else _decode(body, f"{self._archive.name}: tile {z}/{x}/{y}")

        return [self._tiles.get((z, x, y), partial(tile, x, y)) for x, y in places]


def _layout_of(archive: Archive) -> list[Matrix]:
    """The zooms of an archive of pictures, as matrices.

    Raises:
        SiteError: READ_FAILED where it holds something else, or nothing; or a reason of the network.
    """
    header = archive.header
    if header.tile_type not in _TYPES:
        found = f"{archive.name}: tiles of type {header.tile_type.name.lower()}; png, jpeg and webp are aerial pictures"
        raise SiteError(Reason.READ_FAILED, found)
    first = archive.first_tile()
    if first is None:
        raise SiteError(Reason.READ_FAILED, f"{archive.name}: it holds no tile")
    _, height, width = _decode(first, f"{archive.name}: the first tile").shape
    if height != width:
        raise SiteError(Reason.READ_FAILED, f"{archive.name}: tiles of {width} x {height} pixels, not square")
    return [web_mercator(z, width) for z in range(header.min_zoom, header.max_zoom + 1)]


def _decode(body: bytes, what: str) -> RGBA:
    try:
        rgba = np.ascontiguousarray(decode_rgba(body, LIMITS).transpose(2, 0, 1))
    except SiteError as error:
        raise SiteError(Reason.READ_FAILED, f"{what}: {error.detail}") from error
    rgba.setflags(write=False)
    return rgba
