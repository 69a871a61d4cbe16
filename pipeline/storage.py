"""Files of a workspace or a dataset, in a local folder or in a bucket, with the same calls.

Every write is atomic: a reader sees the whole file or none. Locally that is a temporary file in the sibling folder
`.tmp`, fsync, rename, fsync of the folder; in a bucket it is a (conditional) put. Paths are relative, with `/`.
"""

import contextlib
import errno
import fcntl
import io
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import obstore
import pyarrow as pa
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import LocalStore, ObjectStore, from_url

from pipeline.errors import ConfigError, MachineError, Problem

TEMPORARY = ".tmp"
READ_AHEAD = 2**18
"""Bytes fetched from a bucket at once: a Parquet footer fits in one request."""
_PROBE = timedelta(seconds=15)
_LOCK = ".lock"
STALE_AFTER_S = 3600.0
"""A temporary file this old belongs to a killed writer: writing one file never takes an hour."""


@dataclass(frozen=True)
class Entry:
    """One stored file."""

    path: str
    size: int
    modified: datetime
    """By the store's own clock, which for a bucket is not this machine's."""


class Store:
    """A folder or bucket prefix. Made by `open_store`."""

    def __init__(self, url: str, backend: ObjectStore, root: Path | None) -> None:
        self.url = url
        self._backend: Any = backend
        self.root = root
        """The folder, where the store is local."""

    @property
    def _temporary(self) -> Path:
        return (self.root or Path(tempfile.gettempdir())) / TEMPORARY

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """All files below a folder, in no order. Temporary files are not among them."""
        with _explained(self.url, "list"):
            for batch in obstore.list(self._backend, prefix=prefix or None, chunk_size=1000, return_arrow=False):
                for meta in batch:
                    if not meta["path"].startswith(TEMPORARY + "/"):
                        yield Entry(meta["path"], meta["size"], meta["last_modified"])

    def exists(self, path: str) -> bool:
        """Whether the file is there."""
        return self._size(path) is not None

    def read(self, path: str) -> bytes:
        """The file's bytes.

        Raises:
            FileNotFoundError: there is none.
        """
        with _explained(self.url, "read"):
            return bytes((self.root / path).read_bytes() if self.root else obstore.get(self._backend, path).bytes())

    def buffer(self, path: str) -> pa.Buffer:
        """The file's bytes, in memory of Arrow that is used again for the next file. `read` takes new memory each time.

        Raises:
            FileNotFoundError: there is none.
        """
        with _explained(self.url, "read"):
            if self.root is None:
                return pa.py_buffer(obstore.get(self._backend, path).bytes())
            with pa.OSFile(str(self.root / path)) as file:
                return file.read_buffer()

    def reader(self, path: str) -> io.BufferedReader:
        """The file opened for random reading, without loading it whole."""
        if self.root is not None:
            return (self.root / path).open("rb")
        return io.BufferedReader(_BucketFile(self._backend, path), buffer_size=READ_AHEAD)

    def create(self, path: str, data: bytes) -> bool:
        """Write a file that must not exist yet. False if it does: then it is left as it is."""
        if self.root is not None:
            if (self.root / path).exists():
                return False
            self._place(path, data)
            return True
        try:
            with _explained(self.url, "write to"):
                obstore.put(self._backend, path, data, mode="create")
        except (AlreadyExistsError, PreconditionError):
            return False
        return True

    def write(self, path: str, data: bytes) -> None:
        """Write a file, replacing one that is there."""
        if self.root is not None:
            self._place(path, data)
        else:
            with _explained(self.url, "write to"):
                obstore.put(self._backend, path, data)

    def scratch(self) -> Path:
        """A fresh path for a local temporary file, to be given to `adopt`."""
        with _explained(self.url, "write to"):
            self._temporary.mkdir(parents=True, exist_ok=True)
        return self._temporary / uuid.uuid4().hex

    def adopt(self, temporary: Path, path: str) -> None:
        """Put a finished temporary file in place, replacing one that is there; it is moved, not copied."""
        with _explained(self.url, "write to"):
            if self.root is None:
                obstore.put(self._backend, path, temporary)
                temporary.unlink()
                return
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(target)
            _sync_folder(target.parent)

    def adopt_new(self, temporary: Path, path: str) -> bool:
        """Put a finished temporary file in place unless one of the same length is there; returns whether it was put.

        For files whose name holds a digest of their content. There two writers write the same bytes, so in a bucket it
        does not matter who of them is the last, and the upload can go in parts, which a conditional one cannot.
        """
        with _explained(self.url, "write to"):
            if self._size(path) == temporary.stat().st_size:
                temporary.unlink()
                return False
        self.adopt(temporary, path)
        return True

    def delete(self, path: str) -> None:
        """Remove a file; it may be gone already."""
        with contextlib.suppress(FileNotFoundError), _explained(self.url, "delete from"):
            obstore.delete(self._backend, path)

    def now(self) -> datetime:
        """The time by the clock that files here get theirs from: not this machine's in a bucket or a shared folder."""
        probe = f"{TEMPORARY}/{uuid.uuid4().hex}"
        with _explained(self.url, "write to"):
            obstore.put(self._backend, probe, b"")
            modified: datetime = obstore.head(self._backend, probe)["last_modified"]
            obstore.delete(self._backend, probe)
        return modified

    def sweep(self, older_than_s: float = STALE_AFTER_S) -> int:
        """Remove what killed writers left behind; returns how many files.

        `older_than_s` may be less only for who knows that there is no other writer.
        """
        if not self._temporary.is_dir():
            return 0
        swept, now = 0, _time_in(self._temporary)
        for leftover in self._temporary.iterdir():
            with contextlib.suppress(FileNotFoundError, PermissionError):  # swept by another build, or another user's
                if leftover.suffix != _LOCK and now - leftover.stat().st_mtime > older_than_s:
                    leftover.unlink()
                    swept += 1
        return swept

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[bool | None]:
        """Hold a lock by name while the block runs. The kernel lets go of it when the process ends, however it ends.

        Yields True where nobody else holds it, False where somebody does, and None where the place knows no locks (a
        bucket, some network file systems).
        """
        if self.root is None:
            yield None
            return
        with _explained(self.url, "write to"):
            self._temporary.mkdir(parents=True, exist_ok=True)
            file = (self._temporary / f"{name}{_LOCK}").open("ab")
        with file:
            yield _lock(file)

    def _size(self, path: str) -> int | None:
        try:
            size: int = obstore.head(self._backend, path)["size"]
        except FileNotFoundError:
            return None
        return size

    def _place(self, path: str, data: bytes) -> None:
        temporary = self.scratch()
        try:
            with _explained(self.url, "write to"), temporary.open("xb") as file:
                file.write(data)
            self.adopt(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


class _BucketFile(io.RawIOBase):
    """A file in a bucket as Python knows files; every read is a range request."""

    def __init__(self, backend: Any, path: str) -> None:
        self._backend = backend
        self._path = path
        self._size: int = obstore.head(backend, path)["size"]
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        end = min(self._position + len(buffer), self._size)
        if end <= self._position:
            return 0
        data = obstore.get_range(self._backend, self._path, start=self._position, end=end)
        buffer[: len(data)] = memoryview(data)
        self._position += len(data)
        return len(data)


def open_store(url: str, *, where: str = "workspace", read_only: bool = False) -> Store:
    """Open a local folder (made if missing, unless `read_only`) or an s3://, gs:// or az:// URL.

    Credentials and endpoints of buckets come from the environment, under the names that the cloud's own tools use
    (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, ...). `where` is the configuration key named in errors.

    Raises:
        ConfigError: the folder cannot be written (read, where `read_only`), or the URL is not understood.
    """
    if not url:  # such as a variable of a shell that is not set; as a path it would be the working directory
        raise ConfigError([Problem(where, "nothing", "a folder, or an s3://, gs:// or az:// URL")])
    if "://" not in url:
        root = Path(url)
        if read_only:
            if not root.is_dir():
                raise ConfigError([Problem(where, f"{root}, which is no folder", "an existing folder, or a URL")])
            return Store(url, LocalStore(root), root)
        try:
            (root / TEMPORARY).mkdir(parents=True, exist_ok=True)
            probe = root / TEMPORARY / uuid.uuid4().hex
            probe.touch()
            probe.unlink(missing_ok=True)  # who publishes there at this moment sweeps
        except OSError as error:
            raise ConfigError([Problem(where, f"{root} ({error.strerror})", "a folder that can be written")]) from error
        return Store(url, LocalStore(root), root)
    options: Any = {"allow_http": url_is_loopback(), "connect_timeout": "5s"}
    try:
        # Ask once and quickly: a bucket that is not there, or credentials that are missing, shall not cost any work.
        asked: Any = from_url(url, client_options=options, retry_config={"max_retries": 1, "retry_timeout": _PROBE})
        next(iter(obstore.list(asked, prefix=TEMPORARY, return_arrow=False)), None)
        return Store(url, from_url(url, client_options=options), None)
    except (BaseError, ValueError, OSError) as error:
        found = f"{url} ({str(error).splitlines()[0]})"
        allowed = "a folder, or an s3://, gs:// or az:// URL that the credentials in the environment can reach"
        raise ConfigError([Problem(where, found, allowed)]) from error


def url_is_loopback() -> bool:
    """Whether the S3 endpoint in the environment is on this machine: only then may it be plain http."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    return endpoint.startswith(("http://127.0.0.1:", "http://localhost:"))


def _time_in(folder: Path) -> float:
    """The time by the clock of a folder's file system; by this machine's where no file can be made there now."""
    probe = folder / uuid.uuid4().hex
    try:
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
    except OSError:
        return time.time()
    return now


def _lock(file: BinaryIO) -> bool | None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            return None
        raise
    return True


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _explained(url: str, verb: str) -> Iterator[None]:
    """Turn what the disk or the bucket says into a MachineError; FileNotFoundError passes, it is an answer."""
    try:
        yield
    except (FileNotFoundError, AlreadyExistsError, PreconditionError):
        raise
    except (OSError, BaseError) as error:
        said = str(error).splitlines()[0]
        raise MachineError(
            f"cannot {verb} {url}: {said}. Mend that and run the command again; it goes on from here."
        ) from error
