"""Bodies of cached responses: files named by their SHA-256.

A file is written under a temporary name and renamed. So a reader never sees half a file, whenever a process is killed;
leftovers are removed later. All methods raise OSError where the folder cannot be used.
"""

import contextlib
import hashlib
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path

LEFTOVER_S = 3_600.0
"""Age at which a file without an index entry is removed. A younger one may be about to be indexed."""


class Bodies:
    """The bodies below a folder. Shared by threads, and by processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("bodies", "new"):
            (folder / name).mkdir(mode=0o700, exist_ok=True)
        _sweep(folder / "new", lambda _: False)

    def read(self, digest: bytes) -> bytes | None:
        """The body with this digest; None if it is missing or damaged."""
        try:
            body = self._path(digest).read_bytes()
        except FileNotFoundError:
            return None
        return body if hashlib.sha256(body).digest() == digest else None

    def write(self, digest: bytes, body: bytes) -> None:
        """Store a body, unless it is there."""
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

    def remove(self, digest: bytes) -> None:
        """Remove a body, if it is there."""
        self._path(digest).unlink(missing_ok=True)

    def sweep(self, first: bytes, known: set[bytes]) -> None:
        """Remove old bodies whose digest begins with this byte, except the known ones."""
        names = {digest.hex() for digest in known}
        _sweep(self._folder / "bodies" / first.hex(), names.__contains__)

    def _path(self, digest: bytes) -> Path:
        name = digest.hex()
        return self._folder / "bodies" / name[:2] / name


def _sweep(folder: Path, wanted: Callable[[str], bool]) -> None:
    oldest = time.time() - LEFTOVER_S  # by the clock of the file system
    for file in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process sweeps too
            if not wanted(file.name) and file.stat().st_mtime < oldest:
                file.unlink()
