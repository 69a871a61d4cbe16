"""What two people said of a sample that they judged otherwise, for the lead who decides between them."""

import json
from typing import Any

from sqlalchemy import Row, select

from tools.audit.database.opening import Desk
from tools.audit.database.tables import events, tasks
from tools.audit.people import Person
from tools.audit.records import REASON_WORDS, ReasonCode


def both_decisions(desk: Desk, task: Row[Any], person: Person) -> list[dict[str, Any]]:
    """The two decisions that a lead decides between, by alias; none for anybody else, and for any other question.

    Of claims only those verdicts are there that differ. An accepted sample's claims are true, where nothing else was
    said of them; null stands for no word.
    """
    if task.question != "adjudicate" or person.role != "lead":
        return []
    query = select(events.c.alias, events.c.payload).join(tasks, tasks.c.decided_seq == events.c.seq)
    with desk.reading() as connection:
        rows = connection.execute(query.where(tasks.c.task_id.in_(json.loads(task.shown)["of"]))).all()
    said = [(row.alias, json.loads(row.payload)) for row in sorted(rows, key=lambda row: str(row.alias))]
    named = sorted({key for _, payload in said for key in payload.get("claims", {})})
    verdicts = {key: [_of_claim(payload, key) for _, payload in said] for key in named}
    differing = {key: each for key, each in verdicts.items() if len(set(each)) > 1}
    return [
        {
            "alias": alias,
            "verdict": payload["verdict"],
            "reasons": [REASON_WORDS[ReasonCode(reason)] for reason in payload.get("reasons", [])],
            "note": payload.get("note", ""),
            "edits": payload.get("edits", {}),
            "claims": {key: each[i] for key, each in differing.items()},
        }
        for i, (alias, payload) in enumerate(said)
    ]


def _of_claim(payload: dict[str, Any], key: str) -> str | None:
    said: str | None = payload.get("claims", {}).get(key, "true" if payload["verdict"] == "accept" else None)
    return said
