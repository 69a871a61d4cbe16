"""A server that says exactly what a test wants, byte by byte."""

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipeline.net.client import HttpSession

MakeSession = Callable[..., HttpSession]
"""What the fixture `make_session` is."""
Reaction = bytes | Callable[[socket.socket], None]


@dataclass
class Seen:
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class RawServer:
    """Answers each path with its reactions in turn; the last one repeats. An unknown path is a 404."""

    reactions: dict[str, list[Reaction]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    port: int = 0

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def on(self, path: str, *reactions: Reaction) -> str:
        """Say how to react; the address to ask."""
        self.reactions[path] = list(reactions)
        return self.origin + path

    def count(self, path: str) -> int:
        return sum(one.target.partition("?")[0] == path for one in self.seen)

    def handle(self, connection: socket.socket) -> None:
        head, _, rest = _until_blank_line(connection)
        if not head:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        while len(rest) < int(headers.get("content-length", 0)):
            rest += connection.recv(65_536)
        self.seen.append(Seen(method, target, headers, rest))
        left = self.reactions.get(target.partition("?")[0], [said(404)])
        reaction = left.pop(0) if len(left) > 1 else left[0]
        if callable(reaction):
            reaction(connection)
        else:
            connection.sendall(reaction)


def said(status: int, body: bytes = b"", **headers: str) -> bytes:
    """A whole answer. Underscores in header names stand for dashes."""
    fields = {"content_length": str(len(body)), "connection": "close", **headers}
    lines = [f"HTTP/1.1 {status} X", *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def said_json(status: int, value: Any, **headers: str) -> bytes:
    return said(status, json.dumps(value).encode(), content_type="application/json", **headers)


def silent(connection: socket.socket) -> None:
    """Say nothing until the other side leaves."""
    connection.recv(1)


def _until_blank_line(connection: socket.socket) -> tuple[bytes, bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65_536)
        if not more:
            return b"", b"", b""
        data += more
    return data.partition(b"\r\n\r\n")
