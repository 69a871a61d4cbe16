"""The log of requests, what can be read from it, and the command that starts the server."""

import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dev.standin.here import running_here
from tests.dev.standin.plain import PlainClient
from tools.dev.standin import (
    Fault,
    Match,
    Part,
    Plan,
    Provider,
    Rule,
    fastest_rate,
    keys_in_urls,
    max_in_flight,
    repeats,
    running,
)
from tools.dev.standin.log import Entry

ROOT = Path(__file__).resolve().parents[3]


def entry(arrived_s: float, **more: Any) -> Entry:
    plain = {
        "seconds": 0.0, "host": "a:1", "method": "GET", "path": "/", "query": {}, "key_in_url": False, "provider": None,
        "part": None, "identity": "x", "attempt": 1, "fault": None, "limited": False, "status": 200, "in_flight": 1,
        "user_agent": None, "if_none_match": None,
    }  # fmt: skip
    return Entry.model_validate({**plain, "arrived_s": arrived_s, **more})


def test_the_fastest_rate_is_over_any_stretch_of_time() -> None:
    log = [entry(t) for t in (0.0, 0.9, 1.0, 1.1, 1.2, 5.0)] + [entry(1.0, host="b:1")]
    assert fastest_rate(log, "a:1", 1.0) == 4
    assert fastest_rate(log, "a:1", 0.5) == 8
    assert fastest_rate(log, "c:1", 1.0) == 0


def test_repeats_are_of_whole_answers_to_one_question() -> None:
    log = [entry(0, identity="a"), entry(1, identity="a"), entry(2, identity="b", fault=Fault.RESET, status=0)]
    log += [entry(3, identity="b"), entry(4, identity="c", status=304), entry(5, identity="c")]
    assert repeats(log) == {"a": 2}


def test_what_is_logged(ask: PlainClient, box: str) -> None:
    reset = Rule(match=Match(part=Part.TILE, tries=[1], path="/tiles/blank/10/1/1.jpg"), fault=Fault.RESET)
    stall = Rule(match=Match(part=Part.TILE, path="/tiles/blank/11/*"), fault=Fault.STALL)
    with running_here(Plan(rules=[reset, stall], slow_s=600)) as server:
        host = server.api_host
        tile = f"{server.api}/tiles/blank/10/1/1.jpg"
        with pytest.raises(ConnectionError):
            ask(tile, User_Agent="tester/1 (+mailto:a@b.example)")
        ask(tile)
        ask(tile)
        key = server.key.replace("|", "%7C")
        ask(f"{server.api}/mapillary/graph/images?bbox={box}&access_token={key}")
        ask(f"{server.api}/mapillary/graph/images?bbox={box}", Authorization=f"OAuth {server.key}")
        with unanswered(host, [f"/tiles/blank/11/{n}/1.jpg" for n in range(4)]):
            while max_in_flight(server.log(), host) < 5:
                ask(f"{server.api}/nothing")  # the fifth, once the others have come
        while len(log := [one for one in server.log() if one.path != "/nothing"]) < 9:
            time.sleep(0.01)  # until it has noticed that the others left
        first, second = log[:2]
        assert (first.provider, first.part, first.fault, first.status) == (Provider.TILES, Part.TILE, Fault.RESET, 0)
        assert first.user_agent == "tester/1 (+mailto:a@b.example)"
        assert first.arrived_s + first.seconds <= second.arrived_s
        stalled = log[5:]
        assert {(one.fault, one.status) for one in stalled} == {(Fault.STALL, 0)}
        assert all(0.0 < one.seconds < 600 for one in stalled)
        assert (second.identity, second.attempt, second.fault, second.status) == (first.identity, 2, None, 200)
        assert repeats(log) == {first.identity: 2, "mapillary/listing " + json.dumps([["bbox", box]]): 2}
        assert [one.query["access_token"] for one in keys_in_urls(log)] == ["***"]
        assert server.key not in server.log_path.read_text()
        assert sorted(one.in_flight for one in stalled) == [1, 2, 3, 4]
        assert max_in_flight(log, server.pictures_host) == 0


@contextmanager
def unanswered(host: str, paths: Iterable[str]) -> Iterator[list[socket.socket]]:
    """Connections with a request each that nobody reads the answers of. They are closed in the end."""
    address, _, port = host.partition(":")
    with ExitStack() as stack:
        connections = [stack.enter_context(socket.create_connection((address, int(port)))) for _ in paths]
        for connection, path in zip(connections, paths, strict=True):
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        yield connections


def test_overpass_gives_two_slots() -> None:
    stall = Rule(match=Match(provider=Provider.OVERPASS), fault=Fault.STALL)
    with (
        running_here(Plan(rules=[stall], slow_s=600)) as server,
        unanswered(server.api_host, ["/overpass/api/status"] * 4) as waiting,
    ):
        statuses: list[bytes] = []
        while len(statuses) < 2:
            for connection in select.select(waiting, [], [])[0]:
                statuses.append(connection.recv(12))
                waiting.remove(connection)
        assert statuses == [b"HTTP/1.1 429"] * 2
        assert select.select(waiting, [], [], 0.2)[0] == []


def test_same_seed_same_bytes_and_same_faults(ask: PlainClient, box: str) -> None:
    """Two servers, asked in opposite orders."""

    def seen(order: Iterable[int]) -> dict[tuple[int, int], tuple[int, bytes]]:
        with running(Plan(share=0.5, slow_s=0.1)) as server:
            found: dict[tuple[int, int], tuple[int, bytes]] = {}
            for n in order:
                west = -1.1540 + n * 2e-4
                url = f"{server.api}/kartaview/1.0/list/nearby-photos/"
                form = {"ipp": 50, "bbTopLeft": f"46.1600,{west:.4f}", "bbBottomRight": f"46.1580,{west + 1e-3:.4f}"}
                for attempt in range(2):
                    try:
                        got = ask(url, form=form)
                        found[n, attempt] = got.status, got.body
                    except (ConnectionError, TimeoutError):
                        found[n, attempt] = 0, b""
            return found

    assert seen(range(16)) == seen(reversed(range(16)))


def test_the_command(tmp_path: Path) -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "tools.dev.standin", "--list-faults"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert all(line[:1] in " *" or Fault(line.split()[0]) for line in listed.stdout.splitlines())
    plan = tmp_path / "plan.yaml"
    plan.write_text(yaml.safe_dump({"rules": [{"fault": "nonsense"}]}))
    wrong = subprocess.run(
        [sys.executable, "-m", "tools.dev.standin", "--faults", str(plan)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert wrong.returncode == 2
    assert "rules.0.fault" in wrong.stderr
