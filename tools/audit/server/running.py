"""Starts the web server, if the address, the tokens and the transport fit together."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from pipeline.errors import ConfigError, MachineError, Problem
from tools.audit import people
from tools.audit.people import Person
from tools.audit.server.app import LOOPBACK, STATIC, make_app
from tools.audit.server.room import Room


@dataclass(frozen=True)
class Address:
    """Where and how the desk is served."""

    host: str = "127.0.0.1"
    port: int = 8750
    certificate: Path | None = None
    key: Path | None = None
    proxy: str | None = None
    """Address or network of a proxy in front that ends TLS; its `X-Forwarded-For` and `-Proto` are believed."""
    names: tuple[str, ...] = ()
    """Further host names that it answers to. Behind a proxy these only, or all if there are none: the proxy checks."""


def serve(room: Room, address: Address, alias: str) -> None:
    """Serve until stopped.

    Raises:
        ConfigError: strangers could reach it, or listen in.
        MachineError: the page is not built.
    """
    make_server(room, address, alias).run()


def make_server(room: Room, address: Address, alias: str) -> uvicorn.Server:
    """The server, not started yet.

    Raises:
        ConfigError: strangers could reach it, or listen in.
        MachineError: the page is not built.
    """
    tokens = people.any_token(room.desk)
    check(address, tokens=tokens)
    if not (STATIC / "desk.js").is_file():
        raise MachineError(f"the page is not built ({STATIC} has no desk.js): run `make audit-page`, which needs Node")
    alone = None
    if not tokens:
        if people.find(room.desk, alias) is None:
            people.enrol(room.desk, alias, "lead", with_token=False)
        alone = Person(alias, "lead")
    hosts = address.names or ("*",) if address.proxy else (*LOOPBACK, address.host, *address.names)
    secure = address.proxy is not None or address.certificate is not None
    app = make_app(room, alone=alone, hosts=hosts, secure=secure)
    config = uvicorn.Config(
        app,
        host=address.host,
        port=address.port,
        ssl_certfile=address.certificate,
        ssl_keyfile=address.key,
        log_level="warning",
        server_header=False,
        proxy_headers=address.proxy is not None,
        forwarded_allow_ips=address.proxy,
        limit_concurrency=200,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


def check(address: Address, *, tokens: bool) -> None:
    """Refuse an address that strangers could reach without a token, or listen to.

    Raises:
        ConfigError: with what is lacking.
    """
    problems = []
    if (address.certificate is None) != (address.key is None):
        problems.append(Problem("--tls-certificate", "one of certificate and key", "both, or neither"))
    if address.proxy is not None and not _is_network(address.proxy):
        problems.append(Problem("--behind-proxy", repr(address.proxy), "an IP address or network, such as 127.0.0.1"))
    if not _is_loopback(address.host) or address.proxy:
        if not tokens:
            allowed = "at least one person with a token: `geoscribe audit enrol`"
            problems.append(Problem("people", "nobody with a token", allowed))
        if not _is_loopback(address.host) and not address.proxy and address.certificate is None:
            allowed = "--tls-certificate and --tls-key, or --behind-proxy where a proxy ends TLS"
            problems.append(Problem("--host", f"{address.host} without TLS", allowed))
    if problems:
        raise ConfigError(problems)


def _is_network(address: str) -> bool:
    try:
        ipaddress.ip_network(address)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
