"""The log of requests, one JSON object a line, and what can be read from it."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tools.dev.standin.faults import Fault, Part, Provider


class Entry(BaseModel):
    """A request and its answer. No key stands in it."""

    model_config = ConfigDict(frozen=True)

    arrived_s: float
    """Monotonic clock; entries stand in the order of their ends."""
    seconds: float
    """Until the last byte was sent."""
    host: str
    """Host and port."""
    method: str
    path: str
    query: dict[str, str]
    """Values of keys are `***`."""
    key_in_url: bool
    provider: Provider | None
    """None for an address where nobody answers."""
    part: Part | None
    identity: str
    """What was asked for, alike for all tries."""
    attempt: int
    """Which try of it this is, from 1."""
    fault: Fault | None
    limited: bool
    """Whether it was refused because the client asks too much."""
    status: int
    """0: none was sent."""
    in_flight: int
    """Requests under way at this host when it arrived, itself among them."""
    user_agent: str | None
    if_none_match: str | None
    trap: bool = False
    """Whether it came to the address that only redirects name."""


def read_log(path: Path) -> list[Entry]:
    """All entries of a log, by arrival. A line that is being written is left out."""
    lines = path.read_text("utf-8").split("\n")[:-1] if path.exists() else []
    return sorted((Entry.model_validate(json.loads(line)) for line in lines), key=lambda entry: entry.arrived_s)


def max_in_flight(log: Sequence[Entry], host: str) -> int:
    """The most requests that were under way at a host at once."""
    return max((entry.in_flight for entry in log if entry.host == host), default=0)


def fastest_rate(log: Sequence[Entry], host: str, window_s: float) -> float:
    """The most requests a second that arrived at a host, over any stretch of time of that length."""
    times = sorted(entry.arrived_s for entry in log if entry.host == host)
    most, first = 0, 0
    for last, time in enumerate(times):
        while time - times[first] >= window_s:
            first += 1
        most = max(most, last - first + 1)
    return most / window_s


def keys_in_urls(log: Sequence[Entry]) -> list[Entry]:
    """Requests whose address held a key."""
    return [entry for entry in log if entry.key_in_url]


def repeats(log: Sequence[Entry]) -> dict[str, int]:
    """Requests answered in full more than once, and how often: what a cache should have spared."""
    answered = Counter(entry.identity for entry in log if entry.status == 200 and entry.fault is None)
    return {identity: count for identity, count in answered.items() if count > 1}
