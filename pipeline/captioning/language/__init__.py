"""All that knows a language: one folder a language, behind the interface in `base`."""

from functools import cache
from importlib.resources import files
from pathlib import Path

from pipeline.captioning.language.base import RULES, Language
from pipeline.errors import ConfigError, Problem

FOLDER = Path(str(files(__package__)))
"""Where the languages lie."""
LANGUAGES: tuple[str, ...] = tuple(sorted(rules.parent.name for rules in FOLDER.glob(f"*/{RULES}")))
"""ISO 639-1 codes of the languages that there are rules for: the folders here."""


@cache
def language_of(code: str) -> Language:
    """The rules of a language.

    Raises:
        ConfigError: there are none.
    """
    if code not in LANGUAGES:
        allowed = f"a prompt set in a language that there are rules for: {', '.join(LANGUAGES)}"
        raise ConfigError([Problem("captioner.prompt_set", f"one in the language {code!r}", allowed)])
    return Language(FOLDER / code)
