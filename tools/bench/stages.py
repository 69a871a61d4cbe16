"""Where a build's time goes: each stage by itself in a fresh workspace, with seconds, sites a second and peak memory.

python -m tools.bench.stages CONFIG
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

from pipeline.build import ALL_STAGES, run_build
from pipeline.config_file import load_build


def main(config: Path) -> None:
    """Run and print."""
    with tempfile.TemporaryDirectory() as folder:
        places = {"workspace": f"{folder}/workspace", "dataset": f"{folder}/dataset"}
        build = load_build(config).model_copy(update=places)
        started = time.perf_counter()
        for stage in ALL_STAGES:
            before, cpu = time.perf_counter(), time.process_time()
            outcome = run_build(build, stages=(stage,))
            wall, cpu = time.perf_counter() - before, time.process_time() - cpu
            print(f"{stage}: {wall:.1f} s, {cpu:.1f} s CPU, {outcome.sites / wall:.1f} sites/s", flush=True)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{build.name}: {outcome.sites} sites, {time.perf_counter() - started:.1f} s in all, {peak:.0f} MB peak")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
