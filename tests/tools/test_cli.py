"""The command as people type it: what it prints and how it exits."""

import copy
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "tools.cli.main"]


def geoscribe(*args: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        cwd=ROOT,
        env={**os.environ, **environment, "COLUMNS": "200"},
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small build of the synthetic world, with oracle engines, built by the command."""
    folder = tmp_path_factory.mktemp("build")
    write(folder)
    result = geoscribe("build", folder / "build.yaml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert "captions" in result.stdout
    assert f"dataset (published): {folder / 'dataset'}" in result.stdout
    return folder


def write(folder: Path, **changes: Any) -> Path:
    raw = yaml.safe_load((ROOT / "configs" / "demo.yaml").read_text())
    raw |= {"name": "cli", "workspace": "workspace", "dataset": "dataset"}
    raw["perception"] = {"ocr": {"engine": "oracle"}, "segmenters": [{"engine": "oracle"}]}
    raw["sampling"] = {"spacing_m": 60, "max_sites": 5, "unit_resolution": 10}
    raw["imagery"] = {"max_views": 2, "long_side_px": 480, "anonymiser": "none"}
    raw = {**copy.deepcopy(raw), **changes}
    file = folder / "build.yaml"
    file.write_text(yaml.safe_dump(raw))
    return file


def test_help_comes_at_once_and_without_beam() -> None:
    started = time.process_time()
    script = "import sys, tools.cli.main; sys.exit('apache_beam' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0
    assert geoscribe("--help").returncode == 0
    assert time.process_time() - started < 5


def test_a_second_build_says_that_nothing_was_to_do(built: Path) -> None:
    result = geoscribe("build", built / "build.yaml")
    assert result.returncode == 0
    assert "none, all were up to date" in result.stdout


def test_plan_status_and_verify(built: Path) -> None:
    plan = geoscribe("plan", built / "build.yaml")
    assert "2 region(s)" in plan.stdout
    assert "10 sites" in plan.stdout
    status = geoscribe("status", built / "workspace")
    assert "all units are finished" in status.stdout
    verify = geoscribe("verify", built / "dataset")
    assert verify.returncode == 0
    assert "sound" in verify.stdout


def test_a_damaged_dataset_is_told_by_file_and_exit_code(built: Path, tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", built / "dataset", tmp_path], check=True)
    shard = min((tmp_path / "dataset" / "data").rglob("*.parquet"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    result = geoscribe("verify", tmp_path / "dataset")
    assert result.returncode == 1
    assert shard.name in result.stdout


def test_show_draws_and_tells_a_sample(built: Path, tmp_path: Path) -> None:
    import pyarrow.dataset

    ids = pyarrow.dataset.dataset(built / "dataset" / "data").to_table(columns=["sample_id"])["sample_id"].to_pylist()
    result = geoscribe("show", built / "dataset", ids[0], "--out", tmp_path / "one.png")
    assert result.returncode == 0, result.stderr
    assert ids[0] in result.stdout
    assert (tmp_path / "one.png").stat().st_size > 10_000
    unknown = geoscribe("show", built / "dataset", "no-such-sample")
    assert unknown.returncode == 2


def test_a_bad_configuration_exits_with_2_and_names_the_key(tmp_path: Path) -> None:
    result = geoscribe("build", write(tmp_path, sampling={"spacing": 4}))
    assert result.returncode == 2
    assert "sampling.spacing: found an unknown key" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "workspace").exists()
    assert geoscribe("build", tmp_path / "nothing.yaml").returncode == 2
    assert geoscribe("build", tmp_path / "build.yaml", "--runner", "spark").returncode == 2
    assert geoscribe("build", write(tmp_path), "--stages", "imagery,cue").returncode == 2
    assert geoscribe("retry", tmp_path, "--reason", "bad_luck").returncode == 2
    assert geoscribe("status", tmp_path).returncode == 2


def test_too_many_failed_sites_exit_with_1(tmp_path: Path) -> None:
    gates = {"max_views": 2, "long_side_px": 480, "anonymiser": "none", "quality": {"min_sharpness": 1e9}}
    result = geoscribe("build", write(tmp_path, imagery=gates), "--stages", "imagery")
    assert result.returncode == 1
    assert "too_blurred: below the sharpness gate" in result.stdout
    assert "100.0% of the sites failed" in result.stdout


def test_options_for_beam_follow_two_dashes(built: Path) -> None:
    result = geoscribe("build", built / "build.yaml", "--limit-units", "1", "--", "--job_name=trial")
    assert result.returncode == 0, result.stderr
