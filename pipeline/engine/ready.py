"""Checks before a build makes any request: settings of sources, keys, contact, cache folder."""

from dataclasses import replace

from pipeline.config.build import Build
from pipeline.config.sources import KINDS
from pipeline.errors import ConfigError, Problem
from pipeline.net import keys
from pipeline.registry.registry import Registry


def check_sources(build: Build, registry: Registry) -> None:
    """Make all sources of a build, so that all errors in their settings are reported together. Makes no requests.

    Raises:
        ConfigError: naming every error of every source.
        MachineError: something that a source needs is missing.
    """
    problems: list[Problem] = []
    for region in build.regions:
        for kind in KINDS:
            try:
                getattr(registry, kind)(region.name)
            except ConfigError as error:
                problems += [_of_drone(problem) if kind == "drone" else problem for problem in error.problems]
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))


def _of_drone(problem: Problem) -> Problem:
    """The problem under its drone key: an aerial source does not know that it is used as a drone source."""
    aerial, drone = "sources.aerial.", "sources.drone."
    return replace(problem, where=problem.where.replace(aerial, drone), found=problem.found.replace(aerial, drone))


def check_captioner(registry: Registry) -> None:
    """Make the captioners of a build, and so read prompt sets and the rules of their languages. Asks no server.

    Raises:
        ConfigError: there is no such prompt set, no rules for its language, or one of them is malformed.
    """
    _ = registry.captioner  # also where each region has its own: its name and its room count
    for region in registry.regions:
        registry.captioner_of(region)


def check_ready(build: Build, registry: Registry) -> None:
    """Refuse a build whose sources cannot be used for lack of a key or contact. Makes no requests.

    Raises:
        ConfigError: as `check_sources`; or naming each source without its key, or that requires a contact and has
            none.
    """
    check_sources(build, registry)
    problems = lacking(build, registry)
    if problems:
        raise ConfigError(problems)


def lacking(build: Build, registry: Registry) -> list[Problem]:
    """The keys and the contact that sources of a build need and do not have. Makes no requests."""
    problems = []
    for kind, name, _, source in registry.networked():
        provider = source.provider()
        where = f"sources.{kind}.{name}"
        problems += [Problem(where, found, mend) for found, mend in keys.missing(provider, build.network)]
    return problems
