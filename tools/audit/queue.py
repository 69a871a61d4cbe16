"""Assigns the next task to a person: leases, blind second judgements, decided lots, adjudication."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    and_,
    case,
    exists,
    func,
    or_,
    select,
    true,
    update,
)

from tools.audit import log
from tools.audit.database.opening import Desk
from tools.audit.database.tables import plans, skips, tasks
from tools.audit.lots import Lot, lots_of
from tools.audit.people import Person
from tools.audit.records import DISAGREEMENTS, State

_ADJUDICATED = {"adjudicate": "judge"}
"""Who adjudicates judges: nobody does both to a sample."""
LEASE_S = 600.0
"""How long a task is kept for the person who got it."""
FURTHEST_S = 2 * LEASE_S
"""A lease that seems to end later than so long from now was given before the clock was set back: it is over."""


@dataclass(frozen=True)
class Progress:
    """How far a queue is."""

    plan: str
    """Its name, or `DISAGREEMENTS`."""
    open: int
    """Tasks that this person could still be given."""
    decided: int
    """By this person."""
    total: int
    lots: list[Lot]


def take(
    desk: Desk, person: Person, *, count: int, plan: str | None = None, without: Sequence[str] = ()
) -> list[Row[Any]]:
    """The next tasks for a person, leased to them: those first that they hold already, to go on where they left.

    Args:
        desk: the database.
        person: for whom.
        count: how many at most: the one to show and those to load ahead.
        plan: only of this queue: a plan's name, or `DISAGREEMENTS`.
        without: none of these task ids.
    """
    with desk.writing() as connection:
        now = desk.clock()
        free = and_(_free(person, now, lots_by_plan(connection)), _in_queue(plan), tasks.c.task_id.not_in(without))
        query = select(tasks).where(free).order_by(tasks.c.plan, tasks.c.position, tasks.c.task_id)
        held = tasks.c.lease_by == person.alias
        found: list[Row[Any]] = []
        # One after the other, so that the database stops at the first few rows of its index.
        for part in (held, tasks.c.question == "adjudicate", None):
            if len(found) < count:
                rows = connection.execute(query.where(*([part] if part is not None else [])).limit(4 * count + 8))
                _add(found, rows.all(), count)
        connection.execute(
            update(tasks)
            .where(tasks.c.task_id.in_([row.task_id for row in found]))
            .values(lease_by=person.alias, lease_until=now + LEASE_S)
        )
    return found


def _add(found: list[Row[Any]], rows: Sequence[Row[Any]], count: int) -> None:
    """Add rows up to so many, of each sample and question one: who judges a sample does not get its twin."""
    taken = {(row.sample_id, _ADJUDICATED.get(row.question, row.question)) for row in found}
    for row in rows:
        subject = (row.sample_id, _ADJUDICATED.get(row.question, row.question))
        if len(found) < count and subject not in taken:
            found.append(row)
            taken.add(subject)


def _in_queue(plan: str | None) -> ColumnElement[bool]:
    if plan is None:
        return true()
    adjudicated = tasks.c.question == "adjudicate"
    return adjudicated if plan == DISAGREEMENTS else and_(tasks.c.plan == plan, ~adjudicated)


def _free(person: Person, now: float, lots: Mapping[str, Sequence[Lot]]) -> ColumnElement[bool]:
    """Tasks that the person may be given: none of a lot that is decided.

    Nobody judges a sample twice, neither blind nor beside its spoilt twin; of two who disagree none adjudicates. Who
    has judged a sample has seen where it is, and is not asked to find it. Each is looked up by an index for each task:
    `NOT IN` pairs of columns makes SQLite read all that is excluded each time.
    """
    other = tasks.alias()
    same = and_(other.c.sample_id == tasks.c.sample_id, _judging(other) == _judging(tasks))
    decided = exists().where(same, other.c.decided_by == person.alias, other.c.state == "decided")
    held = exists().where(same, other.c.lease_by == person.alias, _runs(other, now))
    judged = exists().where(
        other.c.sample_id == tasks.c.sample_id,
        _judging(other) == "judge",
        other.c.decided_by == person.alias,
        other.c.state == "decided",
    )
    skipped = exists().where(skips.c.task_id == tasks.c.task_id, skips.c.alias == person.alias)
    # Who passed a disagreement on has read what both say of the sample, and does not judge it blind in another queue.
    passed_on = and_(skips.c.task_id == other.c.task_id, skips.c.alias == person.alias)
    told = exists().where(same, tasks.c.question == "judge", other.c.question == "adjudicate", passed_on)
    closed = {name: [lot.name for lot in found if lot.outcome != "open"] for name, found in lots.items()}
    in_closed = [
        and_(tasks.c.plan == name, tasks.c.region.in_(regions), tasks.c.question == "judge")
        for name, regions in closed.items()
        if regions
    ]
    mine = tasks.c.lease_by == person.alias
    left = or_(tasks.c.lease_by.is_(None), ~_runs(tasks, now))
    return and_(
        tasks.c.state == "open",
        or_(mine, and_(left, ~held)),
        ~told if person.role == "lead" else tasks.c.question != "adjudicate",
        ~decided,
        or_(_judging(tasks) == "judge", ~judged),
        ~skipped,
        *(~lot for lot in in_closed),
    )


def _runs(table: FromClause, now: float) -> ColumnElement[bool]:
    """Whether the lease of a task has not ended."""
    return table.c.lease_until.between(now, now + FURTHEST_S)


def _judging(table: FromClause) -> ColumnElement[str]:
    return case(_ADJUDICATED, value=table.c.question, else_=table.c.question)


def lots_by_plan(connection: Connection) -> dict[str, list[Lot]]:
    """The lots of each plan that samples for acceptance."""
    rows = connection.execute(select(plans.c.plan, plans.c.definition)).all()
    numbers = {row.plan: json.loads(row.definition).get("accept_at_most") for row in rows}
    sampled = {name: c for name, c in numbers.items() if c is not None}
    return {name: lots_of(connection, name, c) for name, c in sampled.items()}


def progress(desk: Desk, person: Person) -> list[Progress]:
    """How far each queue is, for a person."""
    with desk.reading() as connection:
        lots = lots_by_plan(connection)
        free = _counted(connection, _free(person, desk.clock(), lots))
        mine = _counted(connection, and_(tasks.c.state == "decided", tasks.c.decided_by == person.alias))
        whole = _counted(connection, tasks.c.state.in_(["open", "decided"]))
        names = list(connection.execute(select(plans.c.plan).order_by(plans.c.plan)).scalars())
    if person.role == "lead" and whole.get(DISAGREEMENTS):
        names.append(DISAGREEMENTS)
    return [Progress(n, free.get(n, 0), mine.get(n, 0), whole.get(n, 0), lots.get(n, [])) for n in names]


def _counted(connection: Connection, condition: ColumnElement[bool]) -> dict[str, int]:
    queue = case((tasks.c.question == "adjudicate", DISAGREEMENTS), else_=tasks.c.plan).label("queue")
    query = select(queue, func.count()).where(condition).group_by(queue.name)
    return dict(connection.execute(query).all())


def set_aside(desk: Desk, alias: str, task_ids: Sequence[str], state: State, why: str) -> None:
    """Take open tasks out of the queue, with a reason in the log: the text changed, a picture is gone."""
    with desk.writing() as connection:
        for task_id in task_ids:
            query = update(tasks).where(tasks.c.task_id == task_id, tasks.c.state == "open")
            if connection.execute(query.values(state=state, version=tasks.c.version + 1)).rowcount:
                log.append(connection, desk.clock(), alias, state, {"why": why}, task_id=task_id)
