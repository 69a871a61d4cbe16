"""People's decisions about published samples (`geoscribe audit apply`), as publishing takes them.

Each decision names the texts that it was about by their SHA-256: where a build has since written others, it is stale
and nothing is done.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import ConfigError, Problem
from schemas.records import Sentence, Variant

FORMAT: Literal["geoscribe-decisions-1"] = "geoscribe-decisions-1"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Edit(_Entry):
    """One description as a person left it."""

    variant: Variant
    old_sha256: str
    """SHA-256 of the text that it replaces."""
    text: str
    tokens: int
    """CLIP tokens, start and end marks included."""
    sentences: list[Sentence]
    """Sentences of the text, which joins them by spaces."""


class Edited(_Entry):
    """A sample of which a person edited descriptions."""

    sample_id: str
    by: str
    """Alias of the annotator."""
    edits: list[Edit]


class Rejected(_Entry):
    """A sample that a person rejected."""

    sample_id: str
    by: str
    """Alias of the annotator."""
    reasons: list[str]
    texts: dict[Variant, str]
    """SHA-256 of the descriptions that were judged. Empty if the pictures are at fault: then no other text mends it."""


class Decisions(_Entry):
    """The file."""

    format: Literal["geoscribe-decisions-1"] = FORMAT
    dataset: str
    """Name of the build."""
    revision: str
    """Digest of the revision that was judged."""
    edited: list[Edited]
    rejected: list[Rejected]
    figures: dict[str, str] = {}
    """Figures of the audit, in words, for the card."""

    @property
    def samples(self) -> set[str]:
        """Ids of the samples that they are about."""
        return {one.sample_id for one in self.edited} | {one.sample_id for one in self.rejected}


def text_sha256(text: str | None) -> str:
    """SHA-256 of a description; of the empty text where there is none."""
    return hashlib.sha256((text or "").encode()).hexdigest()


def read_decisions(path: Path | None, name: str, where: str = "publish.decisions") -> Decisions | None:
    """The decisions that a build file names; None if it names none.

    Args:
        path: of the file.
        name: of the build.
        where: what names it.

    Raises:
        ConfigError: the file cannot be read, is none, or is about another build's dataset.
    """
    if path is None:
        return None
    try:
        found = Decisions.model_validate_json(path.read_bytes())
    except OSError as error:
        allowed = "a file of `geoscribe audit apply`"
        raise ConfigError([Problem(where, f"{path} ({error.strerror})", allowed)]) from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in error.errors()[:3])
        allowed = "a file that this version of `geoscribe audit apply` wrote"
        raise ConfigError([Problem(where, f"{path} ({faults})", allowed)]) from error
    if found.dataset != name:
        raise ConfigError([Problem(where, f"decisions about {found.dataset!r}", f"decisions about {name!r}")])
    return found


def edits_of(edited: Edited, texts: Mapping[Variant, str]) -> tuple[Edit, ...]:
    """The edits of a sample that still fit, given the SHA-256 of its texts as they are now."""
    return tuple(edit for edit in edited.edits if texts[edit.variant] == edit.old_sha256)


def still_rejected(rejected: Rejected, texts: Mapping[Variant, str]) -> bool:
    """Whether a rejection still holds, given the SHA-256 of the sample's texts as they are now."""
    return all(texts[variant] == sha256 for variant, sha256 in rejected.texts.items())


def replaced(sentences: Sequence[Sentence], edits: Sequence[Edit]) -> list[Sentence]:
    """All sentences of a sample, those of the edited descriptions in the place of the old ones."""
    new = {edit.variant: edit.sentences for edit in edits}
    order: list[Variant] = list(dict.fromkeys(sentence.variant for sentence in sentences))
    return [
        sentence
        for variant in order
        for sentence in new.get(variant, [old for old in sentences if old.variant == variant])
    ]
