"""What the services of a build's driver need of sockets: an address that workers reach, and noticing who vanished."""

import socket

from pipeline.errors import MachineError

SILENCE_S = 60
"""A machine that does not answer keep-alive probes for this long is gone, in seconds."""


def own_address(near: str) -> str:
    """This machine's address on the route to a host. Connecting UDP sends nothing; it only looks up the route.

    Raises:
        MachineError: no address of this machine reaches it.
    """
    try:
        [(family, _, _, _, address), *_] = socket.getaddrinfo(near, 9, type=socket.SOCK_DGRAM)
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(address)
            return str(probe.getsockname()[0])
    except OSError as error:
        raise MachineError(f"no address of this machine reaches {near}, where the workers are: {error}") from error


def detect_silence(connection: socket.socket) -> None:
    """Switch on keep-alive, so that a vanished machine is noticed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", SILENCE_S // 2), ("TCP_KEEPINTVL", SILENCE_S // 6), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):  # not everywhere; then the system's own, longer times hold
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
