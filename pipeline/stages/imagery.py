"""Stage `imagery`: street views, aerial chip, map chip and map facts of each site, anonymised and checked."""

import math
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import mercantile

from pipeline.boundary import on_site
from pipeline.config.build import Build, Region
from pipeline.errors import SiteError
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.imaging.encode import encode_jpeg, encode_png
from pipeline.imaging.phash import phash
from pipeline.registry.toolbox import Toolbox, region_sources
from pipeline.sources.base import AerialSource, Networked, RasterChip
from pipeline.stages.base import Stage, StageInput
from pipeline.stages.choosing import choose, rank
from pipeline.stages.street_views import views_of
from pipeline.stopping import check_stop
from schemas.reasons import OUTAGES, Reason
from schemas.records import Chip, Considered, FactKind, Image, ImageryRow, MapFact, MissingView, Site


def imagery(sites: Iterable[Site], tools: Toolbox) -> list[ImageryRow]:
    """One row per site, in order. With sources on the network, several sites are processed at once."""
    ordered = list(sites)
    if not any(_over_network(region, tools) for region in {site.region for site in ordered}):
        return [_try(site, tools) for site in ordered]
    with ThreadPoolExecutor(tools.build.limits.sites_at_once, thread_name_prefix="site") as threads:
        futures = [threads.submit(_try, site, tools) for site in ordered]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()  # after a fault that stops the build, sites not begun are not begun


def _over_network(region: str, tools: Toolbox) -> bool:
    sources = tools.street(region), tools.aerial(region), tools.drone(region), tools.map(region)
    return any(isinstance(source, Networked) for source in sources)


def _try(site: Site, tools: Toolbox) -> ImageryRow:
    check_stop()
    missing: list[MissingView] = []
    try:
        with on_site(site.site_id), tools.boundary("imagery", Reason.BAD_ANSWER).guard():
            return _row(site, tools, missing)
    except SiteError as error:
        return _failed(site, error, missing)


def _row(site: Site, tools: Toolbox, missing: list[MissingView]) -> ImageryRow:
    """A site's row. Missing views are added to `missing`, so that they are known even if the site fails."""
    point = Point(site.lat, site.lon)
    source, settings = tools.street(site.region), tools.build.imagery
    ranked = rank(source.near(point, settings.search_radius_m), point, settings.search_radius_m, settings.choice)
    if all(one.photo.unusable is not None for one in ranked):  # chips would be asked for in vain
        none = choose(ranked, 0, lambda _photo, _number: [])
        return _failed(site, none.why_none(settings.search_radius_m), missing, none.considered)
    aerial = _aerial(point, site.region, tools, missing)
    scales = _scales(point, site.region, tools, missing) if aerial else []
    around, facts, charted = _map(point, site.region, tools, missing)
    if aerial is None and around is None:
        raise SiteError(Reason.NO_REFERENCE, "; ".join(f"{m.view}: {m.reason} ({m.detail})" for m in missing))
    around_it = [one.photo for one in ranked]
    street = choose(
        ranked, settings.max_views, lambda photo, n: views_of(photo, n, point, source, around_it, facts, tools)
    )
    missing += [
        MissingView(view="street", reason=error.reason, detail=f"{photo_id}: {error.detail}")
        for photo_id, error in street.faults
    ]
    if not street.views:
        return _failed(site, street.why_none(settings.search_radius_m), missing, street.considered)
    return ImageryRow(
        **site.model_dump(),
        status="ok",
        reason=None,
        detail=None,
        views=street.views,
        aerial=aerial,
        aerial_scales=scales,
        drone=_drone(Point(street.views[0].lat, street.views[0].lon), site.region, tools, missing),
        map=around,
        facts=facts,
        charted=charted,
        considered=street.considered,
        missing=missing,
    )


def _failed(
    site: Site, error: SiteError, missing: list[MissingView], considered: list[Considered] | None = None
) -> ImageryRow:
    return ImageryRow(
        **site.model_dump(),
        status="failed",
        reason=error.reason,
        detail=error.detail,
        views=[],
        aerial=None,
        map=None,
        facts=[],
        considered=considered or [],
        missing=missing,
    )


def _aerial(point: Point, region: str, tools: Toolbox, missing: list[MissingView]) -> Chip | None:
    source, chips = tools.aerial(region), tools.build.imagery.chips
    return _photo_chip("aerial", source, point, chips.gsd_m, tools.build, missing, "aerial.jpg") if source else None


def _scales(point: Point, region: str, tools: Toolbox, missing: list[MissingView]) -> list[Chip]:
    """The further aerial chips that are requested and available."""
    source, chips = tools.aerial(region), tools.build.imagery.chips
    assert source is not None
    made = []
    for size in chips.extra_sizes_m:
        why: list[MissingView] = []
        path = f"aerial-{size:g}m.jpg"
        made.append(_photo_chip("aerial", source, point, size / chips.size_px, tools.build, why, path))
        missing += [view.model_copy(update={"detail": f"the chip of {size:g} m: {view.detail}"}) for view in why]
    return [chip for chip in made if chip is not None]


def _drone(camera: Point, region: str, tools: Toolbox, missing: list[MissingView]) -> Chip | None:
    """The drone chip, centred on the first street view's camera, so that what the photo shows is in its middle."""
    source, chips = tools.drone(region), tools.build.imagery.chips
    return (
        _photo_chip("drone", source, camera, chips.drone_gsd_m, tools.build, missing, "drone.jpg") if source else None
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


def _map(
    point: Point, region: str, tools: Toolbox, missing: list[MissingView]
) -> tuple[Chip | None, list[MapFact], list[FactKind]]:
    """The map chip, the facts, and the kinds of fact that the map has a layer of."""
    source, chips = tools.map(region), tools.build.imagery.chips
    if source is None:
        return None, [], []
    gsd_m = chips.gsd_m if chips.map_scale == "chip" else carto_gsd_m(point.lat, chips.size_px)
    try:
        got = source.chip(point, chips.size_px, gsd_m)
        facts = source.around(point, tools.build.imagery.map_radius_m)
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


def _depends_on(build: Build, tools: Toolbox, region: Region) -> list[object]:
    blurrer = tools.blurrer
    return [build.imagery, region_sources(tools, region), blurrer and blurrer.fingerprint()]


def _run(given: StageInput, tools: Toolbox) -> list[ImageryRow]:
    return imagery(given.sites, tools)


STAGE = Stage(ImageryRow, reads=(), version=6, depends_on=_depends_on, run=_run)
