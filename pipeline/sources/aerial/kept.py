"""What was made last, kept in memory within a bound."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Kept(Generic[K, V]):
    """The values used last, at most so many. Threads may share it; what several want at once is made once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._values: OrderedDict[K, Future[V]] = OrderedDict()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value kept for a key, or a new one. A failure to make it is raised to all who wait, and not kept."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            else:
                mine = self._values[key] = Future()
                while len(self._values) > self._most:
                    self._values.popitem(last=False)
        if value is not None:
            return value.result()
        try:
            made = make()
        except BaseException as error:
            self.drop(key)
            mine.set_exception(error)
            raise
        mine.set_result(made)
        return made

    def drop(self, key: K) -> None:
        """Forget a key."""
        with self._lock:
            self._values.pop(key, None)

    def __contains__(self, key: K) -> bool:
        with self._lock:
            return key in self._values
