"""Stage `captions`: the descriptions of a site, each sentence with its cues, checked whoever wrote them."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.captioning.base import Captioner, Description, Evidence, NotDescribedError
from pipeline.captioning.grounding import grounding
from pipeline.captioning.grounding.grounding import fault_of, judge
from pipeline.config.build import Build, Region
from pipeline.config.captioning import Grounding
from pipeline.errors import SiteError
from pipeline.registry.toolbox import Toolbox
from pipeline.stages.base import Stage, StageInput
from pipeline.stopping import check_stop
from schemas.records import CaptionRow, CueRow, ImageryRow


def captions(
    sites: Sequence[ImageryRow], cues: Sequence[CueRow], tools: Toolbox, draws: Mapping[str, int]
) -> list[CaptionRow]:
    """One row per site whose cues are ok, in order. A description without sufficient evidence fails and keeps its text.

    Args:
        sites: with their pictures.
        cues: of those to describe.
        tools: the captioner is one of them.
        draws: by site id, how often a description was drawn anew; a site that is not named was not.
    """
    check_stop()
    by_id = {site.site_id: site for site in sites}
    evidence = [Evidence(by_id[row.site_id], row.cues, draws.get(row.site_id, 0)) for row in cues if row.status == "ok"]
    answers = tools.captioner.describe(evidence)
    policy = tools.build.grounding
    return [_row(asked, answer, tools.captioner, policy) for asked, answer in zip(evidence, answers, strict=True)]


def _row(asked: Evidence, answer: Description | SiteError, captioner: Captioner, policy: Grounding) -> CaptionRow:
    site_id = asked.site.site_id
    by: dict[str, Any] = {
        "captioner": captioner.name,
        "prompt_set": captioner.prompt_set,
        "model": captioner.model,
        "draw": asked.draw,
    }
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
            turns=answer.turns if isinstance(answer, NotDescribedError) else [],
            **by,
        )
    verdicts, fault = answer.verdicts, answer.fault
    if fault is None:  # else it was found with less evidence: with what the model itself accepted
        verdicts = judge(answer.sentences, asked, policy, answer.language)
        fault = fault_of(verdicts, policy)
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


def _depends_on(build: Build, tools: Toolbox, _region: Region) -> list[object]:
    return [tools.captioner.fingerprint(), grounding.VERSION, build.grounding]


def _run(given: StageInput, tools: Toolbox) -> list[CaptionRow]:
    return captions(given.rows(ImageryRow), given.rows(CueRow), tools, given.draws)


STAGE = Stage(CaptionRow, reads=(ImageryRow, CueRow), version=2, depends_on=_depends_on, run=_run)
