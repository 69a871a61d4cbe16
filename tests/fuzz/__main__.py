"""Fuzz all readers, or some: `python -m tests.fuzz --inputs 20000`.

Each reader runs in a process of its own, so that one that ends its process is found too. Ends with 1 where any input
brought out an error that is none of ours, or took over 2 s of the processor or 500 MB.
"""

import argparse
import json
import logging
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.fuzz.readers import readers
from tests.fuzz.runner import Outcome, being_read, bounded, run


def main() -> int:
    """Run what the command line asks for."""
    asked = argparse.ArgumentParser(description="Fuzz the readers of bytes from outside.")
    asked.add_argument("--inputs", type=int, default=2_000, help="for each reader")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--reader", action="append", help="only this one; may be given several times")
    asked.add_argument("--kept", type=Path, default=Path("out/fuzz"), help="folder for inputs that show a fault")
    asked.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = asked.parse_args()
    options.kept.mkdir(parents=True, exist_ok=True)
    if options.child:
        logging.disable(logging.CRITICAL)
        bounded()
        print(run(options.reader[0], options.inputs, options.seed, options.kept).to_json())
        return 0
    with tempfile.TemporaryDirectory() as folder:
        known = [reader.name for reader in readers(Path(folder))]
    unknown = set(options.reader or ()) - set(known)
    if unknown:
        asked.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    print(f"{'reader':20} {'inputs':>7} {'slowest':>8} {'memory':>8}  outcomes")
    faults = 0
    for name in options.reader or known:
        outcome = _apart(name, options.inputs, options.seed, options.kept)
        counts = ", ".join(f"{n} {what}" for what, n in Counter(outcome.counts).most_common())
        memory = f"{outcome.most_bytes / 1e6:.0f} MB"
        print(f"{name:20} {outcome.inputs:7} {outcome.slowest_s:6.2f} s {memory:>8}  {counts}", flush=True)
        for fault, place in outcome.faults.items():
            faults += 1
            print(f"    {fault}\n      {place}", flush=True)
    return 1 if faults else 0


def _apart(name: str, inputs: int, seed: int, kept: Path) -> Outcome:
    """Run a reader in a process of its own."""
    command = [sys.executable, "-m", "tests.fuzz", "--child", "--reader", name, "--inputs", str(inputs)]
    ran = subprocess.run(
        [*command, "--seed", str(seed), "--kept", str(kept)],
        capture_output=True,
        check=False,
    )
    lines = ran.stdout.decode().splitlines()
    if ran.returncode == 0 and lines:
        return Outcome(**json.loads(lines[-1]))
    said = (ran.stderr.decode("utf-8", "replace").splitlines() or ["nothing"])[-1]
    return Outcome(
        name, 0, Counter(), {f"! its process ended with {ran.returncode}: {said}": str(being_read(name, kept))}
    )


if __name__ == "__main__":
    sys.exit(main())
