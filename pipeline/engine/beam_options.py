"""Options of runners on the command line: checked before any work.

Beam itself drops options that it does not know, and Dask tries for long to reach a scheduler that is not there.
"""

import argparse
import contextlib
import io
import socket
import warnings
from collections.abc import Sequence
from urllib.parse import urlsplit

from pipeline.errors import ConfigError, MachineError, Problem

_RUNNERS = "--runner local or --runner dask, before the --"

_PORT = 8786
_PATIENCE_S = 10.0


def check_options(options: Sequence[str]) -> None:
    """Refuse options that Beam does not know, and the choice of a runner, which is geoscribe's own option.

    Raises:
        ConfigError: naming each of them.
    """
    from apache_beam.options.pipeline_options import PipelineOptions

    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    for options_class in sorted(PipelineOptions.__subclasses__(), key=lambda one: one.__name__):
        with warnings.catch_warnings(), contextlib.suppress(argparse.ArgumentError):  # a class that repeats another's
            warnings.simplefilter("ignore")
            options_class._add_argparse_args(parser)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            known, unknown = parser.parse_known_args(list(options))
    except SystemExit as error:
        wrong = said.getvalue().strip().splitlines()[-1].partition("error: ")[2]
        raise ConfigError([Problem("options after --", wrong, "options of Beam with values that it takes")]) from error
    problems = [Problem("options after --", one, "options of Apache Beam, such as --job_name=NAME") for one in unknown]
    if getattr(known, "runner", None) is not None:
        problems.insert(0, Problem("options after --", f"--runner={known.runner}", _RUNNERS))
    if problems:
        raise ConfigError(problems)


def check_scheduler(address: str) -> None:
    """Refuse what is no address of a Dask scheduler, and one where nothing listens.

    Raises:
        ConfigError: it is no address.
        MachineError: nothing listens there.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or _PORT
    except ValueError:
        parts, host, port = urlsplit(""), None, 0
    if parts.scheme not in ("tcp", "tls") or not host:
        raise ConfigError([Problem("--scheduler", repr(address), "an address such as tcp://host:8786")])
    try:
        socket.create_connection((host, port), _PATIENCE_S).close()
    except OSError as error:
        raise MachineError(
            f"no Dask scheduler answers at {address}: {error}. Start one (`dask scheduler`), and workers (`dask worker "
            f"{address}`)"
        ) from error
