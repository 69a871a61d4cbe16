"""What must be there before a build asks anybody: keys, a contact, somewhere to keep answers."""

from dataclasses import replace

from pipeline.config.build import Build
from pipeline.config.sources import KINDS
from pipeline.errors import ConfigError, Problem
from pipeline.net import keys
from pipeline.registry.toolbox import Toolbox


def check_sources(build: Build, tools: Toolbox) -> None:
    """Make all sources of a build, so that what is wrong with their settings is told of all together. Asks nobody.

    Raises:
        ConfigError: naming every fault of every source.
        MachineError: something that a source works with is missing.
    """
    problems: list[Problem] = []
    for region in build.regions:
        for kind in KINDS:
            try:
                getattr(tools, kind)(region.name)
            except ConfigError as error:
                problems += [_of_drone(problem) if kind == "drone" else problem for problem in error.problems]
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))


def _of_drone(problem: Problem) -> Problem:
    """As it stands in the build file: a source of aerial chips does not know that it is one of drone chips."""
    aerial, drone = "sources.aerial.", "sources.drone."
    return replace(problem, where=problem.where.replace(aerial, drone), found=problem.found.replace(aerial, drone))


def check_ready(build: Build, tools: Toolbox) -> None:
    """Refuse a build whose sources could not be asked. Asks nobody.

    Raises:
        ConfigError: as `check_sources`; or naming each source that lacks its key, or that wants a contact and would
            get none.
    """
    check_sources(build, tools)
    problems = []
    for kind, name, _, source in tools.networked():
        provider = source.provider()
        where = f"sources.{kind}.{name}"
        problems += [Problem(where, found, mend) for found, mend in keys.missing(provider, build.network)]
    if problems:
        raise ConfigError(problems)
