"""Workers in other processes and the driver know of each other: one connection a worker, for as long as both live.

A job service may wait forever for a worker that was killed, passes a worker's fault on as a traceback, and may let the
workers of a job go on whose driver has ended. So a worker says which job it is of and why it stops, and the driver says
how the build ended.
"""

import hmac
import json
import logging
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.digest import digest
from pipeline.errors import BuildStopped, MachineError, OutageError
from pipeline.net.sockets import detect_silence, own_address
from pipeline.publishing.shards import VERSION as SHARDS
from pipeline.stages import STAGES
from pipeline.stopping import clear_stop, request_stop

log = logging.getLogger(__name__)

_LONGEST_LINE = 16_384
_LONGEST_SAID = 1_000
_GREETING_S = 10.0
_DONE, _STOP = b"done\n", b"stop\n"


def versions() -> str:
    """Digest of what is made how: workers of other versions make tables and shards that the driver does not want."""
    return digest({stage.name: stage.version for stage in STAGES} | {"shards": SHARDS}, length=16)


class _Hello(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    token: str
    job: str
    versions: str


class _Fault(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Literal["stopped", "outage", "machine"]
    said: str


@dataclass
class _Job:
    """The state of the workers of a job."""

    workers: int = 0
    changed: float = field(default_factory=time.monotonic)
    """When a worker came or went last, or when the driver first asked."""
    seen: bool = False
    fault: Exception | None = None


class Presence:
    """The driver's side. Made by `serve_presence`."""

    def __init__(self, listening: socket.socket, token: str) -> None:
        self._listening = listening
        self._token = token
        self._jobs: dict[str, _Job] = {}
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()

    def at(self, job: str) -> str:
        """The address that the workers of a job are given. It holds a secret: give it to nobody else."""
        host, port = self._listening.getsockname()[:2]
        return f"{host}:{port}/{self._token}/{job}"

    def lost(self, job: str, starting_s: float, gone_s: float) -> bool:
        """Whether no worker of a job came within `starting_s` seconds, or all have been gone for `gone_s` seconds."""
        with self._lock:
            known = self._jobs.setdefault(job, _Job())
            patience = gone_s if known.seen else starting_s
            return not known.workers and time.monotonic() - known.changed > patience

    def fault(self, job: str) -> Exception | None:
        """Why the first worker of a job that stopped did so, if any has."""
        with self._lock:
            known = self._jobs.get(job)
            return known.fault if known is not None else None

    def accept(self) -> None:
        """Serve workers until the socket is closed."""
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], name="worker", daemon=True).start()

    def close(self, word: bytes) -> None:
        """Tell all workers how the build ended."""
        self._listening.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with suppress(OSError):
                connection.sendall(word)
                connection.shutdown(socket.SHUT_RDWR)

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            try:
                detect_silence(connection)
                connection.settimeout(_GREETING_S)
                hello = _Hello.model_validate_json(_line(lines))
                connection.settimeout(None)
            except (OSError, ValidationError):
                log.warning("refused a connection to the build's driver: it is from no worker")
                return
            if not hmac.compare_digest(hello.token.encode(), self._token.encode()):
                log.warning("refused a connection to the build's driver: wrong token")
                return
            if hello.versions != versions():
                fault = MachineError(
                    "the workers have another version of geoscribe than the driver: install the same one on both"
                )
                with self._lock:
                    self._jobs.setdefault(hello.job, _Job()).fault = fault
                return
            self._attended(hello.job, connection, lines)

    def _attended(self, name: str, connection: socket.socket, lines: BinaryIO) -> None:
        with self._lock:
            job = self._jobs.setdefault(name, _Job())
            job.workers, job.changed, job.seen = job.workers + 1, time.monotonic(), True
            self._connections.add(connection)
        try:
            while said := _line(lines):
                fault = _Fault.model_validate_json(said)
                with self._lock:
                    job.fault = job.fault or _raised(fault)
        except ValidationError:
            log.warning("a worker sent an invalid message")
        except OSError as error:
            log.info("the connection to a worker broke: %s", error)
        finally:
            with self._lock:
                job.workers, job.changed = job.workers - 1, time.monotonic()
                self._connections.discard(connection)


@contextmanager
def serve_presence(near: str) -> Iterator[Presence]:
    """Serve workers from threads of this process while the context lasts.

    Args:
        near: A host that workers are near; see `serve_limits`.

    Raises:
        MachineError: no address of this machine reaches `near`.
    """
    host = own_address(near)
    listening = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    presence = Presence(listening, secrets.token_hex(16))
    threading.Thread(target=presence.accept, name="presence", daemon=True).start()
    word = _STOP
    try:
        yield presence
        word = _DONE
    finally:
        presence.close(word)


class _Attendance:
    """The worker's side."""

    def __init__(self, at: str) -> None:
        place, token, job = at.split("/", 2)
        host, _, port = place.rpartition(":")
        try:
            self._connection = socket.create_connection((host, int(port)), _GREETING_S)
        except OSError as error:
            raise MachineError(
                f"the build's driver cannot be reached from a worker at {place} ({error}): may workers connect to it?"
            ) from error
        self._connection.settimeout(None)
        detect_silence(self._connection)
        self._say(_Hello(token=token, job=job, versions=versions()))
        threading.Thread(target=self._listen, name="driver", daemon=True).start()

    def tell(self, error: Exception) -> None:
        """Tell the driver why this worker stops."""
        kind: Literal["stopped", "outage", "machine"] = "machine"
        if isinstance(error, BuildStopped | OutageError):
            kind = "stopped" if isinstance(error, BuildStopped) else "outage"
        # A traceback is in the worker's own log.
        said = str(error) if isinstance(error, MachineError | BuildStopped) else repr(error)
        self._say(_Fault(kind=kind, said=said[:_LONGEST_SAID]))

    def _say(self, message: BaseModel) -> None:
        with suppress(OSError):  # `_listen` meets the same
            self._connection.sendall(json.dumps(message.model_dump()).encode() + b"\n")

    def _listen(self) -> None:
        said = b""
        with suppress(OSError), self._connection.makefile("rb") as lines:
            said = _line(lines)
        self._connection.close()
        if said == _STOP:
            request_stop()
        elif said != _DONE:
            request_stop(MachineError("the build's driver is gone, or does not know this worker"))


_attendances: dict[str, _Attendance] = {}
_lock = threading.Lock()


def attend(at: str) -> None:
    """Connect this process to the driver of a build, once. It stops its work when the driver ends.

    Args:
        at: As `Presence.at` gave it.

    Raises:
        MachineError: the driver cannot be reached.
    """
    with _lock:
        if at not in _attendances:
            if _attendances:  # a process that outlives a build serves the next one
                clear_stop()
            _attendances[at] = _Attendance(at)


@contextmanager
def telling(at: str | None) -> Iterator[None]:
    """Tell the driver why a worker stops, if it does. `at` as for `attend`; None in the driver's own process."""
    try:
        yield
    except Exception as error:
        if at is not None and at in _attendances:
            _attendances[at].tell(error)
        raise


def _raised(fault: _Fault) -> Exception:
    if fault.kind == "stopped":
        return BuildStopped()
    return OutageError(fault.said) if fault.kind == "outage" else MachineError(fault.said)


def _line(lines: BinaryIO) -> bytes:
    """A line; nothing where the other side has ended."""
    line = lines.readline(_LONGEST_LINE)
    return line if line.endswith(b"\n") else b""
