"""The checks of a build, run on a text as an annotator left it: length, rules, claims that witnesses speak against."""

import unicodedata
from dataclasses import dataclass
from typing import Literal

from pipeline.captioning.base import Evidence
from pipeline.captioning.grounding.claims import Witnesses, judge_claim
from pipeline.captioning.grounding.grounding import witnesses_of
from pipeline.captioning.grounding.rules import broken_rules, unclaimed
from pipeline.captioning.language import LANGUAGES
from pipeline.captioning.tokens import count_clip_tokens
from pipeline.config.captioning import Grounding
from schemas.records import Claim, Image, ImageryRow, Sample, Sentence, StreetInfo, StreetView, Variant
from tools.audit.records import COLUMNS, TOKEN_LIMITS, Decision

_UNSEEN = {"Cc", "Cs", "Co", "Cn"}
_TURNING = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that show a text in another order than it has. Joiners and single marks of direction are part of a spelling."""


@dataclass(frozen=True)
class Finding:
    """One thing that a check says of a text."""

    level: Literal["error", "warning"]
    """An `error` cannot be saved; a `warning` can."""
    text: str


def known_of(sample: Sample) -> Witnesses | None:
    """The witnesses of a sample: its published cues and notes; None in a language that there are no rules for."""
    if sample.language not in LANGUAGES:
        return None
    views = [_view(sample.street_view), *(_view(view) for view in sample.other_views)]
    site = ImageryRow(
        site_id=sample.sample_id,
        status="ok",
        reason=None,
        detail=None,
        region=sample.region,
        unit=sample.unit,
        lat=sample.lat,
        lon=sample.lon,
        weight=sample.weight,
        views=views,
        aerial=None,
        map=None,
        facts=[],
        missing=[],
    )
    return witnesses_of(Evidence(site, sample.cues), sample.notes, Grounding(), sample.language)


def _view(view: StreetInfo) -> StreetView:
    fields = {name: getattr(view, name) for name in StreetInfo.model_fields}
    return StreetView(**fields, truth=None, image=Image(bytes=b"", path=""))


def check_text(sample: Sample, variant: Variant, text: str, *, all_of_it: bool = False) -> list[Finding]:
    """Run the checks on a text that stands for one of the sample's descriptions.

    Sentences that stand as they were are not judged, unless `all_of_it` is set: a build has judged them, and a finding
    on one of them would give away a planted falsehood.
    """
    tokens, limit = count_clip_tokens(text), TOKEN_LIMITS[variant]
    found = []
    if not text.strip():
        found.append(Finding("error", "the text is empty"))
    unseen = sorted({c for c in text if c in _TURNING or (unicodedata.category(c) in _UNSEEN and not c.isspace())})
    if unseen:
        found.append(Finding("error", f"characters that do not show: {', '.join(f'U+{ord(c):04X}' for c in unseen)}"))
    if tokens > limit:
        found.append(Finding("error", f"{tokens} CLIP tokens, and at most {limit} are allowed"))
    known = known_of(sample)
    if known is None:
        return [*found, Finding("warning", f"there are no rules for the language {sample.language!r}")]
    for sentence in resentenced(sample, variant, text, known):
        as_it_was = any(sentence.text == before.text for before in sample.sentences)
        if as_it_was and not all_of_it:
            continue
        found += [Finding("warning", line) for line in broken_rules(sentence.text, known, sample.region)]
        if as_it_was:
            judged = [judge_claim(claim, known) for claim in sentence.claims]
        else:
            judged = [judge_claim(Claim(
                text=sentence.text, kind="thing", cites=[], outcome="not_witnessed", witnesses=[]), known)]  # fmt: skip
            loose = unclaimed(sentence.text, _claims_of(sample), known)
            found += [Finding("warning", f"{words}: nothing in evidence says so") for words in loose]
        found += [Finding("warning", f"{c.text}: {c.detail}") for c in judged if c.outcome == "contradicted"]
    return list(dict.fromkeys(found))


def refusals(sample: Sample, decision: Decision) -> list[str]:
    """Why a decision about a sample, as it was shown, cannot be recorded; empty if it can."""
    found = []
    claims = {f"{s}.{c}" for s, sentence in enumerate(sample.sentences) for c in range(len(sentence.claims))}
    unknown = sorted(decision.claims.keys() - claims)
    if unknown:
        found.append(f"claims {', '.join(unknown)}, which the sample does not have")
    for variant, text in decision.edits.items():
        before = getattr(sample, COLUMNS[variant])
        wrong = [f.text for f in check_text(sample, variant, text) if f.level == "error"]
        wrong += ["the sample has none"] if before is None else ["it is as it was"] if text == before else []
        if wrong:
            found.append(f"the {variant} text cannot be saved: {'; '.join(wrong)}")
    return found


def _claims_of(sample: Sample) -> list[Claim]:
    return [claim for sentence in sample.sentences for claim in sentence.claims]


def resentenced(sample: Sample, variant: Variant, text: str, known: Witnesses) -> list[Sentence]:
    """An edited text's sentences: those that stand as they were keep their claims, the others have none yet."""
    before = {sentence.text: sentence for sentence in sample.sentences if sentence.variant == variant}
    return [
        before.get(part, Sentence(variant=variant, text=part, cue_ids=[])) for part in known.language.sentences(text)
    ]
