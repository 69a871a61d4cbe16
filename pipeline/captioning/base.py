"""The captioners' interface: evidence in, description out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from pipeline.errors import ConfigError, Problem, SiteError
from prompts.loader import PromptSet, PromptSetError, load_prompt_set
from schemas.reasons import Reason
from schemas.records import Control, Cue, Dropped, ImageryRow, Note, Sentence, Turn


@dataclass(frozen=True)
class Evidence:
    """All that a captioner may use of a site."""

    site: ImageryRow
    cues: list[Cue]
    draw: int = 0
    """How often a retry wants the description written anew, and not as it was."""


@dataclass(frozen=True)
class Description:
    """The texts that a captioner wrote about a place."""

    long: str
    short: str
    long_tokens: int
    short_tokens: int
    """CLIP tokens, start and end marks included."""
    sentences: list[Sentence]
    """Sentences of all variants, each variant's in reading order; `long`, `short` and `street` are theirs, joined."""
    language: str
    street: str | None = None
    street_tokens: int = 0
    dropped: list[Dropped] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    controls: list[Control] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    fault: tuple[Reason, str] | None = None
    """Why it may not be published, and yet is kept."""


class NotDescribedError(SiteError):
    """No description; what the model was asked is on record all the same."""

    def __init__(self, reason: Reason, detail: str, turns: list[Turn]) -> None:
        super().__init__(reason, detail)
        self.turns = turns


class Captioner(Protocol):
    """Writes descriptions."""

    name: str
    """`composer 1`: who and which version; stands in every row."""
    prompt_set: str
    model: str | None
    room: int | None
    """Number of sites that it describes at once, waiting for a model on another machine; None if it computes here."""

    def fingerprint(self) -> str:
        """Changes whenever its words may change: version, prompt set's content, model, sampling."""
        ...

    def describe(self, sites: Sequence[Evidence]) -> list[Description | SiteError]:
        """A description a site, in order, or the reason why there is none."""
        ...


def prompt_set_of(name: str, kind: Literal["composer", "dialogue"]) -> PromptSet:
    """The prompt set that a build names for a captioner of a kind.

    Raises:
        ConfigError: there is no such prompt set, it is malformed, or made for another kind.
    """
    try:
        found = load_prompt_set(name)
    except PromptSetError as error:
        raise ConfigError([Problem("captioner.prompt_set", error.found, error.allowed)]) from error
    if found.kind != kind:
        given = f"{name}, made for a {found.kind}"
        raise ConfigError([Problem("captioner.prompt_set", given, f"a prompt set of kind {kind}")])
    return found
