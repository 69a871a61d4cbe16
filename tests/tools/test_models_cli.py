"""`geoscribe models`."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.errors import ConfigError, MachineError
from pipeline.perception.models.store import FOLDER_VARIABLE
from tools.cli.models import models_app


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "models"))
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path / "models"


def test_the_list_says_what_there_is_and_what_is_here(folder: Path) -> None:
    result = CliRunner().invoke(models_app, ["list", "--notes"])
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.stdout.splitlines() if line and not line.startswith(" ")}
    assert lines["deeplab-ade20k"].split()[1:4] == ["semantic", "2.4", "Apache-2.0"]
    assert lines["deeplab-ade20k"].rstrip().endswith("no")
    assert str(folder) in result.stdout
    assert "https://huggingface.co/IDEA-Research/grounding-dino-tiny/tree/a2bb814" in result.stdout
    assert "research and evaluation only" in result.stdout


def test_a_file_at_hand_is_put_in_place(folder: Path, corpus: Path) -> None:
    file = corpus / "weights" / "yolox_nano_416.onnx"
    result = CliRunner().invoke(models_app, ["get", "yolox-nano", "--from", str(file)])
    assert result.exit_code == 0, result.output
    assert "SHA-256 695e750a5d5754bb" in result.stdout
    assert (folder / "yolox-nano" / "yolox_nano.onnx").read_bytes() == file.read_bytes()
    assert "yes" in CliRunner().invoke(models_app, ["list"]).stdout


def test_wrong_usage_is_named(folder: Path, tmp_path: Path) -> None:
    for arguments, said in (
        (["get", "nothing"], "deeplab-ade20k"),
        (["get", "yolox-nano", "yolox-s", "--from", str(tmp_path)], "one model at a time"),
    ):
        result = CliRunner().invoke(models_app, arguments)
        assert isinstance(result.exception, ConfigError)
        assert said in str(result.exception)
    result = CliRunner().invoke(models_app, ["get", "yolox-nano", "--from", str(tmp_path / "absent")])
    assert isinstance(result.exception, MachineError)
