"""Opening an SQLite file that several processes share, some of which may be setting it up at this moment.

Such a file may have been made by anything: what is in it is looked at, not taken for granted.
"""

import sqlite3
import time
from functools import cache

_LOOK_S = 0.02


def set_up(database: sqlite3.Connection, schema: str, patience_s: float) -> None:
    """Set the write-ahead journal and create the tables.

    SQLite never waits when the journal mode is changed, whatever the connection's timeout: it reports busy at once. So
    this function waits. Transactions are not synced one by one: a power cut may lose the last ones, but no more.

    Args:
        database: a newly opened connection.
        schema: statements that can be repeated.
        patience_s: how long to wait for other processes, in seconds.

    Raises:
        sqlite3.Error: the file cannot be used, or other processes blocked it for longer.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            database.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; {schema}")
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            database.rollback()
        else:
            return
        time.sleep(_LOOK_S)


class BadContentError(sqlite3.DatabaseError):
    """A sound SQLite file whose tables or rows are not as they were made here."""


def check_made_by(database: sqlite3.Connection, schema: str) -> None:
    """Refuse a file whose tables, indexes and triggers are other than a schema makes.

    Raises:
        BadContentError: naming the first that is missing, different or foreign.
    """
    found = _objects(database)
    odd = sorted(name for _, name, _ in found ^ _made(schema))
    if odd:
        raise BadContentError(f"its {odd[0]} is not as it should be")


def is_fault_of_content(fault: sqlite3.Error) -> bool:
    """Whether an error lies with what the file holds, and not with the disk, its rights, or other processes."""
    if not isinstance(fault, sqlite3.OperationalError):
        return isinstance(fault, sqlite3.DatabaseError)
    # "no such column" and the like; and, without a code, text that is not UTF-8.
    return getattr(fault, "sqlite_errorcode", sqlite3.SQLITE_ERROR) == sqlite3.SQLITE_ERROR


@cache
def _made(schema: str) -> frozenset[tuple[str, str, str | None]]:
    database = sqlite3.connect(":memory:")
    try:
        database.executescript(schema)
        return _objects(database)
    finally:
        database.close()


def _objects(database: sqlite3.Connection) -> frozenset[tuple[str, str, str | None]]:
    rows = database.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
    return frozenset((kind, name, sql) for kind, name, sql in rows)
