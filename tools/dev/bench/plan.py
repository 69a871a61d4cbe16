"""Measures `geoscribe plan`, in a process of its own; of the whole catalogue if no build file is given.

python -m tools.dev.bench.plan [CONFIG]
"""

import resource
import subprocess
import sys
import time


def main(config: str) -> None:
    started = time.perf_counter()
    command = [sys.executable, "-m", "tools.cli.main", "plan", config]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    print(f"plan of {config}: {wall:.1f} s, {cpu:.1f} s CPU, {peak:.0f} MB peak")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "configs/world-225.yaml")
