"""`geoscribe serve`: the command that starts vLLM, and how a server that does not start is reported."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.config.captioning import Dialogue
from pipeline.errors import ConfigError, MachineError
from tools.serving import command, environment, running

URL = "http://127.0.0.1:8123/v1"


def dialogue(**more: Any) -> Dialogue:
    return Dialogue.model_validate({"engine": "dialogue", "model": "org/model", **more})


def options(words: list[str]) -> dict[str, str]:
    return {word: words[i + 1] for i, word in enumerate(words[:-1]) if word.startswith("--")}


def test_the_command_says_what_the_build_counts_on() -> None:
    settings = dialogue(
        revision="abc", serve={"max_num_seqs": 10, "max_queued": 5, "data_parallel": 2, "extra": ["--seed", "3"]}
    )
    words = command(settings, Path("/v/bin/python"), URL)
    assert words[:3] == ["/v/bin/python", "-m", "vllm.entrypoints.openai.api_server"]
    assert "--enable-prefix-caching" in words
    said = options(words)
    assert (said["--host"], said["--port"]) == ("127.0.0.1", "8123")
    assert (said["--model"], said["--served-model-name"], said["--revision"]) == ("org/model", "org/model", "abc")
    assert said["--max-num-queued-reqs"] == "25"  # 2 x 10 at work, 5 waiting
    assert json.loads(said["--limit-mm-per-prompt"]) == {"image": 6, "video": 0}
    assert json.loads(said["--structured-outputs-config"])["backend"] == "guidance"
    assert words[-2:] == ["--seed", "3"]


def test_weights_may_lie_elsewhere() -> None:
    said = options(command(dialogue(serve={"weights": "/weights/q"}), Path("python"), URL))
    assert (said["--model"], said["--served-model-name"]) == ("/weights/q", "org/model")


@pytest.mark.parametrize("url", ["https://models.example/v1", "http://127.0.0.1/v1", "http://127.0.0.1:8000/api"])
def test_an_endpoint_that_is_not_a_server_of_one_s_own(url: str) -> None:
    with pytest.raises(ConfigError, match=r"captioner\.endpoints"):
        command(dialogue(), Path("python"), url)


def test_the_key_goes_into_the_environment_and_not_into_the_command() -> None:
    settings = dialogue(key_env="MODEL_KEY")
    assert environment(settings, {"MODEL_KEY": "s3cret"})["VLLM_API_KEY"] == "s3cret"
    assert "s3cret" not in " ".join(command(settings, Path("python"), URL))
    with pytest.raises(MachineError, match="export MODEL_KEY"):
        environment(settings, {})


def test_a_server_that_ends_before_it_is_ready(tmp_path: Path) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho no GPU found >&2\nexit 7\n")
    fake.chmod(0o755)
    with (
        pytest.raises(MachineError, match=r"exit code 7(?s:.*)no GPU found"),
        running(dialogue(), "http://127.0.0.1:9/v1", python=fake, log=tmp_path / "log"),
    ):
        pytest.fail("it never was ready")


def test_without_vllm_the_message_says_where_to_get_it() -> None:
    with pytest.raises(MachineError, match=r"geoscribe\[vlm\].*--python"), running(dialogue(), URL):
        pytest.fail("vLLM is not in this environment")


def test_the_command_line(tmp_path: Path) -> None:
    import typer

    from tools.cli.serve import serve

    app = typer.Typer()
    app.command()(serve)
    config = tmp_path / "build.yaml"
    text = """
name: b
workspace: w
dataset: d
regions: [{name: r, centre: [40, -105], radius_m: 100}]
sources:
  street: {s: {type: world}}
  aerial: {a: {type: world}}
  map: {m: {type: world}}
"""
    config.write_text(text + "captioner: {engine: dialogue, model: org/model}\n")
    shown = CliRunner().invoke(app, [str(config), "--show"])
    assert shown.exit_code == 0, shown.output
    assert f"{sys.executable} -m vllm.entrypoints.openai.api_server" in shown.output
    with pytest.raises(ConfigError, match="1 to 1"):
        CliRunner().invoke(app, [str(config), "--endpoint", "2"], catch_exceptions=False)
    config.write_text(text)
    with pytest.raises(ConfigError, match="the captioner with a model"):
        CliRunner().invoke(app, [str(config)], catch_exceptions=False)
