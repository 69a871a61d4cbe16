"""Records what was answered in another tool, or takes it back: all of a file, or nothing if an answer is wrong."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Row, select

from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem
from pipeline.quantity import quantity
from tools.audit.checks import refusals
from tools.audit.database.opening import Desk
from tools.audit.database.tables import events, tasks
from tools.audit.decisions import ConflictError, record, take_back
from tools.audit.exchange.items import Reply
from tools.audit.library import Library
from tools.audit.people import checked_alias
from tools.audit.records import COLUMNS, Decision
from tools.audit.shown import is_current, shown_sample

_TOLD = 20
"""Problems of a file that are told; the others are counted."""


@dataclass(frozen=True)
class Imported:
    """The result of importing a file."""

    recorded: int
    known: int
    """Imported before."""
    notes: list[str]
    """What was left out, and why: tasks that were decided on the desk meanwhile, texts that have changed."""


@dataclass(frozen=True)
class TakenBack:
    """What came of taking back a file."""

    count: int
    notes: list[str]
    """What was left as it is, and why."""


def aliases_of(given: Iterable[str]) -> dict[str, str]:
    """Aliases by the other tool's names of people, from `THEIRS=ALIAS`.

    Raises:
        ConfigError: one is not of that form, or no alias.
    """
    found = {}
    for pair in given:
        theirs, equals, alias = pair.partition("=")
        if not theirs or not equals:
            raise ConfigError([Problem("--person", repr(pair), "THEIRS=ALIAS, such as 3=ann")])
        found[theirs] = checked_alias(alias)
    return found


def record_replies(
    desk: Desk, library: Library, replies: Iterable[Reply], people: Mapping[str, str], tool: str
) -> Imported:
    """Record the replies as decisions, in one transaction.

    Args:
        desk: the database.
        library: the dataset.
        replies: what was answered.
        people: alias by the other tool's name of a person; others are called `TOOL-NAME`.
        tool: name of the other tool.

    Raises:
        ConfigError: a reply is about an unknown task, or is no decision; nothing was recorded.
        MachineError: a sample cannot be read, or the database not written.
    """
    with desk.writing() as connection:
        rows = {row.task_id: row for row in connection.execute(select(tasks)).all()}
        found = _at_most(replies, len(rows))
        _refuse(_unknown(found, rows))
        problems, made, notes, known = [], dict[tuple[str, str], tuple[Row[Any], str, Decision]](), [], 0
        for reply in found:
            row, alias = rows[reply.task_id], _alias(people, reply, tool)
            decision_id = _decision_id(tool, alias, reply)
            earlier = _event(connection, decision_id)
            if earlier is not None and not _is_undone(connection, earlier):
                known += 1
                continue
            left_out = "it was taken back" if earlier is not None else _left_out(connection, library, row, reply, alias)
            if (row.sample_id, alias) in made:
                left_out = f"{alias} has judged this sample already"
            if left_out:
                notes.append(f"task {row.task_id}: left out, {left_out}")
                continue
            try:
                made[row.sample_id, alias] = (row, alias, _decision(reply, decision_id, row, library))
            except (ValidationError, ValueError) as error:
                problems.append(Problem("FILE", f"task {reply.task_id}: {_words(error)}", "a decision"))
        _refuse(problems)
        for row, alias, decision in made.values():
            record(connection, desk.clock(), row, alias, decision, action="import")
    return Imported(len(made), known, notes)


def take_back_replies(desk: Desk, replies: Iterable[Reply], people: Mapping[str, str], tool: str) -> TakenBack:
    """Take back the decisions that a file recorded, in one transaction; their tasks are open again.

    Args:
        desk: the database.
        replies: what was answered, as it was imported.
        people: as they were at the import.
        tool: name of the other tool.

    Raises:
        ConfigError: a reply is about an unknown task; nothing was taken back.
        MachineError: the database cannot be written.
    """
    with desk.writing() as connection:
        known = set(connection.execute(select(tasks.c.task_id)).scalars())
        found = _at_most(replies, len(known))
        _refuse(_unknown(found, known))
        count, notes = 0, []
        for reply in found:
            event = _event(connection, _decision_id(tool, _alias(people, reply, tool), reply))
            why_not = _why_not(connection, event)
            if why_not is None and event is not None:
                try:
                    take_back(connection, desk.clock(), event, keep_for=None)
                    count += 1
                except ConflictError as error:
                    why_not = str(error)
            if why_not:
                notes.append(f"task {reply.task_id}: left as it is, {why_not}")
    return TakenBack(count, notes)


def _refuse(problems: Sequence[Problem]) -> None:
    more = [Problem("FILE", f"{len(problems) - _TOLD} more", "none")] if len(problems) > _TOLD else []
    if problems:
        raise ConfigError([*problems[:_TOLD], *more])


def _at_most(replies: Iterable[Reply], tasks_known: int) -> list[Reply]:
    """The replies, or the first so many that one of them is about an unknown task or a second to the same."""
    return list(islice(replies, tasks_known + 1))


def _unknown(found: Sequence[Reply], known: Container[str]) -> list[Problem]:
    problems = []
    for task_id, count in Counter(reply.task_id for reply in found).items():
        if task_id not in known:
            problems.append(Problem("FILE", f"task {task_id!r}", "tasks of this audit"))
        elif count > 1:
            allowed = "one: let one person judge a task; second judgements are tasks of their own"
            problems.append(Problem("FILE", f"task {task_id}: {quantity(count, 'answer')}", allowed))
    return problems


def _alias(people: Mapping[str, str], reply: Reply, tool: str) -> str:
    return checked_alias(people.get(reply.person, f"{tool}-{reply.person}"[:32].lower()))


def _decision_id(tool: str, alias: str, reply: Reply) -> str:
    return digest(tool, alias, asdict(reply), length=32)  # the same answer counts once


def _event(connection: Connection, decision_id: str) -> Row[Any] | None:
    return connection.execute(select(events).where(events.c.decision_id == decision_id)).first()


def _is_undone(connection: Connection, event: Row[Any]) -> bool:
    return connection.execute(select(events.c.seq).where(events.c.undoes == event.seq)).first() is not None


def _why_not(connection: Connection, event: Row[Any] | None) -> str | None:
    """Why a decision cannot be taken back; None if it can."""
    if event is None:
        return "it was not imported with these people"
    return "it was taken back already" if _is_undone(connection, event) else None


def _left_out(connection: Connection, library: Library, row: Row[Any], reply: Reply, alias: str) -> str | None:
    """Why a reply is not recorded; None if it is."""
    if row.state != "open":
        return f"it is {row.state} already" if row.state == "decided" else f"it is {row.state}"
    if row.text_sha256 != reply.text_sha256 or not is_current(row, library):
        return "it changed since it was exported"
    judged = select(tasks.c.task_id).where(
        tasks.c.sample_id == row.sample_id, tasks.c.question == row.question, tasks.c.decided_by == alias
    )
    return f"{alias} has judged this sample already" if connection.execute(judged).first() else None


def _decision(reply: Reply, decision_id: str, row: Row[Any], library: Library) -> Decision:
    sample = shown_sample(row, library)
    edits = {
        variant: text for variant, text in reply.texts.items() if text != (getattr(sample, COLUMNS[variant]) or "")
    }
    decision = Decision.model_validate(
        {
            "decision_id": decision_id,
            "version": row.version,
            "text_sha256": reply.text_sha256,
            "verdict": reply.verdict,
            "edits": edits,
            "claims": dict.fromkeys(reply.false_claims, "false"),
            "reasons": reply.reasons,
            "note": reply.note,
            "ms": reply.ms,
        }
    )
    wrong = refusals(sample, decision)
    if wrong:
        raise ValueError("; ".join(wrong))
    return decision


def _words(error: ValidationError | ValueError) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f["msg"].removeprefix("Value error, ") for f in error.errors()[:3])
    return str(error)
