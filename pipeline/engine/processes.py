"""Processes beside the driver that make shards: that keeps a processor busy, and threads of one Python take turns."""

import gc
import multiprocessing
import os
import queue
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from pipeline.engine.shard_jobs import ShardJob, do_job
from pipeline.errors import MachineError
from pipeline.stopping import check_stop, request_stop
from pipeline.storage import open_store

_SLICE_S = 0.2
"""How often who waits looks whether the build is being stopped."""
_KEEP_FREED = ("MIMALLOC_PURGE_DELAY", "-1")
"""Has Arrow's allocator keep what was freed, in the environment of a process that starts. By default it gives a table's
memory back after 10 ms, and the system clears the pages anew for the next one: a tenth of a shard's time."""


class ShardProcesses:
    """Some processes, which start with the first jobs. They end with the driver, however it ends.

    Each is a pool of its own: a pool of several starts them one by one, and where one is killed in the meantime the
    thread that looks after it fails and leaves the last one waiting for ever (Python 3.11).
    """

    def __init__(self, at_once: int) -> None:
        os.environ.setdefault(*_KEEP_FREED)  # no matter for this process, whose allocator has started
        context = multiprocessing.get_context("spawn")  # a fork would copy the locks of other threads
        self._stopping = context.Event()
        self._pools = [ProcessPoolExecutor(1, context, _begin, (self._stopping,)) for _ in range(at_once)]
        self._idle: queue.LifoQueue[ProcessPoolExecutor] = queue.LifoQueue()  # last in: the started ones first
        for pool in self._pools:
            self._idle.put(pool)

    def run(self, job: ShardJob, workspace: str, dataset: str) -> None:
        """Make a shard in one of the processes. Raises as `do_job` does, and MachineError if the process was killed."""
        pool = self._idle.get()
        try:
            done: Future[None] = pool.submit(_do, job, workspace, dataset)
            while True:
                try:
                    return done.result(_SLICE_S)
                except TimeoutError:
                    check_stop()
        except BrokenProcessPool as error:
            raise MachineError(
                "a process that made shards was killed (out of memory?). Those that are made are kept; publish again, "
                "with fewer limits.workers if it was memory"
            ) from error
        finally:
            self._idle.put(pool)

    def close(self, *, stopping: bool) -> None:
        """End the processes; if `stopping`, before they have done their jobs."""
        if stopping:
            self._stopping.set()
        for pool in self._pools:
            pool.shutdown(cancel_futures=stopping)


def available(at_most: int) -> int:
    """Number of processors that this process may use, up to a maximum."""
    return max(1, min(at_most, len(os.sched_getaffinity(0))))


def _begin(stopping: Any) -> None:
    """Begin a process: what stops it is the driver, which gets the terminal's Ctrl-C as well."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()  # modules, which the collector would look through again and again
    threading.Thread(target=_stop_when, args=(stopping,), daemon=True).start()
    threading.Thread(target=_end_with_driver, daemon=True).start()


def _stop_when(stopping: Any) -> None:
    stopping.wait()
    request_stop()


def _end_with_driver() -> None:
    driver = multiprocessing.parent_process()
    assert driver is not None
    driver.join()
    os._exit(1)


def _do(job: ShardJob, workspace: str, dataset: str) -> None:
    do_job(job, open_store(workspace), open_store(dataset, where="dataset"))
