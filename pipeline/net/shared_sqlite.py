"""Opening an SQLite file that several processes share, some of which may be setting it up at this moment."""

import sqlite3
import time

_LOOK_S = 0.02


def set_up(database: sqlite3.Connection, schema: str, patience_s: float) -> None:
    """Write-ahead journal and tables.

    To change the journal, SQLite waits for nobody, whatever the connection's time-out: it says busy at once. So this
    waits. No fsync with each transaction: a power cut may lose the last ones, and that is all.

    Args:
        database: a connection that was just opened.
        schema: statements that may be run again.
        patience_s: how long to wait for other processes.

    Raises:
        sqlite3.Error: the file cannot be used, or others kept it for longer.
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
