"""Stage `cues`: what the engines read in the views, fused with the map into one list per site."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from pipeline.config.build import Build, ImageLimits, Region
from pipeline.errors import SiteError
from pipeline.imaging.decode import decode
from pipeline.perception.base import Segment, TextBox, View
from pipeline.perception.cues import fuse
from pipeline.perception.signatures import signatures
from pipeline.registry.toolbox import Toolbox
from pipeline.stages.base import Stage, StageInput
from pipeline.stopping import check_stop
from schemas.reasons import Reason
from schemas.records import AERIAL, CueRow, ImageryRow, Signature

SITES_AT_ONCE = 4
"""Number of sites whose views the engines get together. More do not fill a GPU better, and masks take memory."""
_OWN = ImageLimits(min_side_px=16)
"""Limits for the imagery stage's own pictures, which may be as small as the build file allows."""


@dataclass(frozen=True)
class _Opened:
    """A site with decoded pictures."""

    site: ImageryRow
    views: list[View]
    looks: list[Signature]


def cues(sites: Sequence[ImageryRow], tools: Toolbox) -> list[CueRow]:
    """One row per site whose imagery is ok, in order."""
    ok = [site for site in sites if site.status == "ok"]
    rows = []
    for start in range(0, len(ok), SITES_AT_ONCE):
        check_stop()
        rows += _rows(ok[start : start + SITES_AT_ONCE], tools)
    return rows


def _rows(sites: Sequence[ImageryRow], tools: Toolbox) -> list[CueRow]:
    opened = [_opened(site) for site in sites]
    views = [view for one in opened if isinstance(one, _Opened) for view in one.views]
    texts, segments = iter(tools.ocr.read(views)), iter(tools.segmenter.segment(views))
    return [
        one
        if isinstance(one, CueRow)
        else _row(one, list(islice(texts, len(one.views))), list(islice(segments, len(one.views))), tools)
        for one in opened
    ]


def _opened(site: ImageryRow) -> _Opened | CueRow:
    """The site's decoded pictures, or a failed row."""
    try:
        views = [
            View(view.view_id, decode(view.image.bytes, _OWN), view.truth)
            for view in site.views
            if view.projection == "perspective"  # a panorama's perspective cuts show the same, undistorted
        ]
        pictures = {view.view_id: view.pixels for view in views}
        if site.aerial is not None:
            pictures[AERIAL] = decode(site.aerial.image.bytes, _OWN)
    except SiteError as error:
        return CueRow(site_id=site.site_id, status="failed", reason=error.reason, detail=error.detail, cues=[])
    return _Opened(site, views, [s for name, pixels in pictures.items() for s in signatures(name, pixels)])


def _row(one: _Opened, texts: list[list[TextBox]], segments: list[list[Segment]], tools: Toolbox) -> CueRow:
    ids = [view.view_id for view in one.views]
    found = fuse(
        one.site,
        dict(zip(ids, texts, strict=True)),
        dict(zip(ids, segments, strict=True)),
        tools.ocr.name,
        tools.segmenter.name,
    )
    site_id = one.site.site_id
    if not any(cue.lasting for cue in found):
        detail = f"{len(found)} cues, none of a lasting thing"
        return CueRow(site_id=site_id, status="failed", reason=Reason.NO_CUES, detail=detail, cues=found)
    return CueRow(site_id=site_id, status="ok", reason=None, detail=None, cues=found, signatures=one.looks)


def _depends_on(_build: Build, tools: Toolbox, _region: Region) -> list[object]:
    return [tools.ocr.fingerprint(), tools.segmenter.fingerprint()]


def _run(given: StageInput, tools: Toolbox) -> list[CueRow]:
    return cues(given.rows(ImageryRow), tools)


STAGE = Stage(CueRow, reads=(ImageryRow,), version=2, depends_on=_depends_on, run=_run)
