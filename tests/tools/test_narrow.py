"""On a narrow terminal nothing that people copy is broken over lines, and a pipe that closes early is no error."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.perception.models.listing import listing as models
from pipeline.regions.catalogue import catalogue
from pipeline.sources.listing import listing as sources
from tests.command import ROOT, run_here
from tests.engine.conftest import finished, small_build, small_config, small_finished
from tools.cli.main import app

__all__ = ["finished", "small_build", "small_config", "small_finished"]
LONG = "a-region-whose-name-is-as-long-as-a-name-may-be-which-is-63-lett"[:63]


@pytest.mark.parametrize("columns", ["80", "30"])
@pytest.mark.parametrize(
    ("command", "copied"),
    [
        (("sources", "list", "--notes"), [*sources(), *(source.terms for source in sources().values())]),
        (("sources", "list"), [source.key_env for source in sources().values() if source.key_env]),
        (("models", "list", "--notes"), [*models(), *(model.page for model in models().values())]),
        (("regions", "list"), list(catalogue())),
        (("regions", "show", "jp-tokyo"), ["regions: [{catalogue: jp-tokyo}]", "https://www.geonames.org/1850147"]),
    ],
)
def test_names_and_links_of_lists_stand_whole(command: tuple[str, ...], copied: list[str], columns: str) -> None:
    shown = run_here(*command, environment={"COLUMNS": columns})
    assert shown.returncode == 0
    assert [word for word in copied if word not in shown.stdout] == []


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize("command", [("sources", "list"), ("regions", "list")])
def test_a_window_too_small_for_a_table_shows_paragraphs_that_fit(command: tuple[str, ...], columns: int) -> None:
    shown = run_here(*command, environment={"COLUMNS": str(columns)}).stdout.splitlines()
    assert [line for line in shown if len(line) > columns] == []


def test_names_paths_and_commands_of_a_build_stand_whole(small_config: Callable[..., Path], tmp_path: Path) -> None:
    region = {"name": LONG, "centre": [59.33, 18.06], "radius_m": 260}
    folder = tmp_path / ("deep" * 20)
    quality = {"min_sharpness": 1e9}
    file = small_config(folder, regions=[region], sampling__max_sites=1, imagery__quality=quality)
    narrow = {"COLUMNS": "60"}
    built = run_here("build", file, environment=narrow)
    assert built.returncode == 1
    assert f"{LONG}" in run_here("plan", file, environment=narrow).stdout
    status = run_here("status", folder / "workspace", environment=narrow).stdout
    assert LONG in status
    assert "too_blurred: below the sharpness gate" in status
    assert str(file) in run_here("config", "check", file, environment=narrow).stdout
    assert LONG in run_here("coverage", file, "--out", folder / "map.png", environment=narrow).stdout


@pytest.mark.parametrize(
    "command", [["sources", "list", "--notes"], ["config", "schema"], ["regions", "list", "--json"]]
)
def test_a_reader_that_stops_early_is_no_error(command: list[str]) -> None:
    pipe = f"set -o pipefail; {sys.executable} -m tools.cli.main {' '.join(command)} | head -1"
    shown = subprocess.run(
        ["/bin/bash", "-c", pipe], capture_output=True, text=True, cwd=ROOT, env=dict(os.environ), check=False
    )
    assert (shown.returncode, shown.stderr) == (0, "")


def test_every_command_has_help_that_fits_80_columns() -> None:
    import typer

    def names(command: object, path: tuple[str, ...]) -> list[tuple[str, ...]]:
        inner = getattr(command, "commands", {})
        return [path] if not inner else [found for name in inner for found in names(inner[name], (*path, name))]

    for path in names(typer.main.get_command(app), ()):
        shown = run_here(*path, "--help", environment={"COLUMNS": "80"})
        assert shown.returncode == 0, path
        assert max(map(len, shown.stdout.splitlines())) <= 80, path
