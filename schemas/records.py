"""The records that stand in layers and shards. Angles are degrees, headings clockwise from north, lengths metres.

Positions are WGS84 degrees. Pixel coordinates have their origin at the top left corner of the top left pixel, x to the
right and y down. Arrow schemas are derived from these classes (`schemas.arrow`), so a field added here is a column.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.reasons import Reason

Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
Heading = Annotated[float, Field(ge=0, lt=360)]
Status = Literal["ok", "failed"]
FactKind = Literal[
    "road", "junction", "crossing", "building", "poi", "green", "water", "rail", "stop", "square", "other"
]
Split = Literal["train", "val", "test"]
Float32 = Annotated[float, "float32"]
"""A number of which four bytes are kept; see `schemas.arrow`."""
Variant = Literal["long", "short", "street"]
"""Of a description: long and short tell of a place for whoever looks from above; `street` what stands before one."""


AERIAL = "aerial"
"""Stands for the aerial chip where a street view's id would stand."""


class Record(BaseModel):
    """Base of all records: immutable, unknown fields refused. What is said of a field goes into the JSON Schema."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Image(Record):
    """An encoded picture, as the `datasets` library's Image feature stores it."""

    bytes: bytes
    path: str


class Site(Record):
    """One sampled coordinate."""

    site_id: str
    region: str
    unit: str
    """H3 cell (hexadecimal) that the site lies in."""
    lat: Latitude
    lon: Longitude
    weight: float
    """Inclusion weight: how many candidates of the region this site stands for."""


class Credit(Record):
    """Where a picture comes from and on what terms. Goes with every picture into the shard."""

    source: str
    """Name of the source in the configuration."""
    source_id: str
    """The source's own id of the picture; several files of a mosaic are joined by a space."""
    author: str
    licence: str
    """SPDX identifier, or LicenseRef-..."""
    link: str
    redistributable: bool = True
    """False where the source's terms forbid passing the picture on, whatever agreement the build's owner has."""


class Quality(Record):
    """Scores of the quality gates; see `pipeline.imaging.quality`."""

    sharpness: float
    contrast: float
    entropy: float
    darkness: float


class StreetInfo(Credit):
    """What is known of a street-level view, beside its pixels."""

    view_id: str
    """Unique within the site: the source's picture number, and for a cut its direction (`0`, `0@90`)."""
    projection: Literal["perspective", "equirectangular"]
    cut_from: str | None
    """`view_id` of the panorama that this perspective view was cut from."""
    lat: Latitude
    lon: Longitude
    distance_m: float
    """From the site to the camera."""
    heading_deg: Heading | None
    """Of the optical axis; of the image centre for a panorama."""
    heading_error_deg: float | None = None
    """By how much the heading may be off, two standard deviations; 180 where it is known to be unreliable, null where
    nothing is known of it."""
    pitch_deg: float
    hfov_deg: float | None
    """Horizontal field of view; 360 for a panorama."""
    captured_at: datetime | None
    sequence: str | None = None
    """The source's id of the capture sequence (drive, walk) that the photo is of."""
    width: int
    height: int
    quality: Quality
    faces_blurred: int
    """In the photo; 0 for a cut, whose panorama counts them."""
    phash: str
    """64-bit perceptual hash, 16 hexadecimal digits; near-duplicates differ in few bits."""


class StreetView(StreetInfo):
    """A street-level view with its picture, faces blurred, EXIF gone."""

    image: Image
    truth: str | None
    """Synthetic world only: JSON of the texts and objects in this view, with their pixel polygons."""


class ChipInfo(Credit):
    """What is known of a picture from above: north up, in a local metric frame centred on the site."""

    gsd_m: float
    """Ground sample distance: metres a pixel."""
    native_gsd_m: float | None = None
    """Metres a pixel, here, of what the chip was made from; more than `gsd_m` where that was enlarged. Of several files
    the coarsest. Null for what is drawn (a map, the synthetic world)."""
    width: int
    height: int
    west: Longitude
    south: Latitude
    east: Longitude
    north: Latitude
    crs: str
    """PROJ string of the local frame (azimuthal equidistant around the site)."""
    captured_at: datetime | None
    """Date of the imagery, or of the map extract."""
    covered: float
    """Share of the chip that the source covers, 0 to 1."""


class Chip(ChipInfo):
    """An aerial or map chip with its picture."""

    image: Image


class MapFact(Record):
    """A thing on the map around a site."""

    fact_id: str
    kind: FactKind
    category: str
    """The source's own class, in the words of OSM or Overture (`tertiary`, `coffee_shop`, `park`)."""
    name: str | None
    name_en: str | None
    distance_m: float
    """From the site to the nearest point of the thing; 0 inside an area."""
    bearing_deg: Heading
    """From the site to that point; for an area that holds the site, to its centroid."""


class Considered(Record):
    """A photo that was considered for a site, and what became of it."""

    source_id: str
    lat: Latitude
    lon: Longitude
    distance_m: float
    heading_deg: Heading | None
    projection: Literal["perspective", "equirectangular"]
    captured_at: datetime | None
    author: str
    licence: str
    link: str
    score: float
    """Penalty of `pipeline.stages.choosing`: the lowest is tried first."""
    verdict: str
    """`chosen`, or why not."""


class MissingView(Record):
    """A view that the place lacks, and why."""

    view: Literal["street", "aerial", "drone", "map"]
    reason: Reason
    detail: str


class LayerRow(Record):
    """What each row of each layer starts with."""

    layer: ClassVar[str]
    """Name of the layer that has these rows."""

    site_id: str
    status: Status
    reason: Reason | None
    detail: str | None
    """What was found, in words, when the site failed."""


class ImageryRow(LayerRow):
    """Layer `imagery`: the views of one site. A failed site has empty lists and null chips."""

    layer: ClassVar[str] = "imagery"

    region: str
    unit: str
    lat: Latitude
    lon: Longitude
    weight: float
    views: list[StreetView]
    aerial: Chip | None
    aerial_scales: list[Chip] = []
    """Further aerial chips around the site, of other sizes on the ground."""
    drone: Chip | None = None
    """Centred on the first street view."""
    map: Chip | None
    facts: list[MapFact]
    considered: list[Considered] = []
    """Street photos within the search radius, best first; at most 20."""
    missing: list[MissingView]


class Position(StrEnum):
    """Where a cue is, seen from the camera of the site's first view."""

    LEFT = "left"
    AHEAD_LEFT = "ahead-left"
    AHEAD = "ahead"
    AHEAD_RIGHT = "ahead-right"
    RIGHT = "right"
    BEHIND = "behind"


class Mask(Record):
    """COCO run-length encoding, compressed counts, of a binary mask over a view."""

    height: int
    width: int
    counts: str


class Cue(Record):
    """One piece of evidence about a place."""

    cue_id: str
    """Stable within the site: `t1` text, `o1` object, `m1` map."""
    kind: Literal["text", "object", "map"]
    label: str
    """`sign` for text; a class of the vocabulary for an object; the fact's kind for a map cue."""
    attribute: str | None
    """One adjective for an object where the engine knows it: a colour, `brick`, `two-storey`."""
    category: str | None
    """Map cues: the source's own class."""
    text: str | None
    """The words read, or the thing's name on the map."""
    text_en: str | None
    script: str | None
    """ISO 15924 code of the text's main script (`Latn`, `Hang`)."""
    position: Position | None
    """Null where it cannot be told: the heading is unknown, or the site lies inside the thing."""
    depth: Literal["near", "far"] | None
    bearing_deg: Heading | None
    distance_m: float | None
    confidence: Annotated[float, Field(ge=0, le=1)]
    source: str
    """Engine or source that it comes from, with its version."""
    view_id: str | None
    """The street view that it was read off; null for a map cue."""
    polygon: list[float] | None
    """x1, y1, x2, y2, ... pixels in that view."""
    area_share: float | None
    """Share of the view that it covers."""
    mask: Mask | None
    lasting: bool
    """False for what will be gone tomorrow (people, cars) and for text on it: never described."""


class Signature(Record):
    """A description of a picture's looks that needs no learning; see `pipeline.perception.signatures`."""

    view_id: str
    """Of the street view, or `aerial`."""
    kind: Literal["colour", "orientation", "spectrum"]
    values: list[float]
    """48 for colour, 18 for orientation, 32 for the spectrum."""


class Signatures(Record):
    """The signatures of one picture, as vectors of fixed length; see `pipeline.perception.signatures`.

    PLANET (CORE) holds such vectors of the picture from above against what a text says of colours, layout and texture.
    """

    colour: list[Float32]
    """48: histograms of R, G and B, 16 bins each, one after the other; each has the sum 1."""
    orientation: list[Float32]
    """18: in which directions edges run, weighted by their strength, with the sum 1 (0 where the picture is flat). Bin
    i is centred on 10 i degrees clockwise from the picture's top (north, in a chip), either end of an edge alike."""
    spectrum: list[Float32]
    """32: log10 of each ring's share of the power of the grey picture at 256 x 256 pixels, its mean taken off; ring i
    holds 4 i to 4 (i + 1) cycles a picture. -9 is the floor."""


class CueRow(LayerRow):
    """Layer `cues`: what was read off the views of one site. Only sites whose imagery is ok have a row."""

    layer: ClassVar[str] = "cues"

    cues: list[Cue]
    signatures: list[Signature] = []
    """Of the perspective street views, in their order, then of the aerial chip: colour, orientation, spectrum."""


class Note(Record):
    """One thing or lettering that a model noted on one photo, before it knew of any cue or draft: a witness."""

    note_id: str
    """Stable within the site: `n1` a thing, `w1` lettering."""
    kind: Literal["thing", "lettering"]
    view_id: str
    """The street view that it was noted on."""
    what: str
    """The thing; for lettering what it stands on."""
    looks: str
    """Colour, material, storeys, shape, as the model put it; empty where it noted none."""
    text: str | None
    """The words, for lettering."""
    side: Literal["left", "middle", "right"]
    """Third of the photo that it is in."""
    position: Position | None
    """From the camera of the site's first view, worked out from the views' angles; null where these are unknown."""
    bearing_deg: Heading | None
    depth: Literal["near", "far"] | None


ClaimKind = Literal["thing", "look", "count", "side", "depth", "relation", "sign", "name", "road", "map"]
Outcome = Literal["supported", "contradicted", "not_witnessed"]
Answer = Literal["yes", "no", "cannot"]
Shows = Literal["from_above", "on_map", "street_only"]
"""Whether what is told can be seen from above, is on the map alone, or shows from the street only."""


class Claim(Record):
    """One statement of a sentence that stands by itself, and what the witnesses say of it."""

    text: str
    kind: ClaimKind
    cites: list[str]
    """Ids of the evidence that the writer rests it on: cues and notes."""
    outcome: Outcome
    """`contradicted` only by a witness that is entitled to; silence is `not_witnessed`."""
    witnesses: list[str]
    """Who says so: ids of cues, notes and map facts, and `verifier`."""
    detail: str | None = None
    """What a witness says otherwise, in words."""


class Sentence(Record):
    """One sentence of a description and the evidence that it rests on."""

    variant: Variant
    text: str
    cue_ids: list[str]
    """Ids of the cues and notes that its claims cite."""
    claims: list[Claim] = []
    shows: Shows = "street_only"


class Dropped(Record):
    """A sentence that was written and is not published."""

    variant: Variant
    text: str
    claims: list[Claim]
    why: list[str]
    """Why not, a line each."""


class Control(Record):
    """A statement whose truth is known, put to the verifier among the claims."""

    kind: ClaimKind
    text: str
    holds: bool
    answer: Answer
    counted: bool
    """False where its truth is not certain after all: what it was made from was not confirmed."""


class Turn(Record):
    """One request to a model and what it took."""

    turn: str
    """Name in the prompt set; `observe 0@90` for one of several."""
    model: str
    revision: str | None
    seed: int
    temperature: float
    top_p: float
    prompt_tokens: int
    completion_tokens: int
    latency_s: float
    """Of the request that was answered; where the answer was kept from an earlier run, of that one."""
    finish_reason: str


class CaptionRow(LayerRow):
    """Layer `captions`: the descriptions of one site. Only sites whose cues are ok have a row.

    A description that is not published is kept in a failed row: its sentences in `dropped`, each with why.
    """

    layer: ClassVar[str] = "captions"

    language: str
    """ISO 639-1 code; empty where nothing was written."""
    long: str | None
    """At most 300 CLIP tokens."""
    short: str | None
    """At most 77 CLIP tokens."""
    street: str | None = None
    """What the street view alone shows, at most 300 CLIP tokens; null where the captioner does not write it."""
    long_tokens: int
    short_tokens: int
    street_tokens: int = 0
    """CLIP tokens, start and end marks included."""
    sentences: list[Sentence]
    """As published: without those that were dropped."""
    dropped: list[Dropped] = []
    notes: list[Note] = []
    controls: list[Control] = []
    """What was put to the verifier to measure how far it can be believed; none where there is no verifier."""
    turns: list[Turn] = []
    """Requests to the model, in order, of a failed dialogue as well; none where no model was asked."""
    draw: int = 0
    """How often a retry had the model reply anew; the seeds of its requests depend on it."""
    captioner: str
    """Who wrote it: `composer` (no model) or `dialogue`, with its version."""
    prompt_set: str
    model: str | None


class BBox(Record):
    """Bounding box, GeoParquet 1.1 covering."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float


class Sample(Record):
    """One row of a published shard. A view that the place lacks is null."""

    sample_id: str
    region: str
    unit: str
    split: Split
    lat: Latitude
    lon: Longitude
    geometry: bytes
    """WKB point, OGC:CRS84."""
    bbox: BBox
    weight: float
    synthetic: bool
    """True when any picture was drawn and not taken (the synthetic world)."""
    street: Image
    """The perspective view that `description` is written from the standpoint of."""
    street_view: StreetInfo
    panorama: Image | None
    panorama_view: StreetInfo | None
    aerial: Image | None
    aerial_chip: ChipInfo | None
    aerial_scales: list[Chip]
    """The same place from above at other sizes on the ground."""
    drone: Image | None
    drone_chip: ChipInfo | None
    map: Image | None
    map_chip: ChipInfo | None
    other_views: list[StreetView]
    description: str
    """The place from the standpoint of `street`, for whoever looks for it from above: at most 300 CLIP tokens."""
    description_short: str
    """The same in at most 77 CLIP tokens."""
    description_street: str | None
    """What the street views alone show, at most 300 CLIP tokens; null where the captioner does not write it."""
    description_tokens: int
    description_short_tokens: int
    description_street_tokens: int
    """CLIP tokens, start and end marks included."""
    language: str
    """ISO 639-1 code."""
    sentences: list[Sentence]
    cues: list[Cue]
    notes: list[Note]
    """What a model noted on each photo, where one wrote the description."""
    street_signatures: Signatures
    """Of `street`."""
    aerial_signatures: Signatures | None
    """Of `aerial`, null with it."""
    captioner: str
    prompt_set: str
    model: str | None
    licence_class: Literal["public-domain", "attribution", "share-alike", "other"]
    """The strictest class among the sample's pictures and map data."""
    redistributable: bool
    """False if any of its pictures is not."""
