"""Measures how well a published description is supported, from its own claims and cues."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.captioning.grounding.claims import Witnesses, judge_claim
from pipeline.captioning.grounding.grounding import witnesses_of
from pipeline.captioning.grounding.rules import broken_rules
from pipeline.captioning.language import LANGUAGES
from pipeline.captioning.likeness import same_lettering
from pipeline.config.captioning import Grounding
from schemas.records import Claim, Cue, Sentence
from tools.metrics.described import Described

LEGIBLE_CONFIDENCE, LEGIBLE_SHARE = 0.8, 0.001
"""A sign that a description should quote: read so surely, and at least so large in its view (0.1% of the pixels, some
100 by 10 pixels in one of 1024 by 768)."""


@dataclass(frozen=True)
class Claims:
    """The claims found in one long description."""

    claims: int
    witnessed: int
    """Number of claims with a witness other than the writer: OCR, a detector, the map, notes, a verifier."""
    contradicted: int
    """Number of claims that the sample's cues contradict when both are compared again."""
    sentences: int
    on_map_alone: int
    """Sentences that rest on the map alone."""
    from_above: int
    """Sentences that tell what can be seen from above, or is on the map."""
    looks: int
    """Claims about colour, material, storeys or shape."""
    signs: int
    """Lasting texts that are legible and large."""
    signs_told: int
    """Number of those that the description quotes or names."""
    leaked: tuple[str, ...]
    """Names that give the place away and that nobody can read there."""
    faults: tuple[str, ...]
    """Its faults, a line each."""

    @property
    def groundedness(self) -> float | None:
        """Claims that are witnessed and not contradicted, over all; None if there is none."""
        return max(self.witnessed - self.contradicted, 0) / self.claims if self.claims else None


def claims_of(sample: Described, policy: Grounding) -> Claims | None:
    """The claims of a sample's long description; None in a language that there are no rules for."""
    if sample.language not in LANGUAGES:
        return None
    known = witnesses_of(sample.evidence, sample.notes, policy, sample.language)
    return counted(sample.sentences, known, sample.evidence.cues, sample.region)


def counted(sentences: Sequence[Sentence], known: Witnesses, cues: Sequence[Cue], region: str) -> Claims:
    """Count a description's claims."""
    claims = list({claim.text: claim for sentence in sentences for claim in sentence.claims}.values())
    against = [judged for claim in claims if (judged := judge_claim(claim, known)).outcome == "contradicted"]
    broken = [line for sentence in sentences for line in broken_rules(sentence.text, known, region)]
    text = " ".join(sentence.text for sentence in sentences)
    signs = [cue for cue in cues if _is_large_sign(cue)]
    maps = {cue.cue_id for cue in cues if cue.kind == "map"}
    return Claims(
        claims=len(claims),
        witnessed=sum(claim.outcome == "supported" for claim in claims),
        contradicted=len(against),
        sentences=len(sentences),
        on_map_alone=sum(_on_map_alone(sentence, maps) for sentence in sentences),
        from_above=sum(sentence.shows != "street_only" for sentence in sentences),
        looks=sum(claim.kind in ("look", "count") for claim in claims),
        signs=len(signs),
        signs_told=sum(_is_told(cue, text, claims, known.policy.text_likeness) for cue in signs),
        leaked=tuple(dict.fromkeys(line.removeprefix("place: ") for line in broken if line.startswith("place: "))),
        faults=tuple(dict.fromkeys([*broken, *(f"{claim.text}: {claim.detail}" for claim in against)])),
    )


def _on_map_alone(sentence: Sentence, maps: set[str]) -> bool:
    return bool(sentence.cue_ids) and maps.issuperset(sentence.cue_ids)


def _is_large_sign(cue: Cue) -> bool:
    large = (cue.area_share or 0.0) >= LEGIBLE_SHARE and cue.confidence >= LEGIBLE_CONFIDENCE
    return cue.kind == "text" and cue.lasting and large


def _is_told(cue: Cue, text: str, claims: Sequence[Claim], least: float) -> bool:
    """Whether a sign's words stand in the text, or a claim that quotes it cites it."""
    words = cue.text or ""
    return same_lettering(words, text, least) or any(
        cue.cue_id in (*claim.cites, *claim.witnesses) and claim.kind in ("sign", "name") for claim in claims
    )
