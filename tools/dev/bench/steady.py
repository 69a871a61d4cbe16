"""Seconds a site and memory over time of a long build: `python -m tools.dev.bench.steady [SITES]`.

The build is of the synthetic world with oracle engines (no model), so what is measured is all the rest: drawing,
encoding, tables, the engine. Photos are small and a tenth of them panoramas, so that many sites take little time. It
runs in a process of its own, whose memory and CPU time are looked at every two seconds. SITES is 8,000 if left out.
Ctrl-C ends it with the figures until then.
"""

import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from statistics import median

import psutil
import yaml

from pipeline.config.build import Build
from pipeline.engine.build_file import parse_build
from pipeline.engine.layers import list_layers, read_counts
from pipeline.storage import open_store

SITES, EVERY_S, SLICES = 8_000, 2.0, 10
SITES_A_TOWN = 900
_STOPPED = 3
"""Exit code of a build that was interrupted."""


def steady_build(folder: Path, sites: int) -> Build:
    """Towns of up to `SITES_A_TOWN`; 750 m around a place have room for 994 in the first."""
    towns = max(1, -(-sites // SITES_A_TOWN))
    world = {"type": "world", "seed": 3}
    raw = {
        "name": "steady",
        "workspace": "workspace",
        "dataset": "dataset",
        "regions": [{"name": f"town-{n}", "centre": [10.0 + 2 * n, 20.0], "radius_m": 750} for n in range(towns)],
        "sources": {
            "street": {"town": {**world, "panoramas": 0.1}},
            "aerial": {"above": world},
            "map": {"plan": world},
        },
        "sampling": {"spacing_m": 20, "max_sites": -(-sites // towns)},
        "imagery": {"anonymiser": "none", "long_side_px": 320, "chips": {"size_px": 256}},
        "perception": {"ocr": {"engine": "oracle"}, "segmenters": [{"engine": "oracle"}]},
        "limits": {"workers": 2, "allowed_failed_share": 1.0},
    }
    return parse_build(raw, base=folder)


def main(sites: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        build = steady_build(Path(folder), sites)
        config = Path(folder) / "build.yaml"
        config.write_text(yaml.safe_dump(build.model_dump(mode="json")))
        stages = "sites,imagery,cues,captions"
        command = [sys.executable, "-m", "tools.cli.main", "build", str(config), "--stages", stages]
        started, started_at = time.perf_counter(), time.time()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seen = watched(process, started)
        if process.returncode not in (0, _STOPPED):
            sys.exit(f"the build ended with {process.returncode}")
        store = open_store(build.workspace)
        counts = [read_counts(store, file) for file in list_layers(store, "imagery")]
        done = sum(found.total for found in counts)
        if not done:
            sys.exit("no site was done")
        wall, cpu = seen[-1][0], seen[-1][2]
        print(f"{done:,} of {sites:,} sites: {wall:.0f} s, {cpu:.0f} s CPU, {cpu / done:.3f} s CPU a site")
        edges = [wall * n / SLICES for n in range(SLICES + 1)]
        means = [median(rss for at, rss, _ in seen if low <= at <= high) for low, high in pairwise(edges)]
        print("s CPU a site by fifths of the sites: " + " ".join(f"{s:.3f}" for s in costs(build, seen, started_at)))
        print("memory by tenths of the run, MB: " + " ".join(f"{rss / 1e6:.0f}" for rss in means))
        first, last = means[SLICES // 5 : SLICES // 2], means[SLICES // 2 :]
        print(f"the second half's median over that of the third to fifth tenth: {median(last) / median(first):.3f}")


def costs(build: Build, seen: list[tuple[float, int, float]], started_at: float, parts: int = 5) -> list[float]:
    """CPU seconds a site by parts of the units, in the order in which their captions were committed."""
    store = open_store(build.workspace)
    files = list_layers(store, "captions")
    ends = {file: (Path(build.workspace) / file.path).stat().st_mtime - started_at for file in files}
    order = sorted(ends, key=lambda file: ends[file])
    edges = [len(order) * n // parts for n in range(parts + 1)]
    at = [0.0] + [next((cpu for s, _, cpu in seen if s >= ends[order[n - 1]]), seen[-1][2]) for n in edges[1:]]
    sites = [sum(read_counts(store, file).total for file in order[low:high]) for low, high in pairwise(edges)]
    return [(after - before) / of for (before, after), of in zip(pairwise(at), sites, strict=True) if of]


def watched(process: "subprocess.Popen[bytes]", started: float) -> list[tuple[float, int, float]]:
    """Seconds since the start, bytes of resident memory and CPU seconds, until a process ends or is interrupted."""
    seen: list[tuple[float, int, float]] = []
    looked = psutil.Process(process.pid)
    try:
        while process.poll() is None:
            with suppress(psutil.Error), looked.oneshot():  # it may end at this moment
                times = looked.cpu_times()
                seen.append((time.perf_counter() - started, looked.memory_info().rss, times.user + times.system))
            time.sleep(EVERY_S)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
    return seen


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SITES)
