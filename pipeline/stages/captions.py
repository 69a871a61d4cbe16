"""Stage `captions`: the descriptions of a site, each claim with its witnesses, checked whoever wrote them."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.boundary import on_site
from pipeline.captioning.base import Captioner, Description, Evidence, NotDescribedError
from pipeline.captioning.grounding.frames import frame_of
from pipeline.captioning.grounding.grounding import VARIANTS, VERSION, ground, text_of, witnesses_of
from pipeline.captioning.tokens import count_clip_tokens
from pipeline.config.build import Build
from pipeline.config.captioning import Grounding
from pipeline.config.region import Region
from pipeline.errors import SiteError
from pipeline.registry.registry import Registry
from pipeline.stages.base import OVERLOOKED, Stage, StageInput
from pipeline.stopping import check_stop
from schemas.reasons import Reason
from schemas.records import CaptionRow, CueRow, ImageryRow


def captions(
    sites: Sequence[ImageryRow], cues: Sequence[CueRow], registry: Registry, draws: Mapping[str, int]
) -> list[CaptionRow]:
    """One row per site whose cues are ok, in order. What no witness supports is left out and kept beside the rest.

    Args:
        sites: with their pictures.
        cues: of those to describe.
        registry: the captioner is one of them.
        draws: by site id, how often a description was drawn anew; a site that is not named was not.
    """
    check_stop()
    by_id = {site.site_id: site for site in sites}
    evidence = [Evidence(by_id[row.site_id], row.cues, draws.get(row.site_id, 0)) for row in cues if row.status == "ok"]
    captioner = registry.captioner_of(sites[0].region) if sites else registry.captioner  # a unit is of one region
    answers = registry.boundary(f"captioner {captioner.name}", Reason.ENGINE_FAILED).each(
        evidence, captioner.describe, lambda one: one.site.site_id
    )
    return [_row(asked, answer, captioner, registry) for asked, answer in zip(evidence, answers, strict=True)]


def _row(asked: Evidence, answer: Description | SiteError, captioner: Captioner, registry: Registry) -> CaptionRow:
    try:
        with on_site(asked.site.site_id), registry.boundary(CaptionRow.layer, Reason.ENGINE_FAILED).guard():
            if isinstance(answer, SiteError):
                return _failed(asked, answer, captioner)
            return _described(asked, answer, captioner, registry.build.grounding)
    except SiteError as error:
        return _failed(asked, error, captioner)


def _failed(asked: Evidence, error: SiteError, captioner: Captioner) -> CaptionRow:
    return CaptionRow(
        site_id=asked.site.site_id,
        status="failed",
        reason=error.reason,
        detail=error.detail,
        language="",
        long=None,
        short=None,
        long_tokens=0,
        short_tokens=0,
        sentences=[],
        turns=error.turns if isinstance(error, NotDescribedError) else [],
        **_by(asked, captioner),
    )


def _by(asked: Evidence, captioner: Captioner) -> dict[str, Any]:
    return {
        "captioner": captioner.name,
        "prompt_set": captioner.prompt_set,
        "model": captioner.model,
        "draw": asked.draw,
    }


def _described(asked: Evidence, answer: Description, captioner: Captioner, policy: Grounding) -> CaptionRow:
    known = witnesses_of(asked, answer.notes, policy, answer.language)
    grounded = ground(answer.sentences, known, asked.site.region)
    fault = answer.fault or grounded.fault
    long, short, street = (text_of(grounded.sentences, variant) for variant in VARIANTS)
    frames: dict[str, Any] = {
        f"{variant}_frame": frame_of([s for s in grounded.sentences if s.variant == variant], known.language)
        for variant in VARIANTS
    }
    return CaptionRow(
        site_id=asked.site.site_id,
        status="failed" if fault else "ok",
        reason=fault and fault[0],
        detail=fault and fault[1],
        language=answer.language,
        long=long,
        short=short,
        street=street or None,
        long_tokens=count_clip_tokens(long),
        short_tokens=count_clip_tokens(short),
        street_tokens=count_clip_tokens(street) if street else 0,
        **frames,
        sentences=grounded.sentences,
        dropped=[*answer.dropped, *grounded.dropped],
        notes=answer.notes,
        controls=answer.controls,
        turns=answer.turns,
        **_by(asked, captioner),
    )


def _depends_on(build: Build, registry: Registry, region: Region) -> dict[str, list[object]]:
    return {"rows": [registry.captioner_of(region.name).fingerprint(), VERSION, build.grounding]}


def _run(given: StageInput, registry: Registry) -> list[CaptionRow]:
    return captions(given.rows(ImageryRow), given.rows(CueRow), registry, given.draws)


STAGE = Stage(CaptionRow, reads=(ImageryRow, CueRow), version=4, depends_on=_depends_on, run=_run, overlooks=OVERLOOKED)
