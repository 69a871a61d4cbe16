"""The response cache on disk, shared by all processes of a machine.

This is our own code because aiohttp-client-cache evicts by age and not by size, stores equal bodies several times, and
does not check what it reads.

A body is a file named by its SHA-256; an SQLite index maps keys to bodies. A file is written under a temporary name,
renamed, then indexed. So a reader never sees half a file, whenever a process is killed; leftovers are removed later.
"""

import contextlib
import hashlib
import json
import logging
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pipeline.errors import MachineError
from pipeline.net.base import Answer
from pipeline.net.cache_control import fresh_for
from pipeline.net.shared_sqlite import set_up

KEPT = frozenset(
    {"age", "cache-control", "content-range", "content-type", "date", "etag", "expires", "last-modified", "vary"}
)
"""Headers that are stored. Others are not: they may hold cookies or expiring URLs."""
ENTRY_BYTES = 512
"""Size that an index entry counts, beside its body."""
LEFTOVER_S = 3_600.0
"""Age at which a file without an index entry is removed. A younger one may be about to be indexed."""
_FILLED_TO = 0.99
"""Eviction continues down to this share of the limit, so that it is not needed with every response."""
_SWEEP_EVERY = 256
_TOUCHED = 256
_PATIENCE_S = 60.0
"""How long to wait for other processes that write to the index."""
_LAYOUT = 1
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
_UPSERT = """
INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    status = excluded.status, content_type = excluded.content_type, headers = excluded.headers,
    immutable = excluded.immutable, stored_at = excluded.stored_at, fresh_s = excluded.fresh_s,
    last_used = excluded.last_used
"""

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Stored:
    """A cached response, and whether it is fresh."""

    answer: Answer
    """Its `url` is empty: URLs are not stored."""
    etag: str | None
    last_modified: str | None
    fresh: bool
    """If false, revalidate it (If-None-Match, If-Modified-Since); report a 304 with `refreshed`."""


class AnswerCache:
    """Responses by key, with eviction of the least recently used. Shared by threads, and by processes.

    Args:
        folder: A folder on a local disk. Created if missing, readable by its owner only.
        max_bytes: Limit for bodies and index entries together, without the overhead of the file system.
        wall: Seconds since the epoch.

    Raises:
        MachineError: the folder cannot be written. So do all methods.
    """

    def __init__(self, folder: Path, max_bytes: int, wall: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._wall = wall
        self._lock = threading.Lock()
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._generation = 0
        """Number of the index file in use. A damaged index is followed by one with the next number."""
        self._touched: dict[bytes, float] = {}
        """Times of last use that are not written yet."""
        self._puts = 0
        with self._explained():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in ("bodies", "new"):
                (folder / name).mkdir(mode=0o700, exist_ok=True)
            self._sweep(folder / "new", lambda _: False)
            numbers = [int(path.stem.split("-")[-1]) for path in folder.glob(f"index-{_LAYOUT}-*.sqlite")]
            self._generation = max(numbers, default=0)
        self._read_index(_used)

    def get(self, key: str) -> Stored | None:
        """The response cached for a key, if its body is present and undamaged."""
        mark = _mark(key)
        row = self._read_index(
            lambda index: index.execute(
                "SELECT digest, status, content_type, headers, immutable, stored_at, fresh_s FROM entries"
                " WHERE key = ?",
                (mark,),
            ).fetchone()
        )
        if row is None:
            return None
        digest, status, content_type, text, immutable, stored_at, fresh_s = row
        body = self._read(digest)
        if body is None:
            self._change_index(lambda index: self._forget_body(index, digest))
            return None
        self._touch(mark)
        headers: dict[str, str] = json.loads(text)
        return Stored(
            Answer(body, status, content_type, headers, cached=True),
            headers.get("etag"),
            headers.get("last-modified"),
            # Kept in the future: the clock was set back, and nobody knows how old it is.
            fresh=bool(immutable) or stored_at <= self._wall() < stored_at + fresh_s,
        )

    def put(self, key: str, answer: Answer, *, immutable: bool) -> None:
        """Store a response as far as its headers allow, in place of an earlier one.

        Args:
            key: Any string; only its digest is stored.
            answer: An accepted response.
            immutable: Without expiry, whatever its headers say; no-store is obeyed nevertheless.
        """
        mark, now = _mark(key), self._wall()
        headers = {name: value for name, value in answer.headers.items() if name in KEPT}
        fresh_s = fresh_for(headers, now)
        size = len(answer.body) + ENTRY_BYTES
        useless = not immutable and fresh_s == 0.0 and "etag" not in headers and "last-modified" not in headers
        if fresh_s is None or useless or size > self._max_bytes:
            self._change_index(lambda index: self._forget(index, mark))
            return
        digest = hashlib.sha256(answer.body).digest()
        with self._explained():
            self._write(digest, answer.body)
        row = (mark, digest, answer.status, answer.content_type, json.dumps(headers), immutable, now, fresh_s, now)

        def keep(index: sqlite3.Connection) -> None:
            index.execute("INSERT OR IGNORE INTO bodies VALUES (?, ?)", (digest, len(answer.body)))
            self._forget(index, mark, but=digest)
            index.execute(_UPSERT, row)
            self._write(digest, answer.body)  # again, if somebody evicted it in between
            if _used(index) > self._max_bytes:
                self._evict(index)

        self._change_index(keep)
        self._puts += 1
        if self._puts % _SWEEP_EVERY == 0:
            self._sweep_bodies(digest[:1])

    def refreshed(self, key: str, headers: Mapping[str, str]) -> None:
        """Record that an entry was revalidated.

        Args:
            key: The key it was stored under.
            headers: Headers of the 304; they replace those stored (RFC 9111, 3.2).
        """
        mark, now = _mark(key), self._wall()

        def refresh(index: sqlite3.Connection) -> None:
            row = index.execute("SELECT headers FROM entries WHERE key = ?", (mark,)).fetchone()
            if row is None:
                return
            of_then = {name: value for name, value in json.loads(row[0]).items() if name not in {"age", "date"}}
            merged = of_then | {name: value for name, value in headers.items() if name in KEPT}
            fresh_s = fresh_for(merged, now)
            if fresh_s is None:
                self._forget(index, mark)
                return
            index.execute(
                "UPDATE entries SET headers = ?, stored_at = ?, fresh_s = ?, last_used = ? WHERE key = ?",
                (json.dumps(merged), now, fresh_s, now, mark),
            )

        self._change_index(refresh)

    def close(self) -> None:
        """Write pending data and close the index. No call may be in progress or follow."""
        self._change_index(self._write_touched)
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    # Bodies.

    def _path(self, digest: bytes) -> Path:
        name = digest.hex()
        return self._folder / "bodies" / name[:2] / name

    def _read(self, digest: bytes) -> bytes | None:
        with self._explained():
            try:
                body = self._path(digest).read_bytes()
            except FileNotFoundError:
                return None
            return body if hashlib.sha256(body).digest() == digest else None

    def _write(self, digest: bytes, body: bytes) -> None:
        path = self._path(digest)
        with contextlib.suppress(FileNotFoundError):
            os.utime(path)  # no longer old enough to be swept
            return
        new = self._folder / "new" / uuid.uuid4().hex
        try:
            new.write_bytes(body)
            try:
                new.rename(path)
            except FileNotFoundError:
                path.parent.mkdir(mode=0o700, exist_ok=True)
                new.rename(path)
        finally:
            new.unlink(missing_ok=True)

    def _sweep_bodies(self, first: bytes) -> None:
        """Remove bodies without an entry whose digest begins with this byte."""
        known = self._read_index(
            lambda index: index.execute(
                "SELECT digest FROM bodies WHERE digest >= ? AND digest < ?", (first, first + b"\xff" * 32)
            ).fetchall()
        )
        names = {digest.hex() for [digest] in known}
        with self._explained():
            self._sweep(self._folder / "bodies" / first.hex(), names.__contains__)

    def _sweep(self, folder: Path, wanted: Callable[[str], bool]) -> None:
        oldest = time.time() - LEFTOVER_S  # by the clock of the file system, not by `wall`
        for file in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another process sweeps too
                if not wanted(file.name) and file.stat().st_mtime < oldest:
                    file.unlink()

    # The index.

    def _touch(self, mark: bytes) -> None:
        with self._lock:
            self._touched[mark] = self._wall()
            if len(self._touched) < _TOUCHED:
                return
        self._change_index(self._write_touched)

    def _write_touched(self, index: sqlite3.Connection) -> None:
        with self._lock:
            touched, self._touched = self._touched, {}
        index.executemany(
            "UPDATE entries SET last_used = max(last_used, ?) WHERE key = ?",
            [(at, mark) for mark, at in touched.items()],
        )

    def _evict(self, index: sqlite3.Connection) -> None:
        self._write_touched(index)
        while _used(index) > _FILLED_TO * self._max_bytes:
            [oldest] = index.execute("SELECT key FROM entries ORDER BY last_used LIMIT 1").fetchone()
            self._forget(index, oldest)

    def _forget(self, index: sqlite3.Connection, mark: bytes, but: bytes = b"") -> None:
        """Remove an entry, unless it has that body; and its body, if no other entry has it."""
        row = index.execute(
            "DELETE FROM entries WHERE key = ? AND digest != ? RETURNING digest", (mark, but)
        ).fetchone()
        if row and not index.execute("SELECT 1 FROM bodies WHERE digest = ?", row).fetchone():
            self._path(row[0]).unlink(missing_ok=True)

    def _forget_body(self, index: sqlite3.Connection, digest: bytes) -> None:
        index.execute("DELETE FROM entries WHERE digest = ?", (digest,))
        self._path(digest).unlink(missing_ok=True)

    def _read_index(self, use: Callable[[sqlite3.Connection], T]) -> T:
        """Use this thread's connection. A damaged index is replaced, and the call repeated once."""
        for last in (False, True):
            generation = self._generation
            try:
                with self._explained():
                    return use(self._connection())
            except sqlite3.DatabaseError as fault:
                if last:
                    raise self._unusable(fault) from fault
                self._give_up_index(generation, fault)
        raise AssertionError("the second time returns or raises")

    def _change_index(self, change: Callable[[sqlite3.Connection], None]) -> None:
        """As `_read_index`, in a transaction."""

        def in_transaction(index: sqlite3.Connection) -> None:
            with index:
                index.execute("BEGIN IMMEDIATE")
                change(index)

        self._read_index(in_transaction)

    def _connection(self) -> sqlite3.Connection:
        generation, index = getattr(self._local, "index", (-1, None))
        if index is None or generation != self._generation:
            generation = self._generation
            index = sqlite3.connect(
                self._index_file(generation), timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False
            )
            with self._lock:
                self._connections.append(index)
            set_up(index, _SCHEMA, _PATIENCE_S)
            self._local.index = generation, index
        return index

    def _index_file(self, generation: int) -> Path:
        return self._folder / f"index-{_LAYOUT}-{generation}.sqlite"

    def _give_up_index(self, generation: int, fault: sqlite3.DatabaseError) -> None:
        """Start a new index. Bodies are found again when their keys are stored again, and removed otherwise."""
        with self._lock, self._explained():
            if generation == self._generation:  # otherwise another thread was here first
                log.warning("the index of the cache in %s is damaged (%s): a new one is created", self._folder, fault)
                # Under another name: renaming or replacing a file that other processes have open ruins both.
                self._generation += 1
                for old in self._folder.glob(f"{self._index_file(generation).name}*"):
                    old.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.OperationalError) as fault:
            raise self._unusable(fault) from fault

    def _unusable(self, fault: Exception) -> MachineError:
        return MachineError(
            f"the response cache in {self._folder} cannot be used ({fault}): free some space, make the folder writable,"
            " or name another one in `network.cache`"
        )


def _mark(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _used(index: sqlite3.Connection) -> int:
    [used] = index.execute("SELECT bytes FROM used").fetchone()
    return int(used)
