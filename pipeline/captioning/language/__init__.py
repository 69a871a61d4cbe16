"""All that knows a language: one folder a language, behind the interface in `base`."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from pipeline.captioning.language.base import Language
from pipeline.errors import ConfigError, Problem

LANGUAGES: Mapping[str, str] = MappingProxyType({"en": "English"})
"""ISO 639-1 codes of the languages that there are rules for."""


@cache
def language_of(code: str) -> Language:
    """The rules of a language.

    Raises:
        ConfigError: there are none.
    """
    if code not in LANGUAGES:
        allowed = f"a prompt set in a language that there are rules for: {', '.join(LANGUAGES)}"
        raise ConfigError([Problem("captioner.prompt_set", f"one in the language {code!r}", allowed)])
    return Language(Path(str(files(__package__) / code / "rules.yaml")))
