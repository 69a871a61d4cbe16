"""The classes that engines may give what they see, and the words for them (`vocabulary.yaml`)."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.config.strict_yaml import parse_yaml
from pipeline.errors import ConfigError, Problem
from schemas.records import Above

Word = Annotated[str, Field(pattern=r"^[^\W\d_][\w'-]*( [\w'-]+)*$", max_length=40)]
"""Form of a label that may stand in a sentence and in a question to a model: words parted by single blanks."""
VOCABULARY_KEY = "perception.segmenters.vocabulary"

EXCLUSIVE = frozenset(
    {"sky", "ground", "plant", "water", "building", "height", "person", "animal", "vehicle", "cycle", "boat"}
)
"""Groups of which a pixel shows one: who sees two of them in one place is in contradiction. A window, a sign or a lamp
stands in or before another thing."""


class Term(BaseModel):
    """One class."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    one: Word
    """The label, which is also the word for one."""
    many: Word | None = None
    """None where the thing is not counted."""
    lasting: bool
    """False for what will be gone tomorrow."""
    kin: Word | None = None
    """Group that it is one of, where several classes may stand for the same thing; None: of itself alone."""
    above: Above = "street_only"
    """Whether it shows from above."""

    @property
    def group(self) -> str:
        """`kin`, or the label where that is None."""
        return self.kin or self.one


@cache
def vocabulary() -> Mapping[str, Term]:
    """All classes, by label."""
    text = (files(__package__) / "vocabulary.yaml").read_text(encoding="utf-8")
    return MappingProxyType(parse(text, where="vocabulary.yaml"))


def read_vocabulary(path: Path | None) -> Mapping[str, Term]:
    """The classes of a file that a build names, or the package's own.

    Raises:
        ConfigError: the file cannot be read, or what `parse` finds.
    """
    if path is None:
        return vocabulary()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(VOCABULARY_KEY, f"{path}: {error}", "a text file, UTF-8")]) from error
    return MappingProxyType(parse(text, where=str(path)))


def parse(text: str, *, where: str) -> dict[str, Term]:
    """Classes from YAML: lists `lasting` and `passing` of `{one, many, kin, above}`; all but `one` may be left out.

    Raises:
        ConfigError: naming every entry that is malformed or stands twice, in whatever case. `where` is the file's name.
    """
    groups: tuple[tuple[Literal["lasting", "passing"], bool], ...] = (("lasting", True), ("passing", False))
    try:
        raw = parse_yaml(text)
    except yaml.YAMLError as error:
        raise ConfigError(
            [Problem(where, " ".join(str(error).split()), "YAML, the two lists lasting and passing")]
        ) from error
    if not (
        isinstance(raw, dict) and set(raw) == {g for g, _ in groups} and all(isinstance(v, list) for v in raw.values())
    ):
        raise ConfigError([Problem(where, "other keys", "the two lists lasting and passing")])
    terms: dict[str, Term] = {}
    seen: set[str] = set()
    problems: list[Problem] = []
    for group, lasting in groups:
        for i, entry in enumerate(raw[group]):
            try:
                term = Term.model_validate({**entry, "lasting": lasting})
            except (ValidationError, TypeError):
                problems.append(
                    Problem(f"{where}: {group}.{i}", repr(entry), "{one: word}, and many, kin or above if there is one")
                )
                continue
            if term.one.casefold() in seen:
                problems.append(Problem(f"{where}: {group}.{i}", f"{term.one} again", "each class once"))
            seen.add(term.one.casefold())
            terms[term.one] = term
    if not terms and not problems:
        problems.append(Problem(where, "no class", "at least one"))
    if problems:
        raise ConfigError(problems)
    return terms
