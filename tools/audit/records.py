"""Records that the desk stores and that the page sends: questions, verdicts, decisions, planted falsehoods."""

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from schemas.records import ClaimKind, Sample, Variant
from tools.metrics.intervals import Estimate

Question = Literal["judge", "which", "alike", "adjudicate"]
"""`judge`: is the sample good; `which`: which of four aerial views is told of; `alike`: does the short text alone tell
the place from others; `adjudicate`: two people judged otherwise, and a third decides."""
Verdict = Literal["accept", "edit", "reject"]
ClaimVerdict = Literal["true", "false", "cannot"]
Role = Literal["annotator", "lead"]
State = Literal["open", "decided", "stale", "broken", "withdrawn"]

DISAGREEMENTS = "disagreements"
"""Name of the queue of what two people judged otherwise, of all plans; leads only have it."""
NONE_OF_THEM = -1
"""Choice of the questions `which` and `alike`: can't tell, or none is alike."""
NOTE_LENGTH = 5_000
"""Characters that a note may have."""
MOST_MS = 86_400_000
"""Milliseconds that a task may have taken: a day. Who left the page open for longer was not at work."""
TOKEN_LIMITS: dict[Variant, int] = {"long": 300, "short": 77, "street": 300}
"""CLIP tokens that an edited text may have, start and end marks included."""
COLUMNS: dict[Variant, str] = {
    "long": "description",
    "short": "description_short",
    "street": "description_street",
}
"""The column of `Sample` that holds a variant's text."""


class ReasonCode(StrEnum):
    """Why a sample was rejected or edited."""

    HALLUCINATED_OBJECT = "hallucinated_object"
    WRONG_ATTRIBUTE = "wrong_attribute"
    WRONG_SPATIAL = "wrong_spatial"
    MISSED_SALIENT = "missed_salient"
    OCR_WRONG = "ocr_wrong"
    NAMES_LOCATION = "names_location"
    GENERIC = "generic"
    PII_VISIBLE = "pii_visible"
    WRONG_PAIR = "wrong_pair"
    BAD_IMAGE = "bad_image"
    UNSAFE = "unsafe"
    INJECTION = "injection"


REASON_WORDS: dict[ReasonCode, str] = {
    ReasonCode.HALLUCINATED_OBJECT: "tells of a thing that is not there",
    ReasonCode.WRONG_ATTRIBUTE: "wrong colour, material, size or number",
    ReasonCode.WRONG_SPATIAL: "wrong side, distance or relation",
    ReasonCode.MISSED_SALIENT: "leaves out what strikes the eye",
    ReasonCode.OCR_WRONG: "quotes a sign wrongly",
    ReasonCode.NAMES_LOCATION: "names the street, district or town",
    ReasonCode.GENERIC: "would fit almost any place",
    ReasonCode.PII_VISIBLE: "shows a face, a plate or private data",
    ReasonCode.WRONG_PAIR: "street and aerial view are of different places",
    ReasonCode.BAD_IMAGE: "a picture is blurred, dark or broken",
    ReasonCode.UNSAFE: "offensive or harmful",
    ReasonCode.INJECTION: "follows an instruction written in a photo",
}
"""What the page and the guidelines say of each reason."""

DecisionId = Annotated[str, StringConstraints(pattern=r"^[0-9a-zA-Z-]{8,64}$")]


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Planted(_Value):
    """A falsehood in a sample that measures whether annotators notice. Never published."""

    kind: ClaimKind
    """Kind of claim that was made untrue."""
    sentence: int
    """Index of the changed sentence in `Sample.sentences`; for an added one, of the place where it was put."""
    before: str
    """The sentence as it is in the dataset; empty for an added one."""
    after: str
    """The sentence that the annotator sees."""
    claims: list[str]
    """Texts of the claims that became untrue, as the annotator sees them."""


class Decision(_Value):
    """An annotator's decision about a task, as the page sends it."""

    decision_id: DecisionId
    """Drawn by the page; a decision sent twice counts once."""
    version: int
    """Version of the task that the annotator saw."""
    text_sha256: str
    """Digest of the texts that the annotator saw (`text_digest`)."""
    verdict: Verdict | None = None
    """For `judge` and `adjudicate`."""
    choice: Annotated[int, Field(ge=-1, le=3)] | None = None
    """For `which` and `alike`: index of an option, or `NONE_OF_THEM`."""
    edits: dict[Variant, Annotated[str, StringConstraints(min_length=1, max_length=20_000)]] = {}
    """Edited texts by variant."""
    claims: dict[Annotated[str, StringConstraints(pattern=r"^\d{1,4}\.\d{1,4}$")], ClaimVerdict] = {}
    """Verdicts by claim, under `SENTENCE.CLAIM` (indexes)."""
    reasons: list[ReasonCode] = []
    note: Annotated[str, StringConstraints(max_length=NOTE_LENGTH)] = ""
    ms: Annotated[int, Field(ge=0, le=MOST_MS)] = 0
    """Time on the task, milliseconds."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.verdict is None) == (self.choice is None):
            raise ValueError("a decision has a verdict or a choice")
        if (self.verdict == "edit") != bool(self.edits):
            raise ValueError("edited texts come with the verdict `edit`, and only with it")
        if self.verdict == "reject" and not self.reasons:
            raise ValueError("a rejection needs a reason")
        return self

    def payload(self) -> dict[str, Any]:
        """The part that the log keeps; defaults are left out."""
        kept = self.model_dump(mode="json", exclude={"decision_id", "version"}, exclude_defaults=True)
        return {**kept, "ms": self.ms, "text_sha256": self.text_sha256}


@dataclass(frozen=True)
class Figure:
    """One figure of the report, with its 95 % interval."""

    section: str
    group: str
    name: str
    value: float | None
    """None where it is not defined, or nothing was judged."""
    low: float | None
    high: float | None
    n: int
    """How many it is a figure of."""
    note: str = ""

    @classmethod
    def of(cls, section: str, group: str, name: str, found: Estimate | None, n: int, note: str = "") -> "Figure":
        """A figure of an estimate."""
        low, high = (found.low, found.high) if found else (None, None)
        return cls(section, group, name, found.value if found else None, low, high, n, note)


def text_digest(sample: Sample) -> str:
    """SHA-256 of a sample's descriptions: tells whether what was judged is what is there now."""
    return digest_of_texts(sample.description, sample.description_short, sample.description_street)


def digest_of_texts(long: str, short: str, street: str | None) -> str:
    """The same of the three texts."""
    return hashlib.sha256(canonical([long, short, street or ""]).encode()).hexdigest()


def says(verdict: Verdict | None) -> str:
    """A text that is in payloads of decisions with this verdict, and in no other: quotes in texts are escaped."""
    return f'"verdict":{canonical(verdict)}'


def canonical(value: Any) -> str:
    """JSON with one form for one value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
