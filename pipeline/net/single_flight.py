"""One answer for all who ask the same at the same time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Calls under way, by key. Lives in one event loop."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[T]] = {}
        self._waiting: dict[asyncio.Task[T], int] = {}

    async def join(self, key: str, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the call under way for a key, or of a new one. It is cancelled when nobody waits any more."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.ensure_future(make())
            self._waiting[task] = 0
        self._waiting[task] += 1
        try:
            return await asyncio.shield(task)
        finally:
            self._waiting[task] -= 1
            if not self._waiting[task]:
                del self._waiting[task]
                task.cancel()
            if self._tasks.get(key) is task and (task.done() or task not in self._waiting):
                del self._tasks[key]
