"""The command: what it prints, and what it refuses before any work."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config.build import Build
from pipeline.publishing.units import FinishedUnit
from tests.audit.test_apply import published
from tests.command import run_here
from tests.publishing.conftest import make_build, make_unit, units
from tests.publishing.folders import SMALL

__all__ = ["make_build", "make_unit", "units"]


@pytest.fixture
def sound(units: list[FinishedUnit], make_build: Callable[..., Build], tmp_path: Path) -> Path:
    published(make_build(**SMALL), units, tmp_path / "dataset")
    return tmp_path / "dataset"


def test_from_a_plan_to_a_report(sound: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("name: first\nsamples: 10\ndouble_share: 0.2\n")
    done = run_here("audit", "plan", sound, plan, environment={})
    assert (done.returncode, done.stdout) == (0, "queue 'first': 1 attention, 10 judge, 2 second\n")
    assert (tmp_path / "dataset.audit.sqlite").is_file()
    again = run_here("audit", "plan", sound, plan, environment={})
    assert again.returncode == 2
    assert "there already" in again.stderr
    token = run_here("audit", "enrol", sound, "ann", environment={}).stdout.strip()
    assert len(token) == 32
    for form in ("html", "csv", "json"):
        out = tmp_path / f"report.{form}"
        assert run_here("audit", "report", sound, "--form", form, "--out", out, environment={}).returncode == 0
        assert "Pass rate" in out.read_text()
    applied = run_here("audit", "apply", sound, "--out", tmp_path / "d.json", environment={})
    assert "0 samples edited, 0 rejected" in applied.stdout
    log = run_here("audit", "verify-log", sound, environment={})
    assert log.stdout.startswith("sound; the last hash is ")
    assert token not in (tmp_path / "dataset.audit.sqlite").read_bytes().decode("latin-1")


def test_a_log_that_was_tampered_with_ends_in_1(sound: Path, tmp_path: Path) -> None:
    import sqlite3

    (tmp_path / "plan.yaml").write_text("name: first\n")
    run_here("audit", "plan", sound, tmp_path / "plan.yaml", environment={})
    with sqlite3.connect(tmp_path / "dataset.audit.sqlite") as connection:
        connection.execute("UPDATE events SET alias = 'mallory'")
    connection.close()
    done = run_here("audit", "verify-log", sound, environment={})
    assert done.returncode == 1
    assert "was changed after it was written" in done.stdout


def test_a_dataset_with_faults_is_refused(sound: Path, tmp_path: Path) -> None:
    shard = next((sound / "data").rglob("*.parquet"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 0xFF
    shard.write_bytes(data)
    (tmp_path / "plan.yaml").write_text("name: first\n")
    done = run_here("audit", "plan", sound, tmp_path / "plan.yaml", environment={})
    assert done.returncode in (2, 3)
    assert shard.name in done.stderr


def test_what_is_no_dataset_and_a_database_of_another_are_refused(sound: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run_here("audit", "report", tmp_path / "empty", environment={})
    assert done.returncode == 2
    done = run_here("audit", "report", sound, environment={})
    assert done.returncode == 2
    assert "not there" in done.stderr
    (tmp_path / "plan.yaml").write_text("name: first\n")
    run_here("audit", "plan", sound, tmp_path / "plan.yaml", environment={})
    manifest = sound / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"name": "small"', '"name": "other"'))
    done = run_here("audit", "report", sound, environment={})
    assert done.returncode == 2
    assert "that of dataset 'small'" in done.stderr


def test_an_address_that_strangers_reach_is_refused(sound: Path) -> None:
    done = run_here("audit", sound, "--host", "0.0.0.0", environment={})
    assert done.returncode == 2
    assert "without TLS" in done.stderr


def test_a_queue_goes_to_another_tool_and_what_comes_back_must_be_of_it(sound: Path, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text("name: first\nsamples: 3\nattention_share: 0\ndouble_share: 0\n")
    run_here("audit", "plan", sound, tmp_path / "plan.yaml", environment={})
    options = ("--queue", "first", "--tool", "label-studio", "--out", tmp_path / "queue")
    done = run_here("audit", "export", sound, *options, environment={})
    assert done.stdout == f"label-studio: {tmp_path / 'queue'} (3 tasks)\n"
    assert run_here("audit", "export", sound, *options, environment={}).returncode == 2
    undone = run_here("audit", "import", sound, tmp_path / "queue" / "tasks.json", "--tool", "label-studio", "--undo",
                      environment={})  # fmt: skip
    assert undone.stdout == "0 taken back, 0 left as they are\n"
    file = tmp_path / "queue" / "tasks.json"
    done = run_here("audit", "import", sound, file, "--tool", "label-studio", environment={})
    assert done.stdout == "0 recorded, 0 known already, 0 left out\n"
    verdict = '{"from_name": "verdict", "value": {"choices": ["accept"]}}'
    annotated = f'"annotations": [{{"completed_by": 3, "result": [{verdict}]}}], "data": {{"task_id": "made-up-'
    file.write_text(file.read_text().replace('"data": {\n   "task_id": "', annotated))
    done = run_here("audit", "import", sound, file, "--tool", "label-studio", "--person", "3=ann", environment={})
    assert done.returncode == 2
    assert "task 'made-up-" in done.stderr
