"""What a model replies in each turn of a dialogue, and the JSON Schema that the server holds it to.

A turn has one schema for all places, so that a server compiles one grammar a turn. Ids are no part of it: a reply that
names evidence that the turn was not given loses the id, and not the rest.
"""

from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from schemas.records import Answer, ClaimKind, Position

Turn = Literal["observe", "ground", "relate", "compose", "verify", "repair"]
TURNS: tuple[Turn, ...] = ("observe", "ground", "relate", "compose", "verify", "repair")
"""In the order in which they are taken; a prompt set has all of them or some."""
STATEMENTS = 60
"""At most so many statements in one request to the verifier."""


def _cut(most: int) -> BeforeValidator:
    """Cuts at a limit, as a grammar does: a note one word too long is no reason to lose a place."""

    def cut(value: Any) -> Any:
        if isinstance(value, str) and len(value) > most:
            return value[:most].rsplit(" ", 1)[0]
        return value[:most] if isinstance(value, list) else value

    return BeforeValidator(cut)


EvidenceId = Annotated[str, Field(max_length=8)]
EvidenceIds = Annotated[list[EvidenceId], _cut(6), Field(max_length=6)]
Phrase = Annotated[str, _cut(80), Field(max_length=80)]
Statement = Annotated[str, _cut(240), Field(max_length=240)]


class Reply(BaseModel):
    """Base of all replies: unknown keys refused, every key required."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Thing(Reply):
    """A lasting thing in a photo."""

    what: Phrase
    looks: Phrase
    side: Literal["left", "middle", "right"]
    depth: Literal["near", "far"]


class Writing(Reply):
    """Lettering in a photo."""

    text: Phrase
    on: Phrase
    side: Literal["left", "middle", "right"]


class Observation(Reply):
    """`observe`: what one photo shows, noted before any cue is known."""

    indoors: bool
    """Whether the photo was taken inside a building: no street is described from there."""
    scene: Phrase
    road: Statement
    things: Annotated[list[Thing], _cut(12), Field(max_length=12)]
    writing: Annotated[list[Writing], _cut(10), Field(max_length=10)]


class Ruling(Reply):
    """What is thought of one cue."""

    id: EvidenceId
    ruling: Literal["clear", "wrong", "passing", "unseen"]


class Rulings(Reply):
    """`ground`: each cue checked against the pictures. A cue without a ruling counts as unseen."""

    cues: Annotated[list[Ruling], Field(max_length=STATEMENTS)]


class Shared(Reply):
    """A thing that shows both from the street and from above."""

    thing: Phrase
    street: Phrase
    above: Phrase
    position: Position | None
    """Null where the direction of the main view is not known."""
    cues: EvidenceIds


class Roads(Reply):
    """The roads at the standpoint."""

    layout: Literal[
        "straight", "bend", "junction", "crossroads", "roundabout", "dead end", "square", "path", "none", "unclear"
    ]
    detail: Statement


class Relations(Reply):
    """`relate`: what street, aerial picture and map have in common, and what stands where."""

    shared: Annotated[list[Shared], _cut(6), Field(max_length=6)]
    roads: Roads
    left: Statement
    ahead: Statement
    right: Statement
    behind: Statement
    doubtful: Statement


class Stated(Reply):
    """One claim of a sentence, as a statement that stands by itself."""

    says: Annotated[str, Field(min_length=1, max_length=200)]
    kind: ClaimKind
    cites: EvidenceIds


class Said(Reply):
    """One sentence of a description."""

    text: Annotated[str, Field(min_length=1, max_length=240)]
    shows: Literal["above", "map", "street"]
    claims: Annotated[list[Stated], Field(min_length=1, max_length=6)]


class Composition(Reply):
    """`compose` and `repair`: the descriptions."""

    long: Annotated[list[Said], Field(min_length=1, max_length=10)]
    short: Annotated[list[Said], Field(min_length=1, max_length=2)]
    street: Annotated[list[Said], Field(min_length=1, max_length=8)]


class Checked(Reply):
    """The verifier's answer to one statement."""

    statement: Annotated[int, Field(ge=1, le=STATEMENTS)]
    answer: Answer
    picture: Annotated[int, Field(ge=0, le=99)]
    """Number of the picture that shows it; 0 for the map data, or none."""


class Verification(Reply):
    """`verify`: each statement held against the pictures."""

    answers: Annotated[list[Checked], Field(max_length=STATEMENTS)]


REPLIES: dict[Turn, type[Reply]] = {
    "observe": Observation,
    "ground": Rulings,
    "relate": Relations,
    "compose": Composition,
    "verify": Verification,
    "repair": Composition,
}


@cache
def reply_schema(turn: Turn) -> dict[str, Any]:
    """JSON Schema of a turn's reply, the same for all places. Not to be changed by the caller."""
    schema: dict[str, Any] = _bare(REPLIES[turn].model_json_schema())
    return schema


def _bare(node: Any) -> Any:
    """Without titles and descriptions, which say nothing to a grammar."""
    if isinstance(node, list):
        return [_bare(part) for part in node]
    if not isinstance(node, dict):
        return node
    kept = {key: part for key, part in node.items() if not (key in ("title", "description") and isinstance(part, str))}
    return {key: _bare(part) for key, part in kept.items()}
