"""Decisions, skips and undo: each is one transaction that adds to the log and moves the task's state along."""

from typing import Any, Literal, cast

from sqlalchemy import Connection, Row, delete, insert, select, update

from tools.audit import log
from tools.audit.database.opening import Desk
from tools.audit.database.tables import events, skips, tasks
from tools.audit.people import Person
from tools.audit.queue import LEASE_S
from tools.audit.records import Decision, canonical, says

_NOT_OPEN: dict[str, str] = {
    "decided": "it was decided already, perhaps in another tab",
    "stale": "the dataset was revised, and the sample is not as you saw it",
    "broken": "the sample cannot be read any more",
    "withdrawn": "one of the two took their decision back, so that there is nothing to decide between",
}
"""Why a task that is not open cannot be decided, by its state."""


class ConflictError(Exception):
    """The sample has changed since the person saw it; nothing was recorded. The message says why."""


class UnknownTaskError(Exception):
    """There is no such task."""


def decide(desk: Desk, person: Person, task_id: str, decision: Decision) -> int:
    """Record a decision; returns the number of its event. Sent again with the same id, it is recorded once.

    Raises:
        ConflictError: the task was decided meanwhile, the lease was lost to somebody else, or the text changed.
        UnknownTaskError: there is no such task.
        ValueError: the decision does not answer the task's question.
    """
    with desk.writing() as connection:
        known = connection.execute(select(events).where(events.c.decision_id == decision.decision_id)).first()
        if known is not None:
            if (known.alias, known.task_id) == (person.alias, task_id):
                return int(known.seq)
            raise ConflictError("a decision with this id is recorded for another task")
        task = task_of(connection, task_id)
        _check(task, person, decision)
        return record(connection, desk.clock(), task, person.alias, decision)


def record(
    connection: Connection,
    now: float,
    task: Row[Any],
    alias: str,
    decision: Decision,
    *,
    action: Literal["decide", "import"] = "decide",
) -> int:
    """Add a decision that may be taken to the log, and move its task along; returns the number of its event."""
    seq = log.append(
        connection,
        now,
        alias,
        action,
        decision.payload(),
        task_id=task.task_id,
        decision_id=decision.decision_id,
    )
    connection.execute(
        update(tasks)
        .where(tasks.c.task_id == task.task_id)
        .values(
            state="decided",
            version=task.version + 1,
            lease_by=None,
            lease_until=None,
            decided_by=alias,
            decided_seq=seq,
        )
    )
    if task.question == "judge" and task.planted is None:
        _have_adjudicated(connection, now, task, decision, seq)
    return seq


def _check(task: Row[Any], person: Person, decision: Decision) -> None:
    if task.state != "open":
        raise ConflictError(_NOT_OPEN[task.state])
    if task.lease_by != person.alias:
        raise ConflictError("the lease ended and somebody else has the task, or it was never yours")
    if task.version != decision.version:
        raise ConflictError("the task changed since you saw it, perhaps in another tab")
    if task.text_sha256 != decision.text_sha256:
        raise ConflictError("the text changed since you saw it")
    if task.question == "adjudicate" and person.role != "lead":
        raise ConflictError("only a lead adjudicates")
    if (decision.choice is not None) != (task.question in ("which", "alike")):
        raise ValueError(
            f"the question {task.question!r} is answered by a {'choice' if decision.verdict else 'verdict'}"
        )


def task_of(connection: Connection, task_id: str) -> Row[Any]:
    """A task's row.

    Raises:
        UnknownTaskError: there is none.
    """
    task = connection.execute(select(tasks).where(tasks.c.task_id == task_id)).first()
    if task is None:
        raise UnknownTaskError(f"no task {task_id!r}")
    return task


def _have_adjudicated(connection: Connection, now: float, task: Row[Any], decision: Decision, seq: int) -> None:
    """Where two people judged a sample and do not agree, make a task for a lead."""
    twin = connection.execute(
        select(tasks.c.task_id, tasks.c.decided_seq).where(
            tasks.c.plan == task.plan,
            tasks.c.sample_id == task.sample_id,
            tasks.c.question == "judge",
            tasks.c.planted.is_(None),
            tasks.c.state == "decided",
            tasks.c.task_id != task.task_id,
        )
    ).first()
    if twin is None:
        return
    said = connection.execute(select(events.c.payload).where(events.c.seq == twin.decided_seq)).scalar_one()
    if says(decision.verdict) in said:
        return
    made = {column.name: getattr(task, column.name) for column in tasks.columns} | {
        "task_id": f"{task.task_id}-{seq}",
        "question": "adjudicate",
        "slot": 0,
        "state": "open",
        "version": 1,
        "shown": canonical({"of": sorted([task.task_id, twin.task_id])}),
        **dict.fromkeys(("lease_by", "lease_until", "decided_by", "decided_seq")),
    }
    connection.execute(insert(tasks).values(**made))
    log.append(connection, now, "desk", "disagreement", {}, task_id=made["task_id"])


def skip(desk: Desk, person: Person, task_id: str) -> int:
    """Leave a task to others; returns the number of the event."""
    with desk.writing() as connection:
        task = task_of(connection, task_id)
        if task.state != "open" or task.lease_by != person.alias:
            raise ConflictError("the task is no longer yours")
        connection.execute(insert(skips).values(task_id=task_id, alias=person.alias))
        connection.execute(update(tasks).where(tasks.c.task_id == task_id).values(lease_by=None, lease_until=None))
        return log.append(connection, desk.clock(), person.alias, "skip", {}, task_id=task_id)


def undo(desk: Desk, person: Person) -> str | None:
    """Take back a person's last decision or skip that is not taken back yet; returns the task, which is theirs again.

    What was imported in their name counts as theirs. Returns None where there is nothing to take back.

    Raises:
        ConflictError: a lead has adjudicated by it, or somebody else has the skipped task now.
    """
    with desk.writing() as connection:
        undone = select(events.c.undoes).where(events.c.undoes.is_not(None))
        last = connection.execute(
            select(events)
            .where(events.c.alias == person.alias, events.c.action.in_([*log.DECISIONS, "skip"]))
            .where(events.c.seq.not_in(undone))
            .order_by(events.c.seq.desc())
            .limit(1)
        ).first()
        if last is None:
            return None
        take_back(connection, desk.clock(), last, keep_for=person.alias)
    return cast(str, last.task_id)


def take_back(connection: Connection, now: float, event: Row[Any], *, keep_for: str | None) -> None:
    """Take back a decision or skip that stands: adds to the log, and opens its task again.

    Args:
        connection: of a transaction that writes.
        now: seconds since 1970.
        event: its row.
        keep_for: who gets the task; None for whoever is next.

    Raises:
        ConflictError: a lead has adjudicated by it, or somebody else has the skipped task now.
    """
    task = task_of(connection, event.task_id)
    if event.action == "skip":
        if task.state != "open" or (task.lease_by not in (None, event.alias)):
            raise ConflictError("somebody else has taken the task that you skipped")
        connection.execute(delete(skips).where(skips.c.task_id == task.task_id, skips.c.alias == event.alias))
    else:
        _withdraw_adjudication(connection, task)
    log.append(connection, now, event.alias, "undo", {}, task_id=task.task_id, undoes=event.seq)
    values = {
        "state": "open",
        "version": task.version + 1,
        "lease_by": keep_for,
        "lease_until": now + LEASE_S if keep_for else None,
        "decided_by": None,
        "decided_seq": None,
    }
    connection.execute(update(tasks).where(tasks.c.task_id == task.task_id).values(**values))


def _withdraw_adjudication(connection: Connection, task: Row[Any]) -> None:
    query = select(tasks).where(
        tasks.c.plan == task.plan, tasks.c.sample_id == task.sample_id, tasks.c.question == "adjudicate"
    )
    of_it = [found for found in connection.execute(query).all() if task.task_id in found.shown]
    if any(found.state == "decided" for found in of_it):
        raise ConflictError("a lead has adjudicated by it; ask the lead")
    for found in of_it:
        connection.execute(
            update(tasks)
            .where(tasks.c.task_id == found.task_id)
            .values(state="withdrawn", version=found.version + 1, lease_by=None, lease_until=None)
        )
