"""The figures of an audit, each with its interval: a flat list, so that page, CSV and JSON say the same."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from itertools import combinations
from typing import get_args

from pipeline.quantity import quantity
from tools.audit import agreement
from tools.audit.annotators import people_figures
from tools.audit.claim_truth import claim_figures, kind_figures
from tools.audit.database.opening import Desk
from tools.audit.gallery import OPTIONS
from tools.audit.judged import Judged, Settled, judged_of, settled
from tools.audit.library import Library
from tools.audit.lots import lots_of
from tools.audit.plans import all_plans
from tools.audit.readings import Reading, readings_of
from tools.audit.records import REASON_WORDS, Figure, ReasonCode, Verdict
from tools.metrics.intervals import rate


def figures_of(desk: Desk, library: Library, kept: MutableMapping[int, Reading] | None = None) -> list[Figure]:
    """All figures of the audit as it stands.

    Args:
        desk: the database.
        library: the dataset.
        kept: what was read for an earlier report of the same library (`readings_of`).

    Raises:
        MachineError: a shard is missing or damaged.
    """
    found = judged_of(desk, library)
    samples, readings = settled(found), readings_of(found, library, kept)
    return [
        *_pass_rates(samples),
        *kind_figures(samples, readings),
        *_lots(desk),
        *_reasons(samples),
        *_agreement(samples),
        *people_figures(found, readings),
        *_choices(found),
        *claim_figures(found, readings),
    ]


def _share(section: str, group: str, name: str, part: int, whole: int, note: str = "") -> Figure:
    return Figure.of(section, group, name, rate(part, whole), whole, note)


def _pass_rates(samples: dict[str, Settled]) -> Iterator[Figure]:
    decided = [one.deciding for one in samples.values() if one.deciding is not None]
    waiting = len(samples) - len(decided)
    left_out = f"without {quantity(waiting, 'sample')} on which people disagree and no lead has decided yet"
    yield from _passing("all", decided, left_out if waiting else "")
    groups: tuple[tuple[str, Callable[[Judged], str]], ...] = (
        ("queue", lambda one: one.plan),
        ("region", lambda one: one.region),
        ("split", lambda one: one.split),
        ("writer", lambda one: one.writer),
        ("prompt set", lambda one: one.prompt_set),
    )
    for what, key in groups:
        by: dict[str, list[Judged]] = defaultdict(list)
        for one in decided:
            by[key(one)].append(one)
        for name, ones in sorted(by.items()):
            if name:
                yield from _passing(f"{what} {name}", ones)


def _passing(group: str, ones: Sequence[Judged], note: str = "") -> Iterator[Figure]:
    counts = Counter(one.verdict for one in ones)
    yield _share("Pass rate", group, "accepted as it is", counts["accept"], len(ones), note)
    yield _share("Pass rate", group, "accepted or edited", counts["accept"] + counts["edit"], len(ones))


def _lots(desk: Desk) -> Iterator[Figure]:
    with desk.reading() as connection:
        for plan in all_plans(connection):
            if plan.accept_at_most is None:
                continue
            for lot in lots_of(connection, plan.name, plan.accept_at_most):
                early = lot.outcome != "open" and lot.good + lot.bad < lot.n
                note = f"{lot.outcome}: n {lot.n}, c {lot.c}" + (", stopped early" if early else "")
                yield _share("Lots", f"{plan.name} {lot.name}", "bad samples", lot.bad, lot.good + lot.bad, note)


def _reasons(samples: dict[str, Settled]) -> Iterator[Figure]:
    decided = [one.deciding for one in samples.values() if one.deciding is not None]
    counts = Counter(reason for one in decided for reason in one.payload.get("reasons", []))
    for reason, count in counts.most_common():
        yield _share("Reasons", reason, REASON_WORDS[ReasonCode(reason)], count, len(decided))


def _agreement(samples: dict[str, Settled]) -> Iterator[Figure]:
    verdicts: list[str] = list(get_args(Verdict))
    blind = [[one for one in held.all if one.question == "judge"] for held in samples.values()]
    twice = [ones for ones in blind if len(ones) > 1]
    counts = agreement.table_of([[str(one.verdict) for one in ones] for ones in blind], verdicts)
    for name, statistic in (
        ("raw", agreement.raw),
        ("Krippendorff's alpha", agreement.alpha),
        ("Gwet's AC1", agreement.ac1),
    ):
        found = agreement.estimate(statistic, counts) if twice else None
        yield Figure.of("Agreement", "all", name, found, len(twice), "accept, edit or reject")
    people = sorted({one.alias for ones in twice for one in ones})
    for a, b in combinations(people, 2):
        both = [{one.alias: verdicts.index(str(one.verdict)) for one in ones} for ones in twice]
        both = [said for said in both if a in said and b in said]
        if both:
            kappa = agreement.kappa([said[a] for said in both], [said[b] for said in both], len(verdicts))
            yield Figure.of(
                "Agreement",
                f"{a} and {b}",
                "Cohen's kappa",
                kappa,
                len(both),
                "" if kappa else "not defined: both use one verdict only",
            )


def _choices(found: Sequence[Judged]) -> Iterator[Figure]:
    which = [one for one in found if one.question == "which" and one.options]
    groups: dict[str, list[bool]] = defaultdict(list)
    for one in which:
        hit = one.choice is not None and one.choice >= 0 and one.options[one.choice] == one.sample_id
        groups["all"].append(hit)
        groups[f"split {one.split}"].append(hit)
    for group, hits in sorted(groups.items()):
        note = f'of {OPTIONS} aerial views, chance {1 / OPTIONS:.0%}; "can\'t tell" counts as wrong'
        yield _share("Human retrieval", group, "R@1", sum(hits), len(hits), note)
    alike = [one for one in found if one.question == "alike"]
    if alike:
        told = sum(one.choice is not None and one.choice >= 0 for one in alike)
        yield _share("Human retrieval", "all", "short text fits another place as well", told, len(alike))
