"""An event loop in its own thread, for use from ordinary threads."""

import asyncio
import concurrent.futures
import os
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from pipeline.errors import BuildStopped
from pipeline.stopping import check_stop

T = TypeVar("T")

SLICE_S = 0.2
"""How often a waiting thread checks whether the build is being stopped, in seconds."""


class LoopThread:
    """Runs coroutines for other threads.

    The thread starts with the first call, is a daemon, and ends with `close`, when nothing refers to the loop any more,
    or when the interpreter exits. A process made by fork gets a thread of its own.
    """

    def __init__(self, name: str, closing: Callable[[], Awaitable[None]]) -> None:
        self._name = name
        self._closing = closing
        self._lock = threading.Lock()
        self._pid = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: Callable[[], object] = lambda: None
        self.closed = False

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result. Waits in short slices, so that stopping the build cancels it.

        Raises:
            BuildStopped, MachineError: see `pipeline.stopping.check_stop`; BuildStopped also where the loop was
                closed meanwhile.
        """
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        tasks: list[asyncio.Task[T]] = []

        def begin() -> None:
            tasks.append(loop.create_task(coroutine))
            tasks[0].add_done_callback(partial(_settle, future))

        def end() -> None:
            tasks[0].cancel()

        try:
            loop = self._started()
            loop.call_soon_threadsafe(begin)
        except BaseException:
            coroutine.close()
            raise
        try:
            while not concurrent.futures.wait([future], timeout=SLICE_S).done:
                check_stop()
        except BaseException:
            with suppress(RuntimeError):  # closed meanwhile
                loop.call_soon_threadsafe(end)
            raise
        return future.result()

    def close(self) -> None:
        """End the thread and cancel what is in progress."""
        with self._lock:
            self.closed = True
            self._end()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self.closed:
                raise RuntimeError(f"{self._name} is closed")
            if self._loop is None or self._pid != os.getpid():
                ready: concurrent.futures.Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = (
                    concurrent.futures.Future()
                )
                thread = threading.Thread(
                    target=asyncio.run, args=(_serve(ready, self._closing),), name=self._name, daemon=True
                )
                thread.start()
                self._loop, ended = ready.result()
                self._pid = os.getpid()
                self._end = weakref.finalize(self, _end, thread, self._loop, ended, self._pid)
            return self._loop


def _settle(future: concurrent.futures.Future[T], task: asyncio.Task[T]) -> None:
    """The task's end, for who waits in another thread, if anybody still does.

    `asyncio.run_coroutine_threadsafe` leaves the exception of a task unread whose caller has gone. It is then logged
    with its traceback by whatever collects the task, at any moment later.
    """
    if task.cancelled():
        future.set_exception(BuildStopped())
    elif (error := task.exception()) is not None:
        future.set_exception(error)
    else:
        future.set_result(task.result())


async def _serve(
    ready: "concurrent.futures.Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]",
    closing: Callable[[], Awaitable[None]],
) -> None:
    ended = asyncio.Event()
    ready.set_result((asyncio.get_running_loop(), ended))
    await ended.wait()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await closing()


def _end(thread: threading.Thread, loop: asyncio.AbstractEventLoop, ended: asyncio.Event, pid: int) -> None:
    if pid != os.getpid() or not thread.is_alive():
        return
    loop.call_soon_threadsafe(ended.set)
    if threading.current_thread() is not thread:  # the garbage collector may run in it
        thread.join(timeout=5.0)
