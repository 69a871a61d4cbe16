"""Stage `cues`: what the engines read off the views, fused with the map into one list a site."""

from collections.abc import Sequence

from pipeline.config import ImageLimits
from pipeline.errors import SiteError
from pipeline.imaging.decode import decode
from pipeline.perception.base import View
from pipeline.perception.cues import fuse
from pipeline.perception.signatures import signatures
from pipeline.stopping import check_stop
from pipeline.toolbox import Toolbox
from schemas.reasons import Reason
from schemas.records import Cue, CueRow, ImageryRow, Signature

VERSION = 2
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
        views = [
            View(view.view_id, decode(view.image.bytes, _OWN), view.truth)
            for view in site.views
            if view.projection == "perspective"  # a panorama's perspective cuts show the same, undistorted
        ]
        found = _read(site, views, tools)
        looks = _looks(site, views)
    except SiteError as error:
        return CueRow(site_id=site.site_id, status="failed", reason=error.reason, detail=error.detail, cues=[])
    if not any(cue.lasting for cue in found):
        detail = f"{len(found)} cues, none of a lasting thing"
        return CueRow(site_id=site.site_id, status="failed", reason=Reason.NO_CUES, detail=detail, cues=found)
    return CueRow(site_id=site.site_id, status="ok", reason=None, detail=None, cues=found, signatures=looks)


def _read(site: ImageryRow, views: Sequence[View], tools: Toolbox) -> list[Cue]:
    ids = [view.view_id for view in views]
    texts = dict(zip(ids, tools.ocr.read(views), strict=True))
    segments = dict(zip(ids, tools.segmenter.segment(views), strict=True))
    return fuse(site, texts, segments, tools.ocr.name, tools.segmenter.name)


def _looks(site: ImageryRow, views: Sequence[View]) -> list[Signature]:
    pictures = {view.view_id: view.pixels for view in views}
    if site.aerial is not None:
        pictures["aerial"] = decode(site.aerial.image.bytes, _OWN)
    return [signature for name, pixels in pictures.items() for signature in signatures(name, pixels)]
