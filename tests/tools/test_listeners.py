"""Who listens on a port: told by what the system says, on whichever address it is."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.listeners import Listener, is_free, listener, processes

OURS = os.getsid(0)
ADDRESSES = [("127.0.0.1", socket.AF_INET), ("0.0.0.0", socket.AF_INET), ("::", socket.AF_INET6)]
pytestmark = pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="who listens is known on Linux only")  # noqa: PTH110


@pytest.fixture(params=ADDRESSES, ids=lambda param: param[0])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port that this process listens on."""
    address, family = request.param
    with socket.socket(family) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, 0))
        listening.listen(1)
        yield int(listening.getsockname()[1])


def test_a_listener_is_ours_or_a_stranger(port: int) -> None:
    assert not is_free("127.0.0.1", port)
    assert listener("127.0.0.1", port, OURS) == Listener.OURS
    assert listener("localhost", port, OURS) == Listener.OURS
    assert listener("127.0.0.1", port, 2**22 + 1) == Listener.STRANGER  # greater than any process id


def test_nobody_listens_once_it_has_closed() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        assert listener("127.0.0.1", port, OURS) == Listener.NOBODY  # bound, and not listening
    assert is_free("127.0.0.1", port)
    assert listener("127.0.0.1", port, OURS) == Listener.NOBODY


def test_another_address_of_the_machine_does_not_count() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.2", 0))
        listening.listen(1)
        port = listening.getsockname()[1]
        assert is_free("127.0.0.1", port)
        assert listener("127.0.0.1", port, 2**22 + 1) == Listener.NOBODY
        assert not is_free("0.0.0.0", port)
        assert listener("0.0.0.0", port, 2**22 + 1) == Listener.STRANGER


def test_a_session_has_its_processes() -> None:
    assert os.getpid() in set(processes(OURS))
    assert not list(processes(2**22 + 1))


def test_what_another_user_has_open_is_skipped(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session may have processes of several users: su in a terminal, the first process of a container."""
    hidden = f"/proc/{os.getppid()}/fd/"
    readlink = Path.readlink

    def readlink_of_ours(path: Path) -> Path:
        if str(path).startswith(hidden):
            raise PermissionError(13, "Permission denied", str(path))
        return readlink(path)

    monkeypatch.setattr(Path, "readlink", readlink_of_ours)
    monkeypatch.setattr("tools.listeners.processes", lambda _: iter([os.getppid(), os.getpid()]))
    assert listener("127.0.0.1", port, OURS) == Listener.OURS
