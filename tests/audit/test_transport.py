"""The desk under real TLS and behind a real proxy: what a client gets, and that nothing goes in the clear."""

import contextlib
import datetime as dt
import http.client
import http.server
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.audit.conftest import planned
from tools.audit.database.opening import Desk
from tools.audit.library import Library
from tools.audit.people import enrol
from tools.audit.server.room import Room
from tools.audit.server.running import Address, make_server

NAME = "desk.example"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that signs itself, for `NAME` and this machine, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    subject, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)]), dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(NAME), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def room(desk: Desk, library: Library) -> Room:
    planned(desk, library)
    return Room(desk, library)


@contextlib.contextmanager
def served(room: Room, address: Address) -> Iterator[None]:
    """The server that the command starts, in a thread."""
    server = make_server(room, address, "lead")
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def asked(
    connection: http.client.HTTPConnection, method: str, path: str, body: str | None = None, **headers: str
) -> http.client.HTTPResponse:
    """One request on a connection of its own; the answer has been read."""
    connection.request(method, path, body, {"Connection": "close"} | headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def test_under_tls_the_cookie_is_secure_and_plain_http_is_not_answered(
    room: Room, desk: Desk, certificate: tuple[Path, Path]
) -> None:
    token, port = enrol(desk, "ann", "annotator", with_token=True), free_port()
    address = Address("0.0.0.0", port, *certificate, names=(NAME,))
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    with served(room, address):

        def secure(method: str, path: str, body: str | None = None, **headers: str) -> http.client.HTTPResponse:
            connection = http.client.HTTPSConnection("127.0.0.1", port, context=trusting, timeout=30)
            return asked(connection, method, path, body, **{"Host": f"{NAME}:{port}"} | headers)

        with pytest.raises(ssl.SSLCertVerificationError):
            asked(http.client.HTTPSConnection("127.0.0.1", port, timeout=30), "GET", "/login")
        with pytest.raises((http.client.HTTPException, OSError)):
            asked(http.client.HTTPConnection("127.0.0.1", port, timeout=30), "GET", "/login")
        assert secure("GET", "/desk").status == 401
        assert secure("GET", "/login").status == 200
        assert secure("GET", "/login", Host="elsewhere.example").status == 421
        # Nobody stated a proxy: what claims to come through one is not believed.
        assert secure("GET", "/login", **{"X-Forwarded-Proto": "http", "X-Forwarded-Host": "elsewhere"}).status == 200
        entered = secure("POST", "/login", urlencode({"token": token}), **FORM)
        assert entered.status == 303
        cookie = entered.headers["set-cookie"]
        assert {"Secure", "HttpOnly", "SameSite=strict"} <= {part.strip() for part in cookie.split(";")}
        assert secure("GET", "/desk", Cookie=cookie.split(";")[0]).status == 200


class Proxy(http.server.BaseHTTPRequestHandler):
    """A reverse proxy: passes requests on, and says whom they are of and that they came by https."""

    behind: int
    """Port of the desk."""

    def do_GET(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.behind, timeout=30)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if name != "X-Forwarded-Proto"}
        earlier = [self.headers["X-Forwarded-For"]] if "X-Forwarded-For" in self.headers else []
        headers |= {"X-Forwarded-For": ", ".join([*earlier, "198.51.100.7"]), "X-Forwarded-Proto": "https"}
        connection.request(self.command, self.path, body or None, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextlib.contextmanager
def proxied(behind: int, certificate: tuple[Path, Path]) -> Iterator[int]:
    """The proxy, with TLS; its port."""
    handler = type("Handler", (Proxy,), {"behind": behind})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_behind_a_proxy_only_what_it_sends_is_served(room: Room, desk: Desk, certificate: tuple[Path, Path]) -> None:
    token, port = enrol(desk, "ann", "annotator", with_token=True), free_port()
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    address = Address("127.0.0.1", port, proxy="127.0.0.1", names=(NAME,))
    with served(room, address), proxied(port, certificate) as front:

        def ask(method: str, path: str, body: str | None = None, **headers: str) -> http.client.HTTPResponse:
            connection = http.client.HTTPSConnection("127.0.0.1", front, context=trusting, timeout=30)
            return asked(connection, method, path, body, **{"Host": NAME} | headers)

        def enter(said: str, **headers: str) -> http.client.HTTPResponse:
            return ask("POST", "/login", urlencode({"token": said}), **FORM, **headers)

        straight = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        assert asked(straight, "GET", "/login", Host=NAME).status == 403
        assert ask("GET", "/login", Host="elsewhere.example").status == 421
        entered = enter(token, Origin=f"https://{NAME}")
        assert (entered.status, "Secure" in entered.headers["set-cookie"]) == (303, True)
        assert ask("GET", "/desk", Cookie=entered.headers["set-cookie"].split(";")[0]).status == 200
        assert enter(token, Origin="https://elsewhere.example").status == 403
        # Whoever makes up an address for each try is still who the proxy saw.
        tries = [enter("wrong", **{"X-Forwarded-For": f"203.0.113.{n}"}).status for n in range(16)]
        assert (tries[0], tries[-1]) == (403, 429)


def test_headers_of_a_proxy_that_nobody_stated_are_not_believed(
    room: Room, desk: Desk, certificate: tuple[Path, Path]
) -> None:
    enrol(desk, "ann", "annotator", with_token=True)
    port = free_port()
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    address = Address("127.0.0.1", port, proxy="192.0.2.9")
    with served(room, address), proxied(port, certificate) as front:
        through = http.client.HTTPSConnection("127.0.0.1", front, context=trusting, timeout=30)
        assert asked(through, "GET", "/login").status == 403
        straight = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        assert asked(straight, "GET", "/login", **{"X-Forwarded-Proto": "https"}).status == 403
