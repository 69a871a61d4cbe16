"""What a model replies in each turn of a dialogue, and the JSON Schema that the server holds it to."""

from collections.abc import Sequence, Set
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from schemas.records import Position, Variant

Turn = Literal["observe", "ground", "relate", "compose", "review", "repair"]
TURNS: tuple[Turn, ...] = ("observe", "ground", "relate", "compose", "review", "repair")
"""In the order in which they are taken; a prompt set has all of them or some."""
OFFERED = "offered"
"""Key of the validation context: ids of the cues that the turn was given."""


def _offered(value: str, info: ValidationInfo) -> str:
    known: Set[str] | None = (info.context or {}).get(OFFERED)
    if known is not None and value not in known:
        raise ValueError("no cue of this turn has that id")
    return value


CueId = Annotated[str, AfterValidator(_offered), Field(json_schema_extra={"cue-id": True})]
CueIds = Annotated[list[CueId], Field(max_length=6)]
Phrase = Annotated[str, Field(max_length=80)]
Statement = Annotated[str, Field(max_length=240)]


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


class Observation(Reply):
    """`observe`: what one photo shows, noted before any cue is known."""

    scene: Phrase
    road: Statement
    things: Annotated[list[Thing], Field(max_length=10)]
    writing: Annotated[list[Writing], Field(max_length=8)]


Ruling = Literal["clear", "wrong", "passing", "unseen"]


class Rulings(Reply):
    """`ground`: each cue checked against the pictures."""

    cues: Annotated[dict[CueId, Ruling], Field(json_schema_extra={"by-cue-id": True})]

    @model_validator(mode="after")
    def _complete(self, info: ValidationInfo) -> "Rulings":
        lacking = sorted((info.context or {}).get(OFFERED, set()) - set(self.cues))
        if lacking:
            raise ValueError(f"no ruling on {', '.join(lacking)}")
        return self


class Shared(Reply):
    """A thing that shows both from the street and from above."""

    thing: Phrase
    street: Phrase
    above: Phrase
    position: Position
    cues: CueIds


class Roads(Reply):
    """The roads at the standpoint."""

    layout: Literal[
        "straight", "bend", "junction", "crossroads", "roundabout", "dead end", "square", "path", "none", "unclear"
    ]
    detail: Statement


class Relations(Reply):
    """`relate`: what street, aerial picture and map have in common, and what stands where."""

    shared: Annotated[list[Shared], Field(max_length=6)]
    roads: Roads
    left: Statement
    ahead: Statement
    right: Statement
    behind: Statement
    doubtful: Statement


class Said(Reply):
    """One sentence of a description."""

    text: Annotated[str, Field(min_length=1, max_length=240)]
    cues: CueIds


class Composition(Reply):
    """`compose` and `repair`: the descriptions."""

    long: Annotated[list[Said], Field(min_length=2, max_length=10)]
    short: Annotated[list[Said], Field(min_length=1, max_length=2)]
    street: Annotated[list[Said], Field(min_length=1, max_length=8)]


class Fault(Reply):
    """A claim that the reviewer does not find borne out."""

    variant: Variant
    sentence: Annotated[int, Field(ge=0, le=9)]
    claim: Annotated[str, Field(max_length=160)]
    why: Annotated[str, Field(max_length=160)]


class Review(Reply):
    """`review`: what is wrong with the descriptions."""

    faults: Annotated[list[Fault], Field(max_length=8)]


REPLIES: dict[Turn, type[Reply]] = {
    "observe": Observation,
    "ground": Rulings,
    "relate": Relations,
    "compose": Composition,
    "review": Review,
    "repair": Composition,
}


def reply_schema(turn: Turn, cue_ids: Sequence[str]) -> dict[str, Any]:
    """JSON Schema of a turn's reply: cues can be referred to by the ids given, and by no other."""
    schema: dict[str, Any] = _with_ids(REPLIES[turn].model_json_schema(), list(cue_ids))
    return schema


def _with_ids(node: Any, ids: list[str]) -> Any:
    if isinstance(node, list):
        return [_with_ids(part, ids) for part in node]
    if not isinstance(node, dict):
        return node
    if node.get("by-cue-id"):
        ruling = node["additionalProperties"]
        return {
            "type": "object",
            "properties": dict.fromkeys(ids, ruling),
            "required": ids,
            "additionalProperties": False,
        }
    if "cue-id" in node:
        return {"type": "string", "enum": ids} if ids else {"type": "string"}
    if not ids and isinstance(node.get("items"), dict) and "cue-id" in node["items"]:
        return {"type": "array", "items": {"type": "string"}, "maxItems": 0}
    # Titles and descriptions say nothing to a grammar.
    return {key: _with_ids(part, ids) for key, part in node.items() if key not in ("title", "description")}
