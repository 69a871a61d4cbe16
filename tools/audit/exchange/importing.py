"""Records what was answered in another tool: all of a file, or nothing of it if one answer makes no sense."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Row, select

from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem
from tools.audit.checks import check_text
from tools.audit.database.opening import Desk
from tools.audit.database.tables import events, tasks
from tools.audit.decisions import record
from tools.audit.exchange.items import Reply
from tools.audit.library import Library
from tools.audit.people import checked_alias
from tools.audit.records import COLUMNS, Decision
from tools.audit.view import shown_sample

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
    found = list(replies)
    with desk.writing() as connection:
        rows = {row.task_id: row for row in connection.execute(select(tasks)).all()}
        problems = _unknown(found, rows)
        made: list[tuple[Row[Any], str, Decision]] = []
        notes, known = [], 0
        for reply in found:
            row = rows.get(reply.task_id)
            if row is None:
                continue
            alias = checked_alias(people.get(reply.person, f"{tool}-{reply.person}"[:32].lower()))
            decision_id = digest(tool, alias, asdict(reply), length=32)  # the same answer counts once
            if _is_known(connection, decision_id):
                known += 1
                continue
            left_out = _left_out(connection, row, reply, alias, made)
            if left_out:
                notes.append(f"task {row.task_id}: left out, {left_out}")
                continue
            try:
                made.append((row, alias, _decision(reply, decision_id, row, library)))
            except (ValidationError, ValueError) as error:
                problems.append(Problem("FILE", f"task {reply.task_id}: {_words(error)}", "a decision"))
        if problems:
            more = [Problem("FILE", f"{len(problems) - _TOLD} more", "none")] if len(problems) > _TOLD else []
            raise ConfigError([*problems[:_TOLD], *more])
        for row, alias, decision in made:
            record(connection, desk.clock(), row, alias, decision, action="import")
    return Imported(len(made), known, notes)


def _unknown(found: Sequence[Reply], rows: Mapping[str, Row[Any]]) -> list[Problem]:
    problems = []
    for task_id, count in Counter(reply.task_id for reply in found).items():
        if task_id not in rows:
            problems.append(Problem("FILE", f"task {task_id!r}", "tasks of this audit"))
        elif count > 1:
            allowed = "one: let one person judge a task; second judgements are tasks of their own"
            problems.append(Problem("FILE", f"task {task_id}: {count} answers", allowed))
    return problems


def _is_known(connection: Connection, decision_id: str) -> bool:
    return connection.execute(select(events.c.seq).where(events.c.decision_id == decision_id)).first() is not None


def _left_out(
    connection: Connection, row: Row[Any], reply: Reply, alias: str, made: Sequence[tuple[Row[Any], str, Decision]]
) -> str | None:
    """Why a reply is not recorded; None if it is."""
    if row.state != "open":
        return f"it is {row.state} already" if row.state == "decided" else f"it is {row.state}"
    if (row.text_sha256, row.version) != (reply.text_sha256, reply.version):
        return "it changed since it was exported"
    judged = select(tasks.c.task_id).where(
        tasks.c.sample_id == row.sample_id, tasks.c.question == row.question, tasks.c.decided_by == alias
    )
    twice = any((other.sample_id, by) == (row.sample_id, alias) for other, by, _ in made)
    if twice or connection.execute(judged).first():
        return f"{alias} has judged this sample already"
    return None


def _decision(reply: Reply, decision_id: str, row: Row[Any], library: Library) -> Decision:
    sample = shown_sample(row, library)
    edits = {
        variant: text for variant, text in reply.texts.items() if text != (getattr(sample, COLUMNS[variant]) or "")
    }
    claims = {f"{s}.{c}" for s, sentence in enumerate(sample.sentences) for c in range(len(sentence.claims))}
    unknown = sorted(set(reply.false_claims) - claims)
    if unknown:
        raise ValueError(f"claims {', '.join(unknown)}, which the sample does not have")
    decision = Decision.model_validate(
        {
            "decision_id": decision_id,
            "version": reply.version,
            "text_sha256": reply.text_sha256,
            "verdict": reply.verdict,
            "edits": edits,
            "claims": dict.fromkeys(reply.false_claims, "false"),
            "reasons": reply.reasons,
            "note": reply.note,
            "ms": reply.ms,
        }
    )
    for variant, text in decision.edits.items():
        wrong = [f.text for f in check_text(sample, variant, text) if f.level == "error"]
        if wrong:
            raise ValueError(f"the {variant} text: {'; '.join(wrong)}")
    return decision


def _words(error: ValidationError | ValueError) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f["msg"].removeprefix("Value error, ") for f in error.errors()[:3])
    return str(error)
