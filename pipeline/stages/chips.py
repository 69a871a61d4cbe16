"""The chips of a site: aerial, further scales, drone and map, with the map's facts. Why one is missing is recorded."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import mercantile

from pipeline.config.build import Build
from pipeline.errors import SiteError
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.imaging.encode import encode_jpeg, encode_png
from pipeline.imaging.phash import phash
from pipeline.imaging.turn import larger_side, turned
from pipeline.perception.directions import trusted_heading
from pipeline.registry.registry import Registry
from pipeline.sources.base import AerialSource, MapSource, RasterChip
from schemas.reasons import OUTAGES, Reason
from schemas.records import Chip, FactKind, Image, MapFact, MissingView, StreetView


def bearing_of(views: Sequence[StreetView], build: Build) -> float:
    """Direction at the top of a site's chips, degrees clockwise from north: see `imagery.chips.orientation`."""
    if build.imagery.chips.orientation == "north-up":
        return 0.0
    main = next(view for view in views if view.projection == "perspective")
    return trusted_heading(main) or 0.0


def aerial(
    point: Point, region: str, registry: Registry, missing: list[MissingView], bearing: float = 0.0
) -> Chip | None:
    """The aerial chip, with the direction `bearing` at the top; likewise the other functions."""
    source, gsd_m = registry.aerial(region), registry.build.imagery.chips.gsd_m
    if source is None:
        return None
    return _photo_chip("aerial", source, point, gsd_m, registry.build, missing, "aerial.jpg", bearing)


def scales(
    point: Point, region: str, registry: Registry, missing: list[MissingView], bearing: float = 0.0
) -> list[Chip]:
    """The further aerial chips that are requested and available."""
    source, chips = registry.aerial(region), registry.build.imagery.chips
    assert source is not None
    made = []
    for size in chips.extra_sizes_m:
        why: list[MissingView] = []
        path = f"aerial-{size:g}m.jpg"
        made.append(_photo_chip("aerial", source, point, size / chips.size_px, registry.build, why, path, bearing))
        missing += [view.model_copy(update={"detail": f"the chip of {size:g} m: {view.detail}"}) for view in why]
    return [chip for chip in made if chip is not None]


def drone(
    camera: Point, region: str, registry: Registry, missing: list[MissingView], bearing: float = 0.0
) -> Chip | None:
    """The drone chip, centred on the first street view's camera, so that what the photo shows is in its middle."""
    source, gsd_m = registry.drone(region), registry.build.imagery.chips.drone_gsd_m
    if source is None:
        return None
    return _photo_chip("drone", source, camera, gsd_m, registry.build, missing, "drone.jpg", bearing)


def _photo_chip(
    view: Literal["aerial", "drone"],
    source: AerialSource,
    point: Point,
    gsd_m: float,
    build: Build,
    missing: list[MissingView],
    path: str,
    bearing: float,
) -> Chip | None:
    chips = build.imagery.chips
    try:
        got = _cut(source, point, chips.size_px, gsd_m, bearing)
    except SiteError as error:
        _note(view, error, missing)
        return None
    if got.covered < chips.min_covered:
        detail = f"{got.covered:.1%} of the chip, {chips.min_covered:.1%} asked for"
        missing.append(MissingView(view=view, reason=Reason.PARTLY_COVERED, detail=detail))
        return None
    data = encode_jpeg(got.pixels, build.imagery.jpeg_quality)
    chip = _chip(got, source.name, point, gsd_m, data, path, bearing)
    return chip.model_copy(update={"phash": phash(got.pixels)})


def _cut(source: AerialSource | MapSource, point: Point, size_px: int, gsd_m: float, bearing: float) -> RasterChip:
    """A chip in any direction, cut from a larger one that has north at the top, whose covered share it takes."""
    if not bearing:
        return source.chip(point, size_px, gsd_m)
    got = source.chip(point, larger_side(size_px), gsd_m)
    return replace(got, pixels=turned(got.pixels, bearing, size_px))


def mapped(
    point: Point, region: str, registry: Registry, missing: list[MissingView], bearing: float = 0.0
) -> tuple[Chip | None, list[MapFact], list[FactKind]]:
    """The map chip, the facts, and the kinds of fact that the map has a layer of."""
    source, chips = registry.map(region), registry.build.imagery.chips
    if source is None:
        return None, [], []
    gsd_m = chips.gsd_m if chips.map_scale == "chip" else carto_gsd_m(point.lat, chips.size_px)
    try:
        got = _cut(source, point, chips.size_px, gsd_m, bearing)
        facts = source.around(point, registry.build.imagery.map_radius_m)
        charted = sorted(source.charted())
    except SiteError as error:
        _note("map", error, missing)
        return None, [], []
    # Flat colours and lettering: PNG is both smaller and free of the ringing that JPEG would put around names.
    return _chip(got, source.name, point, gsd_m, encode_png(got.pixels), "map.png", bearing), facts, charted


def _note(view: Literal["aerial", "drone", "map"], error: SiteError, missing: list[MissingView]) -> None:
    """Record a missing view, unless it may exist and its source is unavailable."""
    if error.reason in OUTAGES:
        raise SiteError(error.reason, f"{view}: {error.detail}") from error
    missing.append(MissingView(view=view, reason=error.reason, detail=error.detail))


def carto_gsd_m(lat: float, size_px: int) -> float:
    """Metres per pixel of a map chip that covers the same ground as a 256 px Web Mercator tile of zoom 19.

    The released CVG-Text models were trained on such tiles, doubled to 512 px.
    """
    return float(mercantile.CE) / 2**19 * math.cos(math.radians(lat)) / size_px


def _chip(got: RasterChip, source: str, point: Point, gsd_m: float, data: bytes, path: str, bearing: float) -> Chip:
    frame = LocalFrame(point.lat, point.lon)
    height, width = got.pixels.shape[:2]
    west, south, east, north = frame.chip_bbox(width, gsd_m, bearing)
    return Chip(
        source=source,
        source_id=got.source_id,
        author=got.author,
        licence=got.licence,
        link=got.link,
        redistributable=got.redistributable,
        gsd_m=gsd_m,
        bearing_deg=bearing,
        native_gsd_m=None if got.native_gsd_m is None else round(got.native_gsd_m, 4),
        datum_accuracy_m=got.datum_accuracy_m,
        width=width,
        height=height,
        west=west,
        south=south,
        east=east,
        north=north,
        crs=frame.crs,
        captured_at=got.captured_at,
        covered=round(got.covered, 6),
        image=Image(bytes=data, path=path),
    )
