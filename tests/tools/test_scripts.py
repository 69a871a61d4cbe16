"""What scripts rely on: JSON, the version, exit codes, the record of a run, and pipes that close early."""

import json
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.build import Build
from pipeline.config.running import Prices
from pipeline.engine.counts import Counts, ViewCounts
from pipeline.engine.prepared import prepare
from pipeline.errors import MachineError
from tests.command import ROOT, run_here
from tests.drawn_once import drawn_once
from tests.engine.conftest import finished, small_build, small_config, small_finished
from tools.cli.log_file import logging_to
from tools.cli.records import counts_record
from tools.cli.run import _end
from tools.cli.run_record import RunRecord, cost_of

__all__ = ["drawn_once", "finished", "small_build", "small_config", "small_finished"]


def geoscribe(*args: str | Path) -> "subprocess.CompletedProcess[str]":
    return run_here(*args, environment={})


def test_the_version() -> None:
    assert geoscribe("--version").stdout == f"geoscribe {version('geoscribe')}\n"


def test_json_says_of_every_reason_whether_it_may_pass() -> None:
    views = {"aerial": ViewCounts(4, {"no_overlap": 2, "unreachable": 1})}
    counts = Counts(ok=5, failed={"rate_limited": 1, "too_dark": 1}, views=views)
    told = counts_record(counts)
    assert {reason: one["may_pass"] for reason, one in told["failed"].items()} == {
        "rate_limited": True,
        "too_dark": False,
    }
    assert told["views"]["aerial"] == {
        "there": 4,
        "missing": {"no_overlap": {"sites": 2, "may_pass": False}, "unreachable": {"sites": 1, "may_pass": True}},
    }


def test_json_of_a_build(small_finished: Callable[..., object], tmp_path: Path) -> None:
    small_finished()
    config, workspace, dataset = tmp_path / "build.yaml", tmp_path / "workspace", tmp_path / "dataset"
    plan = json.loads(geoscribe("plan", config, "--json").stdout)
    assert (plan["sites"], [one["region"] for one in plan["regions"]]) == (12, ["north", "south"])
    state = json.loads(geoscribe("status", workspace, "--json").stdout)
    assert state["unfinished_units"] == 0
    assert {(one["region"], one["stage"]): one["ok"] for one in state["stages"]}["south", "captions"] == 6
    assert state["stages"][0]["views"]["aerial"] == {"there": 6, "missing": {}}
    assert json.loads(geoscribe("verify", dataset, "--json").stdout) == {
        "dataset": str(dataset),
        "sound": True,
        "faults": [],
    }
    leakage = json.loads(geoscribe("verify", dataset, "--leakage", "--json").stdout)["leakage"]
    assert (sum(leakage["splits"].values()), leakage["leaks"], leakage["unread"]) == (11, [], [])
    assert set(leakage["counts"].values()) == {0}
    covered = json.loads(geoscribe("coverage", config, "--json", "--out", tmp_path / "map.png").stdout)
    assert [one["examined"] for one in covered["regions"]] == [6, 6]
    assert json.loads(geoscribe("sources", "check", config, "--json").stdout) == []
    shard = next((dataset / "data").rglob("*.parquet"))
    shard.unlink()
    broken = geoscribe("verify", dataset, "--json")
    assert broken.returncode == 1
    assert json.loads(broken.stdout)["faults"][0]["file"] == shard.relative_to(dataset).as_posix()


def test_json_of_lists() -> None:
    regions = json.loads(geoscribe("regions", "list", "--country", "JP", "--json").stdout)
    assert {one["country"] for one in regions} == {"JP"}
    assert json.loads(geoscribe("regions", "show", regions[0]["id"], "--json").stdout)["name"] == regions[0]["name"]
    assert {one["kind"] for one in json.loads(geoscribe("sources", "list", "--kind", "map", "--json").stdout)} == {
        "map"
    }


def test_every_run_leaves_a_record(small_config: Callable[..., Path], tmp_path: Path) -> None:
    config = small_config(sampling__max_sites=2)
    built = geoscribe("build", config, "--allow-shrink", "--runner", "local")
    assert built.returncode == 0
    record = json.loads((tmp_path / "workspace" / "run.json").read_text())
    assert record["ended"] == "finished"
    assert 0 < record["seconds"] < 3_600
    assert record["packages"]["pyarrow"] == version("pyarrow")
    assert record["outcome"]["stages"]["captions"]["ok"] == 4
    assert record["outcome"]["published"] == 4
    assert record["providers"] == {}
    busy = record["outcome"]["busy"]
    assert set(busy["stages"]) == {"imagery", "cues", "captions"}
    assert all(0 < stage["seconds"] <= busy["seconds"] for stage in busy["stages"].values())
    most = busy["stages"][busy["busiest"]]["seconds"]
    assert most == max(stage["seconds"] for stage in busy["stages"].values())
    assert busy["seconds_over_busiest"] == pytest.approx(busy["seconds"] / most, rel=0.01)
    last_words = f"times the busiest stage, {busy['busiest']}"
    assert last_words in built.stdout
    last = json.loads(geoscribe("status", tmp_path / "workspace", "--json").stdout)["last_run"]
    assert {key: last[key] for key in ("started_at", "seconds", "ended")} == {
        key: record[key] for key in ("started_at", "seconds", "ended")
    }
    assert last["busy"]["busiest"] == busy["busiest"]
    for stage, at_work in busy["stages"].items():
        assert last["busy"]["stages"][stage] == pytest.approx(at_work, abs=2e-3)  # of figures that were rounded
    status = geoscribe("status", tmp_path / "workspace").stdout
    assert last_words in status
    assert re.search(r"imagery +\d+\.\d .*%\ncues .*%\ncaptions .*%\n", status)
    assert geoscribe("build", config).returncode == 0
    assert json.loads((tmp_path / "workspace" / "run.json").read_text())["outcome"]["busy"] is None  # nothing to do
    assert record["cost"] == {"currency": "USD", "by_provider": {}, "total": 0}
    assert record["command"] == f"geoscribe build {config} --allow-shrink --runner local"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "content: Invalid JSON"),
        ('{"seconds": -1}', "started_at: Field required"),
        ('{"started_at": "2026-11-02T10:00:00", "seconds": 1, "ended": "finished"}', "started_at: "),
    ],
)
def test_status_says_that_the_record_of_a_run_cannot_be_read(
    small_finished: Callable[..., object], tmp_path: Path, content: str, fault: str
) -> None:
    small_finished()
    file = tmp_path / "workspace" / "run.json"
    file.write_text(content)
    status = geoscribe("status", tmp_path / "workspace")
    assert status.returncode == 0
    assert f"run.json cannot be read: {fault}" in status.stderr
    assert "all units are finished" in status.stdout
    file.unlink()
    status = geoscribe("status", tmp_path / "workspace")
    assert "run" not in status.stderr
    assert "last run" not in status.stdout


def test_what_a_run_cost_is_told_by_provider() -> None:
    prices = Prices(
        currency="EUR", thousand_requests={"mapillary": 2.0}, million_prompt_tokens=1, million_completion_tokens=10
    )
    counted = {
        "mapillary": {"requests": 500, "bytes": 10},
        "http://model/v1": {"requests": 3, "prompt_tokens": 2_000_000, "completion_tokens": 100_000},
        "overture": {"requests": 9, "bytes": 1},
    }
    assert cost_of(counted, prices) == {
        "currency": "EUR", "by_provider": {"mapillary": 1.0, "http://model/v1": 3.0}, "total": 4.0,
    }  # fmt: skip
    assert cost_of(counted, Prices())["total"] == 0


def test_a_clock_that_is_set_back_an_hour_makes_no_run_negative(
    small_build: Callable[..., Build], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = RunRecord(small_build(), "geoscribe build")
    before = time.time()
    monkeypatch.setattr("time.time", lambda: before - 3_600.0)
    record.write("finished")
    assert json.loads((tmp_path / "workspace" / "run.json").read_text())["seconds"] >= 0.0


def test_a_run_that_is_killed_or_stopped_leaves_a_record_of_what_it_did(
    small_config: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, config = tmp_path / "workspace" / "run.json", small_config(sampling__max_sites=1)
    started: list[dict[str, Any]] = []

    def full(*_: object, **__: object) -> None:
        started.append(json.loads(file.read_text()))  # as a kill would leave it
        assert "and goes on, or was killed" in geoscribe("status", tmp_path / "workspace").stdout
        raise MachineError("the disk is full")

    monkeypatch.setattr("pipeline.engine.build.publish_mended", full)
    assert geoscribe("build", config).returncode == 3
    (record,) = started
    assert (record["ended"], record["seconds"], record["outcome"]) == (None, None, None)
    ended = json.loads(file.read_text())
    assert (ended["ended"], ended["outcome"]) == ("stopped: the disk is full", None)
    assert ended["progress"]["captions"]["units"] == ended["progress"]["captions"]["done"] == 2
    assert ended["progress"]["captions"]["ok"] == 2

    def broken(*_: object, **__: object) -> None:
        raise ValueError("a fault of ours")

    monkeypatch.setattr("pipeline.engine.build.publish_mended", broken)
    with pytest.raises(ValueError, match="a fault of ours"):
        geoscribe("build", config)
    assert json.loads(file.read_text())["ended"] == "stopped: ValueError: a fault of ours"


def test_a_run_that_ends_at_once_leaves_its_record_as_well(
    small_build: Callable[..., Build], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes: list[int] = []
    monkeypatch.setattr("os._exit", codes.append)
    _end(RunRecord(small_build(), "geoscribe build"))
    assert codes == [3]
    assert json.loads((tmp_path / "workspace" / "run.json").read_text())["ended"] == "stopped by the user"


def test_sites_that_need_no_network_are_drawn_with_progress(small_build: Callable[..., Build]) -> None:
    seen: list[list[tuple[str, int, int]]] = []
    prepare(
        small_build(sampling__max_sites=1),
        report=lambda now: seen.append([(region, one.units_done, one.counts.ok) for (region, _), one in now.items()]),
    )
    assert seen == [
        [("north", 0, 0), ("south", 0, 0)], [("north", 1, 1), ("south", 0, 0)], [("north", 1, 1), ("south", 1, 1)],
    ]  # fmt: skip


def test_ctrl_c_ends_every_command_as_it_ends_a_build(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.regions.catalogue.catalogue", interrupted)
    ended = geoscribe("regions", "list")
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "", "\nstopped\n")


def test_a_log_file_has_none_of_the_warnings_that_the_terminal_is_spared(tmp_path: Path) -> None:
    with logging_to(tmp_path / "log"):
        logging.getLogger("apache_beam").warning("apitools not found, and bigquery client libraries ...")
        logging.getLogger("pipeline").info("north: 1 site in 1 unit", extra={"region": "north"})
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert json.loads(line)["region"] == "north"


def test_a_run_that_was_refused_leaves_none(small_config: Callable[..., Path], tmp_path: Path) -> None:
    config = small_config(name="a name", sampling__max_sites=2)
    assert geoscribe("build", config).returncode == 2
    assert not (tmp_path / "workspace").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--runner=FlinkRunner"], "--runner local, dask, portable, flink or dataflow"),
        (["--runner", "DirectRunner"], "--runner local, dask, portable, flink or dataflow"),
        (["--job_nome=x"], "found --job_nome=x"),
        (["stray"], "found stray"),
        (["--direct_num_workers=many"], "direct_num_workers"),
    ],
)
def test_options_that_beam_would_drop_are_refused(
    options: list[str], said: str, small_config: Callable[..., Path], tmp_path: Path
) -> None:
    refused = geoscribe("build", small_config(), "--", *options)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert not (tmp_path / "workspace").exists()


def test_a_runner_that_is_not_known_is_refused(small_config: Callable[..., Path]) -> None:
    assert geoscribe("build", small_config(), "--runner", "spork").returncode == 2


def test_a_reader_that_stops_reading_is_no_error() -> None:
    command = f"set -o pipefail; {sys.executable} -m tools.cli.main regions list | head -1"
    wide = {**os.environ, "COLUMNS": "200"}
    shown = subprocess.run(
        ["/bin/bash", "-c", command], capture_output=True, text=True, cwd=ROOT, env=wide, check=False
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("id")
