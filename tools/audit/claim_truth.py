"""Compares people's judgements of claims with the build's: how far its verdicts can be trusted.

A person who accepts a sample says that each of its claims is true, unless they said otherwise of one. Where people
differ about a claim, it is left out. Of the claims that a build dropped nothing is known here: they are not published.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.captioning.grounding.claims import judge_claim
from schemas.records import Claim, Sample
from tools.audit.attention import spoilt
from tools.audit.checks import check_text, known_of
from tools.audit.judged import Judged, Settled, settled
from tools.audit.library import Library
from tools.audit.records import Figure
from tools.metrics.intervals import rate, share

_WITNESSES = {"t": "OCR", "o": "detector", "m": "map", "n": "notes", "w": "notes"}
_SECTION = "Build's verdicts against people's"


def kind_figures(samples: Mapping[str, Settled], library: Library) -> Iterator[Figure]:
    """Pass rate by kind of claim: samples of which no claim of that kind was called false."""
    passed: dict[str, list[bool]] = defaultdict(list)
    for sample_id, held in samples.items():
        one = held.deciding
        if one is None or not one.fresh:
            continue
        verdicts: dict[str, set[str]] = defaultdict(set)
        for s, sentence in enumerate(library.sample(sample_id).sentences):
            for c, claim in enumerate(sentence.claims):
                verdicts[claim.kind].add(_verdict(one, f"{s}.{c}"))
        for kind, said in verdicts.items():
            if "cannot" not in said or "false" in said:
                passed[kind].append("false" not in said)
    for kind, each in sorted(passed.items()):
        yield Figure.of(
            "Pass rate", f"kind of claim {kind}", "all claims of the kind are true", rate(sum(each), len(each)),
            len(each), "without samples that were rejected or edited with no word on these claims",
        )  # fmt: skip


def _verdict(one: Judged, key: str) -> str:
    """A decision's judgement of a claim; one that it does not name is true if the sample was accepted."""
    return str(one.payload.get("claims", {}).get(key, "true" if one.verdict == "accept" else "cannot"))


def claim_figures(found: Sequence[Judged], library: Library) -> Iterator[Figure]:
    """How right the build's verdicts, witnesses and checks are, by what people say."""
    honest = [one for one in found if one.honest and one.fresh]
    truth = list(_claims(honest, library))
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
    yield from _checks(honest, library)
    yield from _planted(found, library)


@dataclass(frozen=True)
class _Said:
    """The judgement of a claim that people agree on."""

    sample_id: str
    claim: Claim
    true: bool


def _claims(honest: Sequence[Judged], library: Library) -> Iterator[_Said]:
    said: dict[tuple[str, str], set[bool]] = defaultdict(set)
    samples: dict[str, Sample] = {}
    for one in honest:
        sample = samples.setdefault(one.sample_id, library.sample(one.sample_id))
        for s, sentence in enumerate(sample.sentences):
            for c in range(len(sentence.claims)):
                verdict = _verdict(one, f"{s}.{c}")
                if verdict != "cannot":
                    said[one.sample_id, f"{s}.{c}"].add(verdict == "true")
    for (sample_id, key), verdicts_of in sorted(said.items()):
        if len(verdicts_of) == 1:
            s, c = map(int, key.split("."))
            yield _Said(sample_id, samples[sample_id].sentences[s].claims[c], verdicts_of.pop())


def _grouped(truth: Sequence[_Said]) -> list[tuple[str, list[_Said]]]:
    groups: dict[str, list[_Said]] = defaultdict(list)
    for one in truth:
        claim = one.claim
        witnesses = {_WITNESSES.get(w[:1], "map") if w != "verifier" else w for w in claim.witnesses}
        names = ["all claims", f"verdict {claim.outcome}", f"kind {claim.kind}", *(f"witness {w}" for w in witnesses)]
        for name in names:
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


def _checks(honest: Sequence[Judged], library: Library) -> Iterator[Figure]:
    """The checks on whole descriptions against people: does a finding mean a bad sample, and are bad ones found."""
    decided = [held.deciding for held in settled(list(honest)).values() if held.deciding is not None]
    flagged = bad = both = 0
    for one in decided:
        sample = library.sample(one.sample_id)
        found, wrong = bool(check_text(sample, "long", sample.description, all_of_it=True)), one.verdict != "accept"
        flagged, bad, both = flagged + found, bad + wrong, both + (found and wrong)
    yield Figure.of(
        _SECTION, "checks", "precision: flagged samples that people did not accept", rate(both, flagged), flagged
    )
    yield Figure.of(_SECTION, "checks", "recall: samples not accepted that are flagged", rate(both, bad), bad)


def _planted(found: Sequence[Judged], library: Library) -> Iterator[Figure]:
    """The checks on the very falsehoods that measure people."""
    tried = caught = 0
    for one in {one.task_id: one for one in found if one.planted is not None}.values():
        if one.planted is None or one.sample_id not in library.facts:
            continue
        sample = spoilt(library.sample(one.sample_id), one.planted)
        known = known_of(sample)
        if known is not None:
            tried += 1
            claims = [c for s in sample.sentences for c in s.claims if c.text in one.planted.claims]
            bare = [c.model_copy(update={"outcome": "not_witnessed", "witnesses": []}) for c in claims]
            caught += any(judge_claim(claim, known).outcome != "supported" for claim in bare)
    yield Figure.of(
        _SECTION, "checks", "planted faults that code would not let pass as witnessed", rate(caught, tried), tried,
        "the same falsehoods that the annotators were shown",
    )  # fmt: skip
