"""Daily request quotas of providers, counted for all builds on one machine and across restarts."""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import MachineError, SiteError
from pipeline.net.base import Provider
from pipeline.net.shared_sqlite import check_made_by, is_fault_of_content, set_up
from schemas.reasons import Reason

RESERVED = 50
"""Requests that are counted in advance, in one write. A killed process loses those that it did not use."""
_DAY_S = 86_400
_PATIENCE_S = 30.0
_SCHEMA = """CREATE TABLE IF NOT EXISTS taken (provider TEXT, key_mark TEXT, day INTEGER, requests INTEGER,
PRIMARY KEY (provider, key_mark, day)) WITHOUT ROWID;"""


_OBJECTS = "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY type = 'table'"
"""All that is in a file; tables last, as the others go with them."""
_DELETE_BAD = """DELETE FROM taken WHERE typeof(provider) != 'text' OR typeof(key_mark) != 'text'
OR typeof(day) != 'integer' OR day NOT BETWEEN 0 AND ? OR typeof(requests) != 'integer' OR requests < 0"""
_LAST_DAY = (datetime.max.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days - 1

log = logging.getLogger(__name__)


class DayQuota:
    """The count of each provider and key for a UTC day, in an SQLite file. For one thread at a time.

    Args:
        file: Shared by processes; the count is of this process alone if None.
        wall: Seconds since the epoch.
    """

    def __init__(self, file: Path | None, wall: Callable[[], float] = time.time) -> None:
        self._file = file
        self._wall = wall
        self._opened: sqlite3.Connection | None = None
        self._reserved: dict[tuple[str, str], tuple[int, int]] = {}
        """The day, and how many reserved requests are left."""

    def take(self, provider: Provider, key_mark: str | None) -> None:
        """Count one request, if the provider has a daily quota.

        Raises:
            SiteError: RATE_LIMITED, the day's requests are used up.
            MachineError: the file cannot be read or written.
        """
        if provider.per_day is None:
            return
        whose = provider.name, key_mark or ""
        day, left = self._reserved.get(whose, (-1, 0))
        # A clock that was set back does not make a reservation of a later day invalid.
        if left == 0 or day < self._today():
            day, left = self._reserve(whose, provider.per_day)
        self._reserved[whose] = day, left - 1

    def close(self) -> None:
        """Return the reserved requests that were not used."""
        if self._opened is not None:
            with self._explained(), self._opened:
                self._opened.executemany(
                    "UPDATE taken SET requests = requests - ? WHERE provider = ? AND key_mark = ? AND day = ?",
                    [(left, *whose, day) for whose, (day, left) in self._reserved.items()],
                )
            self._opened.close()
            self._opened = None
        self._reserved.clear()

    def _reserve(self, whose: tuple[str, str], per_day: int) -> tuple[int, int]:
        with self._explained(), self._database() as database:
            database.execute("BEGIN IMMEDIATE")
            # A later day than today is there when the clock was set back: it goes on counting, there is no new quota.
            [last] = database.execute(
                "SELECT max(day) FROM taken WHERE provider = ? AND key_mark = ?", whose
            ).fetchone()
            day = max(self._today(), last or 0)
            row = database.execute(
                "SELECT requests FROM taken WHERE provider = ? AND key_mark = ? AND day = ?", (*whose, day)
            ).fetchone()
            left = per_day - (row[0] if row else 0)
            if left > 0:
                taken = min(RESERVED, max(1, left // 20))  # little towards the end, when others want their part
                database.execute(
                    "INSERT INTO taken VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET requests = requests + ?",
                    (*whose, day, taken, taken),
                )
                database.execute("DELETE FROM taken WHERE provider = ? AND key_mark = ? AND day < ?", (*whose, day))
                return day, taken
        detail = f"the {per_day} requests a day of {whose[0]} are used up; they renew at {_start(day + 1)}"
        if day > self._today():
            detail += f" (this machine's clock was later before: if that was wrong, delete {self._file})"
        raise SiteError(Reason.RATE_LIMITED, detail)

    def _today(self) -> int:
        return int(self._wall()) // _DAY_S

    def _database(self) -> sqlite3.Connection:
        if self._opened is None:
            if self._file is not None:
                self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            opened = sqlite3.connect(self._file or ":memory:", timeout=_PATIENCE_S, check_same_thread=False)
            try:
                set_up(opened, "", _PATIENCE_S)
                self._mend(opened)
            except sqlite3.Error:
                opened.close()
                raise
            self._opened = opened
        return self._opened

    def _mend(self, database: sqlite3.Connection) -> None:
        """Make the table, and leave in a sound file only what can have been written here."""
        with database:
            database.execute("BEGIN IMMEDIATE")
            try:
                database.execute(_SCHEMA)
                check_made_by(database, _SCHEMA)
            except sqlite3.DatabaseError as fault:
                if not is_fault_of_content(fault):
                    raise
                log.warning("%s: %s; the day's requests are counted anew, today's are lost", self._file, fault)
                for kind, name in database.execute(_OBJECTS).fetchall():
                    database.execute(f'DROP {kind} IF EXISTS "{name.replace(chr(34), 2 * chr(34))}"')
                database.execute(_SCHEMA)
            gone = database.execute(_DELETE_BAD, (_LAST_DAY,)).rowcount
            if gone:
                log.warning("%s had %d invalid counts of requests: left out", self._file, gone)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.OperationalError) as fault:
            raise MachineError(
                f"the day's requests cannot be counted in {self._file} ({fault}): let `network.cache` name a folder"
                " that can be written"
            ) from fault
        except sqlite3.DatabaseError as fault:
            raise MachineError(
                f"{self._file}, which counts the day's requests, is damaged ({fault}): delete it; the counts of today"
                " are lost with it"
            ) from fault


def _start(day: int) -> str:
    return datetime.fromtimestamp(day * _DAY_S, UTC).strftime("%Y-%m-%d 00:00 UTC")
