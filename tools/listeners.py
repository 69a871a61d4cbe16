"""Finds who listens on a port of this machine: nobody, the processes of a session, or somebody else."""

import contextlib
import errno
import ipaddress
import socket
import sys
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

_PROC = Path("/proc")
_LISTENING = "0A"
"""State of a listening socket in /proc/net/tcp."""
_AGAIN_S = 0.2


class Listener(StrEnum):
    """Owners of the socket that listens on a port."""

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


def listener(host: str, port: int, session: int) -> Listener:
    """The owner of the socket that a client of this host and port gets to.

    Args:
        host: name or address, of this machine.
        port: TCP.
        session: id of the session whose processes are ours.
    """
    whose = _look(host, port, session)
    if whose == Listener.STRANGER:  # or a socket that was opened or closed while we looked
        time.sleep(_AGAIN_S)
        whose = _look(host, port, session)
    return whose


def processes(session: int) -> Iterator[int]:
    """Ids of a session's processes; of those that have ended and wait to be reaped not. None where it is no Linux."""
    for folder in _PROC.glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            state, _, _, its_session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                yield int(folder.name)


def _look(host: str, port: int, session: int) -> Listener:
    inodes = _inodes(host, port)
    if inodes is None:
        return Listener.UNKNOWN
    if not inodes:
        return Listener.NOBODY
    wanted = {f"socket:[{inode}]" for inode in inodes}
    ours = any(not wanted.isdisjoint(_files(pid)) for pid in processes(session))
    return Listener.OURS if ours else Listener.STRANGER


def _inodes(host: str, port: int) -> set[str] | None:
    """Inodes of the sockets that listen there, or on all addresses; None where the system does not say."""
    tables = [table for table in (_PROC / "net" / "tcp", _PROC / "net" / "tcp6") if table.exists()]
    if not tables:
        return None
    named = {_in_table(address[0]) for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    everywhere = {_in_table("0.0.0.0"), _in_table("::")}  # noqa: S104 - to look for, not to bind to
    found = set()
    for table in tables:
        for row in (line.split() for line in table.read_text().splitlines()[1:]):
            address, _, hexadecimal = row[1].partition(":")
            reached = address in named | everywhere or not named.isdisjoint(everywhere)
            if row[3] == _LISTENING and int(hexadecimal, 16) == port and reached:
                found.add(row[9])
    return found


def _in_table(address: str | int) -> str:
    """An address as /proc/net/tcp has it: words of 32 bits in the machine's order of bytes, in hexadecimal."""
    packed = ipaddress.ip_address(str(address).partition("%")[0]).packed
    words = (packed[i : i + 4] for i in range(0, len(packed), 4))
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)


def _files(pid: int) -> set[str]:
    """The open files of a process; none where it is another user's, whose files the system hides."""
    found = set()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        for file in (_PROC / str(pid) / "fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # it has just closed
                found.add(str(file.readlink()))
    return found
