"""Stopping in good order: stages ask between two sites whether the user has had enough."""

import threading

from pipeline.errors import BuildStopped

_stop = threading.Event()


def request_stop() -> None:
    """Ask every stage of this process to stop at its next site."""
    _stop.set()


def clear_stop() -> None:
    """Forget an earlier request."""
    _stop.clear()


def stop_requested() -> bool:
    """Whether a stop was asked for."""
    return _stop.is_set()


def check_stop() -> None:
    """Called between two sites.

    Raises:
        BuildStopped: a stop was asked for.
    """
    if _stop.is_set():
        raise BuildStopped
