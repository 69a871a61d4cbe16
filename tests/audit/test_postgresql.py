"""The audit desk on a real PostgreSQL: people at work at once, nothing lost or decided twice."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import text

from tests.audit.conftest import ANN, answer, planned
from tools.audit import log
from tools.audit.database.opening import Desk, open_desk
from tools.audit.decisions import decide, undo
from tools.audit.library import Library
from tools.audit.people import Person, enrol
from tools.audit.queue import take

pytestmark = pytest.mark.servers


def work(desk: Desk, person: Person, decided: list[str]) -> None:
    """Decide all that there is, and take the third decision back once."""
    undone = False
    while found := take(desk, person, count=2):
        decide(desk, person, found[0].task_id, answer(found[0], note="ünï \U0001f3e0"))
        decided.append(found[0].task_id)
        if len(decided) == 3 and not undone:
            assert undo(desk, person) == decided.pop()
            undone = True


def test_people_at_once(new_database: Callable[[], str], library: Library) -> None:
    where = new_database()
    desk = open_desk(where)
    planned(desk, library, double_share=1)
    people = [Person(f"p{i}", "annotator") for i in range(6)]
    for person in people:
        enrol(desk, person.alias, "annotator", with_token=False)
    decided: dict[str, list[str]] = {person.alias: [] for person in people}
    threads = [threading.Thread(target=work, args=(desk, p, decided[p.alias])) for p in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    desk.close()
    again = open_desk(where)
    with again.reading() as connection:
        assert log.verify(connection) == []
        standing = log.standing(log.read(connection))
    every = [task_id for mine in decided.values() for task_id in mine]
    assert len(every) == len(set(every)) == len(standing) == 48
    assert {event.alias for event in standing.values()} == {alias for alias, mine in decided.items() if mine}
    with again.engine.begin() as connection:
        connection.execute(text("UPDATE events SET alias = 'mallory' WHERE seq = 20"))
    with again.reading() as connection:
        assert any("event 20" in fault for fault in log.verify(connection))
    again.close()


def test_a_database_server_that_was_restarted_is_used_again(new_database: Callable[[], str], library: Library) -> None:
    where = new_database()
    desk, other = open_desk(where), open_desk(where)
    planned(desk, library)
    enrol(desk, ANN.alias, "annotator", with_token=False)
    for _ in range(2):
        (task,) = take(desk, ANN, count=1)
        with other.engine.begin() as connection:  # as a restart does: all connections are gone, within 30 s
            connection.execute(
                text("SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE datname = current_database() "
                     "AND pid <> pg_backend_pid()")
            )  # fmt: skip
        decide(desk, ANN, task.task_id, answer(task))
    with desk.reading() as connection:
        assert log.verify(connection) == []
        assert len(log.standing(log.read(connection))) == 2
    desk.close()
    other.close()
