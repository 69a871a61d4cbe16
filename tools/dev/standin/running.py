"""The stand-in as a child process: for tests, and for programs that need one for a while."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tools.dev.standin.fault_rules import Plan
from tools.dev.standin.log import Entry, read_log

DEFAULT_KEY = "MLY|1|standin"
SEED = 3
"""The town in the west of France speaks French."""
_STOP_S = 10.0


@dataclass(frozen=True)
class Running:
    """A stand-in that is up."""

    api: str
    """Base address of the APIs, as http://127.0.0.1:8765."""
    pictures: str
    """Base address of the pictures."""
    trap: str
    """Base address where nothing may knock."""
    log_path: Path
    key: str = DEFAULT_KEY

    def log(self) -> list[Entry]:
        """The requests so far, by arrival."""
        return read_log(self.log_path)

    @property
    def api_host(self) -> str:
        """Host and port of the APIs, as the log names them."""
        return urlsplit(self.api).netloc

    @property
    def pictures_host(self) -> str:
        """Host of the pictures."""
        return urlsplit(self.pictures).netloc


@contextmanager
def running(
    plan: Plan | None = None,
    *,
    seed: int = SEED,
    corpus: Path | None = None,
    port: int = 0,
    key: str = DEFAULT_KEY,
) -> Iterator[Running]:
    """Run a stand-in on this machine until the block ends.

    Args:
        plan: What goes wrong; nothing if left out.
        seed: Of the towns and the faults.
        corpus: Folder with real photos and tiles.
        port: The first of three; any free ones if left out. Builds tell addresses in their rows, so those that are to
            be compared need one port.
        key: The key that is accepted.

    Raises:
        RuntimeError: it did not start.
    """
    with tempfile.TemporaryDirectory(prefix="geoscribe-standin-") as folder:
        log, faults = Path(folder) / "requests.jsonl", Path(folder) / "plan.yaml"
        faults.write_text((plan or Plan()).model_dump_json(), "utf-8")  # JSON is YAML
        command = [sys.executable, "-m", "tools.dev.standin", "--port", str(port), "--seed", str(seed)]
        command += ["--log", str(log), "--faults", str(faults), "--key", key]
        command += ["--corpus", str(corpus)] if corpus else []
        root = Path(__file__).resolve().parents[3]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:  # noqa: S603 - our own
            try:
                assert process.stdout is not None
                line = process.stdout.readline()
                if not line:
                    raise RuntimeError(f"the stand-in ended with {process.wait(_STOP_S)} before it was up")
                where = json.loads(line)
                yield Running(where["api"], where["pictures"], where["trap"], log, key)
            finally:
                process.terminate()
                try:
                    process.wait(_STOP_S)
                except subprocess.TimeoutExpired:
                    process.kill()
