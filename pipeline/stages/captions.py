"""Stage `captions`: a long and a short description a site, each sentence with the cues it rests on."""

from collections.abc import Sequence

from pipeline.captioning.base import Captioner, Description, Evidence
from pipeline.errors import SiteError
from pipeline.stopping import check_stop
from pipeline.toolbox import Toolbox
from schemas.records import CaptionRow, CueRow, ImageryRow

VERSION = 1


def captions(sites: Sequence[ImageryRow], cues: Sequence[CueRow], tools: Toolbox) -> list[CaptionRow]:
    """One row a site whose cues are ok, in order."""
    check_stop()
    by_id = {site.site_id: site for site in sites}
    evidence = [Evidence(by_id[row.site_id], row.cues) for row in cues if row.status == "ok"]
    answers = tools.captioner.describe(evidence)
    return [_row(asked.site.site_id, answer, tools.captioner) for asked, answer in zip(evidence, answers, strict=True)]


def _row(site_id: str, answer: Description | SiteError, captioner: Captioner) -> CaptionRow:
    wrote = None if isinstance(answer, SiteError) else answer
    fault = answer if isinstance(answer, SiteError) else None
    return CaptionRow(
        site_id=site_id,
        status="failed" if fault else "ok",
        reason=fault and fault.reason,
        detail=fault and fault.detail,
        language=wrote.language if wrote else "",
        long=wrote and wrote.long,
        short=wrote and wrote.short,
        long_tokens=wrote.long_tokens if wrote else 0,
        short_tokens=wrote.short_tokens if wrote else 0,
        sentences=wrote.sentences if wrote else [],
        captioner=captioner.name,
        prompt_set=captioner.prompt_set,
        model=captioner.model,
    )
