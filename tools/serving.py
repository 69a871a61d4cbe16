"""Starting vLLM as a build wants it: `geoscribe serve`."""

import contextlib
import http.client
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.config.captioning import Dialogue
from pipeline.errors import ConfigError, MachineError, Problem
from tools import server_guard
from tools.listeners import Listener, is_free, listener, processes

CHIPS = 2
"""Pictures of a place beside its street views: one from above, and the map."""
_LOOK_S = 1.0
_END_S = 30.0
_ENDING_S = 0.1
_FREEING_S = 3.0
"""A server that was killed just now keeps its port while the system takes its memory back."""
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""No proxy of the environment stands between us and our own server."""


def command(settings: Dialogue, python: Path, endpoint: str) -> list[str]:
    """The command that starts vLLM's OpenAI-compatible server for a captioner.

    Args:
        settings: the captioner.
        python: of the environment that vLLM is in.
        endpoint: which of the captioner's endpoints it is to be.

    Raises:
        ConfigError: the endpoint is not of the form `http://HOST:PORT/v1`.
    """
    host, port = _address(endpoint)
    serve = settings.serve
    options: dict[str, object] = {
        "--model": serve.weights or settings.model,
        "--served-model-name": settings.model,
        "--host": host,
        "--port": port,
        "--max-model-len": serve.max_model_len,
        "--max-num-seqs": serve.max_num_seqs,
        # vLLM counts the requests that it works at, too.
        "--max-num-queued-reqs": serve.max_num_seqs * serve.data_parallel + serve.max_queued,
        "--dtype": serve.dtype,
        "--gpu-memory-utilization": serve.gpu_memory,
        "--data-parallel-size": serve.data_parallel,
        "--tensor-parallel-size": serve.tensor_parallel,
        "--limit-mm-per-prompt": json.dumps({"image": settings.max_views + CHIPS, "video": 0}),
        # The default backend lets a model write white space without end, xgrammar raw control characters.
        "--structured-outputs-config": json.dumps({"backend": "guidance", "disable_any_whitespace": True}),
    }
    if settings.revision is not None:
        options["--revision"] = settings.revision
    # The module, not the command `vllm serve`: that asks for a package called vllm, and the CPU build has another name.
    start = [str(python), "-m", "vllm.entrypoints.openai.api_server", "--enable-prefix-caching"]
    return [*start, *(str(part) for option in options.items() for part in option), *serve.extra]


def _address(endpoint: str) -> tuple[str, int]:
    """Host and port of an endpoint that vLLM can be started at; raises as `command` does."""
    try:
        address = urlsplit(endpoint)
        if address.scheme == "http" and address.hostname and address.port and address.path.rstrip("/") == "/v1":
            return address.hostname, address.port
    except ValueError:  # no such port, no such IPv6 address
        pass
    found = f"{endpoint}, where vLLM cannot be started"
    raise ConfigError([Problem("captioner.endpoints", found, "http://HOST:PORT/v1 for a server of your own")])


def environment(settings: Dialogue, base: Mapping[str, str]) -> dict[str, str]:
    """The server's environment variables: those of `base`, no usage statistics, and the key where there is one.

    Raises:
        MachineError: `key_env` names an environment variable that is not set.
    """
    made = {**base, "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if settings.key_env is not None:
        key = base.get(settings.key_env, "").strip()
        if not key:
            raise MachineError(f"no key for the model server: export {settings.key_env}=...")
        made["VLLM_API_KEY"] = key  # not as an argument: those can be read by every user of the machine
    return made


@contextmanager
def running(
    settings: Dialogue,
    endpoint: str,
    *,
    python: Path | None = None,
    log: Path | None = None,
    extra_env: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """vLLM, from when it is ready until the end of the block; it ends with this process, however that ends.

    Args:
        settings: the captioner.
        endpoint: which of the captioner's endpoints it is to be.
        python: of the environment that vLLM is in; this one's if left out.
        log: where its output goes; to this process's if left out.
        extra_env: further environment variables.

    Raises:
        ConfigError, MachineError: it cannot be started, it ended before it was ready, or somebody else has its port.

    Yields:
        The guard that runs it, which has its exit code and leads its process group.
    """
    if python is None and importlib.util.find_spec("vllm") is None:
        raise MachineError(
            "vLLM is not installed here: pip install 'geoscribe[vlm]' in an environment of its own, and start "
            "`geoscribe serve` there, or name that environment's Python by --python"
        )
    asked = command(settings, python or Path(sys.executable), endpoint)
    env = environment(settings, os.environ) | dict(extra_env or {})
    _check_free(endpoint)
    out = log.open("ab") if log else None
    guarded = [sys.executable, server_guard.__file__, *asked]
    # A session of its own: Ctrl-C reaches vLLM through us, once, and its workers end with it. The pipe closes with us.
    process = subprocess.Popen(guarded, env=env, stdin=subprocess.PIPE, stdout=out, stderr=out, start_new_session=True)  # noqa: S603 - the user's own build file says what
    try:
        while not _ready(settings, endpoint, process, env):
            if process.poll() is not None:
                raise MachineError(f"vLLM ended with exit code {process.returncode} before it was ready{_tail(log)}")
            time.sleep(_LOOK_S)
        yield process
    finally:
        stop(process)
        if out is not None:
            out.close()


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a guarded server and its workers."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    with contextlib.suppress(ProcessLookupError):  # workers that outlived it
        os.killpg(process.pid, signal.SIGKILL)
    until = time.monotonic() + _END_S
    while any(processes(process.pid)) and time.monotonic() < until:  # their memory and their port are not free yet
        time.sleep(_ENDING_S)
    if process.stdin is not None:
        process.stdin.close()


def _check_free(endpoint: str) -> None:
    """See that vLLM can listen at its endpoint: what answers there would else be taken for it."""
    host, port = _address(endpoint)
    until = time.monotonic() + _FREEING_S
    try:
        while not (free := is_free(host, port)) and time.monotonic() < until:
            time.sleep(_ENDING_S)
    except OSError as error:
        raise MachineError(f"vLLM cannot listen at {endpoint}: {error.strerror or error}") from error
    if not free:
        raise MachineError(
            f"something listens at port {port} already: end it, or give this server another port in captioner.endpoints"
        )


def _ready(settings: Dialogue, endpoint: str, process: subprocess.Popen[bytes], env: Mapping[str, str]) -> bool:
    """Whether vLLM answers: the one that we started, and with the model that the build asks for.

    Raises:
        MachineError: somebody else has taken its port, or it serves another model.
    """
    host, port = _address(endpoint)
    whose = listener(host, port, process.pid)
    if whose == Listener.STRANGER:
        raise MachineError(f"another process has taken port {port} while vLLM was starting: end it, and start again")
    if whose == Listener.NOBODY or process.poll() is not None or _get(endpoint, "/health", env) is None:
        return False
    listed = _get(endpoint, "/v1/models", env)
    models = listed.get("data") if isinstance(listed, dict) else None
    names = [m["id"] for m in models if isinstance(m, dict) and "id" in m] if isinstance(models, list) else []
    if names and settings.model not in names:
        raise MachineError(f"what was started at {endpoint} serves {names[0]}, not captioner.model, {settings.model!r}")
    return True


def _get(endpoint: str, path: str, env: Mapping[str, str]) -> object:
    """The server's answer, read as JSON if it is some (else its text); None if it does not answer with success."""
    request = urllib.request.Request(endpoint.rstrip("/").removesuffix("/v1") + path)  # noqa: S310 - http only, see `command`
    if "VLLM_API_KEY" in env:
        request.add_header("Authorization", f"Bearer {env['VLLM_API_KEY']}")
    try:
        with _DIRECT.open(request, timeout=5) as answer:
            body = answer.read(2**20) if answer.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    if body is None:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body


def _tail(log: Path | None) -> str:
    return f"; its log ends:\n{log.read_text(errors='replace')[-2_000:]}" if log else "; see what it wrote above"
