"""A small dataset, a desk with a clock that tests turn, and people."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from schemas.records import Sample, Split
from tests.postgresql import new_database, postgresql
from tests.tools.conftest import make_sample, publish
from tools.audit.database.opening import Desk, open_desk
from tools.audit.decisions import decide
from tools.audit.library import Library
from tools.audit.people import Person, enrol
from tools.audit.plan_file import Plan
from tools.audit.plans import make_plan
from tools.audit.queue import take
from tools.audit.records import Decision
from tools.dataset import open_dataset

__all__ = ["make_sample", "new_database", "postgresql"]

SAMPLES = 24
MakeSample = Callable[..., Sample]


@dataclass
class Clock:
    """Seconds since 1970, as a test wants them."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def samples(make: MakeSample) -> list[Sample]:
    """Two regions, three splits; places far enough apart that their chips do not meet."""
    splits: tuple[Split, ...] = ("train", "train", "train", "train", "val", "test_seen")
    return [
        make(
            10 * i,
            sample_id=f"{('town', 'village')[i % 2]}-{i:06d}",
            region=("town", "village")[i % 2],
            split=splits[i % len(splits)],
        )
        for i in range(SAMPLES)
    ]


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory, make_sample: MakeSample) -> str:
    return publish(tmp_path_factory.mktemp("audited") / "dataset", samples(make_sample))


@pytest.fixture(scope="session")
def library(dataset: str) -> Library:
    return Library(open_dataset(dataset))


@pytest.fixture
def desk(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Desk]:
    """A desk with people, in SQLite, or in each database with `on_both_databases`."""
    where = str(tmp_path / "audit.sqlite")
    if getattr(request, "param", None) == "postgresql":
        where = request.getfixturevalue("new_database")()
    opened = open_desk(where, clock=clock)
    for alias in ("ann", "bob"):
        enrol(opened, alias, "annotator", with_token=False)
    enrol(opened, "lea", "lead", with_token=False)
    yield opened
    opened.close()


on_both_databases = pytest.mark.parametrize(
    "desk", ["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)], indirect=True
)
"""Runs a test on each database that the desk may have."""

ANN, BOB, LEA = Person("ann", "annotator"), Person("bob", "annotator"), Person("lea", "lead")


def planned(desk: Desk, library: Library, **fields: Any) -> Plan:
    """A queue of plain judgements, but for what `fields` says."""
    plan = Plan(**({"name": "first", "double_share": 0, "attention_share": 0} | fields))
    make_plan(desk, library, plan, "lea")
    return plan


def next_task(desk: Desk, person: Person) -> Any:
    """The task that a person is shown."""
    (task,) = take(desk, person, count=1)
    return task


def answer(task: Any, **fields: Any) -> Decision:
    """A decision about a task as it was shown; accepts it if nothing else is said."""
    given = {"verdict": "accept"} if not fields.keys() & {"verdict", "choice"} else {}
    return Decision(
        decision_id=str(uuid.uuid4()),
        version=task.version,
        text_sha256=task.text_sha256,
        **({"ms": 4_000} | given | fields),
    )


def judge(desk: Desk, person: Person, **fields: Any) -> Any:
    """Take the next task and decide it; returns the task."""
    task = next_task(desk, person)
    decide(desk, person, task.task_id, answer(task, **fields))
    return task


REJECT: dict[str, Any] = {"verdict": "reject", "reasons": ["generic"]}
