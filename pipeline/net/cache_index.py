"""The index of the response cache: an SQLite file that maps keys to bodies, counts bytes and knows what was used last.

A damaged index is followed by one under another name: renaming or replacing a file that other processes have open ruins
both.
"""

import contextlib
import hashlib
import json
import logging
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import MachineError
from pipeline.net.shared_sqlite import BadContentError, check_made_by, is_fault_of_content, set_up

ENTRY_BYTES = 512
"""Size that an index entry counts, beside its body."""
_PATIENCE_S = 60.0
"""How long to wait for other processes that write to the index."""
_LAYOUT = 1
_INDEX = re.compile(rf"index-{_LAYOUT}-([0-9]{{1,9}})\.sqlite")
_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS used (bytes INTEGER NOT NULL);
INSERT INTO used SELECT 0 WHERE NOT EXISTS (SELECT * FROM used);
CREATE TABLE IF NOT EXISTS bodies (digest BLOB PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (
    key BLOB PRIMARY KEY, digest BLOB NOT NULL, status INTEGER NOT NULL, content_type TEXT NOT NULL,
    headers TEXT NOT NULL, immutable INTEGER NOT NULL, stored_at REAL NOT NULL, fresh_s REAL NOT NULL,
    last_used REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_by_digest ON entries (digest);
CREATE INDEX IF NOT EXISTS entries_by_use ON entries (last_used);
CREATE TRIGGER IF NOT EXISTS body_in AFTER INSERT ON bodies BEGIN
    UPDATE used SET bytes = bytes + new.size; END;
CREATE TRIGGER IF NOT EXISTS body_out AFTER DELETE ON bodies BEGIN
    UPDATE used SET bytes = bytes - old.size; END;
CREATE TRIGGER IF NOT EXISTS entry_in AFTER INSERT ON entries BEGIN
    UPDATE used SET bytes = bytes + {entry}; END;
CREATE TRIGGER IF NOT EXISTS entry_out AFTER DELETE ON entries BEGIN
    UPDATE used SET bytes = bytes - {entry};
    DELETE FROM bodies WHERE digest = old.digest AND NOT EXISTS (SELECT * FROM entries WHERE digest = old.digest); END;
COMMIT;
""".replace("{entry}", str(ENTRY_BYTES))
UPSERT = """
INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    status = excluded.status, content_type = excluded.content_type, headers = excluded.headers,
    immutable = excluded.immutable, stored_at = excluded.stored_at, fresh_s = excluded.fresh_s,
    last_used = excluded.last_used
"""

log = logging.getLogger(__name__)
T = TypeVar("T")


class Index:
    """The newest index in a folder, with a connection for each thread. Shared by threads, and by processes.

    Raises:
        MachineError: the folder cannot be used. So do all methods.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        with explained(folder):
            names = (_INDEX.fullmatch(path.name) for path in folder.iterdir())
            self._generation = max((int(name[1]) for name in names if name), default=0)
            """Number of the index file in use. A damaged index is followed by one with the next number."""
        self.read(check_used)

    def read(self, use: Callable[[sqlite3.Connection], T]) -> T:
        """Use this thread's connection. A damaged index is replaced, and the call repeated once."""
        for last in (False, True):
            generation = self._generation
            try:
                with explained(self._folder):
                    return use(self._connection())
            except sqlite3.DatabaseError as fault:
                if last:
                    raise _unusable(self._folder, fault) from fault
                self._give_up(generation, fault)
        raise AssertionError("the second time returns or raises")

    def change(self, change: Callable[[sqlite3.Connection], None]) -> None:
        """As `read`, in a transaction."""

        def in_transaction(index: sqlite3.Connection) -> None:
            with index:
                index.execute("BEGIN IMMEDIATE")
                change(index)

        self.read(in_transaction)

    def close(self) -> None:
        """Close all connections. No call may be in progress or follow."""
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    def _connection(self) -> sqlite3.Connection:
        generation, index = getattr(self._local, "index", (-1, None))
        if index is None or generation != self._generation:
            generation = self._generation
            index = sqlite3.connect(
                self._file(generation), timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False
            )
            with self._lock:
                self._connections.append(index)
            set_up(index, _SCHEMA, _PATIENCE_S)
            check_made_by(index, _SCHEMA)
            self._local.index = generation, index
        return index

    def _file(self, generation: int) -> Path:
        return self._folder / f"index-{_LAYOUT}-{generation}.sqlite"

    def _give_up(self, generation: int, fault: sqlite3.DatabaseError) -> None:
        """Start a new index. Bodies are found again when their keys are stored again, and removed otherwise."""
        with self._lock, explained(self._folder):
            if generation == self._generation:  # otherwise another thread was here first
                log.warning("the index of the cache in %s is damaged (%s): a new one is created", self._folder, fault)
                self._generation += 1
                for old in self._folder.glob(f"{self._file(generation).name}*"):
                    old.unlink(missing_ok=True)


@contextlib.contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn faults of the file system, and of SQLite unless the content is at fault, into a `MachineError`."""
    try:
        yield
    except sqlite3.Error as fault:
        if is_fault_of_content(fault):
            raise
        raise _unusable(folder, fault) from fault
    except OSError as fault:
        raise _unusable(folder, fault) from fault


def _unusable(folder: Path, fault: Exception) -> MachineError:
    return MachineError(
        f"the response cache in {folder} cannot be used ({fault}): free some space, make the folder writable,"
        " or name another one in `network.cache`"
    )


@dataclass(frozen=True)
class Entry:
    """A row of the index."""

    digest: bytes
    status: int
    content_type: str
    headers: dict[str, str]
    immutable: bool
    stored_at: float
    fresh_s: float


def find_entry(index: sqlite3.Connection, mark: bytes) -> Entry | None:
    """The entry of a key, given by its digest.

    Raises:
        BadContentError: the row was not written here.
    """
    row = index.execute(
        "SELECT digest, status, content_type, headers, immutable, stored_at, fresh_s FROM entries WHERE key = ?",
        (mark,),
    ).fetchone()
    if row is None:
        return None
    digest, status, content_type, text, immutable, stored_at, fresh_s = row
    try:
        headers = json.loads(text)
        sound = isinstance(headers, dict) and all(isinstance(value, str) for value in headers.values())
    except (TypeError, ValueError, RecursionError):
        sound = False
    types = ((status, int), (content_type, str), (immutable, int), (stored_at, float), (fresh_s, float))
    if not sound or not all(isinstance(value, kind) for value, kind in types):
        raise BadContentError("an entry of it cannot be read")
    return Entry(digest_of(digest), status, content_type, headers, bool(immutable), stored_at, fresh_s)


def digest_of(value: Any) -> bytes:
    """The digest of a body, checked as it comes from the index.

    Raises:
        BadContentError: it is no SHA-256 digest.
    """
    if not isinstance(value, bytes) or len(value) != hashlib.sha256().digest_size:
        raise BadContentError("a digest of it is none")
    return value


def used_bytes(index: sqlite3.Connection) -> int:
    """Size of all bodies and entries.

    Raises:
        BadContentError: the index has no such number.
    """
    row = index.execute("SELECT bytes FROM used").fetchone()
    if row is None or not isinstance(row[0], int) or row[0] < 0:
        raise BadContentError("its count of bytes is none")
    return row[0]


def check_used(index: sqlite3.Connection) -> None:
    """Compare the count of bytes with the entries and bodies, in one statement, as other processes write too.

    Raises:
        BadContentError: they differ.
    """
    counts = index.execute(
        "SELECT (SELECT count(*) FROM used), (SELECT bytes FROM used),"
        " (SELECT coalesce(sum(size), 0) FROM bodies) + (SELECT ? * count(*) FROM entries)",
        (ENTRY_BYTES,),
    ).fetchone()
    if counts[0] != 1 or counts[1] != counts[2]:
        raise BadContentError("its count of bytes does not fit its entries")
