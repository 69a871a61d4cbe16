"""Joins concurrent calls with the same key into one."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Calls in progress, by key. It lives in one event loop."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[T]] = {}
        self._waiting: dict[asyncio.Task[T], int] = {}

    async def join(self, key: str, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the running call for a key, or of a new one. Cancelled when nobody waits any more."""
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
