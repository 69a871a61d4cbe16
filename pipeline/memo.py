"""LRU memo for expensive values: each is made once, and the ones used last stay in memory."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruMemo(Generic[K, V]):
    """Values by key. Threads may share it; a value that several threads want at once is made by one of them."""

    def __init__(self, limit: int, size: Callable[[V], int] = lambda _: 1) -> None:
        """Start empty.

        Args:
            limit: the least recently used values go while the sum of sizes is above it; the newest always stays.
            size: of a value, in what the limit counts; 0 counts as 1. By default every value counts as 1.
        """
        self._limit = limit
        self._size = size
        self._lock = threading.Lock()
        self._values: OrderedDict[K, Future[V]] = OrderedDict()
        self._sizes: dict[K, int] = {}

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value of a key, made if it is not there. A failure is raised to all who wait for it, and not kept."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            else:
                mine = self._values[key] = Future()
        if value is not None:
            return value.result()
        try:
            made = make()
            size = max(self._size(made), 1)
        except BaseException as error:
            self._forget(key, mine)
            mine.set_exception(error)
            raise
        mine.set_result(made)
        self._settle(key, mine, size)
        return made

    def drop(self, key: K) -> None:
        """Forget a key's value, if there is one."""
        with self._lock:
            self._values.pop(key, None)
            self._sizes.pop(key, None)

    def __contains__(self, key: K) -> bool:
        with self._lock:
            return key in self._values

    def _forget(self, key: K, mine: "Future[V]") -> None:
        with self._lock:
            if self._values.get(key) is mine:
                del self._values[key]

    def _settle(self, key: K, mine: "Future[V]", size: int) -> None:
        """Count what was made, and let go of what goes beyond the limit. What is still being made stays."""
        with self._lock:
            if self._values.get(key) is not mine:  # dropped meanwhile
                return
            self._sizes[key] = size
            total = sum(self._sizes.values())
            for old in list(self._values)[:-1]:
                if total <= self._limit:
                    break
                if old in self._sizes:
                    total -= self._sizes.pop(old)
                    del self._values[old]
