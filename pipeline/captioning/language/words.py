"""The composer's words: a language's nouns, and the phrases of a prompt set, checked when they are loaded."""

import yaml
from pydantic import ValidationError

from pipeline.captioning.language import language_of
from pipeline.captioning.language.phrases import Phrases
from pipeline.captioning.language.phrasing import Words
from pipeline.errors import ConfigError, Problem
from prompts.loader import PromptSet

_PHRASES = "phrases.yaml"


def load_words(prompt_set: PromptSet) -> Words:
    """Words of a composer's prompt set.

    Raises:
        ConfigError: there are no rules for its language; the phrases are missing or malformed, or a template names what
            it cannot have.
    """
    nouns = language_of(prompt_set.language).nouns
    where = f"prompts/{prompt_set.name}/{_PHRASES}"
    if _PHRASES not in prompt_set.files:
        raise ConfigError([Problem(where, "no such file", "a file with the composer's phrases")])
    try:
        return Words(nouns, Phrases.model_validate(yaml.safe_load(prompt_set.files[_PHRASES])))
    except yaml.YAMLError as error:
        raise ConfigError([Problem(where, " ".join(str(error).split()), "valid YAML")]) from error
    except ValidationError as error:
        problems = [
            Problem(f"{where}: {'.'.join(str(p) for p in detail['loc'])}", detail["msg"], "as in composer-en-1")
            for detail in error.errors()
        ]
        raise ConfigError(problems) from error
