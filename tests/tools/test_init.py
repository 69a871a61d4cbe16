"""`geoscribe init`: whatever is chosen, the file that it writes is a sound build file."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.sources import SourceKind
from pipeline.engine.build_file import load_build
from pipeline.engine.ready import check_sources
from pipeline.errors import ConfigError
from pipeline.regions.catalogue import catalogue
from pipeline.registry.registry import Registry
from tests.command import ROOT, run_here
from tests.examples import examples
from tools.new_build.choices import NONE, check_source, place_of, sources_for
from tools.new_build.writing import Answers, build_text

WIDE = {"COLUMNS": "200"}


@given(
    place=st.sampled_from([*catalogue(), "world"]) | st.sampled_from(["46.1591,-1.152", " -17.8 , 178.1", "90,-180"]),
    pick=st.integers(0, 5),
    model=st.none() | st.text(min_size=1, max_size=30).filter(lambda text: text.isprintable()),
    contact=st.none() | st.sampled_from(["me@example.org", "https://example.org/#me"]),
)
@examples(20)
def test_every_choice_makes_a_sound_build_file(
    tmp_path_factory: pytest.TempPathFactory, place: str, pick: int, model: str | None, contact: str | None
) -> None:
    where = place_of(place)
    kinds: tuple[SourceKind, ...] = ("street", "aerial", "map")
    known = {kind: sources_for(where, kind) for kind in kinds}
    sources = {kind: names[pick % len(names)] for kind, names in known.items()}
    file = tmp_path_factory.mktemp("init") / "build.yaml"
    answers = Answers("mine", where, 500.0, sources, 10, model, "http://127.0.0.1:8000/v1", contact)
    file.write_text(build_text(answers, file), encoding="utf-8")
    build = load_build(file)
    check_sources(build, Registry(build))
    assert (build.regions[0].catalogue or "") in place
    assert getattr(build.captioner, "model", None) == model
    assert build.network.contact == contact


def test_the_first_aerial_source_is_one_that_covers_the_place() -> None:
    assert sources_for(place_of("fr-marseille"), "aerial") == ["ign"]
    assert sources_for(place_of("47.3769,8.5417"), "aerial") == ["swissimage"]
    assert sources_for(place_of("0,-30"), "aerial") == [NONE], "in the middle of the Atlantic nothing is fine enough"
    with pytest.raises(ConfigError, match=r"--aerial: found 'wien'; allowed: gsi, none \(at Tokyo\)"):
        check_source(place_of("jp-tokyo"), "aerial", "wien")


def test_own_photos_and_an_own_map_are_named_from_the_files_folder(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    index, extract = tmp_path / "photos" / "index: 1.jsonl", tmp_path / "map.osm.pbf"
    index.write_text("")
    extract.write_bytes(b"")
    file = tmp_path / "build.yaml"
    made = run_here(
        "init", file, "--place", "1,2", "--street", index, "--map", extract, "--aerial", "none", environment=WIDE
    )
    assert made.returncode == 0, made.stderr
    build = load_build(file)
    assert build.sources.street["photos"].model_dump()["index"] == index
    assert build.sources.street["photos"].model_dump()["root"] == index.parent
    assert build.sources.map["extract"].model_dump()["files"] == [extract]


def test_it_works_by_flags_alone_and_plan_takes_the_file(tmp_path: Path) -> None:
    file = tmp_path / "my town.yaml"
    made = run_here("init", file, "--place", "world", "--radius-m", "300", "--max-sites", "9", environment=WIDE)
    assert made.returncode == 0, made.stderr
    assert "9 sites" in run_here("plan", file, environment=WIDE).stdout
    assert run_here("config", "check", file, environment=WIDE).returncode == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "--place: found nothing, and no terminal to ask on"),
        (["--place", "fr-marsaille"], "did you mean fr-marseille?"),
        (["--place", "91,0"], "a latitude of -90 to 90"),
        (["--place", "jp-tokyo", "--street", "google-street"], "--street: found 'google-street'"),
        (["--place", "jp-tokyo", "--street", "none"], "--street: found 'none'"),
        (["--place", "jp-tokyo", "--aerial", "none", "--map", "none"], "--map: found none, and no aerial source"),
        (["--place", "jp-tokyo", "--model", "m"], "--model: found 'm' with the composer"),
        (["--place", "1,2", "--radius-m", "-5"], "regions.0.radius_m"),
        (["--place", "1,2", "--name", "My build"], "name: found 'My build'; allowed: name of lower-case letters"),
        (["--place", "1,2", "--contact", "nobody"], "network.contact"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line_and_nothing_is_written(
    tmp_path: Path, options: list[str], said: str
) -> None:
    result = run_here("init", tmp_path / "build.yaml", *options, environment=WIDE)
    assert result.returncode == 2
    assert said in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    file = tmp_path / "build.yaml"
    file.write_text("mine")
    assert run_here("init", file, "--place", "world", environment=WIDE).returncode == 2
    assert file.read_text() == "mine"


def on_a_terminal(file: Path, answers: bytes) -> tuple[int, str]:
    """Exit code of `init` on a terminal with these answers, and what it said."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tools.cli.main", "init", str(file)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, close_fds=True)
    os.close(theirs)
    os.write(ours, answers)
    code = process.wait(60)
    said = os.read(ours, 10_000).decode()
    os.close(ours)
    return code, said


def test_on_a_terminal_it_asks_again_where_an_answer_cannot_be_used(tmp_path: Path) -> None:
    file = tmp_path / "build.yaml"
    answers = (
        "fr-pariss\n46.1591,-1.1520\n-3\n400\nstreetview\nkartaview\nnone\nnone\noverpass\ngpt\n\nnobody\na@b.org\n"
    )
    code, said = on_a_terminal(file, answers.encode())
    assert code == 0, said
    for told in (
        "not 'fr-pariss'; allowed: LAT,LON in degrees, world, or an id of `geoscribe regions list` (did you mean",
        "Radius in metres [1000]",
        "not '-3'; allowed: more than 0, up to 100,000",
        "not 'streetview'; allowed: panoramax, mapillary, kartaview",
        "Aerial source (ign, none) [ign]",
        "not none, and no aerial source; allowed: at least one of the two",
        "not 'gpt'; allowed: composer or dialogue",
        "not 'nobody'; allowed: a mail address",
    ):
        assert told in said.replace("\r\n", "\n"), said
    written = yaml.safe_load(file.read_text())
    assert written["regions"] == [{"name": "build", "centre": [46.1591, -1.152], "radius_m": 400}]
    assert {kind: list(names) for kind, names in written["sources"].items()} == {
        "street": ["kartaview"], "map": ["overpass"],
    }  # fmt: skip
    assert written["captioner"]["engine"] == "composer"
    assert load_build(file).network.contact == "a@b.org"


def test_ctrl_d_at_a_question_stops_with_the_exit_code_of_a_stop(tmp_path: Path) -> None:
    code, said = on_a_terminal(tmp_path / "build.yaml", b"fr-paris\n\x04")
    assert code == 3
    assert said.rstrip().endswith("stopped")
    assert not list(tmp_path.iterdir())


def test_what_a_build_needs_beside_its_file_is_told(tmp_path: Path) -> None:
    file, nothing = tmp_path / "my build.yaml", {"MAPILLARY_TOKEN": ""}
    made = run_here(
        "init", file, "--place", "fr-paris", "--street", "mapillary", "--map", "overpass", environment=WIDE | nothing
    )
    assert "before a build: export MAPILLARY_TOKEN=... with your key of mapillary" in made.stdout
    assert "before a build: set network.contact: overpass requires a contact" in made.stdout
    assert f"next: geoscribe plan '{file}'" in made.stdout
    assert "geoscribe plan 'my build.yaml'" in file.read_text()
    checked = run_here("config", "check", file, environment=WIDE | nothing).stdout
    assert "warning: sources.street.mapillary: no key in the environment variable MAPILLARY_TOKEN" in checked
    assert "warning: sources.map.overpass: overpass requires a contact" in checked


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands(shell: str) -> None:
    plain = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    script = run_here("--show-completion", shell, environment=plain)
    assert script.returncode == 0
    assert "_GEOSCRIBE_COMPLETE" in script.stdout
    words = {"COMP_WORDS": "geoscribe st", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "geoscribe st"}
    more = {"_GEOSCRIBE_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    assert "status" in run_here(environment=plain | words | more).stdout
