"""Values that are dear to make, the last used ones kept in memory."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass
class _Entry(Generic[V]):
    making: threading.Lock = field(default_factory=threading.Lock)
    value: V | None = None
    size: int = 0


class Held(Generic[K, V]):
    """Values by key. Each is made once, however many threads ask for it at a time; a failure is not kept."""

    def __init__(self, make: Callable[[K], V], size: Callable[[V], int], limit: int) -> None:
        """Keep nothing yet.

        Args:
            make: the value of a key.
            size: of a value, in what the limit counts; 0 counts as 1.
            limit: the least recently used values go while the sum of sizes is above it; the last one always stays.
        """
        self._make = make
        self._size = size
        self._limit = limit
        self._lock = threading.Lock()
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()

    def get(self, key: K) -> V:
        """The value of a key."""
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
        with entry.making:
            if entry.value is None:
                try:
                    entry.value = self._make(key)
                finally:
                    self._settle(key, entry)
            return entry.value

    def _settle(self, key: K, entry: _Entry[V]) -> None:
        """Count what was made, or forget what could not be."""
        if entry.value is not None:
            entry.size = max(self._size(entry.value), 1)
            self._shrink()
            return
        with self._lock:
            if self._entries.get(key) is entry:
                del self._entries[key]

    def _shrink(self) -> None:
        with self._lock:
            total = sum(entry.size for entry in self._entries.values())
            for key in list(self._entries)[:-1]:
                if total <= self._limit:
                    break
                if self._entries[key].size:  # else it is being made
                    total -= self._entries.pop(key).size
