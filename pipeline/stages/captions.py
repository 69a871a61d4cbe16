"""Stage `captions`: the descriptions of a site, each sentence with the cues it rests on, judged whoever wrote them."""

from collections.abc import Sequence

from pipeline.captioning.base import Captioner, Description, Evidence
from pipeline.captioning.grounding import fault_of, judge
from pipeline.config_captioning import Grounding
from pipeline.errors import SiteError
from pipeline.stopping import check_stop
from pipeline.toolbox import Toolbox
from schemas.records import CaptionRow, CueRow, ImageryRow

VERSION = 2


def captions(sites: Sequence[ImageryRow], cues: Sequence[CueRow], tools: Toolbox) -> list[CaptionRow]:
    """One row a site whose cues are ok, in order. What its evidence does not bear out fails, and keeps its text."""
    check_stop()
    by_id = {site.site_id: site for site in sites}
    evidence = [Evidence(by_id[row.site_id], row.cues) for row in cues if row.status == "ok"]
    answers = tools.captioner.describe(evidence)
    policy = tools.build.grounding
    return [_row(asked, answer, tools.captioner, policy) for asked, answer in zip(evidence, answers, strict=True)]


def _row(asked: Evidence, answer: Description | SiteError, captioner: Captioner, policy: Grounding) -> CaptionRow:
    site_id = asked.site.site_id
    by = {"captioner": captioner.name, "prompt_set": captioner.prompt_set, "model": captioner.model}
    if isinstance(answer, SiteError):
        return CaptionRow(
            site_id=site_id,
            status="failed",
            reason=answer.reason,
            detail=answer.detail,
            language="",
            long=None,
            short=None,
            long_tokens=0,
            short_tokens=0,
            sentences=[],
            **by,
        )
    verdicts = judge(answer.sentences, asked, policy, answer.language)
    fault = answer.fault or fault_of(verdicts, policy)
    return CaptionRow(
        site_id=site_id,
        status="failed" if fault else "ok",
        reason=fault and fault[0],
        detail=fault and fault[1],
        language=answer.language,
        long=answer.long,
        short=answer.short,
        street=answer.street,
        long_tokens=answer.long_tokens,
        short_tokens=answer.short_tokens,
        street_tokens=answer.street_tokens,
        sentences=answer.sentences,
        verdicts=verdicts,
        turns=answer.turns,
        **by,
    )
