"""Options of Beam on the command line: checked before any work, as Beam itself drops those that it does not know."""

import argparse
import contextlib
import io
import warnings
from collections.abc import Sequence

from pipeline.errors import ConfigError, Problem

_RUNNERS = "--runner local or --runner dask, before the --"


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
