"""A stand-in in a thread of the tests' process, where it is not the process that is tested: it starts at once."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.dev.standin import Plan, Running
from tools.dev.standin.running import DEFAULT_KEY, SEED
from tools.dev.standin.serving import Where, serving


@contextmanager
def running_here(plan: Plan | None = None, *, corpus: Path | None = None) -> Iterator[Running]:
    """As `tools.dev.standin.running`."""
    with TemporaryDirectory(prefix="geoscribe-standin-") as folder:
        log = Path(folder) / "requests.jsonl"
        loop, stopped = asyncio.new_event_loop(), asyncio.Event()
        up: Future[Where] = Future()

        async def serve() -> None:
            try:
                async with serving(0, plan or Plan(), SEED, log, corpus, DEFAULT_KEY) as where:
                    up.set_result(where)
                    await stopped.wait()
            except OSError as error:
                up.set_exception(error)

        thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
        thread.start()
        try:
            where = up.result()
            yield Running(where.api, where.pictures, where.trap, log)
        finally:
            loop.call_soon_threadsafe(stopped.set)
            thread.join()
            loop.close()
