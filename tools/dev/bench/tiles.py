"""Aerial chips a second from XYZ tiles, beside rio-tiler and contextily.

    python -m tools.dev.bench.tiles FOLDER [CHIPS]

All make the same chips, of the same places, from the same tiles of a server on this machine that waits 20 ms before
each answer; each runs in one process, one chip after the other. The tiles hold waves whose place is known, so that the
chips also tell how far off their pixels are. FOLDER keeps an environment of its own with the two others, and what is
written.
"""

import asyncio
import io
import json
import math
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
from aiohttp import web
from numpy.typing import NDArray
from PIL import Image

from pipeline.config import sources as config
from pipeline.config.network import Network
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.net.client import HttpClient
from pipeline.sources.aerial.tiles import EDGE_M, choose, web_mercator
from pipeline.sources.aerial.xyz import XyzSource

THEIRS = ("rio-tiler==9.4.12", "contextily==1.7.1")
CHIPS = 200
TOWNS = ((0.3, 32.6), (40.7, -74.0), (60.2, 24.9), (69.6, 18.9))
SIZE_PX, GSD_M, SPACING_M = 512, 0.3, 40.0
DELAY_S = 0.02
WAVE_M = 12.0
"""Length of the waves on the ground at the equator, about 40 pixels; half of it in the far north."""
BLOCK_PX = 64
ROUNDS = 2
QUALITY = 92


def main(folder: Path, chips: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    python = theirs_python(folder)
    points = places(chips)
    order = folder / "places.json"
    theirs = str(Path(__file__).with_name("tiles_theirs.py"))  # -P: its neighbours here must not pass for libraries
    with server() as port:
        template = f"http://127.0.0.1:{port}/{{z}}/{{x}}/{{y}}.jpg"
        zooms = [choose([web_mercator(z) for z in range(21)], point.lat, GSD_M).z for point in points]
        order.write_text(
            json.dumps(
                {
                    "template": template, "size_px": SIZE_PX, "gsd_m": GSD_M, "folder": str(folder),
                    "places": [[p.lat, p.lon, z] for p, z in zip(points, zooms, strict=True)],
                }
            )
        )  # fmt: skip
        load = os.getloadavg()[0]
        print(
            f"{chips} chips of {SIZE_PX} px at {GSD_M} m, tiles after {DELAY_S * 1e3:.0f} ms; load before: {load:.1f}"
        )
        runs = {
            "warm": [sys.executable, "-m", "tools.dev.bench.tiles", "ours", str(order), "kept"],
            "geoscribe": [sys.executable, "-m", "tools.dev.bench.tiles", "ours", str(order), "kept"],
            "geoscribe, no cache": [sys.executable, "-m", "tools.dev.bench.tiles", "ours", str(order), "none"],
            "rio-tiler": [python, "-P", theirs, "rio-tiler", str(order)],
            "contextily": [python, "-P", theirs, "contextily", str(order)],
        }
        best: dict[str, dict[str, float]] = {}
        for _ in range(ROUNDS):
            for name, command in runs.items():
                before = asked(port)
                found = measured(command)
                found["requests"] = (asked(port) - before) / chips
                found["error"] = worst_error_m(Path(found.pop("chips")), points)
                best[name] = min(best.get(name, found), found, key=lambda run: run["wall"])
        del best["warm"]  # its tiles were made by the server meanwhile
        base = best["geoscribe"]
        for name, run in best.items():
            print(
                f"  {name:20} {1 / run['wall']:6.1f} chips/s ({run['wall'] / base['wall']:5.2f} times the time), "
                f"{run['cpu'] * 1e3:6.1f} ms CPU a chip ({run['cpu'] / base['cpu']:5.2f} times), "
                f"{run['requests']:5.1f} requests a chip, pixels off by {run['error']:.3f} m at most"
            )
        print(f"load after: {os.getloadavg()[0]:.1f}")


def places(chips: int) -> list[Point]:
    """Sites along streets, a street in each town."""
    found = []
    for lat, lon in TOWNS:
        frame = LocalFrame(lat, lon)
        for n in range(chips // len(TOWNS)):
            x, y = frame.to_degrees(n * SPACING_M * 0.8, n * SPACING_M * 0.6)
            found.append(Point(float(y), float(x)))
    return found


def theirs_python(folder: Path) -> str:
    env = folder / "theirs"
    python = env / "bin" / "python"
    if not python.exists():
        venv.create(env, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *THEIRS], check=True)
    return str(python)


def measured(command: list[str]) -> dict[str, Any]:
    """A run's own figures; they leave out its start and have the time of its chips only."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{done.stdout[-2000:]}{done.stderr[-2000:]}\nno figure: {' '.join(command)} failed")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def ours(order: Path, caching: str) -> None:
    """Make the chips here, in a process of its own."""
    told = json.loads(order.read_text())
    cache = Path(told["folder"]) / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    settings = config.XyzSource(
        type="xyz", template=told["template"], max_zoom=20, rate=config.Rate(per_s=10_000, at_once=32),
        credits=config.Credits(author="-", licence="CC0-1.0", link="https://example.org"),
    )  # fmt: skip
    kept = caching == "kept"
    client = HttpClient(Network(allow_loopback=True, cache=str(cache), cache_gb=1.0 if kept else 0.0))
    source = XyzSource("bench", settings, [], client)
    chips = []
    start, cpu = time.perf_counter(), used()
    for lat, lon, _ in told["places"]:
        if not kept:
            source = XyzSource("bench", settings, [], client)
        chips.append(source.chip(Point(lat, lon), told["size_px"], told["gsd_m"]).pixels)
    wall, cpu = time.perf_counter() - start, used() - cpu
    client.close()
    where = Path(told["folder"]) / f"ours-{caching}.npy"
    np.save(where, np.stack(chips))
    print(json.dumps({"wall": wall / len(chips), "cpu": cpu / len(chips), "chips": str(where)}))


def used() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


# Waves of known place.


def wave(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours, 0 to 255, at places in EPSG:3857: red along x, green along y, blue along both."""
    k = 2 * math.pi / WAVE_M
    return 127.5 + 100 * np.stack([np.sin(k * x), np.sin(k * y), np.sin(k * (x + y) / 2)], axis=-1)


def worst_error_m(chips: Path, points: list[Point]) -> float:
    """The largest shift of any block of pixels from where it should be.

    The shift is what explains best, in least squares, how the colours differ from those of the place.
    """
    worst = 0.0
    half = SIZE_PX * GSD_M / 2
    centres = (np.arange(SIZE_PX) + 0.5) * GSD_M - half
    east, north = np.meshgrid(centres, -centres)
    k = 2 * math.pi / WAVE_M
    for pixels, point in zip(np.load(chips), points, strict=True):
        lon, lat = LocalFrame(point.lat, point.lon).to_degrees(east, north)
        x = np.radians(lon) * EDGE_M / math.pi
        y = np.arcsinh(np.tan(np.radians(lat))) * EDGE_M / math.pi
        differs = pixels.astype(float) - wave(x, y)
        for channel, place in ((0, x), (1, y)):
            slope = 100 * k * np.cos(k * place)
            # Other differences (the codec's, the kernel's) average out over a block; contrast lost does no harm.
            shift = blocks(differs[:, :, channel] * slope) / blocks(slope**2)
            worst = max(worst, float(np.abs(shift).max()) * math.cos(math.radians(point.lat)))
    return worst


def blocks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    n = SIZE_PX // BLOCK_PX
    summed: NDArray[np.float64] = values.reshape(n, BLOCK_PX, n, BLOCK_PX).sum(axis=(1, 3))
    return summed


# The server.


@contextmanager
def server() -> Iterator[int]:
    context = multiprocessing.get_context("spawn")
    ours_end, server_end = context.Pipe()
    process = context.Process(target=serve, args=(server_end,), daemon=True)
    process.start()
    try:
        yield ours_end.recv()
    finally:
        process.kill()
        process.join()


def asked(port: int) -> int:
    with urlopen(f"http://127.0.0.1:{port}/asked") as answer:
        return int(answer.read())


def serve(pipe: Connection) -> None:
    asyncio.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    count = 0

    async def give(request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        body = tile(*(int(request.match_info[name]) for name in "zxy"))
        await asyncio.sleep(DELAY_S)
        headers = {"Cache-Control": "max-age=86400"}
        return web.Response(body=body, content_type="image/jpeg", headers=headers)

    async def told(_: web.Request) -> web.Response:
        return web.Response(text=str(count))

    app = web.Application()
    app.router.add_get(r"/{z:\d+}/{x:\d+}/{y:\d+}.jpg", give)
    app.router.add_get("/asked", told)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    pipe.send(runner.addresses[0][1])
    await asyncio.Event().wait()


@lru_cache(maxsize=100_000)
def tile(z: int, x: int, y: int) -> bytes:
    matrix = web_mercator(z)
    steps = (np.arange(256) + 0.5) * matrix.pixel_m
    side = 256 * matrix.pixel_m
    places = np.meshgrid(matrix.left + x * side + steps, matrix.top - y * side - steps)
    buffer = io.BytesIO()
    Image.fromarray(np.rint(wave(*places)).astype(np.uint8)).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


if __name__ == "__main__":
    if sys.argv[1] == "ours":
        ours(Path(sys.argv[2]), sys.argv[3])
    else:
        main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else CHIPS)
