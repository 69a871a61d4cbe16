"""The command as people type it: what it prints and how it exits."""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from rich.table import Table

from prompts import loader
from tests.command import ROOT, run_here
from tests.drawn_once import drawn_once
from tools.cli.console import table_console

__all__ = ["drawn_once"]
WIDE = {"COLUMNS": "200"}
IMAGERY = {"max_views": 2, "long_side_px": 320, "anonymiser": "none", "chips": {"gsd_m": 0.6, "size_px": 128}}
TOO_BLURRED = IMAGERY | {"search_radius_m": 5, "quality": {"min_sharpness": 1e9}}


def geoscribe(*args: str | Path) -> subprocess.CompletedProcess[str]:
    return run_here(*args, environment=WIDE)


def geoscribe_process(*args: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.cli.main", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, **WIDE})


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small build of the synthetic world, with oracle engines, built by the command."""
    folder = tmp_path_factory.mktemp("build")
    write(folder)
    result = geoscribe_process("build", folder / "build.yaml", "--log-file", folder / "logs" / "run.jsonl")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert "captions" in result.stdout
    assert f"dataset (published): {folder / 'dataset'}" in result.stdout
    return folder


def write(folder: Path, **changes: Any) -> Path:
    raw = yaml.safe_load((ROOT / "configs" / "demo.yaml").read_text())
    raw |= {"name": "cli", "workspace": "workspace", "dataset": "dataset"}
    raw["perception"] = {"ocr": {"engine": "oracle"}, "segmenters": [{"engine": "oracle"}]}
    raw["regions"] = [region | {"radius_m": 260} for region in raw["regions"]]
    raw["sampling"] = {"spacing_m": 60, "max_sites": 5, "unit_resolution": 10}
    raw["imagery"] = IMAGERY
    raw = {**copy.deepcopy(raw), **changes}
    file = folder / "build.yaml"
    file.write_text(yaml.safe_dump(raw))
    return file


def test_help_comes_without_beam_and_numpy() -> None:
    script = "import sys, tools.cli.main; sys.exit('apache_beam' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0
    assert geoscribe_process("--help").returncode == 0


def test_the_log_file_tells_of_each_table_with_region_unit_and_time(built: Path) -> None:
    lines = [json.loads(line) for line in (built / "logs" / "run.jsonl").read_text().splitlines()]
    assert all(datetime.fromisoformat(line["time"]).tzinfo is not None for line in lines)
    tables = [line for line in lines if line.get("stage") == "captions" and "ok" in line]
    committed = sorted((path.parent.name, path.name.partition(".")[0]) for path in built.glob("workspace/captions/*/*"))
    assert sorted((line["region"], line["unit"]) for line in tables) == committed
    assert sum(line["ok"] for line in tables) == 10


def test_failed_sites_are_logged_with_their_reason(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text('{"message": "an earlier run"}\n')
    geoscribe("build", write(tmp_path, imagery=TOO_BLURRED), "--stages", "imagery", "--log-file", file)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines[0]["message"] == "an earlier run"
    failed = [line for line in lines if line.get("reason") == "too_blurred"]
    assert sum(line["sites"] for line in failed) == 10
    assert all(line["detail"].startswith("sharpness") and line["unit"] and line["region"] for line in failed)
    refused = geoscribe("build", tmp_path / "build.yaml", "--log-file", tmp_path)
    assert (refused.returncode, "--log-file" in refused.stderr) == (2, True)


def test_status_watch_ends_when_all_is_finished(built: Path) -> None:
    result = geoscribe("status", built / "workspace", "--watch")
    assert result.returncode == 0
    assert re.search(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ sites: 2 of 2 regions, done; imagery: ", result.stdout)
    assert "all units are finished" in result.stdout
    assert geoscribe("status", built / "workspace", "--watch", "--json").returncode == 2


@pytest.mark.parametrize(
    ("args", "keys"),
    [
        (("status", "WORKSPACE"), {"stages", "unfinished_units", "regions_not_drawn"}),
        (("verify", "DATASET"), {"sound", "faults"}),
        (("sources", "list"), {"name", "licence", "terms"}),
        (("sources", "check", "CONFIG"), set()),
        (("regions", "list"), {"id", "lat", "lon"}),
        (("regions", "show", "jp-tokyo"), {"id", "aerial_sources"}),
    ],
)
def test_json_is_one_document_and_the_same_each_time(built: Path, args: tuple[str, ...], keys: set[str]) -> None:
    where = {"CONFIG": built / "build.yaml", "WORKSPACE": built / "workspace", "DATASET": built / "dataset"}
    words = [str(where.get(arg, arg)) for arg in args]
    first, second = geoscribe(*words, "--json"), geoscribe(*words, "--json")
    assert (first.returncode, first.stdout) == (0, second.stdout)
    said = json.loads(first.stdout)
    assert keys <= set(said if isinstance(said, dict) else said[0] if said else ())


def test_a_second_build_says_that_nothing_was_to_do(built: Path) -> None:
    result = geoscribe("build", built / "build.yaml")
    assert result.returncode == 0
    assert "none, all were up to date" in result.stdout


def test_plan_status_and_verify(built: Path) -> None:
    plan = geoscribe("plan", built / "build.yaml", "--workers", "7")
    assert "2 regions" in plan.stdout
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
    result = geoscribe("build", write(tmp_path, imagery=TOO_BLURRED), "--stages", "imagery")
    assert result.returncode == 1
    assert "too_blurred: below the sharpness gate" in result.stdout
    assert "100.0% of the sites failed" in result.stdout


def test_a_build_of_which_every_site_fails_exits_with_1_and_says_why(tmp_path: Path) -> None:
    limits = {"allowed_failed_share": 1.0}  # which allows failures, but a build that ends in nothing is none
    result = geoscribe("build", write(tmp_path, imagery=TOO_BLURRED, limits=limits))
    assert result.returncode == 1, result.stderr
    assert "every site that was taken up failed: nothing is published" in result.stdout
    assert re.search(r"too_blurred: .*\n +\d+ of 10: sharpness \d+", result.stdout)
    assert "cannot go on" not in result.stderr
    assert not (tmp_path / "dataset" / "manifest.json").exists()


def test_options_for_beam_follow_two_dashes(built: Path) -> None:
    result = geoscribe("build", built / "build.yaml", "--limit-units", "1", "--", "--job_name=trial")
    assert result.returncode == 0, result.stderr


def test_brackets_in_paths_are_printed_as_they_are(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "[bold]a [red]b"
    shutil.copytree(built, folder)
    result = geoscribe("build", folder / "build.yaml")
    assert result.returncode == 0, result.stderr
    assert f"): {folder / 'dataset'}\n" in result.stdout


def test_pictures_and_pages_go_where_they_are_wanted(built: Path, tmp_path: Path) -> None:
    out = tmp_path / "not there" / "[i]yet" / "page.html"
    made = geoscribe("report", built / "dataset", "--out", out)
    assert (made.returncode, made.stdout) == (0, f"report: {out}\n")
    for command, place, said in (
        ("report", out.parent, "Is a directory"),
        ("contact-sheet", out.with_suffix(".odd"), "unknown file extension"),
        ("contact-sheet", out / "sheet.png", "File exists"),
    ):
        refused = geoscribe(command, built / "dataset", "--out", place)
        assert (refused.returncode, said in refused.stderr) == (2, True)
        assert "Traceback" not in refused.stderr


def test_a_path_that_is_no_text_can_be_named() -> None:
    refused = geoscribe("config", "check", os.fsdecode(b"/tmp/\xff.yaml"))
    assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)


@pytest.mark.parametrize("engine", ["composer", "dialogue"])
def test_a_prompt_set_in_a_language_without_rules_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    made = tmp_path / "prompts" / "toy-xx-1"
    shutil.copytree(loader.FOLDER / ("composer-en-1" if engine == "composer" else "plain-en-2"), made)
    manifest = yaml.safe_load((made / "manifest.yaml").read_text())
    (made / "manifest.yaml").write_text(yaml.safe_dump(manifest | {"name": "toy-xx-1", "language": "xx"}))
    monkeypatch.setattr(loader, "FOLDER", made.parent)
    captioner = {"engine": engine, "prompt_set": "toy-xx-1"} | ({"model": "m"} if engine == "dialogue" else {})
    refused = geoscribe("config", "check", write(tmp_path, captioner=captioner))
    assert refused.returncode == 2
    assert "captioner.prompt_set: found one in the language 'xx'" in refused.stderr
    assert "rules for: de, en" in refused.stderr


def test_tables_print_text_from_anywhere_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("[red]what[/red]")
    table.add_row("[/] :smile: [link=file:///etc/passwd]x[/link]")
    table_console().print(table)
    printed = capsys.readouterr().out
    assert "[red]what[/red]" in printed
    assert "[/] :smile: [link=file:///etc/passwd]x[/link]" in printed


def test_export_and_subset_write_what_they_say(built: Path, tmp_path: Path) -> None:
    result = geoscribe("export", "webdataset", built / "dataset", tmp_path / "tars", "--set", "split=train")
    assert result.returncode == 0, result.stderr
    assert "samples exported to" in result.stdout
    assert list((tmp_path / "tars").glob("train-*.tar"))
    result = geoscribe(
        "subset", built / "dataset", tmp_path / "part", "--region", "northport", "--parts", "street,map,map_data"
    )
    assert result.returncode == 0, result.stderr
    assert "5 samples written" in result.stdout
    assert geoscribe("verify", tmp_path / "part").returncode == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("export", "tfrecord", "DATASET", "OUT"), "FORMAT: found 'tfrecord'; allowed: one of coco, cvgtext"),
        (("export", "hf", "DATASET", "OUT", "--set", "split"), "--set: found split; allowed: KEY=VALUE"),
        (("export", "hf", "DATASET", "OUT", "--set", "speed=5"), "settings of hf: split"),
        (("subset", "DATASET", "OUT", "--licence", "cc-by"), "--licence: found 'cc-by'"),
        (("publish", "DATASET", "--revise", "OUT/none.yaml"), "No such file"),
        (
            ("publish", "DATASET", "--revise", "OUT/none.yaml", "--runner", "dask", "--scheduler", "tcp://h:1"),
            "publish --revise: found --runner, --scheduler; allowed: --unmatched and --log-file beside --revise",
        ),
        (
            ("publish", "DATASET", "--revise", "OUT/none.yaml", "--allow-shrink", "--", "--parallelism=4"),
            "publish --revise: found --allow-shrink, --parallelism=4 (of Beam); allowed",
        ),
        (("publish", "OUT/none.yaml", "--unmatched"), "--unmatched: found without --revise; allowed"),
    ],
)
def test_wrong_words_are_told_in_a_line(built: Path, tmp_path: Path, args: tuple[str, ...], message: str) -> None:
    where = {"DATASET": str(built / "dataset"), "OUT": str(tmp_path / "out")}
    result = geoscribe(*(where.get(arg, arg.replace("OUT", where["OUT"])) for arg in args))
    assert result.returncode == 2
    assert message in result.stderr
    assert not (tmp_path / "out" / "README.md").exists()


def test_a_take_down_is_applied_and_kept_by_the_next_build(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(built, folder)
    (shard, *_) = (folder / "dataset/data/train").glob("*.parquet")
    row = pq.read_table(shard, columns=["sample_id", "street_view"]).to_pylist()[0]
    down = tmp_path / "down.yaml"
    down.write_text(yaml.safe_dump({"source_ids": [row["street_view"]["source_id"]]}))
    result = geoscribe("publish", folder / "dataset", "--revise", down, "--log-file", tmp_path / "log.jsonl")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "log.jsonl").exists()
    assert "1 sample taken down, 9 left" in result.stdout
    assert row["sample_id"] in result.stdout
    assert geoscribe("verify", folder / "dataset").returncode == 0
    result = geoscribe("build", folder / "build.yaml")
    assert result.returncode == 2
    assert "all entries that were ever applied to the dataset" in result.stderr
    write(folder, publish={"takedown": "nowhere.yaml"})
    result = geoscribe("build", folder / "build.yaml")
    assert result.returncode == 2
    assert "publish.takedown" in result.stderr
    write(folder, publish={"takedown": str(down), "shard_mb": 24, "row_group_mb": 8})
    result = geoscribe("build", folder / "build.yaml")
    assert result.returncode == 0, result.stderr
    ids = [name for path in (folder / "dataset/data").rglob("*.parquet") for name in ids_of(path)]
    manifest = json.loads((folder / "dataset/manifest.json").read_text())
    assert manifest["counts"]["published"] == 9
    assert manifest["counts"]["failed"]["taken_down"] == 1
    assert row["sample_id"] not in ids
    assert str(down) not in json.dumps(manifest)
    assert row["street_view"]["source_id"] not in json.dumps(manifest)


def ids_of(shard: Path) -> list[str]:
    found: list[str] = pq.read_table(shard, columns=["sample_id"])["sample_id"].to_pylist()
    return found
