"""Queue plans: which samples are judged, how they are drawn, how many twice, how many with a planted falsehood."""

import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem
from pipeline.quantity import quantity
from tools.audit import attention, log
from tools.audit.attention import plant
from tools.audit.database.opening import Desk
from tools.audit.database.tables import plans, tasks
from tools.audit.gallery import Gallery
from tools.audit.library import Facts, Library
from tools.audit.plan_file import Filters, Plan
from tools.audit.records import Question, canonical, text_digest


@dataclass(frozen=True)
class Drawn:
    """The samples that a plan drew."""

    tasks: dict[str, int]
    """By kind: `judge`, `second`, `attention`, `gold`, `which`, `alike`."""
    notes: list[str]
    """Where it could not be done as planned."""


def make_plan(desk: Desk, library: Library, plan: Plan, alias: str) -> Drawn:
    """Draw a plan's samples and queue its tasks. The same plan on the same revision draws the same.

    Raises:
        ConfigError: there is a plan of that name, no sample passes the filters, or a gold sample is unknown.
        MachineError: a sample that a falsehood is to be planted in cannot be read.
    """
    unknown = sorted(set(plan.gold) - set(library.facts))
    if unknown:
        raise ConfigError([Problem("gold", f"sample {sample_id!r}", "samples of the dataset") for sample_id in unknown])
    passing = _passing(desk, library, plan.filters)
    if not passing:
        raise ConfigError([Problem("filters", "no sample that passes", "filters that let some pass")])
    draw = random.Random(digest("audit", plan.seed, plan.name))  # noqa: S311 - for a fair order, not for secrets
    chosen, notes = _chosen(plan, passing, draw)
    made = [*_judged(plan, chosen, draw), *_attention(plan, library, passing, chosen, draw, notes)]
    made += _other_questions(plan, library, chosen, draw, notes)
    made = _in_order(made, draw)
    counts: dict[str, int] = defaultdict(int)
    for task in made:
        counts[task.pop("kind")] += 1
    with desk.writing() as connection:
        if connection.execute(select(plans.c.plan).where(plans.c.plan == plan.name)).first():
            raise ConfigError([Problem("plan", f"{plan.name!r}, which is there already", "a new name")])
        connection.execute(insert(plans).values(plan=plan.name, definition=canonical(plan.model_dump(mode="json"))))
        connection.execute(insert(tasks), [{**task, "position": i} for i, task in enumerate(made)])
        said = {"plan": plan.name, "definition": plan.model_dump(mode="json", exclude_defaults=True), "notes": notes}
        said |= {"tasks": log.plan_digest(connection, plan.name), "revision": library.revision, "counts": dict(counts)}
        log.append(connection, desk.clock(), alias, "plan", said)
    return Drawn(dict(counts), notes)


def all_plans(connection: Connection) -> list[Plan]:
    """The plans, by name."""
    texts = connection.execute(select(plans.c.definition).order_by(plans.c.plan)).scalars()
    return [Plan.model_validate_json(text) for text in texts]


def _passing(desk: Desk, library: Library, filters: Filters) -> list[Facts]:
    earlier: dict[str, list[dict[str, Any]]] = defaultdict(list)
    if filters.verdicts or filters.reasons:
        with desk.reading() as connection:
            query = select(tasks.c.task_id, tasks.c.sample_id).where(tasks.c.planted.is_(None))
            samples = {row.task_id: row.sample_id for row in connection.execute(query)}
            for task_id, event in log.standing(log.read(connection)).items():
                if task_id in samples:
                    earlier[samples[task_id]].append(event.payload)
    return [facts for _, facts in sorted(library.facts.items()) if _passes(facts, filters, earlier[facts.sample_id])]


def _passes(facts: Facts, filters: Filters, earlier: Sequence[dict[str, Any]]) -> bool:
    return (
        (not filters.regions or facts.region in filters.regions)
        and (not filters.splits or facts.split in filters.splits)
        and (not filters.writers or facts.writer in filters.writers)
        and (not filters.outcomes or not set(filters.outcomes).isdisjoint(facts.outcomes))
        and (filters.witnessed_below is None or facts.witnessed < filters.witnessed_below)
        and (not filters.verdicts or any(said.get("verdict") in filters.verdicts for said in earlier))
        and (not filters.reasons or any(set(filters.reasons) & set(said.get("reasons", [])) for said in earlier))
    )


def _chosen(plan: Plan, passing: list[Facts], draw: random.Random) -> tuple[list[Facts], list[str]]:
    if plan.lot_size is not None:
        found, notes = [], []
        for region, lot in _grouped(passing, lambda facts: facts.region):
            if len(lot) < plan.lot_size:
                there = quantity(len(lot), "sample")
                notes.append(f"region {region} has {there}, fewer than n = {plan.lot_size}: all of it is judged")
            found += draw.sample(lot, min(len(lot), plan.lot_size))
        return found, notes
    wanted = min(plan.samples or len(passing), len(passing))
    notes = []
    if plan.samples is not None and wanted < plan.samples:
        notes.append(
            f"the filters let {quantity(len(passing), 'sample')} through, fewer than the {plan.samples} asked for"
        )
    if plan.method == "random":
        return draw.sample(passing, wanted), notes
    groups = [group for _, group in _grouped(passing, lambda f: (f.region, f.split, f.writer))]
    shares = _apportioned([len(group) for group in groups], wanted)
    return [f for group, n in zip(groups, shares, strict=True) for f in draw.sample(group, n)], notes


def _grouped(found: Sequence[Facts], key: Any) -> list[tuple[Any, list[Facts]]]:
    groups: dict[Any, list[Facts]] = defaultdict(list)
    for facts in found:
        groups[key(facts)].append(facts)
    return sorted(groups.items())


def _apportioned(sizes: Sequence[int], wanted: int) -> list[int]:
    """Shares in proportion, by largest remainder (Hamilton's method), none larger than its group."""
    exact = [wanted * size / sum(sizes) for size in sizes]
    shares = [int(share) for share in exact]
    order = sorted(range(len(sizes)), key=lambda i: (shares[i] - exact[i], i))
    for i in order[: wanted - sum(shares)]:
        shares[i] += 1
    return shares


def _task(plan: Plan, facts: Facts, kind: str, question: Question, **values: Any) -> dict[str, Any]:
    slot = int(kind == "second")
    return {
        "kind": kind,
        # Nothing in the id tells what kind of task it is.
        "task_id": digest(plan.name, plan.seed, facts.sample_id, kind, length=16),
        "plan": plan.name,
        "sample_id": facts.sample_id,
        "region": facts.region,
        "split": facts.split,
        "writer": facts.writer,
        "question": question,
        "slot": slot,
        "text_sha256": facts.text_sha256,
        "shown": "{}",
        "planted": None,
        "gold": None,
        "state": "open",
        "version": 1,
        **values,
    }


def _in_order(made: Sequence[dict[str, Any]], draw: random.Random) -> list[dict[str, Any]]:
    """Tasks in an order that is drawn, but of one sample the choices come first: who has judged it knows the answer."""
    ordered = draw.sample(made, len(made))
    places: dict[str, list[int]] = defaultdict(list)
    for i, task in enumerate(ordered):
        places[task["sample_id"]].append(i)
    for at in places.values():
        for i, task in zip(at, sorted((ordered[i] for i in at), key=lambda t: t["question"] == "judge"), strict=True):
            ordered[i] = task
    return ordered


def _judged(plan: Plan, chosen: list[Facts], draw: random.Random) -> Iterator[dict[str, Any]]:
    gold = set(plan.gold)
    twice = set(draw.sample(range(len(chosen)), round(plan.double_share * len(chosen))))
    for i, facts in enumerate(chosen):
        if facts.sample_id in gold:
            continue
        yield _task(plan, facts, "judge", "judge")
        if i in twice:
            yield _task(plan, facts, "second", "judge")


def _attention(
    plan: Plan, library: Library, passing: list[Facts], chosen: list[Facts], draw: random.Random, notes: list[str]
) -> Iterator[dict[str, Any]]:
    for sample_id, verdict in sorted(plan.gold.items()):
        yield _task(plan, library.facts[sample_id], "gold", "judge", gold=verdict)
    drawn = {facts.sample_id for facts in chosen} | set(plan.gold)
    spare = [facts for facts in passing if facts.sample_id not in drawn]
    wanted = -(-plan.attention_share * len(chosen) // 1)
    pool = [*draw.sample(spare, len(spare)), *draw.sample(chosen, len(chosen))]
    made, reused = 0, 0
    for facts in pool:
        if made >= wanted:
            break
        sample = library.sample(facts.sample_id)
        planted = plant(sample, draw)
        if planted is not None:
            made += 1
            reused += facts.sample_id in drawn
            shown = text_digest(attention.spoilt(sample, planted))
            yield _task(plan, facts, "attention", "judge", planted=planted.model_dump_json(), text_sha256=shown)
    if reused:
        notes.append(f"of samples that are judged as well, by somebody else: {quantity(reused, 'attention check')}")
    if made < wanted:
        notes.append(f"{made} of {wanted:.0f} attention checks: nothing could be made untrue in more samples")


def _other_questions(
    plan: Plan, library: Library, chosen: list[Facts], draw: random.Random, notes: list[str]
) -> Iterator[dict[str, Any]]:
    galleries: dict[str, Gallery] = {}
    few = 0
    for question, share in (("which", plan.which_share), ("alike", plan.alike_share)):
        for facts in draw.sample(chosen, round(share * len(chosen))):
            if facts.split not in galleries:
                galleries[facts.split] = Gallery(library.facts.values(), facts.split)
            gallery = galleries[facts.split]
            ids = gallery.options(facts, draw) if question == "which" else gallery.alike(facts)
            if ids:
                yield _task(plan, facts, question, question, shown=json.dumps({"options": ids}))  # type: ignore[arg-type]  # one of Question
            else:
                few += 1
    if few:
        notes.append(f"{quantity(few, 'question')} left out: the split has too few places that do not overlap")
