"""The figures of each annotator: time, planted faults found, false alarms, drift."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from schemas.records import ClaimKind
from tools.audit.judged import Judged
from tools.audit.readings import Reading
from tools.audit.records import Figure
from tools.metrics.intervals import rate, share

_SECTION = "Annotators"
_FAST_MS = 1_500
"""A decision faster than this was hardly looked at."""
_LEAST_FOR_DRIFT = 20


def _rate(alias: str, name: str, part: int, whole: int) -> Figure:
    return Figure.of(_SECTION, alias, name, rate(part, whole), whole)


def people_figures(found: Sequence[Judged], readings: Mapping[str, Reading]) -> Iterator[Figure]:
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
        yield from _attention(alias, ones, readings)
        yield from _false_alarms(alias, ones, readings)
        good = [one for one in ones if one.gold == "accept"]
        bad = [one for one in ones if one.gold in ("edit", "reject")]
        if good:
            yield _rate(alias, "false alarms on gold", sum(o.verdict != "accept" for o in good), len(good))
        if bad:
            yield _rate(alias, "found of faulty gold", sum(o.verdict != "accept" for o in bad), len(bad))
        yield from _drift(alias, [one for one in ones if one.honest])


def _attention(alias: str, ones: Sequence[Judged], readings: Mapping[str, Reading]) -> Iterator[Figure]:
    kinds: dict[str, list[bool]] = defaultdict(list)
    for one in ones:
        hit = readings[one.task_id].noticed if one.task_id in readings else None
        if hit is not None and one.planted is not None:
            kinds[one.planted.kind].append(hit)
    if kinds:
        every = [hit for hits in kinds.values() for hit in hits]
        yield _rate(alias, "planted faults found", sum(every), len(every))
        for kind, hits in sorted(kinds.items()):
            yield _rate(alias, f"planted faults found: {kind}", sum(hits), len(hits))


def _false_alarms(alias: str, ones: Sequence[Judged], readings: Mapping[str, Reading]) -> Iterator[Figure]:
    """True claims that a person called false, by kind."""
    alarms: dict[ClaimKind, list[tuple[int, int]]] = defaultdict(list)
    for one in ones:
        if one.task_id in readings:
            for kind, counts in readings[one.task_id].alarms.items():
                alarms[kind].append(counts)
    for kind, each in sorted(alarms.items()):
        found = share([a for a, _ in each], [n for _, n in each])
        yield Figure.of(
            _SECTION, alias, f"true claims called false: {kind}", found, sum(n for _, n in each),
            "claims of good gold, and witnessed ones of attention checks that were left as they are",
        )  # fmt: skip


def _drift(alias: str, ones: Sequence[Judged]) -> Iterator[Figure]:
    """The share that is accepted in the first and in the second half of what a person judged, in time."""
    if len(ones) >= _LEAST_FOR_DRIFT:
        half = len(ones) // 2
        for name, part in (("first half: accepted", ones[:half]), ("second half: accepted", ones[half:])):
            yield _rate(alias, name, sum(o.verdict == "accept" for o in part), len(part))
