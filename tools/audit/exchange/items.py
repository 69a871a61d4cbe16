"""The tasks of a queue as another tool is given them, and what somebody answered there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Row, select

from pipeline.errors import ConfigError, Problem
from schemas.records import Variant
from tools.audit.database.opening import Desk
from tools.audit.database.tables import plans, tasks
from tools.audit.library import Library
from tools.audit.view import picture_of, shown_sample, task_view

T = TypeVar("T")
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
    version: int
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
    version: int
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


def parse_export(form: type[T], file: Path, readable: str, allowed: str) -> T:
    """The content of a JSON file that another tool wrote.

    Args:
        form: what it is to be.
        file: where it is.
        readable: what the file is called where it cannot be read.
        allowed: the same where its content is something else.

    Raises:
        ConfigError: it cannot be read, or is something else.
    """
    try:
        return TypeAdapter(form).validate_json(file.read_bytes())
    except OSError as error:
        raise ConfigError([Problem("FILE", f"{file} ({error.strerror})", readable)]) from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in error.errors()[:3])
        raise ConfigError([Problem("FILE", f"{file} ({faults})", allowed)]) from error


def new_folder(out: Path) -> None:
    """Refuse a folder that has something in it: an older export would be mixed with the new one.

    Raises:
        ConfigError: it has.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError([Problem("--out", f"{out}, which is there already", "a new folder")])


def open_tasks(desk: Desk, plan: str) -> list[Row[Any]]:
    """The open tasks of a queue in which samples are judged; the choices between views or texts stay on the desk.

    Raises:
        ConfigError: there is no such queue.
    """
    with desk.reading() as connection:
        names = connection.execute(select(plans.c.plan).order_by(plans.c.plan)).scalars().all()
        if plan not in names:
            raise ConfigError([Problem("--queue", repr(plan), f"one of {', '.join(map(repr, names)) or 'none yet'}")])
        query = select(tasks).where(tasks.c.plan == plan, tasks.c.state == "open", tasks.c.question == "judge")
        return list(connection.execute(query.order_by(tasks.c.position)).all())


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
            version=row.version,
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
