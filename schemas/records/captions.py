"""Rows of the layer `captions`: descriptions, their claims and witnesses, and the requests to a model."""

from typing import ClassVar, Literal

from schemas.records.base import Heading, LayerRow, Record
from schemas.records.cues import Position

Variant = Literal["long", "short", "street"]
"""Kind of description: `long` and `short` are for a reader who looks from above, `street` tells of the street views."""
Frame = Literal["heading", "compass"]
"""Frame of the directions of a text: the main view's axis (`on the left`), or north (`to the east`)."""
ClaimKind = Literal["thing", "look", "count", "side", "depth", "relation", "sign", "name", "road", "map"]
Outcome = Literal["supported", "contradicted", "not_witnessed"]
Answer = Literal["yes", "no", "cannot"]
Shows = Literal["from_above", "on_map", "street_only"]
"""Whether what is told can be seen from above, is only on the map, or shows from the street only."""


class Note(Record):
    """A thing or lettering that a model noted on one photo, before it knew any cue or draft: a witness."""

    note_id: str
    """Unique within the site: `n1` for a thing, `w1` for lettering."""
    kind: Literal["thing", "lettering"]
    """Thing or lettering."""
    view_id: str
    """The street view that it was noted on."""
    what: str
    """The thing; for lettering what it is on."""
    looks: str
    """Colour, material, storeys, shape, in the model's words; empty if it noted none."""
    text: str | None
    """The words, for lettering."""
    side: Literal["left", "middle", "right"]
    """Third of the photo that it is in."""
    position: Position | None
    """Direction relative to the main view, computed from the angles of the views; null if unknown."""
    bearing_deg: Heading | None
    """Bearing from the site, degrees clockwise from north; null if unknown."""
    depth: Literal["near", "far"] | None
    """Whether it is near or far."""


class Verdict(Record):
    """A verifier's answer to a claim, whether or not it is believed on its site."""

    answer: Answer
    """Whether the pictures show that it is so; `cannot` if they do not tell, or if it gave no answer."""
    picture: str | None
    """The picture that decided: `view_id` of a street view, `aerial` or `map`; null if it names none, or map data."""


class Claim(Record):
    """A statement of a sentence that stands by itself, with the result of its check."""

    text: str
    """The statement."""
    kind: ClaimKind
    """Kind of statement."""
    cites: list[str]
    """Ids of the evidence that the writer names: cues and notes."""
    outcome: Outcome
    """Result. Only a witness that is entitled to can contradict; silence is `not_witnessed`."""
    witnesses: list[str]
    """Who supports it: ids of cues, notes and map facts, `verifier`, and `annotator` for what a
    person wrote."""
    detail: str | None = None
    """Contradictions by witnesses, in words."""
    verdict: Verdict | None = None
    """The verifier's answer; null if it was not asked."""


class Sentence(Record):
    """A sentence of a description, with the evidence that it rests on."""

    variant: Variant
    """Which description it belongs to."""
    text: str
    """The sentence."""
    cue_ids: list[str]
    """Ids of the cues and notes that its claims cite."""
    claims: list[Claim] = []
    """Its claims, each with its witnesses."""
    shows: Shows = "street_only"
    """Whether what it tells can be seen from above, is only on the map, or shows from the street only."""


class Dropped(Record):
    """A sentence that was written and is not published."""

    variant: Variant
    """Which description it was written for."""
    text: str
    """The sentence."""
    claims: list[Claim]
    """Its claims, each with its witnesses."""
    why: list[str]
    """Why it is not published, one line per reason."""


class Control(Record):
    """A statement with known truth that the verifier answered.

    Made for that, or a claim on which two sorts of witnesses agree.
    """

    kind: ClaimKind
    """Kind of statement."""
    text: str
    """The statement."""
    holds: bool
    """Whether it is true."""
    answer: Answer
    """The verifier's answer."""
    counted: bool
    """False if its truth is not certain after all, because what it was made from was not confirmed."""


class Turn(Record):
    """One request to a model."""

    turn: str
    """Name of the turn in the prompt set; `observe 0@90` for one of several."""
    model: str
    """Model that was asked."""
    revision: str | None
    """Revision of its weights."""
    seed: int
    """Seed of the request."""
    temperature: float
    """Sampling temperature."""
    top_p: float
    """Nucleus sampling: probability mass."""
    prompt_tokens: int
    """Number of prompt tokens."""
    completion_tokens: int
    """Number of reply tokens."""
    latency_s: float
    """Duration of the request that was answered, seconds. For a reply kept from an earlier run, the duration of that
    request."""
    finish_reason: str
    """The server's reason for ending the reply."""


class CaptionRow(LayerRow):
    """A row of the layer `captions`: the descriptions of one site. Only sites whose cues are ok have a row.

    A description that is not published is kept in a failed row: its sentences in `dropped`, each with the reason.
    """

    layer: ClassVar[str] = "captions"

    language: str
    """ISO 639-1 code; empty if nothing was written."""
    long: str | None
    """Long description: at most 300 CLIP tokens."""
    short: str | None
    """Short description: at most 77 CLIP tokens."""
    street: str | None = None
    """Description of the street views alone, at most 300 CLIP tokens; null if the captioner does not write it."""
    long_tokens: int
    """Length of the long description in CLIP tokens, start and end tokens included."""
    short_tokens: int
    """Length of the short description in CLIP tokens, start and end tokens included."""
    street_tokens: int = 0
    """Length of the street description in CLIP tokens, start and end tokens included."""
    long_frame: Frame | None = None
    """Frame of the directions of the long description: the main view's axis (`heading`) or north
    (`compass`). One text has one frame; null if it tells no direction."""
    short_frame: Frame | None = None
    """The same of the short description."""
    street_frame: Frame | None = None
    """The same of the street description."""
    sentences: list[Sentence]
    """Sentences of all descriptions as published, in reading order: without the dropped ones."""
    dropped: list[Dropped] = []
    """Sentences that were written and are not published."""
    notes: list[Note] = []
    """Notes of a model on each photo."""
    controls: list[Control] = []
    """Statements put to the verifier to measure its reliability; empty without a verifier."""
    turns: list[Turn] = []
    """Requests to the model, in order, also those of a failed dialogue; empty if no model was asked."""
    draw: int = 0
    """How many times a retry asked the model again; the seeds of its requests depend on it."""
    captioner: str
    """`composer` (no model) or `dialogue`, with its version."""
    prompt_set: str
    """Name of the prompt set."""
    model: str | None
    """Model that wrote it; null without a model."""
