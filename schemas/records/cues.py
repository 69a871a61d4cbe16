"""Rows of the layer `cues`: the evidence about a site."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.records.base import Heading, LayerRow, Record

Above = Literal["aerial", "map", "street_only"]
"""How a thing shows from above: in an aerial picture, on a map only, or not at all."""


class Position(StrEnum):
    """Direction of a cue relative to the optical axis of the site's main view."""

    LEFT = "left"
    AHEAD_LEFT = "ahead-left"
    AHEAD = "ahead"
    AHEAD_RIGHT = "ahead-right"
    RIGHT = "right"
    BEHIND = "behind"


class Mask(Record):
    """A binary mask over a view."""

    height: int
    """Height of the view, pixels."""
    width: int
    """Width of the view, pixels."""
    counts: str
    """COCO run-length encoding, compressed counts."""


class Look(Record):
    """How a thing looks, by the pixels of its mask; see `pipeline.perception.looks`."""

    kind: Literal["colour", "part", "marking", "lettering", "background"]
    """Colour of the whole, of a part of a building's front, of a road's painted lines, of a text's letters, or of what
    is behind them."""
    value: str
    """Adjective (`white`, `brick-red`)."""
    confidence: Annotated[float, Field(ge=0, le=1)]
    """Share of the pixels with this value; for the whole's colour among those with this or the next most frequent one,
    for a part its share of the building. 0 to 1."""


class Cue(Record):
    """One piece of evidence about a place."""

    cue_id: str
    """Unique within the site: `t1` for text, `o1` for an object, `m1` for a map feature."""
    kind: Literal["text", "object", "map"]
    """Text read, object seen, or map feature."""
    label: str
    """`sign` for text; a class of the vocabulary for an object; the kind of feature for a map cue."""
    attribute: str | None
    """Adjective of an object, where one is known: its colour, or the engine's own word (`brick`, `two-storey`)."""
    category: str | None
    """Map cues: the source's own class."""
    text: str | None
    """The text that was read, or the name on the map."""
    text_en: str | None
    """English name on the map."""
    script: str | None
    """ISO 15924 code of the main script of the text (`Latn`, `Hang`)."""
    position: Position | None
    """Direction relative to the main view; null if unknown (no heading, or the site lies inside the feature)."""
    depth: Literal["near", "far"] | None
    """Whether it is near or far."""
    bearing_deg: Heading | None
    """Bearing from the site, degrees clockwise from north; null if unknown."""
    distance_m: float | None
    """Distance from the site, metres; null if unknown."""
    confidence: Annotated[float, Field(ge=0, le=1)]
    """Confidence, 0 to 1."""
    source: str
    """Engine or source that it comes from, with its version."""
    view_id: str | None
    """The street view that it was read from; null for a map cue."""
    polygon: list[float] | None
    """Pixel coordinates in that view: x1, y1, x2, y2, ..."""
    area_share: float | None
    """Share of the view that it covers, 0 to 1."""
    mask: Mask | None
    """Mask of an object."""
    lasting: bool
    """False for what does not stay (people, cars), for text on it, and for an object that another segmenter
    contradicts (`disputed`). Such cues are never described."""
    from_above: Above | None = None
    """How it shows from above: in an aerial picture, on a map only, or not at all (`street_only`). Null if the
    vocabulary does not have the label."""
    on: str | None = None
    """Label of the object that a text is on (`awning`, `car`); null if no object covers most of the text."""
    looks: list[Look] = []
    """Looks of an object or of a text, where its pixels are unambiguous; empty for many."""
    seen_by: list[str] = []
    """Segmenters that found an object: engine, model and start of the model's SHA-256. `source` is the first of them.
    The `confidence` of an object that several segmenters found is higher than each of them gave."""
    disputed: bool = False
    """True if another segmenter found something else in the same place. Both cues are kept with a lower `confidence`,
    and the weaker one is not `lasting`."""
    confirmed: bool = False
    """True for a text that the OCR engine read the same way a second time, at another scale."""
    in_sight: bool | None = None
    """Map cues: false if a building on the map stands between the site and the thing; null if the map has no buildings.
    True for what was seen."""


class Signature(Record):
    """A hand-crafted feature vector of a picture (`pipeline.perception.signatures`)."""

    view_id: str
    """Id of the street view, or `aerial`."""
    kind: Literal["colour", "orientation", "spectrum"]
    """Which signature."""
    values: list[float]
    """48 numbers for colour, 18 for orientation, 32 for the spectrum."""


class CueRow(LayerRow):
    """A row of the layer `cues`: the evidence about one site. Only sites whose imagery is ok have a row."""

    layer: ClassVar[str] = "cues"

    cues: list[Cue]
    """The cues of the site."""
    signatures: list[Signature] = []
    """Signatures of the perspective street views, in their order, then of the aerial chip."""
