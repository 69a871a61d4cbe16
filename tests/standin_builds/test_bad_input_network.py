"""What users get wrong with sources over the network: what each command says, and how it exits."""

import json
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.regions import catalogue
from pipeline.stopping import clear_stop
from tests.dev.standin.here import running_here
from tests.standin_builds.builds import CREDITS, KEY_ENV, imagery_rows, mapillary, panoramax, tiles, write_build
from tests.standin_builds.front import Asked, Given, front_of
from tools.cli.main import main
from tools.dev.standin import Fault, Match, Part, Plan, Rule, Running

HERE = [{"name": "vieux-port", "centre": [46.1591, -1.1520], "radius_m": 150}]
ELSEWHERE = [{"name": "north", "centre": [59.33, 18.06], "radius_m": 150}]
OPEN_WATER = [{"name": "mid-atlantic", "centre": [40.0, -40.0], "radius_m": 5_000}]
MAP = {"map": {"type": "world", "seed": 3}}
"""Drawn here: nothing of it can go wrong."""


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def geoscribe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command, in this process. The key in the environment is the right one."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*args: str | Path) -> Said:
        monkeypatch.setattr(sys, "argv", ["geoscribe", *map(str, args)])
        capsys.readouterr()
        clear_stop()  # of the command before it, which had a process of its own
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Said(int(ended.value.code or 0), said.out, said.err)

    return run


@pytest.fixture(scope="module")
def standin() -> Iterator[Running]:
    """Without faults."""
    with running_here() as server:
        yield server


@pytest.fixture
def config(tmp_path: Path, standin: Running, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes a build of a few sites, with changes as dotted keys."""
    monkeypatch.setenv(KEY_ENV, standin.key)

    def write(folder: Path = tmp_path, **changes: Any) -> Path:
        few = {
            "regions": HERE,
            "sources__map": MAP,
            "sampling": {"spacing_m": 40, "max_sites": 4},
            "network__tries": 2,
            "network__read_timeout_s": 10,
            "limits__allowed_failed_share": 0.2,
        }
        return write_build(folder, standin, **(few | changes))

    return write


def refused(status: int, /, **body: Any) -> Callable[[Asked, Callable[[], Given]], Given]:
    """A server that answers everything alike."""
    return lambda _asked, _forward: Given(status, {"Content-Type": "application/json"}, json.dumps(body).encode())


# Keys.


def test_a_wrong_key(
    config: Callable[..., Path], standin: Running, geoscribe: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = config(sources__street={"photos": mapillary(standin)})
    monkeypatch.setenv(KEY_ENV, "MLY|1|of-somebody-else")
    checked = geoscribe("sources", "check", file)
    assert checked.code == 1
    assert "FAIL  street photos" in checked.out
    assert "code 190: Invalid OAuth 2.0 Access Token" in checked.out
    built = geoscribe("build", file, "--stages", "imagery")
    assert built.code == 3
    assert "stopped: mapillary" in built.err
    assert f"Check the key in the environment variable {KEY_ENV}: is it valid, and for this service?" in built.err
    assert "of-somebody-else" not in checked.out + built.out + built.err


def test_an_expired_key(config: Callable[..., Path], standin: Running, geoscribe: Command) -> None:
    said = {"message": "Error validating access token: Session has expired on Friday", "code": 190, "subcode": 463}
    with front_of(standin.api, refused(401, error=said)) as front:
        street = mapillary(standin) | {
            "endpoint": f"{front.url}/mapillary/graph",
            "tiles_endpoint": f"{front.url}/mapillary/tiles",
        }
        file = config(sources__street={"photos": street})
        for arguments, code in (("sources", "check"), 1), (("build",), 3):
            said_of_it = geoscribe(*arguments, file)
            assert said_of_it.code == code
            assert "Session has expired on Friday" in said_of_it.out + said_of_it.err
            assert KEY_ENV in said_of_it.out + said_of_it.err
        assert len(front.seen) == 2  # a refused key is not tried again


def test_a_key_for_another_service(config: Callable[..., Path], standin: Running, geoscribe: Command) -> None:
    denied = {"status": "REQUEST_DENIED", "error_message": "This API key is not authorized to use this service or API."}
    with front_of(standin.api, refused(200, **denied)) as front:
        street = {"type": "google", "endpoint": front.url, "key_env": KEY_ENV, "separate_agreement": "number 5"}
        file = config(sources__street={"photos": street}, sampling={"method": "grid", "spacing_m": 40, "max_sites": 4})
        checked, built = geoscribe("sources", "check", file), geoscribe("build", file)
    assert (checked.code, built.code) == (1, 3)
    for said in checked.out, built.err:
        assert "This API key is not authorized to use this service or API." in said
        assert KEY_ENV in said


def test_a_tile_server_that_does_not_accept_the_key(
    config: Callable[..., Path], standin: Running, geoscribe: Command
) -> None:
    with front_of(standin.api, refused(401, message="Not Authorized - Invalid Token")) as front:
        keyed = tiles(standin) | {"template": f"{front.url}/{{z}}/{{x}}/{{y}}.jpg?key={{key}}", "key_env": KEY_ENV}
        file = config(sources__aerial={"above": keyed})
        checked, built = geoscribe("sources", "check", file), geoscribe("build", file)
    assert (checked.code, built.code) == (1, 3)
    for said in checked.out, built.err:
        assert "it does not accept the key, or wants one" in said
        assert KEY_ENV in said


def test_no_key_at_all(
    config: Callable[..., Path], standin: Running, geoscribe: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = config(sources__street={"photos": mapillary(standin)})
    monkeypatch.delenv(KEY_ENV)
    for arguments in ("build",), ("sources", "check"), ("coverage",):
        said = geoscribe(*arguments, file)
        assert said.code == 2
        assert f"sources.street.photos: found no key in the environment variable {KEY_ENV}" in said.err
        assert f"export {KEY_ENV}=" in said.err


# Addresses, areas, files.


def test_a_template_with_a_typo(config: Callable[..., Path], standin: Running, geoscribe: Command) -> None:
    wrong = tiles(standin, "tiles/world/{zoom}/{x}/{y}.jpg")
    file = config(sources__aerial={"above": wrong})
    for arguments in ("config", "check"), ("plan",), ("build",):
        said = geoscribe(*arguments, file)
        assert said.code == 2
        assert "sources.aerial.above.template" in said.err
        assert "{zoom}" in said.err
        assert "{z}" in said.err


def test_a_source_that_covers_no_part_of_the_region(
    config: Callable[..., Path], standin: Running, geoscribe: Command
) -> None:
    boxed = tiles(standin) | {"bbox": [-1.2, 46.1, -1.1, 46.2]}
    for source in boxed, {"type": "xyz", "preset": "swissimage"}:
        file = config(sources__aerial={"above": source}, regions=ELSEWHERE)
        for command in "plan", "build":
            said = geoscribe(command, file)
            assert said.code == 2
            assert "regions.north" in said.err
            assert "covers no part" in said.err


def test_a_region_on_open_water(config: Callable[..., Path], geoscribe: Command) -> None:
    for sampling in {"method": "uniform", "max_sites": 4}, {"method": "imagery", "max_sites": 4}:
        said = geoscribe("build", config(regions=OPEN_WATER, sampling=sampling))
        assert said.code == 2
        assert "regions.0" in said.err
        assert "mid-atlantic" in said.err


def test_a_catalogue_file_edited_by_hand(
    config: Callable[..., Path], tmp_path: Path, geoscribe: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited = tmp_path / "catalogue.csv"
    edited.write_text(catalogue.PATH.read_text().replace(",5300.0,", ",9300.0,", 1))
    monkeypatch.setattr(catalogue, "PATH", edited)
    catalogue.catalogue.cache_clear()
    try:
        for arguments in ("regions", "list"), ("plan", config(regions=[{"catalogue": "ao-luanda"}])):
            said = geoscribe(*arguments)
            assert said.code == 3
            assert f"{edited}: its lines do not match the fingerprint in its first line" in said.err
            assert "install" in said.err
    finally:
        catalogue.catalogue.cache_clear()


def test_two_sources_under_one_name(config: Callable[..., Path], geoscribe: Command) -> None:
    file = config()
    once = file.read_text()
    twice = once.replace("  aerial:\n    aerial:\n", "  aerial:\n    aerial: {type: world}\n    aerial:\n")
    assert twice != once
    file.write_text(twice)
    said = geoscribe("config", "check", file)
    assert said.code == 2
    assert "found aerial twice" in said.err
    assert "line" in said.err


# Servers.


@contextmanager
def silent() -> Iterator[tuple[str, list[socket.socket]]]:
    """The address of a host that takes connections and never answers, and the connections."""
    listener = socket.create_server(("127.0.0.1", 0))
    taken: list[socket.socket] = []

    def take() -> None:
        while True:
            try:
                taken.append(listener.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", taken
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for connection in taken:
            connection.close()


def test_a_host_that_never_answers(config: Callable[..., Path], standin: Running, geoscribe: Command) -> None:
    patience = {"network__read_timeout_s": 0.5, "network__max_wait_s": 2, "network__tries": 3}
    with silent() as (nobody, _):
        street = {"photos": panoramax(standin) | {"endpoint": f"{nobody}/api"}}
        file = config(sources__street=street, **patience)
        built, checked = geoscribe("build", file), geoscribe("sources", "check", file)
    assert (built.code, checked.code) == (3, 1)
    assert "stopped: the sites of region vieux-port cannot be drawn: unreachable: 127.0.0.1" in built.err
    assert "nothing came for 0.5 s, at try 3" in built.err
    assert "Start the build again when the source answers" in " ".join(built.err.split())
    assert "FAIL  street photos (vieux-port): unreachable" in checked.out


def test_an_aerial_host_that_never_answers_costs_its_patience_and_not_every_site_its_tries(
    config: Callable[..., Path], standin: Running, geoscribe: Command, tmp_path: Path
) -> None:
    # Long enough for the stand-in, which answers for the other sources, to answer on a busy machine.
    patience = {"network__read_timeout_s": 3, "limits__outage_wait_s": 12, "network__tries": 3}
    with silent() as (nobody, connections):
        above = {"above": tiles(standin) | {"template": f"{nobody}/{{z}}/{{x}}/{{y}}.jpg"}}
        file = config(sources__aerial=above, sampling={"spacing_m": 15, "max_sites": 40}, **patience)
        built = geoscribe("build", file, "--stages", "imagery")
        asked = len(connections)
    assert built.code == 3
    assert asked < 40, "each site had a try of its own"
    said = f"stopped: {re.escape(nobody.removeprefix('http://'))} has been out of order for (\\d+) s "
    after = re.search(said + re.escape("(limits.outage_wait_s)"), built.err)
    assert after is not None
    assert int(after[1]) >= 12, "the last probe is when the wait is over"
    assert "finished work is kept" in built.err.lower()
    # No site failed for it: when the host answers, the same command goes on.
    assert not {row.reason for row in imagery_rows(tmp_path).values()} & {"unreachable"}


@pytest.mark.parametrize("days", [-1, 1])
def test_a_server_whose_clock_is_off_by_a_day(
    days: int, config: Callable[..., Path], standin: Running, geoscribe: Command, tmp_path: Path
) -> None:
    def of_another_day(asked: Asked, forward: Callable[[], Given]) -> Given:
        now = datetime.now(UTC) + timedelta(days=days)
        date = {"Date": format_datetime(now, usegmt=True)}
        if asked.attempt == 1 and "search" in asked.address:
            later = format_datetime(now + timedelta(seconds=1), usegmt=True)
            return Given(429, {**date, "Retry-After": later}, b"")
        given = forward()
        return Given(given.status, {**given.headers, **date}, given.body)

    with front_of(standin.api, of_another_day) as front:
        street = {"photos": panoramax(standin) | {"endpoint": f"{front.url}/panoramax/api"}}
        file = config(
            sources__street=street, network__tries=5, network__max_wait_s=10, limits__allowed_failed_share=1.0
        )
        built = geoscribe("build", file, "--stages", "imagery")
    assert built.code == 0, built.out
    assert {row.reason for row in imagery_rows(tmp_path).values()} <= {None, "unusable_licence"}


# Photos.


def test_photos_placed_at_0_0(config: Callable[..., Path], geoscribe: Command, tmp_path: Path) -> None:
    plan = Plan(rules=[Rule(match=Match(part=Part.ITEM), fault=Fault.ZERO_POSITION)])
    with running_here(plan) as server:
        file = config(sources__street={"photos": panoramax(server)})
        built = geoscribe("build", file, "--stages", "imagery")
        status = geoscribe("status", tmp_path / "workspace")
    assert built.code == 1
    for said in built.out, status.out:
        assert "4 bad_position" in said
        assert "bad_position: the photo's position is impossible (0, 0, or outside the requested area)" in said
    for row in imagery_rows(tmp_path).values():
        assert (row.detail or "").endswith(": 0, 0")
        assert all(photo.verdict == "bad_position: 0, 0" for photo in row.considered)


def test_two_providers_with_one_id(
    config: Callable[..., Path], standin: Running, geoscribe: Command, tmp_path: Path
) -> None:
    regions = [HERE[0] | {"name": name, "street": name, "radius_m": 60} for name in ("one", "two")]
    with front_of(standin.api, lambda _, forward: forward()) as front:
        street = {"one": panoramax(standin), "two": panoramax(standin) | {"endpoint": f"{front.url}/panoramax/api"}}
        file = config(
            sources__street=street,
            regions=regions,
            sampling={"spacing_m": 15, "max_sites": 8},
            limits__allowed_failed_share=1.0,
        )
        built = geoscribe("build", file, "--stages", "imagery")
        assert any("/search" in asked.address for asked in front.seen)
    assert built.code == 0
    rows = list(imagery_rows(tmp_path).values())
    photos = {name: {view.source_id for row in rows for view in row.views if row.region == name} for name in street}
    assert photos["one"] & photos["two"]
    for row in rows:
        assert {view.source for view in row.views} <= {row.region}
        own, other = standin.api, front.url
        if row.region == "two":
            own, other = other, own
        assert all(photo.link.startswith(own) and not photo.link.startswith(other) for photo in row.considered)
    assert len({row.site_id for row in rows}) == len(rows)


def test_photos_without_a_licence_or_with_a_proprietary_one(
    config: Callable[..., Path], geoscribe: Command, tmp_path: Path
) -> None:
    item = Match(part=Part.ITEM, share=0.5)
    plan = Plan(
        rules=[
            Rule(match=item, fault=Fault.NO_LICENCE),
            Rule(match=Match(part=Part.ITEM), fault=Fault.PROPRIETARY),
        ]
    )
    with running_here(plan) as server:
        file = config(sources__street={"photos": panoramax(server)})
        built = geoscribe("build", file, "--stages", "imagery")
    assert built.code == 1
    assert "4 unusable_licence" in built.out
    assert "unusable_licence: the licence is missing, or forbids a dataset" in built.out
    rows = imagery_rows(tmp_path).values()
    assert all(row.reason == "unusable_licence" and not row.views for row in rows)
    assert all(photo.verdict.startswith("unusable_licence: ") for row in rows for photo in row.considered)


@pytest.mark.parametrize("licence", ["proprietary", "unknown", "all rights reserved", ""])
def test_credits_without_a_licence(
    licence: str, config: Callable[..., Path], standin: Running, geoscribe: Command
) -> None:
    above = tiles(standin) | {"credits": CREDITS | {"licence": licence}}
    said = geoscribe("plan", config(sources__aerial={"above": above}))
    assert said.code == 2
    assert f"sources.aerial.above.credits.licence: found {licence!r}" in said.err
    assert "SPDX" in said.err


def test_credits_that_leave_the_licence_out(config: Callable[..., Path], standin: Running, geoscribe: Command) -> None:
    above = tiles(standin) | {"credits": {key: value for key, value in CREDITS.items() if key != "licence"}}
    said = geoscribe("config", "check", config(sources__aerial={"above": above}))
    assert said.code == 2
    assert "sources.aerial.above.credits.licence: found nothing; allowed: this key is required" in said.err
