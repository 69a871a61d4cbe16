from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import event, func, insert, select

from pipeline.errors import MachineError
from tests.audit.conftest import ANN, BOB, LEA, REJECT, Clock, answer, judge, next_task, on_both_databases, planned
from tools.audit import log
from tools.audit.database.opening import Desk, open_desk
from tools.audit.database.tables import events, tasks
from tools.audit.decisions import ConflictError, UnknownTaskError, decide, skip, undo
from tools.audit.library import Library
from tools.audit.people import Person
from tools.audit.queue import LEASE_S, progress, set_aside, take
from tools.audit.records import DISAGREEMENTS


def state(desk: Desk, task_id: str) -> str:
    with desk.reading() as connection:
        return str(connection.execute(select(tasks.c.state).where(tasks.c.task_id == task_id)).scalar_one())


def count(desk: Desk, action: str) -> int:
    with desk.reading() as connection:
        query = select(func.count()).where(events.c.action == action)
        return int(connection.execute(query).scalar_one())


@on_both_databases
def test_a_decision_is_recorded_once_however_often_it_is_sent(desk: Desk, library: Library) -> None:
    planned(desk, library)
    task = next_task(desk, ANN)
    decision = answer(task)
    assert decide(desk, ANN, task.task_id, decision) == decide(desk, ANN, task.task_id, decision)
    assert count(desk, "decide") == 1
    other = next_task(desk, ANN)
    with pytest.raises(ConflictError, match="another task"):
        decide(desk, ANN, other.task_id, decision)


@on_both_databases
def test_two_tabs_of_one_annotator_get_one_task_and_decide_it_once(desk: Desk, library: Library) -> None:
    planned(desk, library)
    first, second = next_task(desk, ANN), next_task(desk, ANN)
    assert first.task_id == second.task_id
    decide(desk, ANN, first.task_id, answer(first))
    with pytest.raises(ConflictError, match="another tab"):
        decide(desk, ANN, second.task_id, answer(second, **REJECT))
    undo(desk, ANN)
    with pytest.raises(ConflictError, match="changed since you saw it"):  # a tab that slept through both
        decide(desk, ANN, second.task_id, answer(second, **REJECT))


@on_both_databases
def test_a_lease_keeps_others_away_until_it_ends(desk: Desk, library: Library, clock: Clock) -> None:
    planned(desk, library)
    task = next_task(desk, ANN)
    assert next_task(desk, BOB).task_id != task.task_id
    clock.now += LEASE_S + 1
    taken = {row.task_id for row in take(desk, BOB, count=24)}
    assert task.task_id in taken
    with pytest.raises(ConflictError, match="lease ended"):
        decide(desk, ANN, task.task_id, answer(task))
    assert state(desk, task.task_id) == "open"


@on_both_databases
def test_a_lease_that_ended_and_that_nobody_took_is_still_good(desk: Desk, library: Library, clock: Clock) -> None:
    planned(desk, library)
    task = next_task(desk, ANN)
    clock.now += 10 * LEASE_S
    decide(desk, ANN, task.task_id, answer(task))
    assert state(desk, task.task_id) == "decided"


@on_both_databases
def test_a_clock_that_was_set_back_keeps_no_task_from_others(desk: Desk, library: Library, clock: Clock) -> None:
    planned(desk, library, samples=1)
    task = next_task(desk, ANN)
    clock.now -= LEASE_S / 2
    assert take(desk, BOB, count=1) == []
    clock.now -= 86_400
    assert next_task(desk, BOB).task_id == task.task_id
    with pytest.raises(ConflictError, match="lease ended"):
        decide(desk, ANN, task.task_id, answer(task))


@on_both_databases
def test_a_decision_about_another_text_is_refused(desk: Desk, library: Library) -> None:
    planned(desk, library)
    task = next_task(desk, ANN)
    with pytest.raises(ConflictError, match="text changed"):
        decide(desk, ANN, task.task_id, answer(task).model_copy(update={"text_sha256": "0" * 64}))
    set_aside(desk, "desk", [task.task_id], "stale", "a new revision")
    with pytest.raises(ConflictError, match="was revised"):
        decide(desk, ANN, task.task_id, answer(task))
    with pytest.raises(UnknownTaskError):
        decide(desk, ANN, "0" * 16, answer(task))


def test_undo_goes_back_decision_by_decision_across_restarts(desk: Desk, library: Library, clock: Clock) -> None:
    planned(desk, library)
    first, second = judge(desk, ANN), judge(desk, ANN, **REJECT)
    judge(desk, BOB)
    where = desk.engine.url.database
    assert where is not None
    desk.close()
    again = open_desk(where, clock=clock)
    assert undo(again, ANN) == second.task_id
    assert undo(again, ANN) == first.task_id
    assert undo(again, ANN) is None
    assert next_task(again, ANN).task_id in {first.task_id, second.task_id}
    with again.reading() as connection:
        assert [event.alias for event in log.standing(log.read(connection)).values()] == ["bob"]
        assert log.verify(connection) == []
    again.close()


@on_both_databases
def test_what_was_skipped_goes_to_others_and_may_be_taken_back(desk: Desk, library: Library) -> None:
    planned(desk, library, samples=1)
    task = next_task(desk, ANN)
    skip(desk, ANN, task.task_id)
    assert take(desk, ANN, count=3) == []
    assert undo(desk, ANN) == task.task_id
    skip(desk, ANN, next_task(desk, ANN).task_id)
    assert next_task(desk, BOB).task_id == task.task_id
    with pytest.raises(ConflictError, match="somebody else"):
        undo(desk, ANN)


@on_both_databases
def test_two_judge_blind_and_a_lead_decides_where_they_differ(desk: Desk, library: Library) -> None:
    planned(desk, library, samples=1, double_share=1)
    judge(desk, ANN)
    assert take(desk, ANN, count=3) == []  # nobody judges a sample twice
    judge(desk, BOB, **REJECT)
    assert take(desk, Person("cid", "annotator"), count=3) == []
    task = next_task(desk, LEA)
    assert task.question == "adjudicate"
    assert undo(desk, BOB) is not None  # it was not adjudicated yet
    assert state(desk, task.task_id) == "withdrawn"
    again = judge(desk, BOB, **REJECT)
    assert judge(desk, LEA).question == "adjudicate"
    with pytest.raises(ConflictError, match="adjudicated"):
        undo(desk, BOB)
    assert state(desk, again.task_id) == "decided"


@on_both_databases
def test_of_two_leads_at_one_disagreement_one_decides(desk: Desk, library: Library, clock: Clock) -> None:
    lou = Person("lou", "lead")
    planned(desk, library, samples=1, double_share=1)
    judge(desk, ANN)
    judge(desk, BOB, **REJECT)
    first = next_task(desk, LEA)
    assert take(desk, lou, count=3) == []
    clock.now += LEASE_S + 1
    second = next_task(desk, lou)
    with pytest.raises(ConflictError, match="lease ended"):
        decide(desk, LEA, first.task_id, answer(first))
    decide(desk, lou, second.task_id, answer(second))
    with pytest.raises(ConflictError, match="decided already"):
        decide(desk, LEA, first.task_id, answer(first))
    assert count(desk, "decide") == 3


@on_both_databases
def test_disagreements_are_a_queue_of_their_own(desk: Desk, library: Library) -> None:
    planned(desk, library, samples=2, double_share=1)
    first = judge(desk, ANN)
    while next_task(desk, BOB).sample_id != first.sample_id:
        skip(desk, BOB, next_task(desk, BOB).task_id)
    judge(desk, BOB, **REJECT)
    assert {row.question for row in take(desk, LEA, count=3, plan="first")} == {"judge"}
    assert [row.sample_id for row in take(desk, LEA, count=3, plan=DISAGREEMENTS)] == [first.sample_id]
    assert take(desk, ANN, count=3, plan=DISAGREEMENTS) == []
    assert [(found.plan, found.open, found.total) for found in progress(desk, LEA)] == [
        ("first", 1, 4),
        (DISAGREEMENTS, 1, 1),
    ]
    assert [found.plan for found in progress(desk, ANN)] == ["first"]


@on_both_databases
def test_two_who_agree_need_no_lead(desk: Desk, library: Library) -> None:
    planned(desk, library, samples=1, double_share=1)
    judge(desk, ANN)
    judge(desk, BOB)
    assert take(desk, LEA, count=3) == []
    assert progress(desk, ANN)[0].decided == 1


@on_both_databases
def test_a_lead_who_judged_blind_does_not_adjudicate_their_own_disagreement(desk: Desk, library: Library) -> None:
    planned(desk, library, samples=1, double_share=1)
    judge(desk, LEA)
    judge(desk, BOB, **REJECT)
    assert take(desk, LEA, count=3) == []
    assert next_task(desk, Person("lou", "lead")).question == "adjudicate"


def test_what_somebody_decided_is_not_gone_through_for_each_open_task(desk: Desk, library: Library) -> None:
    """With 2,000 decisions of one person and 2,000 open tasks the next one once took a third of a second."""
    planned(desk, library, samples=1)
    with desk.writing() as connection:
        row = connection.execute(select(tasks)).mappings().one()
        decided = {"state": "decided", "decided_by": "ann"}
        made = [{**row, "task_id": f"t{n}", "sample_id": f"s{n}", **(decided if n % 2 else {})} for n in range(4_000)]
        connection.execute(insert(tasks), made)
    thousands = [0]

    def one_more(*_: object) -> None:
        thousands[0] += 1

    event.listen(desk.engine, "checkout", lambda raw, *_: raw.set_progress_handler(one_more, 1_000))
    next_task(desk, ANN)
    assert thousands[0] < 1_000  # thousands of instructions of SQLite


@on_both_databases
@pytest.mark.parametrize(
    "note", ["\U0001f3e0 " * 2_500, "שלום עולם " * 500, "<script>alert(1)</script>" * 200, "a\u202eb\u0000c"]
)
def test_notes_come_back_as_they_were(desk: Desk, library: Library, note: str) -> None:
    planned(desk, library)
    judge(desk, ANN, note=note[:5_000])
    with desk.reading() as connection:
        (event,) = (event for event in log.read(connection) if event.action == "decide")
        assert event.payload["note"] == note[:5_000]
        assert log.verify(connection) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"note": "x" * 5_001},
        {"verdict": "reject"},
        {"verdict": "edit"},
        {"verdict": "accept", "edits": {"long": "x"}},
        {"verdict": "accept", "choice": 1},
        {"choice": 4},
        {"claims": {"../../etc": "true"}},
        {"ms": -1},
    ],
)
def test_impossible_decisions_are_refused(desk: Desk, library: Library, wrong: dict[str, object]) -> None:
    planned(desk, library)
    task = next_task(desk, ANN)
    with pytest.raises(ValidationError):
        answer(task, **wrong)


@on_both_databases
def test_a_question_is_answered_in_its_own_kind(desk: Desk, library: Library) -> None:
    planned(desk, library)
    task = next_task(desk, ANN)
    with pytest.raises(ValueError, match="answered by a verdict"):
        decide(desk, ANN, task.task_id, answer(task, choice=1))


def test_a_full_disk_loses_nothing_that_was_recorded(desk: Desk, library: Library) -> None:
    planned(desk, library)
    judge(desk, ANN)
    with desk.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    # The limit holds for a connection, so each one of the pool gets it.
    event.listen(desk.engine, "checkout", lambda raw, *_: raw.execute(f"PRAGMA max_page_count={pages}"))
    task, refused = next_task(desk, ANN), ""
    while not refused:
        try:
            decide(desk, ANN, task.task_id, answer(task, note="n" * 5_000))
            task = next_task(desk, ANN)
        except MachineError as error:
            refused = str(error)
    assert "full" in refused
    assert "nothing was recorded" in refused
    with desk.reading() as connection:
        assert log.verify(connection) == []
        assert state(desk, task.task_id) == "open"


def test_a_database_that_turned_read_only_is_told_and_still_read(desk: Desk, library: Library) -> None:
    planned(desk, library)
    task = next_task(desk, ANN)
    event.listen(desk.engine, "checkout", lambda raw, *_: raw.execute("PRAGMA query_only=ON"))
    with pytest.raises(MachineError, match=r"readonly database.*nothing was recorded"):
        decide(desk, ANN, task.task_id, answer(task))
    assert state(desk, task.task_id) == "open"
    assert progress(desk, ANN)[0].open == 24


def test_the_database_is_where_it_was_said_to_be(tmp_path: Path, clock: Callable[[], float]) -> None:
    desk = open_desk(str(tmp_path / "new" / "a.sqlite"), clock=clock)
    with desk.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
    desk.close()
    assert (tmp_path / "new" / "a.sqlite").is_file()


@on_both_databases
def test_a_lead_who_has_read_both_decisions_does_not_judge_the_sample_blind(desk: Desk, library: Library) -> None:
    planned(desk, library, samples=1, double_share=1)
    first = judge(desk, ANN)
    judge(desk, BOB, **REJECT)
    planned(desk, library, name="second", samples=24)
    (task,) = take(desk, LEA, count=1, plan="disagreements")
    assert task.sample_id == first.sample_id
    skip(desk, LEA, task.task_id)
    others = {task.sample_id for task in take(desk, LEA, count=30, plan="second")}
    assert len(others) == 23
    assert first.sample_id not in others
