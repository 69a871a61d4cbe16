"""Runs one reader on many inputs in this process, and reports what became of them."""

import re
import resource
import signal
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from pipeline.errors import BuildStopped, ConfigError, MachineError, SiteError
from tests.fuzz.reader import Reader
from tests.fuzz.readers import readers

MOST_CPU_S = 2.0
MOST_BYTES = 500_000_000
_HANGS_S = 60.0
"""Seconds of the processor after which an input ends the process."""
_ADDRESS_SPACE = 12 * 2**30
"""So that an endless allocation ends the process and not the machine."""


@dataclass
class Outcome:
    """What became of a reader's inputs."""

    reader: str
    inputs: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    """`read`, or the reason or kind of error."""
    faults: dict[str, str] = field(default_factory=dict)
    """By what went wrong: the file with the first such input."""
    slowest_s: float = 0.0
    most_bytes: int = 0


def run(name: str, number: int, seed_: int, kept: Path) -> Outcome:
    """Run a reader on inputs.

    Args:
        name: of the reader.
        number: of inputs.
        seed_: other seeds, other inputs.
        kept: folder for inputs that show a fault; the one being read lies there too, in case it ends the process.
    """
    with tempfile.TemporaryDirectory() as folder:
        reader = next(one for one in readers(Path(folder)) if one.name == name)
        return fuzz(reader, number, seed_, kept)


def fuzz(reader: Reader, number: int, seed_: int, kept: Path) -> Outcome:
    """As `run`, for a reader at hand."""
    outcome, current = Outcome(reader.name), being_read(reader.name, kept)

    @seed(seed_)
    @settings(max_examples=number, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(reader.inputs)
    def read(value: Any) -> None:
        current.write_bytes(_as_bytes(value))
        _read(reader, value, outcome, current)

    read()
    current.unlink(missing_ok=True)
    return outcome


def being_read(name: str, kept: Path) -> Path:
    """Where the input lies that a reader is at."""
    return kept / (re.sub(r"\W+", "-", name) + ".current")


def bounded() -> None:
    """End this process where an input takes a minute or gigabytes."""
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)


def _read(reader: Reader, value: Any, outcome: Outcome, current: Path) -> None:
    before = _from_here()
    signal.setitimer(signal.ITIMER_PROF, _HANGS_S)
    started = time.process_time()
    try:
        reader.read(value)
        what = "read"
    except SiteError as error:
        what = str(error.reason)
    except (ConfigError, MachineError, BuildStopped) as error:
        what = type(error).__name__
    except BaseException as error:  # noqa: BLE001 - what is looked for
        what = _fault(error)
    took_s = time.process_time() - started
    signal.setitimer(signal.ITIMER_PROF, 0)
    grown = max(0, _peak() - before)
    outcome.inputs += 1
    outcome.counts["fault" if what.startswith("!") else what] += 1
    outcome.slowest_s = max(outcome.slowest_s, took_s)
    outcome.most_bytes = max(outcome.most_bytes, grown)
    found = [what] if what.startswith("!") else []
    found += [f"! over {MOST_CPU_S:g} s of the processor"] if took_s > MOST_CPU_S else []
    found += [f"! over {MOST_BYTES // 10**6} MB"] if grown > MOST_BYTES else []
    for fault in found:
        if fault not in outcome.faults:
            target = current.with_suffix(f".{len(outcome.faults)}")
            target.write_bytes(_as_bytes(value))
            outcome.faults[fault] = str(target)


def _fault(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/pipeline/" in frame.filename or "/prompts/" in frame.filename]
    place = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in (frames[-1], *reversed(ours[-2:])))
    return f"! {type(error).__name__}: {str(error)[:100]!r} at {place}"


def _as_bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    text = value if isinstance(value, str) else repr(value)
    return text.encode("utf-8", "surrogatepass")


def _from_here() -> int:
    """Bytes of memory in use, from which on the peak counts (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _status(name: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
