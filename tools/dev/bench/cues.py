"""The stage `cues` of a build by one thread, two threads and two processes: `python -m tools.dev.bench.cues CONFIG`.

Views are fetched first. Then each way makes all cues anew, as the command does it: two threads are `limits.workers: 2`,
two processes are `--part 1/2` beside `--part 2/2`. Starting up counts: it is told apart by a run that finds all done.
"""

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from pipeline.config.build import Build
from pipeline.engine.build import run_build
from pipeline.engine.build_file import load_build
from tools.dev.bench.build import elsewhere

WAYS = {"one thread": (1, 1), "two threads": (2, 1), "two processes": (1, 2)}
"""Threads and processes."""


def main(build: Build) -> None:
    with tempfile.TemporaryDirectory() as folder:
        build = elsewhere(build, folder)
        sites = run_build(build, stages=("imagery",)).sites
        start = 0.0
        for name, (threads, processes) in {"nothing to do": (1, 1), **WAYS}.items():
            if name != "nothing to do":
                shutil.rmtree(Path(build.workspace) / "cues", ignore_errors=True)
            else:
                timed(build, 1, 1)
            wall, cpu = timed(build, threads, processes)
            start = start or wall
            per_site = f", {sites / (wall - start):.2f} sites a second beyond starting up" if wall > start else ""
            print(f"{build.name}, {sites} sites, cues, {name}: {wall:.1f} s, {cpu:.1f} s CPU{per_site}", flush=True)


def timed(build: Build, threads: int, processes: int) -> tuple[float, float]:
    """Run the command; returns wall and CPU seconds."""
    config = Path(build.workspace).parent / "build.yaml"
    limits = build.limits.model_copy(update={"workers": threads})
    config.write_text(yaml.safe_dump(build.model_copy(update={"limits": limits}).model_dump(mode="json")))
    command = [sys.executable, "-m", "tools.cli.main", "build", str(config), "--stages", "cues"]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    parts = [[f"--part={n}/{processes}"] if processes > 1 else [] for n in range(1, processes + 1)]
    running = [subprocess.Popen([*command, *part], stdout=subprocess.DEVNULL) for part in parts]
    codes = [process.wait() for process in running]
    if any(codes):
        raise SystemExit("a build failed")
    wall, now = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


if __name__ == "__main__":
    main(load_build(Path(sys.argv[1])))
