"""Outages: when a host counts as out of order, how long a build waits for it, and which hosts are paused now."""

import logging
import threading
from collections import deque
from dataclasses import dataclass

log = logging.getLogger(__name__)

WINDOW = 50
"""The last requests to a host, of which the share that failed is taken."""


@dataclass(frozen=True)
class OutageRules:
    """Rules for a host that fails or refuses again and again: the build waits, and then stops."""

    wait_s: float
    """How long the host may be out."""
    share: float
    """The host counts as out if a greater share of its last requests failed or was refused; 1: never for that."""


class FailedShare:
    """The share of a host's last requests that failed or were refused."""

    def __init__(self, rules: OutageRules | None) -> None:
        self._share = rules.share if rules is not None else 1.0
        self._last: deque[bool] = deque(maxlen=WINDOW)

    def note(self, failed: bool) -> None:
        """Count a request."""
        self._last.append(failed)

    def clear(self) -> None:
        """Start anew."""
        self._last.clear()

    @property
    def too_great(self) -> bool:
        """Whether the host counts as out of order."""
        return len(self._last) == WINDOW and sum(self._last) > self._share * WINDOW


_paused: dict[str, str] = {}
_lock = threading.Lock()


def paused() -> dict[str, str]:
    """The hosts that this process sends only probes to, and what they last said."""
    with _lock:
        return dict(_paused)


def forget() -> None:
    """Begin a build with no host paused."""
    with _lock:
        _paused.clear()


def pause(host: str, why: str) -> None:
    """Note, and say once, that a host is paused."""
    with _lock:
        new = host not in _paused
        _paused[host] = why
    if new:
        log.warning("%s is paused, and probed from time to time: %s", host, why)


def resume(host: str) -> None:
    """Note that a host answers again."""
    with _lock:
        was = _paused.pop(host, None)
    if was is not None:
        log.warning("%s answers again", host)
