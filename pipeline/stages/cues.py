"""Stage `cues`: what the engines read in the views, fused with the map into one list per site."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from pipeline.boundary import on_site
from pipeline.config.build import Build
from pipeline.config.imagery import ImageLimits
from pipeline.config.region import Region
from pipeline.errors import SiteError
from pipeline.imaging.decode import decode
from pipeline.perception.base import Segment, TextBox, View
from pipeline.perception.clearness import is_clear
from pipeline.perception.cues import fuse
from pipeline.perception.lettering import with_looks
from pipeline.perception.signatures import signatures
from pipeline.registry.registry import Registry
from pipeline.stages.base import OVERLOOKED, Stage, StageInput
from pipeline.stopping import check_stop
from schemas.reasons import Reason
from schemas.records import AERIAL, CueRow, ImageryRow, Signature

SITES_AT_ONCE = 4
"""Number of sites whose views the engines get together. More do not fill a GPU better, and masks take memory."""
_OWN = ImageLimits(min_side_px=16)
"""Limits for the imagery stage's own pictures, which may be as small as the build file allows."""

T = TypeVar("T")


@dataclass(frozen=True)
class _Opened:
    """A site with decoded pictures."""

    site: ImageryRow
    views: list[View]
    looks: list[Signature]


@dataclass(frozen=True)
class _Seen:
    """Results of the engines for a site's views, view by view."""

    texts: list[list[TextBox]]
    segments: list[list[Segment]]


def cues(sites: Sequence[ImageryRow], registry: Registry) -> list[CueRow]:
    """One row per site whose imagery is ok, in order."""
    ok = [site for site in sites if site.status == "ok"]
    rows = []
    for start in range(0, len(ok), SITES_AT_ONCE):
        check_stop()
        rows += _rows(ok[start : start + SITES_AT_ONCE], registry)
    return rows


def _rows(sites: Sequence[ImageryRow], registry: Registry) -> list[CueRow]:
    opened = [_opened(site, registry) for site in sites]
    seen = iter(_read([one for one in opened if isinstance(one, _Opened)], registry))
    return [one if isinstance(one, CueRow) else _row(one, next(seen), registry) for one in opened]


def _opened(site: ImageryRow, registry: Registry) -> _Opened | CueRow:
    """The site's pictures, or the row that says what is wrong with them."""
    try:
        with on_site(site.site_id), registry.boundary("cues: pictures", Reason.ENGINE_FAILED).guard():
            views = [
                View(view.view_id, decode(view.image.bytes, _OWN), view.truth)
                for view in site.views
                if view.projection == "perspective"  # a panorama's perspective cuts show the same, undistorted
            ]
            pictures = {view.view_id: view.pixels for view in views}
            if site.aerial is not None:
                pictures[AERIAL] = decode(site.aerial.image.bytes, _OWN)
            return _Opened(site, views, [s for name, pixels in pictures.items() for s in signatures(name, pixels)])
    except SiteError as error:
        return _failed(site, error)


def _read(sites: Sequence[_Opened], registry: Registry) -> list[_Seen | SiteError]:
    """Run the engines on each site's views; the results, or which of them failed on it."""
    ocr = registry.ocr_of(sites[0].site.region) if sites else registry.ocr  # a unit is of one region
    texts = registry.boundary(f"text reading by {ocr.name}", Reason.ENGINE_FAILED).each(
        sites, lambda some: _by_site(some, ocr.read), _site_id
    )
    segments = registry.boundary(f"segmentation by {registry.segmenter.name}", Reason.ENGINE_FAILED).each(
        sites, lambda some: _by_site(some, registry.segmenter.segment), _site_id
    )
    return [
        text if isinstance(text, SiteError) else segment if isinstance(segment, SiteError) else _Seen(text, segment)
        for text, segment in zip(texts, segments, strict=True)
    ]


def _by_site(sites: Sequence[_Opened], engine: Callable[[list[View]], list[list[T]]]) -> list[list[list[T]]]:
    """An engine's results for each view of each site; it is given the views of all sites together."""
    views = [view for site in sites for view in site.views]
    answers = engine(views)
    if len(answers) != len(views):
        raise ValueError(f"{len(answers)} answers for {len(views)} views")
    rest = iter(answers)
    return [list(islice(rest, len(site.views))) for site in sites]


def _site_id(one: _Opened) -> str:
    return one.site.site_id


def _failed(site: ImageryRow, error: SiteError) -> CueRow:
    return CueRow(site_id=site.site_id, status="failed", reason=error.reason, detail=error.detail, cues=[])


def _row(one: _Opened, seen: _Seen | SiteError, registry: Registry) -> CueRow:
    if isinstance(seen, SiteError):
        return _failed(one.site, seen)
    try:
        with on_site(one.site.site_id), registry.boundary(CueRow.layer, Reason.ENGINE_FAILED).guard():
            return _fused(one, seen, registry)
    except SiteError as error:
        return _failed(one.site, error)


def _fused(one: _Opened, seen: _Seen, registry: Registry) -> CueRow:
    ids = [view.view_id for view in one.views]
    texts = [
        with_looks(boxes, view.pixels) if is_clear(view.pixels, segments) else boxes
        for view, boxes, segments in zip(one.views, seen.texts, seen.segments, strict=True)
    ]
    found = fuse(
        one.site,
        dict(zip(ids, texts, strict=True)),
        dict(zip(ids, seen.segments, strict=True)),
        registry.ocr_of(one.site.region).name,
        registry.segmenter.name,
        registry.segmenter.words,
    )
    site_id = one.site.site_id
    if not any(cue.lasting for cue in found):
        detail = f"{len(found)} cues, none of a lasting thing"
        return CueRow(site_id=site_id, status="failed", reason=Reason.NO_CUES, detail=detail, cues=found)
    return CueRow(site_id=site_id, status="ok", reason=None, detail=None, cues=found, signatures=one.looks)


def _depends_on(_build: Build, registry: Registry, region: Region) -> dict[str, list[object]]:
    return {"rows": [registry.ocr_of(region.name).fingerprint(), registry.segmenter.fingerprint()]}


def _run(given: StageInput, registry: Registry) -> list[CueRow]:
    return cues(given.rows(ImageryRow), registry)


STAGE = Stage(CueRow, reads=(ImageryRow,), version=8, depends_on=_depends_on, run=_run, overlooks=OVERLOOKED)
