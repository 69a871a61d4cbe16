"""Who listens on a port of this machine: nobody, a process and its children, or somebody else."""

import contextlib
import errno
import socket
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

_PROC = Path("/proc")
_LISTENING = "0A"
"""State of a listening socket in /proc/net/tcp."""
_AGAIN_S = 0.2


class Listener(StrEnum):
    """Whose the socket is that listens on a port."""

    NOBODY = "nobody"
    OURS = "ours"
    STRANGER = "stranger"
    UNKNOWN = "unknown"
    """The system does not say: it is no Linux."""


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there: on each of the host's addresses that this machine has.

    Raises:
        OSError: it could not for another reason: the name is unknown, no address is this machine's, or the port is for
            the administrator.
    """
    lacking: OSError | None = None
    found = False
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what has just closed does not count
                probe.bind(address)
                probe.listen(1)
            found = True
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            lacking = error
    if not found and lacking is not None:
        raise lacking
    return True


def listener(port: int, session: int) -> Listener:
    """Who listens on a port, on any address of this machine.

    Args:
        port: TCP.
        session: id of the session whose processes are ours.
    """
    whose = _look(port, session)
    if whose == Listener.STRANGER:  # or a socket that was opened or closed while we looked
        time.sleep(_AGAIN_S)
        whose = _look(port, session)
    return whose


def _look(port: int, session: int) -> Listener:
    inodes = _inodes(port)
    if inodes is None:
        return Listener.UNKNOWN
    if not inodes:
        return Listener.NOBODY
    wanted = {f"socket:[{inode}]" for inode in inodes}
    return Listener.OURS if any(not wanted.isdisjoint(_files(pid)) for pid in _pids(session)) else Listener.STRANGER


def _inodes(port: int) -> set[str] | None:
    """Inodes of the sockets that listen on a port; None where the system does not say."""
    tables = [table for table in (_PROC / "net" / "tcp", _PROC / "net" / "tcp6") if table.exists()]
    if not tables:
        return None
    rows = [line.split() for table in tables for line in table.read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[3] == _LISTENING and int(row[1].rpartition(":")[2], 16) == port}


def _pids(session: int) -> Iterator[int]:
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session:
                    yield int(folder.name)


def _files(pid: int) -> set[str]:
    """What a process has open."""
    found = set()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for file in (_PROC / str(pid) / "fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # it has just closed
                found.add(str(file.readlink()))
    return found
