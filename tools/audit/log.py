"""The log: append-only, each event with the hash of the one before it, so that a change to any of them shows."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from tools.audit.database.tables import events, settings, tasks
from tools.audit.records import canonical

DECISIONS = ("decide", "import")
"""Actions that decide a task."""
_HASHED = ("seq", "at", "alias", "action", "task_id", "decision_id", "undoes", "payload", "previous")


@dataclass(frozen=True)
class Event:
    """One line of the log."""

    seq: int
    at: str
    alias: str
    action: str
    task_id: str | None
    decision_id: str | None
    undoes: int | None
    payload: dict[str, Any]


def append(
    connection: Connection,
    at: float,
    alias: str,
    action: str,
    payload: dict[str, Any],
    *,
    task_id: str | None = None,
    decision_id: str | None = None,
    undoes: int | None = None,
) -> int:
    """Add an event, within a transaction of `Desk.writing`; returns its number, counted from 1."""
    previous = connection.execute(select(settings.c.value).where(settings.c.key == "head")).scalar_one()
    row: dict[str, Any] = {
        "seq": (connection.execute(select(func.max(events.c.seq))).scalar() or 0) + 1,
        "at": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
        "alias": alias,
        "action": action,
        "task_id": task_id,
        "decision_id": decision_id,
        "undoes": undoes,
        "payload": canonical(payload),
        "previous": previous,
    }
    row["hash"] = _hash(row)
    connection.execute(events.insert().values(**row))
    connection.execute(update(settings).where(settings.c.key == "head").values(value=row["hash"]))
    return int(row["seq"])


def read(connection: Connection) -> Iterator[Event]:
    """All events, in order."""
    for row in connection.execute(select(events).order_by(events.c.seq)):
        yield Event(
            row.seq, row.at, row.alias, row.action, row.task_id, row.decision_id, row.undoes, json.loads(row.payload)
        )


def standing(found: Iterator[Event]) -> dict[str, Event]:
    """The decision in force of each decided task: not undone, by task id."""
    decided: dict[int, Event] = {}
    for event in found:
        if event.action in DECISIONS:
            decided[event.seq] = event
        elif event.undoes is not None:
            decided.pop(event.undoes, None)
    return {event.task_id: event for event in decided.values() if event.task_id is not None}


def plan_digest(connection: Connection, plan: str) -> str:
    """SHA-256 of what a plan's tasks are, planted falsehoods included, without their state."""
    fixed = [tasks.c[name] for name in ("task_id", "sample_id", "question", "slot", "shown", "planted", "gold")]
    query = select(*fixed).where(tasks.c.plan == plan, tasks.c.question != "adjudicate").order_by(tasks.c.task_id)
    made = hashlib.sha256()
    for row in connection.execute(query):
        made.update(canonical(list(row)).encode())
    return made.hexdigest()


def verify(connection: Connection) -> list[str]:
    """The faults of the log, and of the state that should follow from it, a line each."""
    faults = []
    previous, seq = "", 0
    for row in connection.execute(select(events).order_by(events.c.seq)).mappings():
        seq += 1
        if row["seq"] != seq:
            faults.append(f"event {seq}: missing; {row['seq']} follows {seq - 1}")
            seq = row["seq"]
        if row["previous"] != previous:
            faults.append(f"event {seq}: does not follow the event before it")
        if row["hash"] != _hash(dict(row)):
            faults.append(f"event {seq}: was changed after it was written")
        previous = row["hash"]
        if row["action"] == "plan":
            said = json.loads(row["payload"])
            if said["tasks"] != plan_digest(connection, said["plan"]):
                faults.append(f"event {seq}: the tasks of plan {said['plan']!r} were changed after they were drawn")
    head = connection.execute(select(settings.c.value).where(settings.c.key == "head")).scalar_one()
    if head != previous:
        faults.append("the last events are missing: the hash that stands as the last is of none that is there")
    decided = {task: event.seq for task, event in standing(read(connection)).items()}
    columns = (tasks.c.task_id, tasks.c.decided_seq)
    held = {row.task_id: row.decided_seq for row in connection.execute(select(*columns)) if row.decided_seq}
    differing = sorted({task_id for task_id, _ in held.items() ^ decided.items()})
    faults += [f"task {task_id}: its state does not follow from the log" for task_id in differing]
    return list(dict.fromkeys(faults))


def head(connection: Connection) -> str:
    """Hash of the last event; noted elsewhere, it proves later that no event was taken off the end."""
    return str(connection.execute(select(settings.c.value).where(settings.c.key == "head")).scalar_one())


def _hash(row: dict[str, Any]) -> str:
    return hashlib.sha256(canonical([row[name] for name in _HASHED]).encode()).hexdigest()
