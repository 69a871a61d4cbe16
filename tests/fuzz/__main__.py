"""Fuzz all readers, or some: `python -m tests.fuzz --inputs 20000`.

Each reader runs in a process of its own, so that an input that ends the process is found too. Ends with 1 where any
input brought out an error that is none of ours, or took over 2 s of the processor or 500 MB.
"""

import argparse
import logging
import multiprocessing
import os
import sys
import tempfile
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

from tests.fuzz.readers import readers
from tests.fuzz.runner import Outcome, being_read, bounded, run
from tools.dev.docs.markdown import filled, table


def main() -> int:
    """Run what the command line asks for."""
    asked = argparse.ArgumentParser(description="Fuzz the readers of bytes from outside.")
    asked.add_argument("--inputs", type=int, default=2_000, help="for each reader")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--reader", action="append", help="only this one; may be given several times")
    asked.add_argument("--kept", type=Path, default=Path("out/fuzz"), help="folder for inputs that show a fault")
    asked.add_argument("--page", type=Path, help="also write the table into the part `fuzz` of this page")
    options = asked.parse_args()
    options.kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        known = [reader.name for reader in readers(Path(folder))]
    unknown = set(options.reader or ()) - set(known)
    if unknown:
        asked.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    print(f"{'reader':20} {'inputs':>7} {'slowest':>8} {'memory':>8}  outcomes")
    faults = 0
    rows = []
    for name in options.reader or known:
        outcome = _apart(name, options.inputs, options.seed, options.kept)
        counts = ", ".join(f"{n} {what}" for what, n in outcome.counts.most_common())
        rows.append([name, f"{outcome.inputs:,}", f"{outcome.slowest_s:.2f} s", str(len(outcome.faults)), counts])
        memory = f"{outcome.most_bytes / 1e6:.0f} MB"
        print(f"{name:20} {outcome.inputs:7} {outcome.slowest_s:6.2f} s {memory:>8}  {counts}", flush=True)
        for fault, place in outcome.faults.items():
            faults += 1
            print(f"    {fault}\n      {place}", flush=True)
    if options.page:
        header = ["Reader", "Inputs", "Slowest", "Faults", "Outcomes"]
        page = options.page.read_text(encoding="utf-8")
        options.page.write_text(filled(page, {"fuzz": table(header, rows)}), encoding="utf-8")
    return 1 if faults else 0


def _apart(name: str, inputs: int, seed: int, kept: Path) -> Outcome:
    """Run a reader in a process of its own, forked: what readers import takes seconds."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    errors = being_read(name, kept).with_suffix(".stderr")
    child = context.Process(target=_child, args=(sender, errors, name, inputs, seed, kept))
    child.start()
    sender.close()
    try:
        outcome: Outcome | None = receiver.recv()
    except EOFError:
        outcome = None
    child.join()
    said = (errors.read_text(errors="replace").splitlines() or ["nothing"])[-1]
    errors.unlink()
    if outcome is not None:
        return outcome
    place = str(being_read(name, kept))
    return Outcome(name, 0, Counter(), {f"! its process ended with {child.exitcode}: {said[:200]}": place})


def _child(sender: Connection, errors: Path, name: str, inputs: int, seed: int, kept: Path) -> None:
    with errors.open("w") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    logging.disable(logging.CRITICAL)
    bounded()
    sender.send(run(name, inputs, seed, kept))


if __name__ == "__main__":
    sys.exit(main())
