"""Whole builds over the network: on Dask, killed, mended by a retry, from the cache. Always the same shards."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.engine.build import run_build
from pipeline.engine.build_file import load_build
from pipeline.storage import open_store
from schemas.reasons import OUTAGES
from tests.command import ROOT
from tests.standin_builds.builds import (
    COMMAND,
    RATES,
    free_port,
    geoscribe,
    imagery_rows,
    most_at_once,
    shards,
    write_build,
)
from tools.dev.standin import (
    FAULTS,
    Entry,
    Fault,
    Kind,
    Match,
    Part,
    Plan,
    Provider,
    Rule,
    Running,
    fastest_rate,
    running,
)
from tools.verify.verify import verify

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SITES, TRIES = 60, 6
PARTS = {
    Part.LISTING: Provider.PANORAMAX,
    Part.PICTURE: Provider.PANORAMAX,
    Part.TILE: Provider.TILES,
    Part.MAP: Provider.OVERPASS,
}
LONG = list(range(1, TRIES + 1))
PASSING = Plan(
    rules=[
        Rule(match=Match(part=Part.PICTURE, share=0.08, tries=LONG), fault=Fault.SERVER_ERROR),
        Rule(match=Match(part=Part.TILE, share=0.04, tries=LONG), fault=Fault.TRUNCATED),
        *(
            Rule(match=Match(provider=provider, part=part, share=0.015, tries=[1, 2]), fault=fault)
            for part, provider in PARTS.items()
            for fault, about in FAULTS.items()
            if about.kind is Kind.TRANSIENT and about.fits(provider, part)
        ),
    ],
    slow_s=1.0,
)
"""Some 20 % of answers are faulty, for a try or two; some requests for all tries of a build."""


def write(folder: Path, server: Running, **changes: Any) -> Path:
    return write_build(folder, server, sampling={"spacing_m": 40, "max_sites": SITES}, **changes)


@dataclass(frozen=True)
class Undisturbed:
    """A build that nothing happened to."""

    port: int
    """Of its stand-in; the others' must be the same, as rows tell addresses."""
    shards: dict[str, str]
    log: list[Entry]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    port, folder = free_port(), tmp_path_factory.mktemp("undisturbed")
    with running(port=port) as server:
        done = geoscribe("build", write(folder, server))
        assert done.returncode == 0, done.stdout + done.stderr
        assert verify(open_store(str(folder / "dataset"))) == []
        return Undisturbed(port, shards(folder), server.log())


def assert_within_limits(log: list[Entry]) -> None:
    assert not any(entry.limited for entry in log)
    for provider, rate in RATES.items():
        asked = [entry for entry in log if entry.provider is provider]
        assert most_at_once(asked) <= rate["at_once"]
        for host in {entry.host for entry in asked}:
            # What is under way may arrive together, however evenly it was sent.
            assert fastest_rate(asked, host, 1.0) <= rate["per_s"] + rate["at_once"]


@pytest.mark.seldom
def test_two_dask_workers_share_the_limits_and_give_the_same_shards(undisturbed: Undisturbed, tmp_path: Path) -> None:
    with running(port=undisturbed.port) as server:
        done = geoscribe("build", write(tmp_path, server), "--runner", "dask")
        assert done.returncode == 0, done.stdout + done.stderr
        log = server.log()
    assert shards(tmp_path) == undisturbed.shards
    assert_within_limits(undisturbed.log)
    assert_within_limits(log)
    street = [entry for entry in log if entry.provider is Provider.PANORAMAX]
    assert most_at_once(street) >= RATES[Provider.PANORAMAX]["at_once"] - 1  # the limit was met


def killed_after(requests: int, file: Path, server: Running) -> int:
    """Begin a build, and kill it when so many requests were made since. How many there were."""
    before = len(server.log())
    process = subprocess.Popen(
        [*COMMAND, "build", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT
    )
    while len(server.log()) - before < requests:
        assert process.poll() is None, "it got through"
        time.sleep(0.02)
    process.kill()
    process.wait()
    return len(server.log()) - before


@pytest.mark.seldom
def test_killed_twice_and_finished_is_as_if_undisturbed(
    undisturbed: Undisturbed, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    whole = len(undisturbed.log)
    with running(port=undisturbed.port) as server:
        file = write(tmp_path, server)
        parts = [killed_after(whole // 3, file, server), killed_after(whole // 4, file, server)]
        done = geoscribe("build", file)
        assert done.returncode == 0, done.stdout + done.stderr
        log = server.log()
    parts.append(len(log) - sum(parts))
    record_property("requests undisturbed, and of each part", [whole, *parts])
    assert shards(tmp_path) == undisturbed.shards
    assert verify(open_store(str(tmp_path / "dataset"))) == []
    # Pictures that came are kept; only what was under way at the kills is asked for again.
    pictures = [entry.identity for entry in log if entry.part in {Part.PICTURE, Part.TILE} and entry.status == 200]
    under_way = sum(rate["at_once"] for rate in RATES.values())
    assert len(pictures) - len(set(pictures)) <= 2 * under_way
    assert sum(parts) < 1.7 * whole


def test_what_passes_is_mended_within_the_build_or_by_a_retry(undisturbed: Undisturbed, tmp_path: Path) -> None:
    with running(PASSING, port=undisturbed.port) as server:
        build = load_build(write(tmp_path, server))
        outcome = run_build(build, stages=("imagery",))
        failed = outcome.failed
        faulty = [entry for entry in server.log() if entry.fault is not None]
        assert len(faulty) > 0.15 * len(server.log())
        # A site that lacked a tile may lack a part of the map and then its photo, too, when it comes to that.
        for _ in range(5):
            outcome = run_build(build, stages=("imagery",), retry=OUTAGES)
            if not OUTAGES & set(outcome.failed):
                break
        retried = geoscribe("retry", tmp_path / "workspace")
        assert retried.returncode == 0, retried.stdout + retried.stderr
        assert_within_limits(server.log())
    assert failed["server_error"] > 0
    assert failed["unreachable"] > 0
    assert "failed: " in retried.stdout  # of what no retry can save: photos without a licence
    assert {row.reason for row in imagery_rows(tmp_path).values()} <= {None, "unusable_licence"}
    assert shards(tmp_path) == undisturbed.shards


@pytest.mark.seldom
def test_a_second_build_asks_for_little_with_the_cache_and_for_all_without(
    undisturbed: Undisturbed, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    def asked(folder: Path, **changes: Any) -> list[Entry]:
        with running(port=undisturbed.port) as server:
            run_build(load_build(write(folder, server, **changes)), stages=("imagery",))
            return server.log()

    cold = asked(tmp_path / "cold", network__cache=str(tmp_path / "kept"))
    warm = asked(tmp_path / "warm", network__cache=str(tmp_path / "kept"))
    without = asked(tmp_path / "without", network__cache_gb=0)
    counts = {name: len(log) / SITES for name, log in (("cold", cold), ("warm", warm), ("without", without))}
    record_property("requests a site", counts)
    # Searches state no lifetime, nor does the list of instances; None is robots.txt.
    assert {entry.part for entry in warm} <= {Part.LISTING, Part.DOCUMENT, None}
    assert counts["warm"] < counts["cold"] / 2
    assert len({e.identity for e in without}) <= len(without)
    assert imagery_rows(tmp_path / "warm") == imagery_rows(tmp_path / "cold") == imagery_rows(tmp_path / "without")
