"""Stopping in good order: stages ask between two sites whether to go on."""

import threading

from pipeline.errors import BuildStopped, MachineError

_stop = threading.Event()
_faults: list[MachineError] = []


def request_stop(fault: MachineError | None = None) -> None:
    """Ask every stage of this process to stop at its next site: because the user wants it, or because of a fault."""
    if fault is not None:
        _faults.append(fault)
    _stop.set()


def clear_stop() -> None:
    """Forget an earlier request."""
    _faults.clear()
    _stop.clear()


def check_stop() -> None:
    """Called between two sites.

    Raises:
        MachineError: the fault for which the build stops.
        BuildStopped: the user asked for it.
    """
    if _faults:
        raise _faults[0]
    if _stop.is_set():
        raise BuildStopped
