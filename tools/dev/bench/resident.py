"""Resident memory of this process: watched while something runs, and its peak (Linux)."""

import re
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median

import psutil

_TELL_S = 60.0


def resident_mb() -> float:
    """Resident memory now."""
    return float(psutil.Process().memory_info().rss / 1e6)


def forget_peak() -> None:
    """Let the peak start anew."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_mb() -> float:
    """The most resident memory since the start, or since `forget_peak`."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024 / 1e6


class Resident(threading.Thread):
    """Looks at this process's resident memory until it is stopped, and tells of it once a minute.

    So a run that is stopped before its end has told something.
    """

    def __init__(self, what: str, told: Callable[[], str]) -> None:
        """`what` runs; `told` says how far it is."""
        super().__init__(daemon=True)
        self._what, self._told = what, told
        self._seen: list[float] = []
        self._stopped = threading.Event()

    def run(self) -> None:
        """Look every half second."""
        started = telling = time.perf_counter()
        while not self._stopped.wait(0.5):
            self._seen.append(resident_mb())
            now = time.perf_counter()
            if now - telling >= _TELL_S:
                telling = now
                print(f"{self._what}, {now - started:.0f} s: {self._told()}; {self._seen[-1]:.0f} MB", flush=True)

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self.join()

    def by_fifths(self) -> str:
        """Median of each fifth of the time, and the most."""
        if not self._seen:
            return "(too short)"
        edges = [len(self._seen) * n // 5 for n in range(6)]
        parts = [self._seen[a:b] or self._seen[a : a + 1] for a, b in pairwise(edges)]
        return " ".join(f"{median(part):.0f}" for part in parts) + f" (most {max(self._seen):.0f}) MB"
