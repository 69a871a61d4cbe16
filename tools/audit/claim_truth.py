"""Compares people's judgements of claims with the build's: how far its verdicts can be trusted.

A person who accepts a sample says that each of its claims is true, unless they said otherwise of one. Where people
differ about a claim, it is left out. Of the claims that a build dropped nothing is known here: they are not published.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tools.audit.judged import Judged, Settled, settled
from tools.audit.readings import ClaimFacts, Reading
from tools.audit.records import Figure
from tools.metrics.intervals import rate, share

_SECTION = "Build's verdicts against people's"


def kind_figures(samples: Mapping[str, Settled], readings: Mapping[str, Reading]) -> Iterator[Figure]:
    """Pass rate by kind of claim: samples of which no claim of that kind was called false."""
    passed: dict[str, list[bool]] = defaultdict(list)
    for held in samples.values():
        one = held.deciding
        if one is None or one.task_id not in readings:
            continue
        verdicts: dict[str, set[str]] = defaultdict(set)
        reading = readings[one.task_id]
        for claim, verdict in zip(reading.claims, reading.verdicts, strict=True):
            verdicts[claim.kind].add(verdict)
        for kind, said in verdicts.items():
            if "cannot" not in said or "false" in said:
                passed[kind].append("false" not in said)
    for kind, each in sorted(passed.items()):
        yield Figure.of(
            "Pass rate", f"kind of claim {kind}", "all claims of the kind are true", rate(sum(each), len(each)),
            len(each), "without samples that were rejected or edited with no word on these claims",
        )  # fmt: skip


def claim_figures(found: Sequence[Judged], readings: Mapping[str, Reading]) -> Iterator[Figure]:
    """How right the build's verdicts, witnesses and checks are, by what people say."""
    honest = [one for one in found if one.honest and one.fresh]
    truth = list(_claims(honest, readings))
    for group, said in _grouped(truth):
        by_sample: dict[str, list[bool]] = defaultdict(list)
        for one in said:
            by_sample[one.sample_id].append(one.true)
        # Claims of one description are not independent of each other, so descriptions are resampled.
        found_true = share([sum(true) for true in by_sample.values()], [len(true) for true in by_sample.values()])
        yield Figure.of(_SECTION, group, "claims that are true", found_true, len(said))
    false = [one.claim for one in truth if not one.true]
    if false:
        caught = sum(claim.outcome != "supported" for claim in false)
        yield Figure.of(
            _SECTION, "all claims", "false claims that were not called witnessed", rate(caught, len(false)), len(false),
            "among published claims: what the build dropped is not seen here",
        )  # fmt: skip
    yield from _verifier(truth)
    yield from _checks(honest, readings)
    yield from _planted(readings)


@dataclass(frozen=True, slots=True)
class _Said:
    """The judgement of a claim that people agree on."""

    sample_id: str
    claim: ClaimFacts
    true: bool


def _claims(honest: Sequence[Judged], readings: Mapping[str, Reading]) -> Iterator[_Said]:
    by_sample: dict[str, list[Reading]] = defaultdict(list)
    for one in honest:
        by_sample[one.sample_id].append(readings[one.task_id])
    for sample_id, ones in sorted(by_sample.items()):
        for claim, *said in zip(ones[0].claims, *(reading.verdicts for reading in ones), strict=True):
            true = {verdict == "true" for verdict in said if verdict != "cannot"}
            if len(true) == 1:
                yield _Said(sample_id, claim, true.pop())


def _grouped(truth: Sequence[_Said]) -> list[tuple[str, list[_Said]]]:
    groups: dict[str, list[_Said]] = defaultdict(list)
    for one in truth:
        claim = one.claim
        witnesses = (f"witness {name}" for name in claim.witnesses)
        for name in ("all claims", f"verdict {claim.outcome}", f"kind {claim.kind}", *witnesses):
            groups[name].append(one)
    return sorted(groups.items())


def _verifier(truth: Sequence[_Said]) -> Iterator[Figure]:
    """The verifier against people, on samples of which it bore out anything: others may not have been put to it."""
    asked = {one.sample_id for one in truth if "verifier" in one.claim.witnesses}
    said = [one for one in truth if one.sample_id in asked]
    if not said:
        return
    for name, whole, part in (
        ("precision: claims that it bore out are true", "verifier", "true"),
        ("recall: true claims that it bore out", "true", "verifier"),
    ):
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for one in said:
            is_so = {"verifier": "verifier" in one.claim.witnesses, "true": one.true}
            counts[one.sample_id][0] += is_so[whole] and is_so[part]
            counts[one.sample_id][1] += is_so[whole]
        found = share([a for a, _ in counts.values()], [n for _, n in counts.values()])
        yield Figure.of(_SECTION, "verifier", name, found, sum(n for _, n in counts.values()))


def _checks(honest: Sequence[Judged], readings: Mapping[str, Reading]) -> Iterator[Figure]:
    """The checks on whole descriptions against people: does a finding mean a bad sample, and are bad ones found."""
    decided = [held.deciding for held in settled(list(honest)).values() if held.deciding is not None]
    flagged = bad = both = 0
    for one in decided:
        found, wrong = readings[one.task_id].flagged, one.verdict != "accept"
        flagged, bad, both = flagged + found, bad + wrong, both + (found and wrong)
    yield Figure.of(
        _SECTION, "checks", "precision: flagged samples that people did not accept", rate(both, flagged), flagged
    )
    yield Figure.of(_SECTION, "checks", "recall: samples not accepted that are flagged", rate(both, bad), bad)


def _planted(readings: Mapping[str, Reading]) -> Iterator[Figure]:
    """The checks on the very falsehoods that measure people."""
    tried = [reading.caught for reading in readings.values() if reading.caught is not None]
    yield Figure.of(
        _SECTION, "checks", "planted faults that code would not let pass as witnessed",
        rate(sum(tried), len(tried)), len(tried), "the same falsehoods that the annotators were shown",
    )  # fmt: skip
