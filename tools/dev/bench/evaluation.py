"""Evaluation of large galleries: `python -m tools.dev.bench.evaluation [QUERIES] [WIDTH]`.

As many queries as chips (100,000 by default), vectors of 512 numbers, places as in a few hundred towns with some dozen
overlapping chips each; then CVG-Text's protocol on the same. Prints seconds, CPU and the most memory that was held.
"""

import resource
import sys
import time
from collections.abc import Callable

import numpy as np

from pipeline.geo.overlaps import Chips
from tools.retrieval.embeddings import embeddings
from tools.retrieval.evaluate.nearest import nearest_protocol
from tools.retrieval.evaluate.protocol import Gallery, evaluate
from tools.retrieval.evaluate.table import as_text

TOWN_SITES = 400
TOWN_M = 2_000


def town_gallery(count: int) -> Gallery:
    """Chips of 150 m, in towns of 2 km."""
    random = np.random.Generator(np.random.Philox(key=1))
    town = np.arange(count) // TOWN_SITES
    towns = int(town.max()) + 1
    centre_lat, centre_lon = random.uniform(-55, 60, towns), random.uniform(-175, 175, towns)
    degrees = TOWN_M / 111_000
    lat = centre_lat[town] + random.uniform(-0.5, 0.5, count) * degrees
    lon = centre_lon[town] + random.uniform(-0.5, 0.5, count) * degrees / np.cos(np.radians(lat))
    ids = [f"s{i:07d}" for i in range(count)]
    return Gallery(ids, Chips(lat, lon, np.full(count, 150.0)), ids, town.astype(np.str_), {})


def timed(name: str, work: Callable[[], str]) -> None:
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    said = work()
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    print(f"{name}: {time.perf_counter() - started:.0f} s, {cpu:.0f} s CPU, {used.ru_maxrss / 1e6:.2f} GB peak")
    print(said)


def main(count: int, width: int) -> None:
    random = np.random.Generator(np.random.Philox(key=2))
    chips = random.standard_normal((count, width), dtype=np.float32)
    texts = chips + 6 * random.standard_normal((count, width), dtype=np.float32)
    gallery = town_gallery(count)
    asked, shown = embeddings(gallery.ids, texts, "texts"), embeddings(gallery.ids, chips, "chips")
    del texts, chips
    timed(f"{count:,} x {count:,}, width {width}", lambda: as_text(evaluate(asked, shown, gallery)))
    paths = [f"{lat:.8f},{lon:.8f}_x.png" for lat, lon in zip(gallery.chips.lat, gallery.chips.lon, strict=True)]
    timed(
        "CVG-Text's protocol on the same",
        lambda: as_text([], nearest_protocol(asked.vectors, shown.vectors, paths)),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, int(sys.argv[2]) if len(sys.argv) > 2 else 512)
