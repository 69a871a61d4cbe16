"""The response cache on disk, shared by all processes of a machine.

This is our own code because aiohttp-client-cache evicts by age and not by size, stores equal bodies several times, and
does not check what it reads.

Bodies are files (`cache_bodies`); an index maps keys to them (`cache_index`). A body is written first, then indexed.
"""

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.net.base import Answer
from pipeline.net.cache_bodies import Bodies
from pipeline.net.cache_control import fresh_for
from pipeline.net.cache_index import ENTRY_BYTES, UPSERT, Index, digest_of, explained, find_entry, used_bytes
from pipeline.net.shared_sqlite import BadContentError

KEPT = frozenset(
    {"age", "cache-control", "content-range", "content-type", "date", "etag", "expires", "last-modified", "vary"}
)
"""Headers that are stored. Others are not: they may hold cookies or expiring URLs."""
_FILLED_TO = 0.99
"""Eviction continues down to this share of the limit, so that it is not needed with every response."""
_SWEEP_EVERY = 256
_TOUCHED = 256


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
        self._touched: dict[bytes, float] = {}
        """Times of last use that are not written yet."""
        self._puts = 0
        with explained(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._bodies = Bodies(folder)
        self._index = Index(folder)

    def get(self, key: str) -> Stored | None:
        """The response cached for a key, if its body is present and undamaged."""
        mark = _mark(key)
        entry = self._index.read(lambda index: find_entry(index, mark))
        if entry is None:
            return None
        with explained(self._folder):
            body = self._bodies.read(entry.digest)
        if body is None:
            self._index.change(lambda index: self._forget_body(index, entry.digest))
            return None
        self._touch(mark)
        return Stored(
            Answer(body, entry.status, entry.content_type, entry.headers, cached=True),
            entry.headers.get("etag"),
            entry.headers.get("last-modified"),
            # Kept in the future: the clock was set back, and nobody knows how old it is.
            fresh=entry.immutable or entry.stored_at <= self._wall() < entry.stored_at + entry.fresh_s,
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
            self._index.change(lambda index: self._forget(index, mark))
            return
        digest = hashlib.sha256(answer.body).digest()
        with explained(self._folder):
            self._bodies.write(digest, answer.body)
        row = (mark, digest, answer.status, answer.content_type, json.dumps(headers), immutable, now, fresh_s, now)

        def keep(index: sqlite3.Connection) -> None:
            index.execute("INSERT OR IGNORE INTO bodies VALUES (?, ?)", (digest, len(answer.body)))
            self._forget(index, mark, but=digest)
            index.execute(UPSERT, row)
            self._bodies.write(digest, answer.body)  # again, if somebody evicted it in between
            if used_bytes(index) > self._max_bytes:
                self._evict(index)

        self._index.change(keep)
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
            entry = find_entry(index, mark)
            if entry is None:
                return
            of_then = {name: value for name, value in entry.headers.items() if name not in {"age", "date"}}
            merged = of_then | {name: value for name, value in headers.items() if name in KEPT}
            fresh_s = fresh_for(merged, now)
            if fresh_s is None:
                self._forget(index, mark)
                return
            index.execute(
                "UPDATE entries SET headers = ?, stored_at = ?, fresh_s = ?, last_used = ? WHERE key = ?",
                (json.dumps(merged), now, fresh_s, now, mark),
            )

        self._index.change(refresh)

    def close(self) -> None:
        """Write pending data and close the index. No call may be in progress or follow."""
        self._index.change(self._write_touched)
        self._index.close()

    def _sweep_bodies(self, first: bytes) -> None:
        """Remove bodies without an entry whose digest begins with this byte."""
        rows = self._index.read(
            lambda index: index.execute(
                "SELECT digest FROM bodies WHERE digest >= ? AND digest < ?", (first, first + b"\xff" * 32)
            ).fetchall()
        )
        with explained(self._folder):
            self._bodies.sweep(first, {digest for [digest] in rows if isinstance(digest, bytes)})

    def _touch(self, mark: bytes) -> None:
        with self._lock:
            self._touched[mark] = self._wall()
            if len(self._touched) < _TOUCHED:
                return
        self._index.change(self._write_touched)

    def _write_touched(self, index: sqlite3.Connection) -> None:
        with self._lock:
            touched, self._touched = self._touched, {}
        index.executemany(
            "UPDATE entries SET last_used = max(last_used, ?) WHERE key = ?",
            [(at, mark) for mark, at in touched.items()],
        )

    def _evict(self, index: sqlite3.Connection) -> None:
        self._write_touched(index)
        while used_bytes(index) > _FILLED_TO * self._max_bytes:
            oldest = index.execute("SELECT key FROM entries ORDER BY last_used LIMIT 1").fetchone()
            if oldest is None:
                raise BadContentError("its count of bytes does not fit its entries")
            self._forget(index, oldest[0])

    def _forget(self, index: sqlite3.Connection, mark: bytes, but: bytes = b"") -> None:
        """Remove an entry, unless it has that body; and its body, if no other entry has it."""
        row = index.execute(
            "DELETE FROM entries WHERE key = ? AND digest != ? RETURNING digest", (mark, but)
        ).fetchone()
        if row and not index.execute("SELECT 1 FROM bodies WHERE digest = ?", row).fetchone():
            self._bodies.remove(digest_of(row[0]))

    def _forget_body(self, index: sqlite3.Connection, digest: bytes) -> None:
        index.execute("DELETE FROM entries WHERE digest = ?", (digest,))
        self._bodies.remove(digest)


def _mark(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
