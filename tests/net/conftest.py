"""Servers that misbehave, and clients that ask them."""

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.network import Network
from pipeline.net.base import Provider
from pipeline.net.client import HttpClient, HttpSession
from tests.net.rawserver import RawServer


@pytest.fixture
def start_server() -> Iterator[Callable[[], RawServer]]:
    started: list[socketserver.ThreadingTCPServer] = []

    def start() -> RawServer:
        server = RawServer()

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):  # the client goes away, as some tests want it to
                    server.handle(self.request)

        class Listening(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 128

        listening = Listening(("127.0.0.1", 0), Handler)
        server.port = listening.server_address[1]
        threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True).start()
        started.append(listening)
        return server

    yield start
    for listening in started:
        listening.shutdown()
        listening.server_close()


@pytest.fixture
def server(start_server: Callable[[], RawServer]) -> RawServer:
    return start_server()


@pytest.fixture
def make_session(server: RawServer, tmp_path: Path) -> Iterator[Callable[..., HttpSession]]:
    """Makes a session with the server: `network=` settings of the client, all else of the provider."""
    clients: list[HttpClient] = []

    def make(network: dict[str, Any] | None = None, **provider: Any) -> HttpSession:
        settings: dict[str, Any] = {
            "allow_loopback": True,
            "cache": str(tmp_path / "cache"),
            "cache_gb": 0,
            "contact": "test@example.org",
            "max_wait_s": 0.2,  # bounds the pauses between tries too
            "tries": 3,
        }
        clients.append(HttpClient(Network(**(settings | (network or {})))))
        fields: dict[str, Any] = {"name": "test", "origins": (server.origin,), "per_s": 10_000, "at_once": 100}
        return clients[-1].session(Provider(**(fields | provider)))

    yield make
    for client in clients:
        client.close()
