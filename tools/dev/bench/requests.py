"""Pictures a second, beside img2dataset: `python -m tools.dev.bench.requests FOLDER [PICTURES]`.

Both fetch the same pictures (640 x 480, about 50 KB each) from a server on this machine that waits 50 ms before each
answer, and write them to Parquet with their digests; once scaled to 256 pixels and encoded again, once as they come.
Each runs with one process a core, but for the last core, which is the server's alone: what it takes would slow both
down by as much a picture. Starting up does not count.
FOLDER keeps an environment of its own with img2dataset, and what is written.
"""

import asyncio
import hashlib
import io
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from pipeline.config.imagery import ImageLimits
from pipeline.config.network import Network
from pipeline.imaging.decode import decode
from pipeline.imaging.encode import encode_jpeg, fit
from pipeline.net.base import Provider, Request, Response
from pipeline.net.client import HttpClient

THEIRS = "img2dataset==1.47.0"
PICTURES, FEW = 5_000, 64
DELAY_S = 0.05
SIZE_PX, QUALITY = 256, 95
ALL_CORES = sorted(os.sched_getaffinity(0))
CLIENTS, SERVERS = ALL_CORES[:-1] or ALL_CORES, ALL_CORES[-1:]
AT_ONCE = 64
"""Requests under way in each process; for img2dataset threads: more made it slower on the machines tried."""
ROUNDS = 2
UNIT, UNITS = 50, 4
"""Pictures that are asked for together, and how many such units a process works at."""


def main(folder: Path, pictures: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    runs = {"geoscribe": ours, "img2dataset": theirs(theirs_python(folder))}
    ours_end, server_end = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(server_end,), daemon=True)
    server.start()
    port = ours_end.recv()
    os.sched_setaffinity(0, CLIENTS)
    print(f"{pictures} pictures, {DELAY_S * 1e3:.0f} ms each, {len(CLIENTS)} cores, {AT_ONCE} at once in each process")
    try:
        for again in (True, False):
            print("scaled and encoded again:" if again else "as they come:", flush=True)
            costs: dict[tuple[str, int], list[Cost]] = {(name, n): [] for name in runs for n in (FEW, pictures)}
            for _ in range(ROUNDS):  # in turn, so that what else the machine does meets both
                for (name, count), found in costs.items():
                    found.append(runs[name](addresses(folder, port, count), folder / name, again))
            report(costs, pictures)
    finally:
        server.kill()
        server.join()


@dataclass(frozen=True)
class Cost:
    """Seconds."""

    wall: float
    """From when the first process is ready until the last is done."""
    cpu: float
    """CPU seconds of the processes started for it, and of theirs, from their start."""


def report(costs: dict[tuple[str, int], list[Cost]], pictures: int) -> None:
    """The best of each. A run of few pictures tells how much CPU goes into starting."""
    wall, cpu = {}, {}
    for name in ("geoscribe", "img2dataset"):
        wall[name] = min(cost.wall for cost in costs[name, pictures]) / pictures
        many, few = (min(cost.cpu for cost in costs[name, n]) for n in (pictures, FEW))
        cpu[name] = (many - few) / (pictures - FEW)
        print(f"  {name:12} {1 / wall[name]:7.0f} pictures/s {cpu[name] * 1e3:7.2f} ms of CPU a picture")
    faster, more = wall["img2dataset"] / wall["geoscribe"], cpu["geoscribe"] / cpu["img2dataset"]
    print(f"  geoscribe is {faster:.2f} times as fast and takes {more:.2f} times the CPU", flush=True)


def cpu_of(command: list[str], **env: str) -> float:
    """Seconds of CPU that a command takes, with its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | env, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{done.stdout[-2000:]}{done.stderr[-2000:]}\nno figure: {command[0]} failed")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


# The server.


def serve(pipe: Connection) -> None:
    os.sched_setaffinity(0, SERVERS)
    asyncio.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    bodies = photos()
    server = await asyncio.get_running_loop().create_server(lambda: Serving(bodies), "127.0.0.1", 0, backlog=4096)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class Serving(asyncio.Protocol):
    """One connection. No more HTTP than the two clients need, so that little of the machine goes into it."""

    def __init__(self, photos: list[bytes]) -> None:
        self.photos = photos
        self.asked = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each whole request after the delay."""
        *requests, self.asked = (self.asked + data).split(b"\r\n\r\n")
        for request in requests:
            asyncio.get_running_loop().call_later(DELAY_S, self.answer, request)

    def answer(self, request: bytes) -> None:
        """Send the picture."""
        number = int(request[len("GET /") : request.index(b".jpg")])
        photo = self.photos[number % len(self.photos)]
        comment = b"\xff\xfe\x00\x0a%08d" % number  # makes each picture different
        head = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
        self.transport.write(head % (len(photo) + len(comment)) + photo[:2] + comment + photo[2:])
        if b"connection: close" in request.lower():
            self.transport.close()


def photos() -> list[bytes]:
    """Pictures with as much detail as a photo has."""
    found = []
    for seed in range(16):
        generator = np.random.Generator(np.random.Philox(key=seed))
        field = np.zeros((480, 640, 3), np.float32)
        for octave in range(2, 8):
            shape = (480 >> (7 - octave)) + 1, (640 >> (7 - octave)) + 1
            noise = Image.fromarray(generator.integers(0, 256, (*shape, 3), dtype=np.uint8))
            field += np.asarray(noise.resize((640, 480), Image.Resampling.BICUBIC), np.float32) * 0.55**octave
        pixels = (255 * (field - field.min()) / np.ptp(field)).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=85)
        found.append(buffer.getvalue())
    return found


def addresses(folder: Path, port: int, count: int) -> Path:
    file = folder / f"{count}.txt"
    file.write_text("".join(f"http://127.0.0.1:{port}/{n}.jpg\n" for n in range(count)))
    return file


# Ours.


def ours(urls: Path, out: Path, again: bool) -> Cost:
    call = f"from tools.dev.bench.requests import fetch_all; fetch_all({str(urls)!r}, {str(out)!r}, {again})"
    cpu = cpu_of([sys.executable, "-c", call])
    return Cost(json.loads((out / "wall.json").read_text()), cpu)


def fetch_all(urls: str, out: str, again: bool) -> None:
    shutil.rmtree(out, ignore_errors=True)
    Path(out).mkdir(parents=True)
    every = Path(urls).read_text().split()
    cores = len(os.sched_getaffinity(0))
    shares = [every[n::cores] for n in range(cores)]
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn")) as processes:
        told = list(processes.map(fetch_share, shares, [f"{out}/{n}" for n in range(cores)], [again] * cores))
    if sum(done for done, _, _ in told) != len(every):
        sys.exit(f"some of {len(every)} pictures failed")
    wall = max(end for _, _, end in told) - min(start for _, start, _ in told)
    (Path(out) / "wall.json").write_text(json.dumps(wall))


def fetch_share(urls: list[str], out: str, again: bool) -> tuple[int, float, float]:
    """How many came, and the times when this began and ended."""
    start = time.time()
    first = urlsplit(urls[0])
    client = HttpClient(Network(allow_loopback=True, cache=f"{out}-cache", cache_gb=0, at_once=AT_ONCE))
    provider = Provider("bench", (f"{first.scheme}://{first.netloc}",), per_s=1e4, at_once=AT_ONCE)
    session = client.session(provider)

    def unit(number: int) -> int:
        """Play a unit of a build: ask for its pictures together, then work on them."""
        answers = session.fetch_many([Request(url, accept=("image/",)) for url in urls[number : number + UNIT]])
        rows = [row(answer.body, again) for answer in answers if isinstance(answer, Response)]
        pq.write_table(pa.Table.from_pylist(rows), f"{out}-{number}.parquet", compression="none")
        return len(rows)

    with ThreadPoolExecutor(UNITS) as threads:
        done = sum(threads.map(unit, range(0, len(urls), UNIT)))
    client.close()
    return done, start, time.time()


def row(body: bytes, again: bool) -> dict[str, object]:
    data = encode_jpeg(fit(decode(body, ImageLimits(), long_side_px=SIZE_PX), SIZE_PX), QUALITY) if again else body
    return {"jpg": data, "sha256": hashlib.sha256(body).hexdigest()}


# Theirs.


def theirs_python(folder: Path) -> Path:
    home = folder / THEIRS.replace("==", "-")
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", THEIRS], check=True)
    return python


def theirs(python: Path) -> Callable[[Path, Path, bool], Cost]:
    def run(urls: Path, out: Path, again: bool) -> Cost:
        shutil.rmtree(out, ignore_errors=True)
        pictures = len(urls.read_text().split())
        options = {
            "url_list": str(urls),
            "output_folder": str(out),
            "output_format": "parquet",
            "processes_count": len(CLIENTS),
            "thread_count": AT_ONCE,
            "image_size": SIZE_PX,
            "encode_quality": QUALITY,
            "number_sample_per_shard": min(1000, -(-pictures // len(CLIENTS))),
            "extract_exif": False,  # ours does not either
            "disable_all_reencoding": not again,
        }
        call = f"import img2dataset\nif __name__ == '__main__': img2dataset.download(**{options!r})"
        script = urls.with_suffix(".py")
        script.write_text(call)
        cpu = cpu_of([str(python), str(script)], NO_ALBUMENTATIONS_UPDATE="1")
        stats = [json.loads(file.read_text()) for file in out.glob("*_stats.json")]
        if sum(shard["successes"] for shard in stats) != pictures:
            sys.exit(f"no figure: img2dataset failed at some of {pictures} pictures: {stats}")
        return Cost(max(s["end_time"] for s in stats) - min(s["start_time"] for s in stats), cpu)

    return run


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else PICTURES)
