"""A stand-in's three ports in an event loop, up for as long as a block lasts."""

import os
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from pipeline.world.regions import Homes
from tools.dev.standin.fault_rules import Dealer, Plan
from tools.dev.standin.library import TOWNS, Library
from tools.dev.standin.scene import Scene, Thumbs
from tools.dev.standin.server import Server

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Where:
    """Addresses of the APIs, the pictures and the trap, the log, and the process that serves them."""

    api: str
    pictures: str
    trap: str
    log: str
    pid: int


@asynccontextmanager
async def serving(port: int, plan: Plan, seed: int, log: Path, corpus: Path | None, key: str) -> AsyncIterator[Where]:
    """Serve until the block ends.

    Args:
        port: Of the APIs; pictures at the next, the trap at the one after; 0: any.
        plan: What goes wrong.
        seed: Of the towns and of what goes wrong.
        log: Log of requests; begun anew.
        corpus: Folder with MANIFEST.jsonl, real photos and tiles.
        key: The key that is accepted.

    Raises:
        OSError: it cannot listen or log.
    """
    async with AsyncExitStack() as stack:
        cache = stack.enter_context(tempfile.TemporaryDirectory(prefix="geoscribe-standin-pictures-"))
        listeners = [stack.enter_context(_listen(port + n if port else 0)) for n in range(3)]
        api, pictures, trap = (f"http://{HOST}:{one.getsockname()[1]}" for one in listeners)
        homes = Homes(seed, TOWNS)
        scene = Scene(
            library=Library(seed, Path(cache), corpus),
            homes=tuple(home for town in TOWNS if (home := homes.named(town.name))),
            dealer=Dealer(plan, seed),
            thumbs=Thumbs(seed, plan.thumb_ttl_s, plan.thumb_uses),
            api=api,
            pictures=pictures,
            trap=trap,
            key=key,
            corpus=corpus,
        )
        log.parent.mkdir(parents=True, exist_ok=True)
        server = Server(scene, stack.enter_context(log.open("w", encoding="utf-8")))
        stack.callback(server.close)
        for application, listener in zip((server.apis(), server.pictures(), server.trap()), listeners, strict=True):
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.SockSite(runner, listener).start()
        yield Where(api, pictures, trap, str(log), os.getpid())


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    return listener
