"""Joins people's decisions with what they are about: one record a decision in force."""

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from tools.audit import log
from tools.audit.database.opening import Desk
from tools.audit.database.tables import tasks
from tools.audit.library import Library
from tools.audit.records import Planted, Verdict


@dataclass(frozen=True)
class Judged:
    """A decision in force."""

    task_id: str
    sample_id: str
    plan: str
    region: str
    split: str
    writer: str
    prompt_set: str
    """Empty where the sample is no longer in the dataset."""
    question: str
    alias: str
    seq: int
    verdict: Verdict | None
    choice: int | None
    payload: dict[str, Any]
    planted: Planted | None
    gold: Verdict | None
    options: tuple[str, ...]
    text_sha256: str
    """Of the texts that were judged (`text_digest`)."""
    fresh: bool
    """Whether the dataset still has the text that was judged."""

    @property
    def honest(self) -> bool:
        """Whether it is about a sample as it is, drawn by the plan: neither spoilt nor gold."""
        return self.question in ("judge", "adjudicate") and self.planted is None and self.gold is None


def judged_of(desk: Desk, library: Library) -> list[Judged]:
    """All decisions in force, in the order in which they were taken."""
    with desk.reading() as connection:
        found = log.standing(log.read(connection))
        rows = {row.task_id: row for row in connection.execute(select(tasks)).all()}
    return [
        _judged(rows[task_id], event, library)
        for task_id, event in sorted(found.items(), key=lambda pair: pair[1].seq)
        if task_id in rows
    ]


def _judged(row: Any, event: log.Event, library: Library) -> Judged:
    facts = library.facts.get(row.sample_id)
    return Judged(
        task_id=row.task_id,
        sample_id=row.sample_id,
        plan=row.plan,
        region=row.region,
        split=row.split,
        writer=row.writer,
        prompt_set=facts.prompt_set if facts else "",
        question=row.question,
        alias=event.alias,
        seq=event.seq,
        verdict=event.payload.get("verdict"),
        choice=event.payload.get("choice"),
        payload=event.payload,
        planted=Planted.model_validate_json(row.planted) if row.planted else None,
        gold=row.gold,
        options=tuple(json.loads(row.shown).get("options", [])),
        text_sha256=row.text_sha256,
        fresh=facts is not None and (row.planted is not None or facts.text_sha256 == row.text_sha256),
    )


@dataclass(frozen=True)
class Settled:
    """The settled judgement of one sample."""

    deciding: Judged | None
    """The decision that counts: a lead's, or that on which all agree; None while a disagreement is open."""
    all: list[Judged]


def settled(found: list[Judged]) -> dict[str, Settled]:
    """By sample: the honest decisions, and the one that counts."""
    by_sample: dict[str, list[Judged]] = defaultdict(list)
    for one in found:
        if one.honest:
            by_sample[one.sample_id].append(one)
    last = {sample_id: _of_one_text(ones) for sample_id, ones in by_sample.items()}
    return {sample_id: Settled(_deciding(ones), ones) for sample_id, ones in last.items()}


def _of_one_text(ones: list[Judged]) -> list[Judged]:
    """Decisions about the text that the dataset has, or that was judged last: those about others do not contradict."""
    return [one for one in ones if one.fresh] or [one for one in ones if one.text_sha256 == ones[-1].text_sha256]


def _deciding(ones: list[Judged]) -> Judged | None:
    by_lead = [one for one in ones if one.question == "adjudicate"]
    if by_lead:
        return by_lead[-1]
    return ones[-1] if len({one.verdict for one in ones}) == 1 else None
