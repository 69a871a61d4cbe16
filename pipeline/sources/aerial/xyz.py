"""Aerial tiles by address: a checked-in open source, or a template of the user's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from pipeline.config import sources as config
from pipeline.config.imagery import Imagery
from pipeline.config.region import Region
from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem
from pipeline.geo.point import Floats, Point
from pipeline.net.base import Client, Judge, Key, Provider, Request
from pipeline.sources.aerial.areas import check_regions, inside
from pipeline.sources.aerial.service import LIMITS, MEDIA, Attribution, TileMemory, TileService, tile_verdict
from pipeline.sources.aerial.templates import Template, faults
from pipeline.sources.aerial.terms import check_credits, check_open, parse_date
from pipeline.sources.aerial.tiles import Matrix, web_mercator
from pipeline.sources.base import RasterChip
from pipeline.sources.listing import Box, Listed, Tiles, listing

_VERSION = 2
_OWN_MAX_ZOOM = 19
"""Deepest zoom of a template that states none: a chip of 0.3 m a pixel needs no finer tiles."""
_OWN_RATE = config.Rate(per_s=5, at_once=4)
"""Limits for a template of the user's own, since those of its server are not known."""
_GIVEN_BY_PRESET = ("credits", "max_zoom", "tile_px", "subdomains", "bbox", "key_env", "blank_sha256")


@dataclass(frozen=True)
class TileSource:
    """A tile source that nothing is wrong with."""

    name: str
    template: Template
    max_zoom: int
    tile_px: int
    boxes: tuple[Box, ...]
    blank: frozenset[str]
    attribution: Attribution
    provider: Provider

    @cached_property
    def matrices(self) -> tuple[Matrix, ...]:
        """Its zooms."""
        return tuple(web_mercator(z, self.tile_px) for z in range(self.max_zoom + 1))

    def service(self, client: Client, memory: TileMemory | None = None) -> TileService:
        """Its tiles as chips."""
        return TileService(
            self.name,
            client.session(self.provider),
            self.request,
            self.attribution,
            boxes=self.boxes,
            blank=self.blank,
            memory=memory,
        )

    def request(self, matrix: Matrix, x: int, y: int) -> Request:
        """The request for a tile. Kept by its own headers, so that sites and builds share it."""
        url = self.template.url(matrix.z, x, y)
        return Request(url, accept=MEDIA, max_bytes=LIMITS.max_bytes, cache="validated")


class XyzSource:
    """Aerial tiles of the XYZ scheme."""

    synthetic = False

    def __init__(self, name: str, settings: config.XyzSource, regions: list[Region], client: Client) -> None:
        """Check the settings; nothing is fetched.

        Raises:
            ConfigError: a wrong template, terms that forbid it, a region that it does not cover.
        """
        self.name = name
        self._settings = settings
        where = f"sources.aerial.{name}"
        problems: list[Problem] = []
        if settings.preset is not None:
            tiles = _preset(settings, where, problems)
        else:
            tiles = _own(name, settings, where, problems)
        if tiles is not None:
            check_regions(tiles.boxes, regions, where, problems)
        if problems:
            raise ConfigError(problems)
        self._tiles = cast(TileSource, tiles)  # None only with a problem
        self._service = self._tiles.service(client)

    def fingerprint(self) -> str:
        """Digest of the settings, and of what is checked in for a preset. Later changes on the server are not known."""
        tiles = self._tiles
        listed = (tiles.template, tiles.max_zoom, tiles.tile_px, tiles.boxes, sorted(tiles.blank), tiles.attribution)
        return digest(_VERSION, self._settings.model_dump(mode="json", exclude={"rate"}), repr(listed))

    def chip(self, point: Point, size_px: int, gsd_m: float) -> RasterChip:
        """A chip centred on a point; see `TileService.chip`."""
        return self._service.chip(self._tiles.matrices, point, size_px, gsd_m)

    def covers(self, lat: Floats, lon: Floats) -> NDArray[np.bool_]:
        """Whether positions lie in its boxes; see `pipeline.sources.base.KnowsArea`."""
        return inside(self._tiles.boxes, lat, lon)

    def provider(self) -> Provider:
        """The server, with its limits and key."""
        return self._tiles.provider

    def requests(self, lat: Floats, lon: Floats, imagery: Imagery) -> int:
        """How many different tiles the sites' chips take."""
        return self._service.requests(self._tiles.matrices, lat, lon, imagery)

    def probe(self, region: Region) -> str:
        """Fetch one tile within the region."""
        return self._service.probe(self._tiles.matrices, region)


def preset_source(
    entry: Listed,
    tiles: Tiles,
    *,
    rate: config.Rate | None = None,
    captured_on: str | None = None,
    where: str = "listing",
    redistributable: bool = True,
    problems: list[Problem],
) -> TileSource:
    """The tile source that a listed one describes; adds a problem for a listing that is wrong."""
    template = Template(tiles.template, tuple(tiles.subdomains))
    wrong = faults(template.text, template.subdomains, entry.key_env)
    problems += [Problem(f"{where}: listed source {entry.name}", found, allowed) for found, allowed in wrong]
    attribution = Attribution(
        entry.author or entry.title,
        entry.licence,
        entry.terms,
        parse_date(captured_on, f"{where}.captured_on", problems),
        redistributable,
    )
    key = template.key(entry.key_env)
    return TileSource(
        entry.name,
        template,
        tiles.max_zoom,
        tiles.tile_px,
        tuple(entry.boxes),
        frozenset(tiles.blank_sha256),
        attribution,
        entry.provider(template.origins, rate=rate, key=key, judge=tile_verdict),
    )


def presets() -> dict[str, tuple[Listed, Tiles]]:
    """Listed tile sources by name, those whose terms forbid datasets among them."""
    return {name: (entry, entry.tiles) for name, entry in listing().items() if entry.tiles is not None}


def _preset(settings: config.XyzSource, where: str, problems: list[Problem]) -> TileSource | None:
    known = presets()
    given = [key for key in _GIVEN_BY_PRESET if key in settings.model_fields_set]
    problems += [Problem(f"{where}.{key}", "set beside preset", "nothing: the preset gives it") for key in given]
    if settings.preset not in known:
        usable = sorted(name for name, (entry, _) in known.items() if entry.refused is None)
        problems.append(Problem(f"{where}.preset", repr(settings.preset), f"one of {', '.join(usable)}"))
        return None
    entry, tiles = known[settings.preset]
    spread = check_open(tiles.template, settings.separate_agreement, f"{where}.preset", problems)
    return preset_source(
        entry,
        tiles,
        rate=settings.rate,
        captured_on=settings.captured_on,
        where=where,
        redistributable=spread,
        problems=problems,
    )


def _own(name: str, settings: config.XyzSource, where: str, problems: list[Problem]) -> TileSource | None:
    assert settings.template is not None
    assert settings.credits is not None
    template = Template(settings.template, tuple(settings.subdomains))
    wrong = faults(template.text, template.subdomains, settings.key_env)
    problems += [Problem(f"{where}.template", found, allowed) for found, allowed in wrong]
    check_credits(settings.credits, f"{where}.credits", problems)
    spread = check_open(settings.template, settings.separate_agreement, f"{where}.template", problems)
    problems += _box_faults(settings.bbox, f"{where}.bbox")
    captured_at = parse_date(settings.captured_on, f"{where}.captured_on", problems)
    if problems:
        return None
    terms = settings.credits
    return TileSource(
        name,
        template,
        settings.max_zoom or _OWN_MAX_ZOOM,
        settings.tile_px,
        (settings.bbox,) if settings.bbox else (),
        frozenset(settings.blank_sha256),
        Attribution(terms.author, terms.licence, terms.link, captured_at, spread),
        own_provider(template.origins, template.key(settings.key_env), settings.rate),
    )


def own_provider(
    origins: Sequence[str],
    key: Key | None,
    rate: config.Rate | None,
    *,
    judge: Judge = tile_verdict,
    documented: bool = False,
) -> Provider:
    """The provider of an address that the user gives. One per set of hosts and key, so that their limits are shared.

    Args:
        origins: Where it may be asked.
        key: Its key.
        rate: Limits; careful ones if None, since those of the server are not known.
        judge: What its answers mean.
        documented: Whether it documents its API; else its robots.txt is obeyed.
    """
    host = origins[0].partition("://")[2]
    rate = rate or _OWN_RATE
    return Provider(
        name=f"{host}-{digest(sorted(origins), key.env if key else None, length=6)}",
        origins=tuple(origins),
        per_s=rate.per_s,
        at_once=rate.at_once,
        per_day=rate.per_day,
        documented_api=documented,
        key=key,
        judge=judge,
    )


def _box_faults(box: Box | None, where: str) -> list[Problem]:
    if box is None:
        return []
    west, south, east, north = box
    if -180 <= west <= 180 and -180 <= east <= 180 and -90 <= south < north <= 90:
        return []
    return [Problem(where, str(box), "west, south, east, north in degrees; west > east across the antimeridian")]
