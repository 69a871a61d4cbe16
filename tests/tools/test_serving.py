"""`geoscribe serve`: the command that starts vLLM, and how a server that does not start is reported."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.config.captioning import Dialogue
from pipeline.errors import ConfigError, MachineError
from tools.serving import command, environment, running

URL = "http://127.0.0.1:8123/v1"
BUILD = """
name: b
workspace: w
dataset: d
regions: [{name: r, centre: [40, -105], radius_m: 100}]
sources:
  street: {s: {type: world}}
  aerial: {a: {type: world}}
  map: {m: {type: world}}
"""


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


@pytest.mark.parametrize(
    "url",
    ["https://models.example/v1", "http://127.0.0.1/v1", "http://127.0.0.1:8000/api", "http://127.0.0.1:99999/v1",
     "http://127.0.0.1:0/v1", "http://[::1/v1"],
)  # fmt: skip
def test_an_endpoint_that_is_not_a_server_of_one_s_own(url: str) -> None:
    with pytest.raises(ConfigError, match=r"captioner\.endpoints"):
        command(dialogue(), Path("python"), url)


def test_the_key_goes_into_the_environment_and_not_into_the_command() -> None:
    settings = dialogue(key_env="MODEL_KEY")
    assert environment(settings, {"MODEL_KEY": "s3cret"})["VLLM_API_KEY"] == "s3cret"
    assert "s3cret" not in " ".join(command(settings, Path("python"), URL))
    with pytest.raises(MachineError, match="export MODEL_KEY"):
        environment(settings, {})


VLLM = """#!{python}
import http.server, json, os, signal, sys, time
said = dict(zip(sys.argv, sys.argv[1:]))
worker = os.fork()
if not worker:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as a worker that sits in a kernel of its GPU
    time.sleep(600)
{stubborn}
open({pids!r}, "w").write(f"{{os.getpid()}} {{worker}}")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        key = os.environ.get("VLLM_API_KEY")
        if self.path == "/v1/models" and key and self.headers["Authorization"] != f"Bearer {{key}}":
            self.send_response(401)
            return self.end_headers()
        body = json.dumps({{"data": [{{"id": {serves!r} or said["--served-model-name"]}}]}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
{before}
http.server.ThreadingHTTPServer(("127.0.0.1", int(said["--port"])), Handler).serve_forever()
"""
"""What we know vLLM by: it has workers, listens where it is told, and says what it serves."""


@pytest.fixture
def vllm(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Makes a Python that plays vLLM, whatever module it is to run; its pids are in the file `pids` beside it."""

    def make(*, serves: str = "", before: str = "", stubborn: bool = False) -> Path:
        fake = tmp_path / "python"
        ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN)" if stubborn else ""
        text = VLLM.format(
            python=sys.executable, pids=str(tmp_path / "pids"), serves=serves, before=before, stubborn=ignore
        )
        fake.write_text(text)
        fake.chmod(0o755)
        return fake

    yield make
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for pid in pids(tmp_path):
            os.kill(pid, signal.SIGKILL)


def pids(folder: Path) -> list[int]:
    return [int(word) for word in (folder / "pids").read_text().split()]


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(*processes: int) -> bool:
    """Whether they end, within as long as a busy machine may take."""
    until = time.monotonic() + 60
    while any(map(alive, processes)):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def free_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


@contextlib.contextmanager
def stranger(url: str) -> Iterator[None]:
    """Something else that answers everything with success, as the health of vLLM does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", int(url.split(":")[2].removesuffix("/v1"))), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def test_a_server_that_ends_before_it_is_ready(tmp_path: Path) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho no GPU found >&2\nexit 7\n")
    fake.chmod(0o755)
    with (
        pytest.raises(MachineError, match=r"exit code 7(?s:.*)no GPU found"),
        running(dialogue(), free_url(), python=fake, log=tmp_path / "log"),
    ):
        pytest.fail("it never was ready")


def test_it_is_ready_when_the_one_that_was_started_answers(
    vllm: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_KEY", "s3cret")
    settings = dialogue(key_env="MODEL_KEY")
    with running(settings, free_url(), python=vllm(before="time.sleep(1)"), log=tmp_path / "log") as process:
        assert process.poll() is None
        started = pids(tmp_path)
        assert all(map(alive, started))
    assert gone(*started)


def test_a_stranger_on_the_port_is_not_taken_for_it(vllm: Callable[..., Path], tmp_path: Path) -> None:
    url = free_url()
    with (
        stranger(url),
        pytest.raises(MachineError, match=r"something listens at port \d+ already"),
        running(dialogue(), url, python=vllm(), log=tmp_path / "log"),
    ):
        pytest.fail("a stranger answered")
    assert not (tmp_path / "pids").exists()  # it was not even started


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="who listens is known on Linux only")
def test_a_stranger_that_comes_first_is_not_taken_for_it(vllm: Callable[..., Path], tmp_path: Path) -> None:
    url = free_url()
    fake = vllm(before="time.sleep(600)")  # it loads its weights
    with contextlib.ExitStack() as stack:

        def come() -> None:
            while not (tmp_path / "pids").exists():
                time.sleep(0.01)
            stack.enter_context(stranger(url))

        thread = threading.Thread(target=come)
        thread.start()
        with (
            pytest.raises(MachineError, match="another process has taken port"),
            running(dialogue(), url, python=fake, log=tmp_path / "log"),
        ):
            pytest.fail("a stranger answered")
        thread.join()
    assert gone(*pids(tmp_path))


def test_a_server_of_another_model_is_not_the_one(vllm: Callable[..., Path], tmp_path: Path) -> None:
    with (
        pytest.raises(MachineError, match=r"serves org/other, not captioner\.model"),
        running(dialogue(), free_url(), python=vllm(serves="org/other"), log=tmp_path / "log"),
    ):
        pytest.fail("it serves something else")
    assert gone(*pids(tmp_path))


def test_an_address_of_another_machine(vllm: Callable[..., Path], tmp_path: Path) -> None:
    url = "http://192.0.2.1:8000/v1"
    with (
        pytest.raises(MachineError, match=f"cannot listen at {url}"),
        running(dialogue(), url, python=vllm(), log=tmp_path / "log"),
    ):
        pytest.fail("192.0.2.1 is nobody's")


@pytest.mark.parametrize(
    ("number", "stubborn"), [(signal.SIGTERM, False), (signal.SIGKILL, False), (signal.SIGKILL, True)]
)
def test_the_server_and_its_workers_end_with_the_command(
    vllm: Callable[..., Path], tmp_path: Path, number: signal.Signals, stubborn: bool
) -> None:
    config = tmp_path / "build.yaml"
    config.write_text(BUILD + f"captioner: {{engine: dialogue, model: org/model, endpoints: ['{free_url()}']}}\n")
    fake = vllm(stubborn=stubborn)
    command = [sys.executable, "-m", "tools.cli.main", "serve", str(config), "--python", str(fake)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serve:
        assert serve.stdout is not None
        assert serve.stdout.readline().startswith("ready: http://127.0.0.1:")
        started = pids(tmp_path)
        assert all(map(alive, started))
        serve.send_signal(number)
        serve.wait(60)
    assert gone(*started)


def test_without_vllm_the_message_says_where_to_get_it() -> None:
    with pytest.raises(MachineError, match=r"geoscribe\[vlm\].*--python"), running(dialogue(), URL):
        pytest.fail("vLLM is not in this environment")


def test_the_command_line(tmp_path: Path) -> None:
    import typer

    from tools.cli.serve import serve

    app = typer.Typer()
    app.command()(serve)
    config = tmp_path / "build.yaml"
    config.write_text(BUILD + "captioner: {engine: dialogue, model: org/model}\n")
    shown = CliRunner().invoke(app, [str(config), "--show"])
    assert shown.exit_code == 0, shown.output
    assert f"{sys.executable} -m vllm.entrypoints.openai.api_server" in shown.output
    with pytest.raises(ConfigError, match="1 to 1"):
        CliRunner().invoke(app, [str(config), "--endpoint", "2"], catch_exceptions=False)
    config.write_text(BUILD)
    with pytest.raises(ConfigError, match="the captioner with a model"):
        CliRunner().invoke(app, [str(config)], catch_exceptions=False)
