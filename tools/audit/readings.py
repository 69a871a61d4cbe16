"""What decisions say of the claims of their samples, read off the dataset in one pass without pictures.

The report's figures on claims, checks and planted falsehoods follow from it, so that no figure reads a sample again.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from pipeline.captioning.grounding.claims import judge_claim
from schemas.records import Claim, ClaimKind, Outcome, Sample
from tools.audit.attention import is_there, noticed, spoilt
from tools.audit.checks import check_text, known_of
from tools.audit.judged import Judged
from tools.audit.library import Library
from tools.audit.records import ClaimVerdict, Planted

Witness = Literal["OCR", "detector", "map", "notes", "verifier", "annotator"]
_NAMED: dict[str, Witness] = {"verifier": "verifier", "annotator": "annotator"}
_WITNESSES: dict[str, Witness] = {"t": "OCR", "o": "detector", "m": "map", "n": "notes", "w": "notes"}


@dataclass(frozen=True, slots=True)
class ClaimFacts:
    """What the build says of a claim. There are few kinds, each of which is one object in memory."""

    kind: ClaimKind
    outcome: Outcome
    witnesses: frozenset[Witness]


@dataclass(frozen=True, slots=True)
class Reading:
    """What follows from one decision and the sample that it is about."""

    claims: tuple[ClaimFacts, ...] = ()
    """The sample's claims, if it was judged as it is in the dataset."""
    verdicts: tuple[ClaimVerdict, ...] = ()
    """What the decision says of each."""
    flagged: bool = False
    """Whether the checks find something in the long description."""
    noticed: bool | None = None
    """Whether an attention check was passed; None where it is none, or the dataset has its sentence no more."""
    caught: bool | None = None
    """Whether the checks would not let the planted falsehood pass as witnessed; None likewise, or without rules."""
    alarms: Mapping[ClaimKind, tuple[int, int]] = field(default_factory=dict)
    """Of the claims that are known to be true, by kind: how many were called false, and how many there are."""


def readings_of(
    found: Sequence[Judged], library: Library, kept: MutableMapping[int, Reading] | None = None
) -> dict[str, Reading]:
    """The readings of decisions, by task. Decisions about samples that the dataset has no more have none.

    Args:
        found: the decisions.
        library: the dataset.
        kept: readings of the same dataset by the number of the decision's event; those that are made are added.

    Raises:
        MachineError: a shard is missing or damaged.
    """
    made = {} if kept is None else kept
    by_sample: dict[str, list[Judged]] = defaultdict(list)
    for one in found:
        if one.seq not in made and one.question in ("judge", "adjudicate"):
            by_sample[one.sample_id].append(one)
    for sample in library.without_pictures(by_sample):
        honest = _honest(sample, by_sample[sample.sample_id])
        for one in by_sample[sample.sample_id]:
            made[one.seq] = honest[one.seq] if one.seq in honest else _measured(one, sample)
    return {one.task_id: made[one.seq] for one in found if one.seq in made}


def _honest(sample: Sample, ones: Sequence[Judged]) -> dict[int, Reading]:
    """Of decisions that are about the sample as it is."""
    honest = [one for one in ones if one.honest and one.fresh]
    if not honest:
        return {}
    claims = _keyed(sample)
    facts = tuple(_facts(claim) for claim in claims.values())
    flagged = bool(check_text(sample, "long", sample.description, all_of_it=True))
    return {one.seq: Reading(facts, tuple(_verdict(one, key) for key in claims), flagged) for one in honest}


def _measured(one: Judged, sample: Sample) -> Reading:
    """Of a decision that measures its annotator: an attention check, or gold."""
    if one.planted is None:
        return Reading(alarms=_alarms(one, _keyed(sample))) if one.gold == "accept" and one.fresh else Reading()
    if not is_there(sample, one.planted):
        return Reading()
    shown = spoilt(sample, one.planted)
    claims = _keyed(shown)
    false = [claims[key].text for key, said in _said(one).items() if said == "false" and key in claims]
    left = {
        key: claim
        for key, claim in claims.items()
        if claim.text not in one.planted.claims and claim.outcome == "supported"
    }
    return Reading(
        noticed=noticed(one.planted, one.verdict or "accept", one.payload.get("edits", {}).get("long"), false),
        caught=_caught(shown, one.planted),
        alarms=_alarms(one, left),
    )


def _alarms(one: Judged, true: Mapping[str, Claim]) -> dict[ClaimKind, tuple[int, int]]:
    false = {key for key, said in _said(one).items() if said == "false"}
    there = Counter(claim.kind for claim in true.values())
    alarmed = Counter(claim.kind for key, claim in true.items() if key in false)
    return {kind: (alarmed[kind], n) for kind, n in there.items()}


def _caught(shown: Sample, planted: Planted) -> bool | None:
    known = known_of(shown)
    if known is None:
        return None
    claims = [claim for claim in _keyed(shown).values() if claim.text in planted.claims]
    bare = [claim.model_copy(update={"outcome": "not_witnessed", "witnesses": []}) for claim in claims]
    return any(judge_claim(claim, known).outcome != "supported" for claim in bare)


def _keyed(sample: Sample) -> dict[str, Claim]:
    """Claims under `SENTENCE.CLAIM`."""
    return {f"{s}.{c}": claim for s, sentence in enumerate(sample.sentences) for c, claim in enumerate(sentence.claims)}


def _said(one: Judged) -> dict[str, ClaimVerdict]:
    said: dict[str, ClaimVerdict] = one.payload.get("claims", {})
    return said


def _verdict(one: Judged, key: str) -> ClaimVerdict:
    """A decision's judgement of a claim; one that it does not name is true if the sample was accepted."""
    return _said(one).get(key, "true" if one.verdict == "accept" else "cannot")


def _facts(claim: Claim) -> ClaimFacts:
    names = frozenset(_witness(witness) for witness in claim.witnesses)
    return _one_of(claim.kind, claim.outcome, names)


@cache
def _one_of(kind: ClaimKind, outcome: Outcome, witnesses: frozenset[Witness]) -> ClaimFacts:
    return ClaimFacts(kind, outcome, witnesses)


def _witness(witness: str) -> Witness:
    return _NAMED.get(witness) or _WITNESSES.get(witness[:1], "map")
