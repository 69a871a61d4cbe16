"""Opens an SQLite file that other processes may be setting up at the same moment."""

import sqlite3
import time

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
