"""No key is in anything that a build leaves behind: layers, dataset, cache, logs, what is printed.

Builds are run with a key that can be told from everything else: with every fault of the stand-in on, behind a server
that repeats the key wherever an answer has room for it, and until a refused key stops them.
"""

import base64
import gzip
import html
import io
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow.parquet as pq
import pytest

from pipeline.digest import digest
from tests.standin_builds.builds import KEY_ENV, geoscribe, imagery_rows, mapillary, tiles, write_build
from tests.standin_builds.front import Asked, Given, front_of
from tools.dev.standin import FAULTS, Fault, Kind, Match, Part, Plan, Provider, Rule, keys_in_urls, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

CANARY = "canary|7041776/that+sings=0123456789abcdef"
"""Each encoding changes it, and it has no provider's form, that would be masked whether it is known or not."""
SERVED = {
    Part.LISTING: Provider.MAPILLARY,
    Part.ENTITY: Provider.MAPILLARY,
    Part.PICTURE: Provider.MAPILLARY,
    Part.ITEM: Provider.MAPILLARY,
    Part.TILE: Provider.TILES,
}
"""Whose answers are spoilt. Without coverage tiles there would be no sites, and of the map there is one answer."""
STOPS = frozenset({Fault.GRAPH_190, Fault.UNAUTHORIZED, Fault.RETRY_ABSURD})
"""With these nothing more is asked."""
EVERY_FAULT = Plan(
    rules=[
        Rule(
            match=Match(provider=provider, part=part, share=0.015, tries=[1] if about.kind is Kind.TRANSIENT else None),
            fault=fault,
        )
        for part, provider in SERVED.items()
        for fault, about in FAULTS.items()
        if fault not in STOPS and about.fits(provider, part)
    ],
    slow_s=1.0,
)


def forms(key: str) -> dict[str, re.Pattern[bytes]]:
    """How a key may stand in data, by name."""
    raw = key.encode()
    found = {
        "plain": raw,
        "quoted": quote(key, safe="").encode(),
        "quoted but for slashes": quote(key).encode(),
        "in JSON": json.dumps(key).replace("/", "\\/")[1:-1].encode(),
        "in HTML": html.escape(key).encode(),
        "in UTF-16": key.encode("utf-16-le"),
        "in hexadecimal": raw.hex().encode(),
        "secret part": key.rpartition("|")[2].encode(),
    }
    for offset in range(3):  # of the key within what was encoded; its ends depend on what stands beside it
        whole = base64.b64encode(bytes(offset) + raw + bytes(3))
        middle = whole[4 if offset else 0 : (offset + len(raw)) // 3 * 4]
        found[f"in Base64, {offset} bytes in"] = middle
        found[f"in URL-safe Base64, {offset} bytes in"] = middle.replace(b"+", b"-").replace(b"/", b"_")
    return {name: re.compile(re.escape(form), re.IGNORECASE) for name, form in found.items()}


def unpacked(file: Path) -> Iterator[bytes]:
    """What is in a file: its bytes, and what they hold in packed form."""
    data = file.read_bytes()
    yield data
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    if file.suffix == ".parquet":
        table = pq.read_table(file)
        for group in (table.schema.metadata or {}).items():
            yield from group
        plain = io.BytesIO()
        pq.write_table(table, plain, compression="none", use_dictionary=False)
        yield plain.getvalue()
    if data[:15] == b"SQLite format 3":
        connection = sqlite3.connect(file)  # with what is still in its write-ahead log
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            for row in connection.execute(f'SELECT * FROM "{name}"'):
                yield "\n".join(v.decode("latin-1") if isinstance(v, bytes) else str(v) for v in row).encode()
        connection.close()


def leaks(folder: Path, key: str) -> list[str]:
    """Each file in a folder that holds a key, and in which form."""
    wanted = forms(key)
    return [
        f"{file.relative_to(folder)}: {name}"
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        for data in unpacked(file)
        for name, form in wanted.items()
        if form.search(data)
    ]


@pytest.mark.parametrize("form", sorted(forms(CANARY)))
def test_the_search_finds_each_form(tmp_path: Path, form: str) -> None:
    said = {
        "plain": CANARY.encode(),
        "quoted": quote(CANARY, safe="").lower().encode(),
        "quoted but for slashes": quote(CANARY).encode(),
        "in JSON": CANARY.replace("/", "\\/").encode(),
        "in HTML": html.escape(CANARY).encode(),
        "in UTF-16": CANARY.encode("utf-16-le"),
        "in hexadecimal": CANARY.encode().hex().upper().encode(),
        "secret part": CANARY.rpartition("|")[2].encode(),
    }
    for offset in range(3):
        coded = base64.b64encode(b"abc"[:offset] + CANARY.encode() + b"xyz")
        said[f"in Base64, {offset} bytes in"] = coded
        said[f"in URL-safe Base64, {offset} bytes in"] = coded.replace(b"+", b"-").replace(b"/", b"_")
    (tmp_path / "file.gz").write_bytes(gzip.compress(b"before " + said[form] + b" after"))
    assert f"file.gz: {form}" in leaks(tmp_path, CANARY)


def test_the_search_looks_into_parquet_pages_and_write_ahead_logs(tmp_path: Path) -> None:
    import pyarrow as pa

    nested = pa.table({"rows": [[{"text": f"{n} {CANARY}" if n == 70 else str(n)}] for n in range(100)]})
    pq.write_table(nested, tmp_path / "a.parquet", compression="zstd")
    assert CANARY.encode() not in (tmp_path / "a.parquet").read_bytes()
    connection = sqlite3.connect(tmp_path / "b.sqlite")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE t (v BLOB)")
    connection.execute("INSERT INTO t VALUES (?)", (CANARY.encode(),))
    connection.commit()
    assert {"a.parquet: plain", "b.sqlite: plain", "b.sqlite-wal: plain"} <= set(leaks(tmp_path, CANARY))
    connection.close()


def run(folder: Path, *args: str | Path) -> int:
    """Run the command, and leave what it prints beside what it writes."""
    (folder / "tmp").mkdir(exist_ok=True)
    done = geoscribe(*args, **{KEY_ENV: CANARY, "TMPDIR": str(folder / "tmp"), "HOME": str(folder / "home")})
    number = len(list(folder.glob("*.printed")))
    (folder / f"{number}.printed").write_text(f"{args}\n{done.stdout}\n{done.stderr}\nexit {done.returncode}")
    return done.returncode


def keyed_tiles(server: Any) -> dict[str, Any]:
    """Tiles of a provider that takes its key in the address alone."""
    return tiles(server, "tiles/world/{z}/{x}/{y}.jpg?apikey={key}") | {"key_env": KEY_ENV}


@pytest.mark.seldom
def test_with_every_fault_on_no_key_is_left_anywhere(tmp_path: Path) -> None:
    with running(EVERY_FAULT, key=CANARY) as server:
        file = write_build(
            tmp_path,
            server,
            sources={
                "street": {"street": mapillary(server)},
                "aerial": {"aerial": keyed_tiles(server)},
                "map": {"map": {"type": "world", "seed": 3}},
            },
            sampling={"spacing_m": 20, "max_sites": 100},
            limits__allowed_missing_share=1.0,  # chips are among what every fault takes
            network__tries=3,
            network__max_wait_s=3,
            network__total_timeout_s=20,
        )
        assert run(tmp_path, "sources", "check", file) in {0, 1}
        assert run(tmp_path, "build", file, "--stages", "imagery") == 0
        assert run(tmp_path, "retry", tmp_path / "workspace") == 0
        assert run(tmp_path, "status", tmp_path / "workspace") == 0
        assert run(tmp_path, "verify", tmp_path / "dataset") == 0
        log = server.log()
        (tmp_path / "requests.jsonl").write_bytes(server.log_path.read_bytes())
    met = {entry.fault for entry in log if entry.fault}
    assert len(met) > 25, met
    assert len(imagery_rows(tmp_path)) == 100
    assert {entry.provider for entry in keys_in_urls(log)} == {Provider.TILES}
    assert not any(entry.trap for entry in log)
    assert leaks(tmp_path, CANARY) == []


def echo(asked: Asked, forward: Callable[[], Given]) -> Given:
    """Repeat the key wherever there is room, at the first try; at the second, answer."""
    key = asked.headers.get("authorization", "").removeprefix("OAuth ")
    if asked.attempt > 1 or not key:
        given = forward()
        return Given(given.status, {**given.headers, "ETag": f'"{key}"', "X-Key": key}, given.body)
    kind = int(digest(asked.address, length=8), 16) % 8
    error = {"message": f"Malformed access token {key}", "type": "OAuthException", "code": 2}
    hidden = quote(key, safe="")
    beside = "&" if "?" in asked.address else "?"
    answers: list[Given] = [
        Given(500, {"Content-Type": "application/json"}, json.dumps({"error": error}).encode()),
        Given(400, {"Content-Type": "application/json"}, json.dumps({"error": error | {"code": 100}}).encode()),
        Given(403, {"Content-Type": "text/plain"}, f"no access for {key} ({hidden})".encode()),
        Given(302, {"Location": f"{asked.address}{beside}access_token={hidden}"}, b""),
        Given(302, {"Location": f"http://elsewhere.invalid/{hidden}?access_token={hidden}"}, b""),
        Given(302, {"Location": f"http://{hidden}@elsewhere.invalid/"}, b""),
        Given(503, {"Content-Type": f"text/html; key={hidden}", "Retry-After": key}, f"<p>{key}</p>".encode()),
        Given(200, {"Content-Type": "application/json", "ETag": f'"{key}"'}, f'{{"data": "{key}"}}'.encode()),
    ]
    return answers[kind]


@pytest.mark.seldom
def test_a_server_that_repeats_the_key_does_not_get_it_written_down(tmp_path: Path) -> None:
    with running(key=CANARY) as server, front_of(server.api, echo) as front:
        street = mapillary(server) | {"endpoint": f"{front.url}/mapillary/graph"}
        file = write_build(
            tmp_path,
            server,
            sources={
                "street": {"street": street},
                "aerial": {"aerial": tiles(server)},
                "map": {"map": {"type": "world", "seed": 3}},
            },
            sampling={"spacing_m": 40, "max_sites": 60},
        )
        assert run(tmp_path, "sources", "check", file) in {0, 1}
        assert run(tmp_path, "build", file, "--stages", "imagery") == 0
        assert run(tmp_path, "status", tmp_path / "workspace") == 0
        seen = [asked.address for asked in front.seen]
        log = server.log()
    rows = imagery_rows(tmp_path).values()
    assert {row.reason for row in rows if row.reason} >= {"refused", "unsafe_address"}
    assert any("***" in (row.detail or "") for row in rows)
    assert keys_in_urls(log) == []
    assert not any(form.search(address.encode()) for address in seen for form in forms(CANARY).values())
    assert leaks(tmp_path, CANARY) == []


@pytest.mark.parametrize("runner", ["local", pytest.param("dask", marks=pytest.mark.seldom)])
def test_a_refused_key_stops_the_build_and_is_not_told(tmp_path: Path, runner: str) -> None:
    def refuse(asked: Asked, _: Callable[[], Given]) -> Given:
        error = {"message": f"Error validating access token {asked.headers.get('authorization')}", "code": 190}
        return Given(500, {"Content-Type": "application/json"}, json.dumps({"error": error}).encode())

    with running(key=CANARY) as server, front_of(server.api, refuse) as front:
        street = mapillary(server) | {"endpoint": f"{front.url}/mapillary/graph"}
        file = write_build(tmp_path, server, sources__street__street=street, sampling__max_sites=20)
        assert run(tmp_path, "build", file, "--stages", "imagery", "--runner", runner) == 3
    said = (tmp_path / "0.printed").read_text()
    assert "stopped: mapillary refuses all requests" in said
    assert f"Check the key in the environment variable {KEY_ENV}" in said
    assert "code 190: Error validating access token" in said
    assert leaks(tmp_path, CANARY) == []


def test_all_faults_are_on_that_let_a_build_go_on() -> None:
    planned = {rule.fault for rule in EVERY_FAULT.rules}
    elsewhere = {
        fault for fault, about in FAULTS.items() if not any(about.fits(who, part) for part, who in SERVED.items())
    }
    assert planned | STOPS | elsewhere == set(Fault)
    assert elsewhere <= {Fault.REMARK, Fault.NO_LICENCE, Fault.PROPRIETARY}
