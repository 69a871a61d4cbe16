"""Options of Beam on the command line: checked before any work. Beam itself drops options that it does not know."""

import argparse
import contextlib
import io
import warnings
from collections.abc import Collection, Sequence

from pipeline.errors import ConfigError, Problem

WHERE = "options after --"


def check_options(options: Sequence[str], more: Collection[str] = ()) -> argparse.Namespace:
    """Refuse options that Beam does not know, and the choice of a runner, which is geoscribe's own option.

    Args:
        options: As they stand on the command line.
        more: Names of options that a job service knows beside Beam's own.

    Returns:
        The values of Beam's own options.

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
        raise ConfigError([Problem(WHERE, wrong, "options of Beam with values that it takes")]) from error
    allowed = "options of Apache Beam, written --job_name=NAME"
    problems = [Problem(WHERE, one, allowed) for one in unknown if option_name(one) not in more]
    if getattr(known, "runner", None) is not None:
        runners = "--runner local, dask, portable, flink or dataflow, before the --"
        problems.insert(0, Problem(WHERE, f"--runner={known.runner}", runners))
    if problems:
        raise ConfigError(problems)
    return known


def option_name(option: str) -> str:
    """`job_name` of `--job_name=boulder`."""
    return option.removeprefix("--").partition("=")[0]
