"""The classes that engines may give what they see, and the words for them (`vocabulary.yaml`)."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import ConfigError, Problem


class Term(BaseModel):
    """One class."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    one: str
    """The label, which is also the word for one."""
    many: str | None = None
    """None where the thing is not counted."""
    lasting: bool
    """False for what will be gone tomorrow."""


@cache
def vocabulary() -> Mapping[str, Term]:
    """All classes, by label."""
    text = (files(__package__) / "vocabulary.yaml").read_text(encoding="utf-8")
    return MappingProxyType(parse(text, where="vocabulary.yaml"))


def parse(text: str, *, where: str) -> dict[str, Term]:
    """Classes from YAML: lists `lasting` and `passing` of `{one, many}`.

    Raises:
        ConfigError: naming every entry that is malformed or stands twice. `where` is the file's name in it.
    """
    groups: tuple[tuple[Literal["lasting", "passing"], bool], ...] = (("lasting", True), ("passing", False))
    raw = yaml.safe_load(text)
    if not (
        isinstance(raw, dict) and set(raw) == {g for g, _ in groups} and all(isinstance(v, list) for v in raw.values())
    ):
        raise ConfigError([Problem(where, "other keys", "the two lists lasting and passing")])
    terms: dict[str, Term] = {}
    problems: list[Problem] = []
    for group, lasting in groups:
        for i, entry in enumerate(raw[group]):
            try:
                term = Term.model_validate({**entry, "lasting": lasting})
            except (ValidationError, TypeError):
                problems.append(
                    Problem(f"{where}: {group}.{i}", repr(entry), "{one: word} or {one: word, many: words}")
                )
                continue
            if term.one in terms:
                problems.append(Problem(f"{where}: {group}.{i}", f"{term.one} again", "each class once"))
            terms[term.one] = term
    if problems:
        raise ConfigError(problems)
    return terms
