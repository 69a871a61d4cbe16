"""The wheel: it has the data files that the code reads, and neither tests nor developers' tools."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("schemas", "prompts", "pipeline", "tools")
DATA = (".css", ".csv", ".jinja", ".js", ".json", ".svg", ".txt", ".yaml")
LEFT_OUT = (ROOT / "tools" / "dev", ROOT / "tools" / "audit" / "web")
"""Developers' tools, and the sources of the page that is built into tools/audit/static."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in the wheel, which is built from a copy, without a network."""
    copy = tmp_path_factory.mktemp("wheel")
    for folder in (*PACKAGES, "tests"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for file in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / file, copy)
    build = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
    environment = os.environ | {"PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", build], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (made,) = copy.glob("*.whl")
    return set(zipfile.ZipFile(made).namelist())


def ours(suffixes: tuple[str, ...]) -> set[str]:
    """Files of the packages, without the developers' tools."""
    found = (path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.suffix in suffixes)
    return {path.relative_to(ROOT).as_posix() for path in found if not left_out(path)}


def left_out(path: Path) -> bool:
    """Whether a file is in a folder that does not go into the wheel."""
    return any(path.is_relative_to(folder) for folder in LEFT_OUT)


def test_developers_tools_and_tests_are_left_out(wheel: set[str]) -> None:
    assert {name.split("/")[0] for name in wheel if ".dist-info/" not in name} == set(PACKAGES)
    ours_alone = ("test_", "conftest")
    folders = ("tools/dev/", "tools/audit/web/")
    assert [n for n in wheel if n.startswith(folders) or Path(n).name.startswith(ours_alone)] == []


def test_what_is_in_imports_nothing_that_is_left_out() -> None:
    for name in ours((".py",)):
        assert not re.search(r"^\s*(?:from|import) tools\.dev", (ROOT / name).read_text(), re.MULTILINE), name


def test_code_and_data_files_are_in(wheel: set[str]) -> None:
    assert ours((".py",)) <= wheel
    data = ours(DATA)
    assert {Path(name).suffix for name in data} >= {".yaml", ".jinja", ".txt", ".csv", ".js", ".css"}
    assert data - wheel == set()


def test_no_data_file_is_of_a_kind_that_would_be_left_out() -> None:
    kinds = {
        path.suffix
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not left_out(path)
    }
    assert kinds <= {".py", *DATA}
