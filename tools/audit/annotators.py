"""The figures of each annotator: time, planted faults found, false alarms, drift."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import median

from schemas.records import Claim, ClaimKind
from tools.audit.attention import spoilt
from tools.audit.judged import Judged, has_noticed
from tools.audit.library import Library
from tools.audit.records import Figure
from tools.metrics.intervals import rate, share

_SECTION = "Annotators"
_FAST_MS = 1_500
"""A decision faster than this was hardly looked at."""
_LEAST_FOR_DRIFT = 20


def _rate(alias: str, name: str, part: int, whole: int) -> Figure:
    return Figure.of(_SECTION, alias, name, rate(part, whole), whole)


def people_figures(found: Sequence[Judged], library: Library) -> Iterator[Figure]:
    """Figures of each person."""
    by: dict[str, list[Judged]] = defaultdict(list)
    for one in found:
        by[one.alias].append(one)
    for alias, ones in sorted(by.items()):
        times = sorted(one.payload["ms"] / 1000 for one in ones if one.payload["ms"])
        if times:
            yield Figure("Annotators", alias, "median seconds a sample", median(times), None, None, len(times))
            fast = sum(t * 1000 < _FAST_MS for t in times)
            yield _rate(alias, "decided in less than 1.5 s", fast, len(times))
        yield from _attention(alias, ones, library)
        yield from _false_alarms(alias, ones, library)
        good = [one for one in ones if one.gold == "accept"]
        bad = [one for one in ones if one.gold in ("edit", "reject")]
        if good:
            yield _rate(alias, "false alarms on gold", sum(o.verdict != "accept" for o in good), len(good))
        if bad:
            yield _rate(alias, "found of faulty gold", sum(o.verdict != "accept" for o in bad), len(bad))
        yield from _drift(alias, [one for one in ones if one.honest])


def _attention(alias: str, ones: Sequence[Judged], library: Library) -> Iterator[Figure]:
    kinds: dict[str, list[bool]] = defaultdict(list)
    for one in ones:
        hit = has_noticed(one, library)
        if hit is not None and one.planted is not None:
            kinds[one.planted.kind].append(hit)
    if kinds:
        every = [hit for hits in kinds.values() for hit in hits]
        yield _rate(alias, "planted faults found", sum(every), len(every))
        for kind, hits in sorted(kinds.items()):
            yield _rate(alias, f"planted faults found: {kind}", sum(hits), len(hits))


def _false_alarms(alias: str, ones: Sequence[Judged], library: Library) -> Iterator[Figure]:
    """True claims that a person called false, by kind."""
    alarms: dict[ClaimKind, list[tuple[int, int]]] = defaultdict(list)
    for one in ones:
        known = _known_true(one, library)
        false = {key for key, said in one.payload.get("claims", {}).items() if said == "false"}
        for kind in {claim.kind for claim in known.values()}:
            of_kind = {key for key, claim in known.items() if claim.kind == kind}
            alarms[kind].append((len(of_kind & false), len(of_kind)))
    for kind, counts in sorted(alarms.items()):
        found = share([a for a, _ in counts], [n for _, n in counts])
        yield Figure.of(
            _SECTION, alias, f"true claims called false: {kind}", found, sum(n for _, n in counts),
            "claims of good gold, and witnessed ones of attention checks that were left as they are",
        )  # fmt: skip


def _known_true(one: Judged, library: Library) -> dict[str, Claim]:
    """Claims that are known to be true, under `SENTENCE.CLAIM`."""
    if one.sample_id not in library.facts or (one.planted is None and one.gold != "accept"):
        return {}
    sample = library.sample(one.sample_id)
    sample = spoilt(sample, one.planted) if one.planted else sample
    planted = set(one.planted.claims) if one.planted else set()
    return {
        f"{s}.{c}": claim
        for s, sentence in enumerate(sample.sentences)
        for c, claim in enumerate(sentence.claims)
        if claim.text not in planted and (one.planted is None or claim.outcome == "supported")
    }


def _drift(alias: str, ones: Sequence[Judged]) -> Iterator[Figure]:
    """The share that is accepted in the first and in the second half of what a person judged, in time."""
    if len(ones) >= _LEAST_FOR_DRIFT:
        half = len(ones) // 2
        for name, part in (("first half: accepted", ones[:half]), ("second half: accepted", ones[half:])):
            yield _rate(alias, name, sum(o.verdict == "accept" for o in part), len(part))
