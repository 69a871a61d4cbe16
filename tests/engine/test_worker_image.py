"""The recipe for workers' containers says what the project's own files say. It is not built here: that needs Docker."""

import re
import subprocess

import pytest

from tests.command import ROOT

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()


def test_the_image_has_the_versions_that_are_tested_together() -> None:
    pinned = re.search(r"^apache-beam==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    python = re.search(r'requires-python = ">=(3\.\d+)', (ROOT / "pyproject.toml").read_text())
    assert pinned is not None
    assert python is not None
    assert re.findall(r"^ARG BEAM=(.+)$", DOCKERFILE, re.MULTILINE) == [pinned[1]]
    assert re.findall(r"python:?(3\.\d+)[-_]", DOCKERFILE) == [python[1]] * 2


@pytest.mark.parametrize(("extras", "installed"), [("", "."), ("perception,openvino", ".[perception,openvino]")])
def test_the_image_installs_the_extras_that_one_names(extras: str, installed: str) -> None:
    (wanted,) = re.findall(r"--constraint constraints.txt (\S+) \\\n", DOCKERFILE)[:1]
    said = subprocess.run(
        ["sh", "-c", f"echo {wanted}"], capture_output=True, text=True, check=True, env={"EXTRAS": extras}
    )
    assert said.stdout.strip() == installed


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    copied = [name for line in re.findall(r"^COPY (?!--)(.+)$", DOCKERFILE, re.MULTILINE) for name in line.split()[:-1]]
    assert len(copied) >= 7
    assert all((ROOT / name).exists() for name in copied)
    ignored = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    assert {f"!{name}" for name in copied} <= set(ignored)
