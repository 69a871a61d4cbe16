"""The tasks of a queue as another tool is given them, and what somebody answered there."""

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Row, select

from pipeline.errors import ConfigError, Problem
from schemas.records import Variant
from tools.audit.database.opening import Desk
from tools.audit.database.tables import plans, tasks
from tools.audit.library import Library
from tools.audit.queue import FURTHEST_S, lots_by_plan
from tools.audit.shown import is_current, shown_sample
from tools.audit.view import picture_of, task_view

_SUFFIXES = {b"\xff\xd8": "jpg", b"\x89P": "png", b"RI": "webp"}


@dataclass(frozen=True)
class Picture:
    """A picture of a sample."""

    role: str
    """`street`, `aerial`, `map`, `other-1` ..."""
    name: str
    """File name."""
    credit: str
    data: bytes


@dataclass(frozen=True)
class Item:
    """A task in which a sample is judged. Nothing in it tells whether a falsehood was planted."""

    task_id: str
    text_sha256: str
    """Digest of the texts shown: tells at the import whether they are still those of the dataset."""
    texts: dict[Variant, str]
    claims: dict[str, str]
    """Text of each claim under `SENTENCE.CLAIM`."""
    pictures: list[Picture]


@dataclass(frozen=True)
class Reply:
    """An answer that somebody gave in another tool."""

    task_id: str
    text_sha256: str
    person: str
    """As the other tool knows them."""
    verdict: str | None
    reasons: list[str]
    texts: dict[Variant, str]
    """Texts as the person left them, whether changed or not."""
    false_claims: list[str]
    note: str
    ms: int
    """Time on the task, milliseconds; 0 where the other tool does not tell."""


def new_folder(out: Path) -> None:
    """Refuse a folder that has something in it: an older export would be mixed with the new one.

    Raises:
        ConfigError: it has.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError([Problem("--out", f"{out}, which is there already", "a new folder")])


def tasks_to_export(
    desk: Desk, library: Library, plan: str, *, every: bool = False
) -> tuple[list[Row[Any]], Counter[str]]:
    """The tasks of a queue in which samples are still to be judged, and how many others there are, by why not.

    The choices between views or texts stay on the desk.

    Args:
        desk: the database.
        library: the dataset, which may have been revised since the queue was drawn.
        plan: name of the queue.
        every: also what is decided, held by somebody, or of a lot that is decided.

    Raises:
        ConfigError: there is no such queue.
        MachineError: a sample cannot be read.
    """
    with desk.reading() as connection:
        names = connection.execute(select(plans.c.plan).order_by(plans.c.plan)).scalars().all()
        if plan not in names:
            raise ConfigError([Problem("--queue", repr(plan), f"one of {', '.join(map(repr, names)) or 'none yet'}")])
        done = {lot.name for lot in lots_by_plan(connection).get(plan, []) if lot.outcome != "open"}
        found = connection.execute(select(tasks).where(tasks.c.plan == plan).order_by(tasks.c.position)).all()
    rows, others = [], Counter[str]()
    for row in found:
        why_not = _why_not(row, library, desk.clock(), done)
        if why_not is None or (every and why_not in _ASKED_FOR):
            rows.append(row)
        else:
            others[why_not] += 1
    return rows, others


_ASKED_FOR = ("decided", "held by somebody", "of a lot that is decided")
"""Left out unless all are asked for."""


def _why_not(row: Row[Any], library: Library, now: float, decided_lots: Container[str]) -> str | None:
    """Why a task is not to be judged elsewhere; None if it is."""
    if row.question != "judge":
        return "of another question"
    if row.state not in ("open", "decided"):
        return "set aside"
    if not is_current(row, library):
        return "of a sample that has changed or is gone"
    if row.state == "decided":
        return "decided"
    if row.lease_by is not None and now <= row.lease_until <= now + FURTHEST_S:
        return "held by somebody"
    return "of a lot that is decided" if row.region in decided_lots else None


def items_of(rows: Sequence[Row[Any]], library: Library) -> Iterator[Item]:
    """The tasks with their texts and pictures, one at a time.

    Raises:
        KeyError: the dataset has a sample no more.
        MachineError: a sample cannot be read.
    """
    for row in rows:
        sample, view = shown_sample(row, library), task_view(row, library)
        shown = [(picture, picture_of(sample, picture["role"])) for picture in view["pictures"]]
        yield Item(
            task_id=row.task_id,
            text_sha256=row.text_sha256,
            texts={text["variant"]: text["text"] for text in view["texts"]},
            claims={
                claim["key"]: claim["text"]
                for text in view["texts"]
                for sentence in text["sentences"]
                for claim in sentence["claims"]
            },
            pictures=[
                Picture(
                    role=picture["role"],
                    name=f"{row.task_id}-{picture['role']}.{_SUFFIXES[image.bytes[:2]]}",
                    credit=f"{picture['label']}: {picture['credit']['author']}, {picture['credit']['licence']}",
                    data=image.bytes,
                )
                for picture, image in shown
                if image is not None and image.bytes[:2] in _SUFFIXES
            ],
        )
