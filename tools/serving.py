"""Starting vLLM as a build wants it: `geoscribe serve`."""

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.config.captioning import Dialogue
from pipeline.errors import ConfigError, MachineError, Problem

CHIPS = 2
"""Pictures of a place beside its street views: one from above, and the map."""
_LOOK_S = 1.0
_END_S = 30.0


def command(settings: Dialogue, python: Path, endpoint: str) -> list[str]:
    """The command that starts vLLM's OpenAI-compatible server for a captioner.

    Args:
        settings: the captioner.
        python: of the environment that vLLM is in.
        endpoint: which of the captioner's endpoints it is to be.

    Raises:
        ConfigError: the endpoint is not of the form `http://HOST:PORT/v1`.
    """
    address = urlsplit(endpoint)
    if address.scheme != "http" or address.port is None or address.path.rstrip("/") != "/v1":
        found = f"{endpoint}, where vLLM cannot be started"
        raise ConfigError([Problem("captioner.endpoints", found, "http://HOST:PORT/v1 for a server of your own")])
    serve = settings.serve
    options: dict[str, object] = {
        "--model": serve.weights or settings.model,
        "--served-model-name": settings.model,
        "--host": address.hostname,
        "--port": address.port,
        "--max-model-len": serve.max_model_len,
        "--max-num-seqs": serve.max_num_seqs,
        # vLLM counts the requests that it works at, too.
        "--max-num-queued-reqs": serve.max_num_seqs * serve.data_parallel + serve.max_queued,
        "--dtype": serve.dtype,
        "--gpu-memory-utilization": serve.gpu_memory,
        "--data-parallel-size": serve.data_parallel,
        "--tensor-parallel-size": serve.tensor_parallel,
        "--limit-mm-per-prompt": json.dumps({"image": settings.most_views + CHIPS, "video": 0}),
        # The default backend lets a model write white space without end, xgrammar raw control characters.
        "--structured-outputs-config": json.dumps({"backend": "guidance", "disable_any_whitespace": True}),
    }
    if settings.revision is not None:
        options["--revision"] = settings.revision
    # The module, not the command `vllm serve`: that asks for a package called vllm, and the CPU build has another name.
    start = [str(python), "-m", "vllm.entrypoints.openai.api_server", "--enable-prefix-caching"]
    return [*start, *(str(part) for option in options.items() for part in option), *serve.extra]


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
    """vLLM, from when it is ready until the end of the block.

    Args:
        settings: the captioner.
        endpoint: which of the captioner's endpoints it is to be.
        python: of the environment that vLLM is in; this one's if left out.
        log: where its output goes; to this process's if left out.
        extra_env: further environment variables.

    Raises:
        ConfigError, MachineError: it cannot be started, or it ended before it was ready.
    """
    if python is None and importlib.util.find_spec("vllm") is None:
        raise MachineError(
            "vLLM is not installed here: pip install 'geoscribe[vlm]' in an environment of its own, and start "
            "`geoscribe serve` there, or name that environment's Python by --python"
        )
    asked = command(settings, python or Path(sys.executable), endpoint)
    env = environment(settings, os.environ) | dict(extra_env or {})
    out = log.open("ab") if log else None
    # A session of its own: Ctrl-C reaches vLLM through us, once, and its workers end with it.
    process = subprocess.Popen(asked, env=env, stdout=out, stderr=out, start_new_session=True)  # noqa: S603 - the user's own build file says what
    try:
        while not _healthy(endpoint):
            if process.poll() is not None:
                raise MachineError(f"vLLM ended with exit code {process.returncode} before it was ready{_tail(log)}")
            time.sleep(_LOOK_S)
        yield process
    finally:
        stop(process)
        if out is not None:
            out.close()


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server and its workers."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    with contextlib.suppress(ProcessLookupError):  # workers that outlived it
        os.killpg(process.pid, signal.SIGKILL)


def _healthy(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(endpoint.rstrip("/").removesuffix("/v1") + "/health", timeout=5) as answer:  # noqa: S310 - http only, see `command`
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _tail(log: Path | None) -> str:
    return f"; its log ends:\n{log.read_text(errors='replace')[-2_000:]}" if log else "; see what it wrote above"
