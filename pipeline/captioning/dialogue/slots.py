"""Limits the requests to a model server that are in flight, over all event loops of this process that use it.

Each prompt set has its captioner with a loop of its own, and a verifier its own client, but an address is one server.
"""

import asyncio
import os
import threading
from collections import deque
from concurrent.futures import Future
from weakref import WeakValueDictionary

from yarl import URL


class Slots:
    """An asynchronous context manager that at most so many hold at once; first come, first served.

    Works across event loops and threads, as `asyncio.Semaphore` does not.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._taken = 0
        self._waiting: deque[Future[None]] = deque()

    async def __aenter__(self) -> None:
        turn: Future[None] = Future()
        with self._lock:
            self._waiting.append(turn)
            self._grant()
        try:
            await asyncio.wrap_future(turn)
        except BaseException:
            with self._lock:
                if turn.done() and not turn.cancelled():  # it was granted meanwhile
                    self._taken -= 1
                turn.cancel()
                self._grant()
            raise

    async def __aexit__(self, *_: object) -> None:
        with self._lock:
            self._taken -= 1
            self._grant()

    def _grant(self) -> None:
        while self._waiting and self._taken < self.most:
            turn = self._waiting.popleft()
            if turn.set_running_or_notify_cancel():
                self._taken += 1
                turn.set_result(None)


_lock = threading.Lock()
_all: WeakValueDictionary[tuple[int, str | None, int | None], Slots] = WeakValueDictionary()
"""By process, as a fork has none of its parent's requests, and by host and port."""


def slots_of(url: str, at_once: int) -> Slots:
    """The slots of a server: the same ones for all that use its address, as many as the least of them allows."""
    with _lock:
        address = URL(url)
        key = os.getpid(), address.raw_host, address.port
        found = _all.get(key)
        if found is None:
            found = _all[key] = Slots(at_once)
        found.most = min(found.most, at_once)
        return found
