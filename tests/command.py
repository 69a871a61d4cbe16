"""The command in the test's own process: what it prints and how it exits, without the seconds that a process takes."""

import contextlib
import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest import mock

from pipeline.stopping import clear_stop
from tools.cli.main import main

ROOT = Path(__file__).parents[1]


def run_here(*args: str | Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the command as a process would that starts in the repository's root.

    Args:
        args: Its arguments.
        environment: What is added to the environment.
    """
    command = ["geoscribe", *map(str, args)]
    out, err = io.StringIO(), io.StringIO()
    clear_stop()  # of a command before it, which had a process of its own
    with (
        mock.patch.object(sys, "argv", command),
        mock.patch.dict(os.environ, environment),
        contextlib.chdir(ROOT),
        _no_handlers(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _no_handlers() -> Iterator[None]:
    """The root logger as a new process finds it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    try:
        yield
    finally:
        root.handlers[:], root.level = handlers, level
