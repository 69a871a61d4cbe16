"""Stage `cues`: what the engines read off the views, fused with the map into one list a site."""

from collections.abc import Sequence

from pipeline.config import ImageLimits
from pipeline.errors import SiteError
from pipeline.imaging.decode import decode
from pipeline.perception.base import View
from pipeline.perception.cues import fuse
from pipeline.stopping import check_stop
from pipeline.toolbox import Toolbox
from schemas.reasons import Reason
from schemas.records import Cue, CueRow, ImageryRow

VERSION = 1
_OWN = ImageLimits(min_side_px=16)
"""The pictures are the stage below's own: as small as the configuration asked for."""


def cues(sites: Sequence[ImageryRow], tools: Toolbox) -> list[CueRow]:
    """One row a site whose imagery is ok, in order."""
    rows = []
    for site in sites:
        check_stop()
        if site.status == "ok":
            rows.append(_row(site, tools))
    return rows


def _row(site: ImageryRow, tools: Toolbox) -> CueRow:
    try:
        found = _read(site, tools)
    except SiteError as error:
        return CueRow(site_id=site.site_id, status="failed", reason=error.reason, detail=error.detail, cues=[])
    if not any(cue.lasting for cue in found):
        detail = f"{len(found)} cues, none of a lasting thing"
        return CueRow(site_id=site.site_id, status="failed", reason=Reason.NO_CUES, detail=detail, cues=found)
    return CueRow(site_id=site.site_id, status="ok", reason=None, detail=None, cues=found)


def _read(site: ImageryRow, tools: Toolbox) -> list[Cue]:
    views = [
        View(view.view_id, decode(view.image.bytes, _OWN), view.truth)
        for view in site.views
        if view.projection == "perspective"  # a panorama's perspective cuts show the same, undistorted
    ]
    ids = [view.view_id for view in views]
    texts = dict(zip(ids, tools.ocr.read(views), strict=True))
    segments = dict(zip(ids, tools.segmenter.segment(views), strict=True))
    return fuse(site, texts, segments, tools.ocr.name, tools.segmenter.name)
