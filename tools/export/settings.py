"""A format with its settings, from what the command line says."""

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any

from pydantic import ValidationError

from pipeline.errors import ConfigError, Problem
from tools.export.base import Export
from tools.export.formats import FORMATS


def format_of(name: str, settings: Mapping[str, Any]) -> Export:
    """The format of a name.

    Raises:
        ConfigError: there is no such format, or it has no such settings.
    """
    if name not in FORMATS:
        raise ConfigError([Problem("FORMAT", repr(name), f"one of {', '.join(sorted(FORMATS))}")])
    kind: type[Export] = resolve_name(FORMATS[name])
    try:
        return kind.model_validate(dict(settings))
    except ValidationError as error:
        allowed = f"settings of {name}: {', '.join(kind.model_fields)}"
        raise ConfigError(
            [
                Problem(".".join(map(str, fault["loc"])), f"{fault['input']!r} ({fault['msg']})", allowed)
                for fault in error.errors()
            ]
        ) from error
