"""Drawing the sites of many regions over a network: `python -m tools.dev.bench.drawing [REGIONS]`.

The stand-in plays Panoramax, 200 ms away: a proxy passes each answer on after that time. Its town is put to as many
places as there are regions, eight tiles apart, so that each region asks for tiles of its own; regions are of several
sizes. It prints the wall time of drawing all regions by the graph, that of the largest region alone, and that of all
regions one after the other. Neither starting up nor the cache counts (there is none). A region asks for all its tiles
together, so the answers alone would take one such time for each round of regions that are drawn at once.
"""

import asyncio
import logging
import math
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
import mercantile
import psutil
from aiohttp import web

from pipeline.config.build import Build
from pipeline.engine.build import run_build
from pipeline.engine.build_file import parse_build
from pipeline.net import traffic
from tools.dev.standin import Running, running

REGIONS, DELAY_S, APART = 225, 0.2, 8
ZOOM = 15
TOWN = (46.1591, -1.1520)
RADII_M = (300, 450, 900, 1_500)
_HOME = mercantile.tile(TOWN[1], TOWN[0], ZOOM)


def main(regions: int) -> None:
    logging.disable(logging.WARNING)
    with running() as server, far_away(server) as address, tempfile.TemporaryDirectory() as folder:

        def drawn(name: str, at_once: int, which: range) -> Drawn:
            build = _build(Path(folder) / name, address, at_once, which)
            started, cpu, theirs = time.perf_counter(), time.process_time(), _cpu_of_children()
            outcome = run_build(build, stages=("sites",))
            assert outcome.not_drawn == outcome.empty == []
            return Drawn(
                wall_s=time.perf_counter() - started,
                cpu_s=time.process_time() - cpu,
                servers_cpu_s=_cpu_of_children() - theirs,
                answers_s=math.ceil(len(which) / at_once) * DELAY_S,
                requests=traffic.counted()["panoramax"]["requests"],
                sites=outcome.sites,
            )

        drawn("warm", 1, range(1))
        largest = len(RADII_M) - 1
        alone = drawn("alone", 1, range(largest, largest + 1))
        together = drawn("together", 32, range(regions))
        many = drawn("many", 256, range(regions))
        apart = drawn("apart", 1, range(regions))
    asked = f"{together.requests:,} requests, {DELAY_S * 1000:.0f} ms an answer"
    print(f"{regions} regions, {together.sites:,} sites, {asked}")
    for name, found in (
        ("the largest region alone", alone),
        ("all, 32 at once (default)", together),
        ("all, 256 at once", many),
        ("all, one after the other", apart),
    ):
        print(
            f"{name:<28}{found.wall_s:>7.1f} s, {found.wall_s / alone.wall_s:.1f} times the largest; "
            f"CPU {found.cpu_s:.1f} s, of the servers {found.servers_cpu_s:.1f} s; answers {found.answers_s:.1f} s"
        )


@dataclass(frozen=True)
class Drawn:
    """What drawing took."""

    wall_s: float
    cpu_s: float
    servers_cpu_s: float
    """CPU of the stand-in and the proxy, which share the machine."""
    answers_s: float
    """What waiting for answers takes at least."""
    requests: int
    sites: int


def _cpu_of_children() -> float:
    times = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return sum(of.user + of.system for of in times)


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
