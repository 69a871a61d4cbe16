"""Measures a build: whole, in a process of its own, and then where the time goes, a stage at a time.

    python -m tools.dev.bench.build CONFIG

Both run in fresh workspaces, which are thrown away.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from pipeline.config.build import Build
from pipeline.engine.build import ALL_STAGES, run_build
from pipeline.engine.build_file import load_build


def elsewhere(build: Build, folder: str) -> Build:
    """The same build with a workspace and a dataset of its own."""
    return build.model_copy(update={"workspace": f"{folder}/workspace", "dataset": f"{folder}/dataset"})


def whole(build: Build) -> None:
    """The command, from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "build.yaml"
        config.write_text(yaml.safe_dump(elsewhere(build, folder).model_dump(mode="json")))
        command = [sys.executable, "-m", "tools.cli.main", "build", str(config)]
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wall = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    print(f"{build.name}, whole build: {wall:.0f} s, {cpu:.0f} s CPU, {peak:.0f} MB peak", flush=True)


def by_stage(build: Build) -> None:
    """Each stage by itself, over all units."""
    with tempfile.TemporaryDirectory() as folder:
        build = elsewhere(build, folder)
        for stage in ALL_STAGES:
            started, cpu = time.perf_counter(), time.process_time()
            outcome = run_build(build, stages=(stage,))
            wall, cpu = time.perf_counter() - started, time.process_time() - cpu
            print(
                f"{build.name}, {stage}: {wall:.1f} s, {cpu:.1f} s CPU, {outcome.sites / wall:.1f} sites/s", flush=True
            )


if __name__ == "__main__":
    asked = load_build(Path(sys.argv[1]))
    whole(asked)
    by_stage(asked)
