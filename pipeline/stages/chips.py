"""The chips of a site: aerial, further scales, drone and map, with the map's facts. Why one is missing is recorded."""

import math
from typing import Literal

import mercantile

from pipeline.config.build import Build
from pipeline.errors import SiteError
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.imaging.encode import encode_jpeg, encode_png
from pipeline.imaging.phash import phash
from pipeline.registry.registry import Registry
from pipeline.sources.base import AerialSource, RasterChip
from schemas.reasons import OUTAGES, Reason
from schemas.records import Chip, FactKind, Image, MapFact, MissingView


def aerial(point: Point, region: str, registry: Registry, missing: list[MissingView]) -> Chip | None:
    """The aerial chip."""
    source, chips = registry.aerial(region), registry.build.imagery.chips
    return _photo_chip("aerial", source, point, chips.gsd_m, registry.build, missing, "aerial.jpg") if source else None


def scales(point: Point, region: str, registry: Registry, missing: list[MissingView]) -> list[Chip]:
    """The further aerial chips that are requested and available."""
    source, chips = registry.aerial(region), registry.build.imagery.chips
    assert source is not None
    made = []
    for size in chips.extra_sizes_m:
        why: list[MissingView] = []
        path = f"aerial-{size:g}m.jpg"
        made.append(_photo_chip("aerial", source, point, size / chips.size_px, registry.build, why, path))
        missing += [view.model_copy(update={"detail": f"the chip of {size:g} m: {view.detail}"}) for view in why]
    return [chip for chip in made if chip is not None]


def drone(camera: Point, region: str, registry: Registry, missing: list[MissingView]) -> Chip | None:
    """The drone chip, centred on the first street view's camera, so that what the photo shows is in its middle."""
    source, chips = registry.drone(region), registry.build.imagery.chips
    return (
        _photo_chip("drone", source, camera, chips.drone_gsd_m, registry.build, missing, "drone.jpg")
        if source
        else None
    )


def _photo_chip(
    view: Literal["aerial", "drone"],
    source: AerialSource,
    point: Point,
    gsd_m: float,
    build: Build,
    missing: list[MissingView],
    path: str,
) -> Chip | None:
    chips = build.imagery.chips
    try:
        got = source.chip(point, chips.size_px, gsd_m)
    except SiteError as error:
        _note(view, error, missing)
        return None
    if got.covered < chips.min_covered:
        detail = f"{got.covered:.1%} of the chip, {chips.min_covered:.1%} asked for"
        missing.append(MissingView(view=view, reason=Reason.PARTLY_COVERED, detail=detail))
        return None
    chip = _chip(got, source.name, point, gsd_m, encode_jpeg(got.pixels, build.imagery.jpeg_quality), path)
    return chip.model_copy(update={"phash": phash(got.pixels)})


def mapped(
    point: Point, region: str, registry: Registry, missing: list[MissingView]
) -> tuple[Chip | None, list[MapFact], list[FactKind]]:
    """The map chip, the facts, and the kinds of fact that the map has a layer of."""
    source, chips = registry.map(region), registry.build.imagery.chips
    if source is None:
        return None, [], []
    gsd_m = chips.gsd_m if chips.map_scale == "chip" else carto_gsd_m(point.lat, chips.size_px)
    try:
        got = source.chip(point, chips.size_px, gsd_m)
        facts = source.around(point, registry.build.imagery.map_radius_m)
        charted = sorted(source.charted())
    except SiteError as error:
        _note("map", error, missing)
        return None, [], []
    # Flat colours and lettering: PNG is both smaller and free of the ringing that JPEG would put around names.
    return _chip(got, source.name, point, gsd_m, encode_png(got.pixels), "map.png"), facts, charted


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


def _chip(got: RasterChip, source: str, point: Point, gsd_m: float, data: bytes, path: str) -> Chip:
    frame = LocalFrame(point.lat, point.lon)
    height, width = got.pixels.shape[:2]
    west, south, east, north = frame.chip_bbox(width, gsd_m)
    return Chip(
        source=source,
        source_id=got.source_id,
        author=got.author,
        licence=got.licence,
        link=got.link,
        redistributable=got.redistributable,
        gsd_m=gsd_m,
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
