"""Drawing the sites of many regions over a network: `python -m tools.dev.bench.drawing [REGIONS]`.

The stand-in plays Panoramax, 200 ms away: a proxy passes each answer on after that time. Its town is put to as many
places as there are regions, eight tiles apart, so that each region asks for tiles of its own; regions are of several
sizes. It prints the wall time of drawing all regions by the graph, that of the largest region alone, and that of all
regions one after the other. Neither starting up nor the cache counts (there is none).
"""

import asyncio
import logging
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
import mercantile
from aiohttp import web

from pipeline.config.build import Build
from pipeline.engine.build import run_build
from pipeline.engine.build_file import parse_build
from tools.dev.standin import Running, running

REGIONS, DELAY_S, APART = 225, 0.2, 8
ZOOM = 15
TOWN = (46.1591, -1.1520)
RADII_M = (300, 450, 900, 1_500)
_HOME = mercantile.tile(TOWN[1], TOWN[0], ZOOM)


def main(regions: int) -> None:
    logging.disable(logging.WARNING)
    with running() as server, far_away(server) as address, tempfile.TemporaryDirectory() as folder:

        def drawn(name: str, at_once: int, which: range) -> tuple[float, float, int]:
            build = _build(Path(folder) / name, address, at_once, which)
            started, cpu = time.perf_counter(), time.process_time()
            outcome = run_build(build, stages=("sites",))
            assert outcome.not_drawn == outcome.empty == []
            return time.perf_counter() - started, time.process_time() - cpu, outcome.sites

        drawn("warm", 1, range(1))
        largest = len(RADII_M) - 1
        *alone, _ = drawn("alone", 1, range(largest, largest + 1))
        *together, sites = drawn("together", 32, range(regions))
        *many, _ = drawn("many", 256, range(regions))
        *apart, _ = drawn("apart", 1, range(regions))
    print(f"{regions} regions, {sites:,} sites, {DELAY_S * 1000:.0f} ms an answer")
    for name, (wall, cpu) in (
        ("the largest region alone", alone),
        ("all, 32 at once (default)", together),
        ("all, 256 at once", many),
        ("all, one after the other", apart),
    ):
        print(f"{name:<28}{wall:>7.1f} s{wall / alone[0]:>8.1f} times the largest{cpu:>8.1f} s CPU")


def _build(folder: Path, address: str, at_once: int, which: range) -> Build:
    street = {"type": "panoramax", "endpoint": f"{address}/panoramax/api", "rate": {"per_s": 10_000, "at_once": 1_000}}
    world = {"type": "world", "seed": 3}
    raw = {
        "name": "drawing",
        "workspace": str(folder / "workspace"),
        "dataset": str(folder / "dataset"),
        "regions": [_region(number) for number in which],
        "sources": {"street": {"far": street}, "aerial": {"above": world}, "map": {"plan": world}},
        "sampling": {"spacing_m": 30},
        "limits": {"regions_at_once": at_once},
        "network": {
            "contact": "bench@example.org", "allow_loopback": True, "cache": str(folder / "cache"), "cache_gb": 0,
            "at_once": 1_000,
        },
    }  # fmt: skip
    return parse_build(raw, base=folder)


def _region(number: int) -> dict[str, Any]:
    lon = TOWN[1] + number * APART * 360.0 / 2**ZOOM
    return {"name": f"r{number:03}", "centre": [TOWN[0], lon], "radius_m": RADII_M[number % len(RADII_M)]}


@contextmanager
def far_away(server: Running) -> Iterator[str]:
    """The address of a proxy before the stand-in that is a time away, and has its town at many places."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, server.api), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(driver: Connection, api: str) -> None:
    asyncio.run(_run(driver, api))


async def _run(driver: Connection, api: str) -> None:
    async with aiohttp.ClientSession() as session:

        async def passed_on(request: web.Request) -> web.Response:
            arrives = time.monotonic() + DELAY_S
            async with session.get(api + _home_path(request.path_qs)) as answer:
                body = await answer.read()
            await asyncio.sleep(arrives - time.monotonic())
            return web.Response(body=body, status=answer.status, content_type=answer.content_type)

        app = web.Application()
        app.router.add_get("/{path:.*}", passed_on)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        driver.send(runner.addresses[0][1])
        await asyncio.Event().wait()


def _home_path(path: str) -> str:
    """The path of the tile at home for one at one of the places."""
    start, slash, tile = path.partition(f"/map/{ZOOM}/")
    if not slash:
        return path
    x, rest = tile.split("/", 1)
    east = (int(x) - _HOME.x + APART // 2) % APART - APART // 2
    return f"{start}{slash}{_HOME.x + east}/{rest}"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else REGIONS)
