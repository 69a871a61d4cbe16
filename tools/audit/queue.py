"""Which task a person gets next: leases, second judgements blind, lots that are decided, adjudication."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, or_, select, update

from tools.audit import log
from tools.audit.database.opening import Desk
from tools.audit.database.tables import plans, skips, tasks
from tools.audit.lots import Lot, lots_of
from tools.audit.people import Person
from tools.audit.records import State

LEASE_S = 600.0
"""How long a task is kept for the person who got it."""


@dataclass(frozen=True)
class Progress:
    """How far a plan is."""

    plan: str
    open: int
    """Tasks that this person could still be given."""
    decided: int
    """By this person."""
    total: int
    lots: list[Lot]


def take(desk: Desk, person: Person, *, count: int, plan: str | None = None) -> list[Row[Any]]:
    """The next tasks for a person, leased to them: those first that they hold already, to go on where they left.

    Args:
        desk: the database.
        person: for whom.
        count: how many at most: the one to show and those to load ahead.
        plan: only of this plan.
    """
    with desk.writing() as connection:
        now = desk.clock()
        wanted = and_(_free(person, now, _lots(connection)), *([tasks.c.plan == plan] if plan is not None else []))
        order = (tasks.c.lease_by == person.alias, tasks.c.question == "adjudicate")
        query = select(tasks).where(wanted).order_by(*(func.coalesce(o, False).desc() for o in order))
        query = query.order_by(tasks.c.plan, tasks.c.position, tasks.c.task_id)
        found: list[Row[Any]] = []
        for row in connection.execute(query.limit(4 * count + 8)):
            if len(found) < count and (row.sample_id, row.question) not in {(r.sample_id, r.question) for r in found}:
                found.append(row)
        connection.execute(
            update(tasks)
            .where(tasks.c.task_id.in_([row.task_id for row in found]))
            .values(lease_by=person.alias, lease_until=now + LEASE_S)
        )
    return found


def _free(person: Person, now: float, lots: Mapping[str, Sequence[Lot]]) -> ColumnElement[bool]:
    """Tasks that the person may be given: none of a lot that is decided."""
    other = tasks.alias()
    same = and_(other.c.sample_id == tasks.c.sample_id, other.c.task_id != tasks.c.task_id)
    # Nobody judges a sample twice: neither blind nor beside its spoilt twin. Of the two who disagree none adjudicates.
    judged = exists().where(
        same,
        or_(
            and_(other.c.decided_by == person.alias, other.c.state == "decided"),
            and_(other.c.lease_by == person.alias, other.c.lease_until >= now, other.c.task_id < tasks.c.task_id),
        ),
        or_(other.c.question == tasks.c.question, tasks.c.question == "adjudicate", other.c.question == "adjudicate"),
    )
    skipped = exists().where(skips.c.task_id == tasks.c.task_id, skips.c.alias == person.alias)
    closed = {name: [lot.name for lot in found if lot.outcome != "open"] for name, found in lots.items()}
    in_closed = [
        and_(tasks.c.plan == name, tasks.c.region.in_(regions), tasks.c.question == "judge")
        for name, regions in closed.items()
        if regions
    ]
    return and_(
        tasks.c.state == "open",
        or_(tasks.c.lease_by.is_(None), tasks.c.lease_until < now, tasks.c.lease_by == person.alias),
        *([] if person.role == "lead" else [tasks.c.question != "adjudicate"]),
        ~judged,
        ~skipped,
        *(~lot for lot in in_closed),
    )


def _lots(connection: Connection) -> dict[str, list[Lot]]:
    rows = connection.execute(select(plans.c.plan, plans.c.definition)).all()
    numbers = {row.plan: json.loads(row.definition).get("accept_at_most") for row in rows}
    sampled = {name: c for name, c in numbers.items() if c is not None}
    return {name: lots_of(connection, name, c) for name, c in sampled.items()}


def progress(desk: Desk, person: Person) -> list[Progress]:
    """How far each plan is, for a person."""
    with desk.reading() as connection:
        lots = _lots(connection)
        free = _counted(connection, _free(person, desk.clock(), lots))
        mine = _counted(connection, and_(tasks.c.state == "decided", tasks.c.decided_by == person.alias))
        whole = _counted(connection, tasks.c.state.in_(["open", "decided"]))
        names = connection.execute(select(plans.c.plan).order_by(plans.c.plan)).scalars().all()
    return [Progress(n, free.get(n, 0), mine.get(n, 0), whole.get(n, 0), lots.get(n, [])) for n in names]


def _counted(connection: Connection, condition: ColumnElement[bool]) -> dict[str, int]:
    query = select(tasks.c.plan, func.count()).where(condition).group_by(tasks.c.plan)
    return dict(connection.execute(query).all())


def set_aside(desk: Desk, alias: str, task_ids: Sequence[str], state: State, why: str) -> None:
    """Take open tasks out of the queue, with a reason in the log: the text changed, a picture is gone."""
    with desk.writing() as connection:
        for task_id in task_ids:
            query = update(tasks).where(tasks.c.task_id == task_id, tasks.c.state == "open")
            if connection.execute(query.values(state=state, version=tasks.c.version + 1)).rowcount:
                log.append(connection, desk.clock(), alias, state, {"why": why}, task_id=task_id)
