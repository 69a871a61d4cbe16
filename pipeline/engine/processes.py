"""Processes beside the driver that make shards: that keeps a processor busy, and threads of one Python take turns."""

import multiprocessing
import os
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


class ShardProcesses:
    """Some processes, which start with the first jobs. They end with the driver, however it ends."""

    def __init__(self, at_once: int) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would copy the locks of other threads
        self._stopping = context.Event()
        self._pool = ProcessPoolExecutor(at_once, context, _begin, (self._stopping,))

    def run(self, job: ShardJob, workspace: str, dataset: str) -> None:
        """Make a shard in one of the processes. Raises as `do_job` does, and MachineError if the process was killed."""
        try:
            done: Future[None] = self._pool.submit(_do, job, workspace, dataset)
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

    def close(self, *, stopping: bool) -> None:
        """End the processes; if `stopping`, before they have done their jobs."""
        if stopping:
            self._stopping.set()
        self._pool.shutdown(cancel_futures=stopping)


def available(at_most: int) -> int:
    """Number of processors that this process may use, up to a maximum."""
    return max(1, min(at_most, len(os.sched_getaffinity(0))))


def _begin(stopping: Any) -> None:
    """Begin a process: what stops it is the driver, which gets the terminal's Ctrl-C as well."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
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
