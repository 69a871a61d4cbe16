"""Real servers that others wrote, started for the session. `make test-servers` installs them; see the Makefile."""

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.postgresql import postgresql

__all__ = ["postgresql"]
SERVERS = Path(os.environ.get("GEOSCRIBE_SERVERS", ""))
READY_S = 120.0


def _free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _running(command: Sequence[str], url: str, log: Path, env: Mapping[str, str]) -> Iterator[None]:
    """A server from its first answer at `url` until the end of the block."""
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, env=dict(env)) as process:
        try:
            _until_ready(process, url, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise RuntimeError(f"no answer from {url}; its log ends:\n{log.read_text(errors='replace')[-2000:]}")


def _program(environment: str, name: str) -> str:
    path = SERVERS / environment / "bin" / name
    if not path.exists():
        pytest.fail(f"{path} is not there: run these tests by `make test-servers`, which installs it")
    return str(path)


@pytest.fixture(scope="session")
def titiler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running TiTiler."""
    port = _free_port()
    command = [_program("titiler", "uvicorn"), "titiler.application.main:app", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with _running(command, f"{url}/healthz", tmp_path_factory.mktemp("titiler") / "log", os.environ):
        yield url


@pytest.fixture(scope="session")
def postgis(postgresql: str) -> str:
    """Address of a database with PostGIS."""
    psql = ["psql", "-q", "-v", "ON_ERROR_STOP=1"]
    subprocess.run([*psql, f"{postgresql}/postgres", "-c", "CREATE DATABASE panoramax"], check=True)
    subprocess.run([*psql, f"{postgresql}/panoramax", "-c", "CREATE EXTENSION postgis"], check=True)
    return f"{postgresql}/panoramax".replace("postgresql://", "postgres://")


@pytest.fixture(scope="session")
def panoramax(postgis: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the API of a running, empty Panoramax instance."""
    home, port = tmp_path_factory.mktemp("panoramax"), _free_port()
    (home / "pictures").mkdir()
    env = {
        **os.environ,
        "DB_URL": postgis,
        "FS_URL": str(home / "pictures"),
        "API_PICTURES_LICENSE_SPDX_ID": "CC-BY-SA-4.0",
        "API_PICTURES_LICENSE_URL": "https://creativecommons.org/licenses/by-sa/4.0/",
    }
    with (home / "upgrade.log").open("wb") as log:
        upgrade = [_program("panoramax", "panoramax_backend"), "db", "upgrade"]
        subprocess.run(upgrade, check=True, env=env, stdout=log, stderr=log)
    command = [_program("panoramax", "flask"), "--app", "geovisio", "run", "--port", str(port)]
    url = f"http://127.0.0.1:{port}/api"
    with _running(command, url, home / "log", env):
        yield url
