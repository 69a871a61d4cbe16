"""A process that is killed in the middle of a decision: the decision is whole or not there at all."""

import os
import signal
from pathlib import Path
from typing import NoReturn

from sqlalchemy import event

from tests.audit.conftest import ANN, judge, planned
from tools.audit import log
from tools.audit.database.opening import open_desk
from tools.audit.library import Library
from tools.audit.people import enrol


def work_until_killed(where: str, dies_after: int, acknowledged: int) -> NoReturn:
    """Decide task after task, tell of each that is decided, and die after so many statements."""
    desk = open_desk(where)
    statements = 0

    @event.listens_for(desk.engine, "after_cursor_execute")
    def count(*_: object) -> None:
        nonlocal statements
        statements += 1
        if statements == dies_after:
            os.kill(os.getpid(), signal.SIGKILL)

    while True:
        os.write(acknowledged, judge(desk, ANN).task_id.encode() + b"\n")


def test_a_kill_at_any_statement_leaves_whole_decisions(tmp_path: Path, library: Library) -> None:
    where = str(tmp_path / "audit.sqlite")
    desk = open_desk(where)
    enrol(desk, "ann", "annotator", with_token=False)
    planned(desk, library)
    desk.close()  # a forked process must not share the connections
    acknowledged: list[str] = []
    for dies_after in range(
        5, 35, 2
    ):  # every second statement of the first two tasks, from their lease to the end of the decision
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:
            work_until_killed(where, dies_after, writes)
        os.close(writes)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL
        with os.fdopen(reads) as said:
            acknowledged += said.read().split()
        desk = open_desk(where)
        with desk.reading() as connection:
            assert log.verify(connection) == []
            assert set(acknowledged) <= set(log.standing(log.read(connection)))
        desk.close()
    assert len(acknowledged) == len(set(acknowledged)) > 5
