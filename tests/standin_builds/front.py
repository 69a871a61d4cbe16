"""A server in front of a stand-in, that passes requests on and may answer otherwise."""

import http.client
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    address: str
    """Path and query."""
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes = b""
    attempt: int = 1
    """How often this address was asked for."""


@dataclass(frozen=True)
class Given:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes


Spoil = Callable[[Asked, Callable[[], Given]], Given]
"""Makes an answer; the function that it is given asks the server behind."""


@dataclass
class Front:
    """A front that is up."""

    url: str
    seen: list[Asked] = field(default_factory=list)


@contextmanager
def front_of(behind: str, spoil: Spoil) -> Iterator[Front]:
    """Run a front on a free port of this machine until the block ends.

    Args:
        behind: Base address of the server that requests are passed on to.
        spoil: Makes the answers.
    """
    front = Front("")
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                before = sum(one.address == self.path and one.body == body for one in front.seen)
                asked = Asked(self.command, self.path, headers, body, before + 1)
                front.seen.append(asked)
            given = spoil(asked, lambda: _forward(behind, asked))
            self.send_response_only(given.status)
            for name, value in given.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(given.body)))
            try:
                self.end_headers()
                self.wfile.write(given.body)
            except ConnectionError:  # nobody waits for it any more
                self.close_connection = True

        do_GET = do_POST = answer  # noqa: N815 - names of http.server

        def log_message(self, *_: Any) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    front.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield front
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hung up: in these tests standard error is the command's."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _forward(behind: str, asked: Asked) -> Given:
    connection = http.client.HTTPConnection(urlsplit(behind).netloc, timeout=200)
    try:
        kept = {name: value for name, value in asked.headers.items() if name not in {"host", "accept-encoding"}}
        connection.request(asked.method, asked.address, asked.body or None, kept)
        response = connection.getresponse()
        left = {"content-length", "transfer-encoding", "connection", "date", "server"}
        headers = {name: value for name, value in response.getheaders() if name.lower() not in left}
        return Given(response.status, headers, response.read())
    finally:
        connection.close()
