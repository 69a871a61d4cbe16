"""What must be there before a build asks anybody: keys, a contact, somewhere to keep answers."""

from pipeline.config import Build
from pipeline.errors import ConfigError, Problem
from pipeline.net import keys
from pipeline.toolbox import Toolbox


def check_ready(build: Build, tools: Toolbox) -> None:
    """Refuse a build whose sources could not be asked. Asks nobody.

    Raises:
        ConfigError: naming each source that lacks its key, or that wants a contact and would get none.
    """
    problems = []
    for kind, name, _, source in tools.networked():
        provider = source.provider()
        where = f"sources.{kind}.{name}"
        problems += [Problem(where, found, mend) for found, mend in keys.missing(provider, build.network)]
    if problems:
        raise ConfigError(problems)
