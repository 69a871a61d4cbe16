"""Chooses devices and batch sizes for the engines that need torch."""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, TypeVar

from pipeline.config.perception import Device
from pipeline.errors import MachineError
from pipeline.perception import torchvision_cpu

T = TypeVar("T")
Item = TypeVar("Item")

MEND = "pip install 'geoscribe[perception]'"
GROW_AFTER = 64
"""So many batches in a row that fitted, and the next may be twice as large again: the memory may be free by now."""

_log = logging.getLogger(__name__)


def load_torch() -> Any:
    """The torch module, with torchvision importable and weights read safely from here on.

    Libraries call `torch.load` in their own ways, some so that a file of weights may run code. The environment variable
    makes torch read tensors and nothing else, whoever calls it.

    Raises:
        MachineError: the extra `perception` is not installed.
    """
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    try:
        torchvision_cpu.install()
        return import_module("torch")
    except ImportError as error:
        raise _absent(error) from error


def load_library(name: str) -> Any:
    """A module that works on torch.

    Raises:
        MachineError: the extra `perception` is not installed.
    """
    load_torch()
    try:
        return import_module(name)
    except ImportError as error:
        raise _absent(error) from error


def _absent(error: ImportError) -> MachineError:
    return MachineError(f"the engine needs the extra perception ({error}): {MEND}")


def chosen(device: Device) -> str:
    """`cuda` or `cpu`, as configured or, for `auto`, as there is.

    Raises:
        MachineError: a GPU was asked for by name and torch finds none.
    """
    there = bool(load_torch().cuda.is_available())
    if device == "cuda" and not there:
        raise MachineError("device: cuda was asked for, and torch finds no GPU: install its CUDA build or set auto")
    return "cuda" if there and device != "cpu" else "cpu"


class BatchSize:
    """How many items a model is given at once: as configured, halved where memory does not suffice.

    What was found to fit is kept, so that memory does not run out again with every picture; after `GROW_AFTER` batches
    that fitted it is doubled, up to what was configured. Threads may share it.
    """

    def __init__(self, most: int, what: str) -> None:
        self._most = most
        self._what = what
        self._size = most
        self._fitted = 0
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Size of the next batch."""
        return self._size

    def attempt(self, work: Callable[[int], T]) -> T:
        """The result of `work`, called with a batch size, again and again with smaller ones until it fits.

        Raises:
            MachineError: memory does not suffice for one item.
        """
        while True:
            size = self._size
            try:
                result = work(size)
            except (MemoryError, RuntimeError) as error:
                if not _out_of_memory(error):
                    raise
                reason = str(error)
            else:
                self._grow(size)
                return result
            # Out of the handler, whose traceback would keep the tensors that do not fit alive.
            self._shrink(size, reason)

    def map(self, items: Sequence[Item], work: Callable[[Sequence[Item]], Sequence[T]]) -> list[T]:
        """`work` done on all items, batch by batch; as many results, in the items' order."""
        done: list[T] = []
        while len(done) < len(items):
            start = len(done)
            done.extend(self.attempt(lambda size, start=start: work(items[start : start + size])))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        return done

    def _shrink(self, size: int, reason: str) -> None:
        if size == 1:
            raise MachineError(
                f"memory does not suffice for one {self._what} ({reason}): free memory, choose a smaller model, "
                "or set device: cpu"
            )
        with self._lock:
            if self._size == size:  # or another thread has done it
                self._size, self._fitted = size // 2, 0
                _log.warning(
                    "memory does not suffice for %d x %s at once, going on with %d", size, self._what, size // 2
                )
        torch = load_torch()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _grow(self, size: int) -> None:
        if size == self._most:
            return
        with self._lock:
            self._fitted += 1
            if self._fitted >= GROW_AFTER:
                self._size, self._fitted = min(self._most, self._size * 2), 0


def _out_of_memory(error: Exception) -> bool:
    """On a GPU torch has a class for it, on a CPU only words."""
    return isinstance(error, MemoryError | load_torch().OutOfMemoryError) or "can't allocate memory" in str(error)
