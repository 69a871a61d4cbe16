"""Running a build from the command line: progress, Ctrl-C and the summary."""

import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from pipeline.boundary import last_line
from pipeline.config.build import Build
from pipeline.engine.build import Outcome, run_build
from pipeline.errors import BuildStopped, ConfigError, MachineError
from pipeline.net import redact
from pipeline.stopping import request_stop
from tools.cli.display import progress_display
from tools.cli.log_file import logging_to
from tools.cli.run_record import RunRecord
from tools.cli.tables import print_outcome

GRACE_S = 10.0
"""Stages stop at their next site. After this many seconds the process ends anyway; no file can be half-written."""
RECORD_S = 5.0
"""Time that the record of a run that ends so may take, in seconds."""
BY_USER = "stopped by the user"


def run(build: Build, *, log_file: Path | None = None, **options: Any) -> Outcome:
    """Run a build with progress on the terminal. On Ctrl-C or SIGTERM it stops cleanly and prints how to resume."""
    command = redact.clean(shlex.join(["geoscribe", *sys.argv[1:]]))  # as it was given: runner, part and all
    record = RunRecord(build, command, options.get("part"), options.get("runner", "local"))
    try:
        with (
            logging_to(log_file),
            _stopping(record, at_once=options.get("runner", "local") != "local"),
            progress_display() as show,
        ):
            outcome = run_build(build, report=record.noting(show), **options)
    except BuildStopped:
        print(_how_to_go_on(command), file=sys.stderr)
        record.write(BY_USER)
        raise
    except Exception as error:
        if record.progress is not None or isinstance(error, MachineError):  # else nothing was done
            record.write(f"stopped: {error if isinstance(error, ConfigError | MachineError) else last_line(error)}")
        raise
    record.write("finished", outcome)
    print_outcome(build, outcome)
    return outcome


def _how_to_go_on(command: str) -> str:
    return f"stopped; finished work is kept. To resume: {command}"


@contextmanager
def _stopping(record: RunRecord, *, at_once: bool) -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        request_stop()
        timer = threading.Timer(GRACE_S, _end, [record])
        timer.daemon = True
        timer.start()
        print("stopping at the next site ...", file=sys.stderr)
        if at_once:  # the stages run in other processes, which end with their cluster or the driver
            raise BuildStopped

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(record: RunRecord) -> None:
    print(_how_to_go_on(record.command), file=sys.stderr, flush=True)
    writing = threading.Thread(target=record.write, args=[BY_USER], daemon=True)  # to a bucket it may hang
    writing.start()
    writing.join(RECORD_S)
    os._exit(3)
