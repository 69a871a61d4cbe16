"""The chain: whoever changes, removes or adds something shows."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from pipeline.errors import ConfigError, MachineError
from tests.audit.conftest import ANN, BOB, REJECT, judge, on_both_databases, planned
from tools.audit import log
from tools.audit.database.opening import Desk, open_desk
from tools.audit.database.tables import metadata
from tools.audit.library import Library


def faults(desk: Desk) -> list[str]:
    with desk.reading() as connection:
        return log.verify(connection)


@pytest.fixture
def used(desk: Desk, library: Library) -> Desk:
    planned(desk, library, attention_share=0.2)
    for i in range(6):
        judge(desk, (ANN, BOB)[i % 2], **(REJECT if i == 3 else {}))
    return desk


@on_both_databases
def test_a_log_that_nobody_touched_is_sound(used: Desk) -> None:
    assert faults(used) == []


@pytest.mark.parametrize(
    ("tampering", "said"),
    [
        ("UPDATE events SET payload = replace(payload, 'reject', 'accept') WHERE payload LIKE '%reject%'", "changed"),
        ("UPDATE events SET alias = 'bob' WHERE alias = 'ann'", "changed"),
        ("UPDATE events SET at = '2020-01-01T00:00:00.000+00:00' WHERE seq = 5", "changed"),
        ("DELETE FROM events WHERE seq = 6", "missing"),
        ("DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)", "last events are missing"),
        ("UPDATE tasks SET planted = NULL WHERE planted IS NOT NULL", "tasks of plan 'first' were changed"),
        ("UPDATE tasks SET state = 'open', decided_seq = NULL WHERE decided_seq = 6", "does not follow"),
        ("UPDATE tasks SET decided_seq = 5 WHERE decided_seq IS NULL AND position < 20", "does not follow"),
    ],
)
def test_tampering_shows(used: Desk, tampering: str, said: str) -> None:
    with used.engine.begin() as connection:
        connection.execute(text(tampering))
    assert any(said in fault for fault in faults(used)), faults(used)


@on_both_databases
def test_the_tables_are_those_that_the_migrations_make(desk: Desk) -> None:
    with desk.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


@on_both_databases
def test_a_database_of_a_newer_version_is_refused(desk: Desk) -> None:
    where = desk.engine.url.render_as_string()
    with desk.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="newer version of geoscribe"):
        open_desk(where)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.sqlite").write_bytes(b"\xff\xd8\xff\xe0" * 500)
    with pytest.raises(MachineError, match="cannot be opened"):
        open_desk(str(tmp_path / "photo.sqlite"))
    with pytest.raises(ConfigError, match="not there"):
        open_desk(str(tmp_path / "absent.sqlite"), create=False)
