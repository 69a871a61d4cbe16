"""Stage `imagery`: street views, aerial chip, map chip and map facts of each site, anonymised and checked."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Literal

from pipeline.boundary import on_site
from pipeline.config.build import Build
from pipeline.config.region import Region
from pipeline.errors import SiteError
from pipeline.geo.point import Point
from pipeline.imaging.turn import drawn_bearing
from pipeline.registry.registry import Registry, region_sources
from pipeline.sources.base import Networked
from pipeline.stages import chips
from pipeline.stages.base import Known, Stage, StageInput
from pipeline.stages.choosing import choose, rank
from pipeline.stages.street_views import views_of
from pipeline.stopping import check_stop
from schemas.reasons import Reason
from schemas.records import Chip, Considered, ImageryRow, MissingView, Site


def imagery(sites: Iterable[Site], registry: Registry, known: Mapping[str, Known] | None = None) -> list[ImageryRow]:
    """One row per site, in order. With sources on the network, several sites are processed at once.

    Of a site that is `known`, only the parts that are wanted are made; the rest of its row stays as it is.
    """
    ordered, old = list(sites), known or {}
    if not any(_over_network(region, registry) for region in {site.region for site in ordered}):
        return [_try(site, registry, old.get(site.site_id)) for site in ordered]
    with ThreadPoolExecutor(registry.build.limits.sites_at_once, thread_name_prefix="site") as threads:
        futures = [threads.submit(_try, site, registry, old.get(site.site_id)) for site in ordered]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()  # after a fault that stops the build, sites not begun are not begun


def _over_network(region: str, registry: Registry) -> bool:
    sources = registry.street(region), registry.aerial(region), registry.drone(region), registry.map(region)
    return any(isinstance(source, Networked) for source in sources)


def _try(site: Site, registry: Registry, known: Known | None) -> ImageryRow:
    check_stop()
    missing: list[MissingView] = []
    try:
        with on_site(site.site_id), registry.boundary(ImageryRow.layer, Reason.BAD_ANSWER).guard():
            if known is not None and isinstance(known.row, ImageryRow):
                return _completed(site, known.row, known.parts, registry)
            if site.distractor:
                return _chips_only(site, registry, missing)
            return _row(site, registry, missing)
    except SiteError as error:
        return _failed(site, error, missing)


def _row(site: Site, registry: Registry, missing: list[MissingView]) -> ImageryRow:
    """A site's row. Missing views are added to `missing`, so that they are known even if the site fails."""
    point = Point(site.lat, site.lon)
    source, settings = registry.street(site.region), registry.build.imagery
    ranked = rank(source.near(point, settings.search_radius_m), point, settings.search_radius_m, settings.choice)
    if all(one.photo.unusable is not None for one in ranked):  # chips would be asked for in vain
        none = choose(ranked, 0, lambda _photo, _number: [])
        return _failed(site, none.why_none(settings.search_radius_m), missing, none.considered)
    turned = settings.chips.orientation == "heading-up"  # then chips wait for the main view
    aerial, scales = (None, []) if turned else _aerial(point, site.region, registry, missing, 0.0)
    around, facts, charted = chips.mapped(point, site.region, registry, missing)
    _require("map", around, missing, registry)
    if not turned:
        _referenced(aerial, around, missing)
    around_it = [one.photo for one in ranked]
    street = choose(
        ranked, settings.max_views, lambda photo, n: views_of(photo, n, point, source, around_it, facts, registry)
    )
    missing += [
        MissingView(view="street", reason=error.reason, detail=f"{photo_id}: {error.detail}")
        for photo_id, error in street.faults
    ]
    if not street.views:
        return _failed(site, street.why_none(settings.search_radius_m), missing, street.considered)
    bearing = chips.bearing_of(street.views, registry.build)
    if turned:
        aerial, scales = _aerial(point, site.region, registry, missing, bearing)
        around = around and chips.mapped(point, site.region, registry, missing, bearing)[0]
        _referenced(aerial, around, missing)
    drone = chips.drone(Point(street.views[0].lat, street.views[0].lon), site.region, registry, missing, bearing)
    _require("drone", drone, missing, registry)
    return ImageryRow(
        **site.model_dump(),
        status="ok",
        reason=None,
        detail=None,
        views=street.views,
        aerial=aerial,
        aerial_scales=scales,
        drone=drone,
        map=around,
        facts=facts,
        charted=charted,
        considered=street.considered,
        missing=missing,
    )


def _chips_only(site: Site, registry: Registry, missing: list[MissingView]) -> ImageryRow:
    """A distractor's row: the chips that a sample may be searched among."""
    point = Point(site.lat, site.lon)
    bearing = drawn_bearing(site.site_id) if registry.build.imagery.chips.orientation == "heading-up" else 0.0
    aerial, scales = _aerial(point, site.region, registry, missing, bearing)
    around, _, _ = chips.mapped(point, site.region, registry, missing, bearing)
    _require("map", around, missing, registry)
    _referenced(aerial, around, missing)
    return ImageryRow(
        **site.model_dump(),
        status="chips_only",
        reason=None,
        detail=None,
        views=[],
        aerial=aerial,
        aerial_scales=scales,
        map=around,
        facts=[],
        missing=missing,
    )


def _aerial(
    point: Point, region: str, registry: Registry, missing: list[MissingView], bearing: float
) -> tuple[Chip | None, list[Chip]]:
    aerial = chips.aerial(point, region, registry, missing, bearing)
    _require("aerial", aerial, missing, registry)
    return aerial, chips.scales(point, region, registry, missing, bearing) if aerial else []


def _referenced(aerial: Chip | None, around: Chip | None, missing: list[MissingView]) -> None:
    if aerial is None and around is None:
        raise SiteError(Reason.NO_REFERENCE, "; ".join(f"{m.view}: {m.reason} ({m.detail})" for m in missing))


def _require(view: str, chip: object | None, missing: list[MissingView], registry: Registry) -> None:
    """Fail the site if a view that the build requires is missing."""
    if chip is None and view in registry.build.imagery.require:
        why = next(one for one in reversed(missing) if one.view == view)
        raise SiteError(why.reason, f"{view}, which imagery.require names: {why.detail}")


def _completed(site: Site, row: ImageryRow, parts: frozenset[str], registry: Registry) -> ImageryRow:
    """A row with some parts made anew. A view whose source is unavailable now is missing: nothing else is lost for it.

    Raises:
        SiteError: a view that is required is missing.
    """
    point, region = Point(site.lat, site.lon), site.region
    missing = [one for one in row.missing if one.view not in parts and not ("scales" in parts and _of_scale(one, row))]
    new: dict[str, Any] = {}
    bearing = chips.bearing_of(row.views, registry.build)
    with _noting("aerial", missing):
        if "aerial" in parts:
            new["aerial"] = None
            new["aerial"] = chips.aerial(point, region, registry, missing, bearing)
    with _noting("aerial", missing):
        if "scales" in parts:
            new["aerial_scales"] = []
            if new.get("aerial", row.aerial) is not None:
                new["aerial_scales"] = chips.scales(point, region, registry, missing, bearing)
    with _noting("map", missing):
        if "map" in parts:
            new |= {"map": None, "facts": [], "charted": []}
            found = chips.mapped(point, region, registry, missing, bearing)
            new |= dict(zip(("map", "facts", "charted"), found, strict=True))
    with _noting("drone", missing):
        if "drone" in parts:
            new["drone"] = None
            new["drone"] = chips.drone(Point(row.views[0].lat, row.views[0].lon), region, registry, missing, bearing)
    made = row.model_copy(update={**new, "missing": missing})
    for view in registry.build.imagery.require:
        _require(view, getattr(made, view), missing, registry)
    if made.aerial is None and made.map is None:
        raise SiteError(Reason.NO_REFERENCE, "; ".join(f"{m.view}: {m.reason} ({m.detail})" for m in missing))
    return made


def _of_scale(missing: MissingView, row: ImageryRow) -> bool:
    """Whether it is a further aerial chip that is missing, and not the aerial chip itself."""
    return missing.view == "aerial" and row.aerial is not None


@contextmanager
def _noting(view: Literal["aerial", "drone", "map"], missing: list[MissingView]) -> Iterator[None]:
    try:
        yield
    except SiteError as error:
        missing.append(MissingView(view=view, reason=error.reason, detail=error.detail))


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


def _depends_on(build: Build, registry: Registry, region: Region) -> dict[str, list[object]]:
    """By part. Street views are held against the map, and the drone chip is centred on one of them."""
    settings, sources, blurrer = build.imagery, region_sources(registry, region), registry.blurrer
    sized = settings.chips.size_px, settings.chips.min_covered, settings.jpeg_quality
    street = [
        settings.model_dump(mode="json", exclude={"chips", "require"}),
        sources["street"],
        sources["map"],
        blurrer and blurrer.fingerprint(),
    ]
    turned = ["heading-up", street] if settings.chips.orientation == "heading-up" else []
    drawn = settings.chips.gsd_m, sized[0], settings.chips.map_scale, settings.map_radius_m
    return {
        "street": street,
        "aerial": [settings.chips.gsd_m, *sized, sources["aerial"], *turned],
        "scales": [settings.chips.extra_sizes_m, *sized, sources["aerial"], *turned],
        "drone": [settings.chips.drone_gsd_m, *sized, sources["drone"], street, *turned],
        "map": [*drawn, sources["map"], *turned],
        "required": [sorted(settings.require)],
    }


def _run(given: StageInput, registry: Registry) -> list[ImageryRow]:
    return imagery(given.sites, registry, given.known)


STAGE = Stage(ImageryRow, reads=(), version=12, depends_on=_depends_on, run=_run, core="street", last="drone")
