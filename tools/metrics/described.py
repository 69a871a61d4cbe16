"""A published sample without its pictures, as the checks on descriptions take it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pipeline.captioning.base import Evidence
from pipeline.errors import MachineError
from schemas.records import Cue, Image, ImageryRow, Note, Sentence, StreetInfo, StreetView

_SITE = ("unit", "lat", "lon", "weight", "region")
COLUMNS = (
    *("sample_id", "split", "synthetic", "language", "description", "description_tokens", "sentences", "notes", *_SITE),
    *(f"street_view.{name}" for name in StreetInfo.model_fields),
    *(f"other_views.list.element.{name}" for name in (*StreetInfo.model_fields, "truth")),
    *(f"cues.list.element.{name}" for name in Cue.model_fields if name != "mask"),
)
"""Columns that `described` reads: everything but pictures and masks."""


@dataclass(frozen=True)
class Described:
    """A sample's long description and what it may rest on."""

    sample_id: str
    region: str
    split: str
    synthetic: bool
    language: str
    text: str
    tokens: int
    """CLIP tokens, start and end marks included."""
    sentences: list[Sentence]
    """Sentences of the long description."""
    notes: list[Note]
    evidence: Evidence
    """The published cues and views. Things of the map that became no cue are not published, so they are not in it."""


def described(row: Mapping[str, Any]) -> Described:
    """A row of the columns `COLUMNS`.

    Raises:
        MachineError: it is no sample of this version.
    """
    try:
        views = [_view(row["street_view"]), *(_view(view) for view in row["other_views"])]
        site = ImageryRow(
            **{name: row[name] for name in _SITE},
            site_id=row["sample_id"],
            status="ok",
            reason=None,
            detail=None,
            views=views,
            aerial=None,
            map=None,
            facts=[],
            missing=[],
        )
        cues = [Cue.model_validate({**cue, "mask": None}) for cue in row["cues"]]
        sentences = [Sentence.model_validate(sentence) for sentence in row["sentences"]]
        notes = [Note.model_validate(note) for note in row["notes"]]
    except (KeyError, ValidationError) as error:
        raise MachineError(
            f"sample {row['sample_id']} is not one of this version of geoscribe: {error}. Publish the dataset again."
        ) from error
    return Described(
        sample_id=row["sample_id"],
        region=row["region"],
        split=row["split"],
        synthetic=row["synthetic"],
        language=row["language"],
        text=row["description"],
        tokens=row["description_tokens"],
        sentences=[sentence for sentence in sentences if sentence.variant == "long"],
        notes=notes,
        evidence=Evidence(site, cues),
    )


def _view(info: Mapping[str, Any]) -> StreetView:
    return StreetView(**{"truth": None, **info}, image=Image(bytes=b"", path=""))
