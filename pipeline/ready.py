"""What must be there before a build asks anybody: keys, a contact, somewhere to keep answers."""

import os

from pipeline.config import Build
from pipeline.errors import ConfigError, Problem
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
        if provider.key is not None and not os.environ.get(provider.key.env, "").strip():
            found = f"no key: the environment variable {provider.key.env} is not set"
            problems.append(Problem(where, found, f"export {provider.key.env}=... with a key of {provider.name}"))
        if provider.wants_contact and build.network.contact is None:
            found = f"nothing, and {provider.name} ({where}) asks for a contact"
            problems.append(Problem("network.contact", found, "your mail address or a page about you"))
    if problems:
        raise ConfigError(problems)
