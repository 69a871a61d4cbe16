"""The rows of layers and shards. Angles are degrees, headings clockwise from north, lengths metres.

Positions are WGS84 degrees. The origin of pixel coordinates is the top left corner of the top left pixel, x to the
right and y down. Arrow schemas are derived from these classes (`schemas.arrow`): a field added here is a column, and
its docstring is the column's description in the JSON Schema beside the shards and in docs/columns.md.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.licences import LicenceClass
from schemas.reasons import Reason

Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
Heading = Annotated[float, Field(ge=0, lt=360)]
Status = Literal["ok", "failed"]
FactKind = Literal[
    "road", "junction", "crossing", "building", "poi", "green", "water", "rail", "stop", "square", "other"
]
Split = Literal["train", "val", "test_seen", "test_unseen"]
AnySplit = Literal[Split, "test"]
"""Datasets of formats 1 and 2 have `train`, `val` and `test`."""
Continent = Literal["AF", "AS", "EU", "NA", "OC", "SA"]
"""Africa, Asia, Europe, North America, Oceania, South America."""
Float32 = Annotated[float, "float32"]
"""A number that is stored in four bytes (`schemas.arrow`)."""
Above = Literal["aerial", "map", "street_only"]
"""How a thing shows from above: in an aerial picture, on a map only, or not at all."""
Frame = Literal["heading", "compass"]
"""What the directions of a text are relative to: the main view's axis (`on the left`), or north (`to the east`)."""
Variant = Literal["long", "short", "street"]
"""Kind of description: `long` and `short` are for a reader who looks from above, `street` tells of the street views."""


AERIAL = "aerial"
"""Takes the place of a street view's id where the aerial chip is meant."""


class Record(BaseModel):
    """Base of all records. They are immutable and refuse unknown fields."""

    # A limit on texts, of which Arrow takes 2 GiB, makes pydantic refuse lone surrogates too: no file could hold them.
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, str_max_length=2**31 - 1)


class Image(Record):
    """An encoded picture, in the form of the Image feature of `datasets`."""

    bytes: bytes
    """The encoded picture: JPEG or PNG."""
    path: str
    """File name, for readers that write the picture to disk."""


class Site(Record):
    """One sampled coordinate."""

    site_id: str
    """Id of the site: name of the region and a digest."""
    region: str
    """Name of the region."""
    unit: str
    """H3 cell (hexadecimal) of the unit that the site belongs to."""
    lat: Latitude
    """Latitude of the site, degrees."""
    lon: Longitude
    """Longitude of the site, degrees."""
    weight: float
    """Inclusion weight: the photos, square metres of land or metres of road that the site stands for."""


class Credit(Record):
    """Origin and licence of a picture."""

    source: str
    """Name of the source in the build file."""
    source_id: str
    """The source's id of the picture. Ids of several files of a mosaic are joined by a space."""
    author: str
    """Name to credit."""
    licence: str
    """SPDX identifier, or LicenseRef-..."""
    link: str
    """Page of the picture or of the source."""
    redistributable: bool = True
    """False where the source's terms forbid passing the picture on, whatever agreement the build's owner has."""


class Quality(Record):
    """Scores of the quality gates (`pipeline.imaging.quality`)."""

    sharpness: float
    """Variance of the Laplacian."""
    contrast: float
    """Standard deviation of the grey levels (0 to 127.5)."""
    entropy: float
    """Entropy of the grey histogram, bits (0 to 8)."""
    darkness: float
    """Share of pixels darker than an eighth of the scale (0 to 1)."""


class StreetInfo(Credit):
    """Metadata of a street-level view."""

    view_id: str
    """Unique within the site: number of the photo, and the direction for a cut of a panorama (`0`, `0@90`)."""
    projection: Literal["perspective", "equirectangular"]
    """Camera projection."""
    cut_from: str | None
    """`view_id` of the panorama that this view was cut from; null for a photo, and for a view cut from a fisheye."""
    lat: Latitude
    """Latitude of the camera, degrees."""
    lon: Longitude
    """Longitude of the camera, degrees."""
    distance_m: float
    """Distance between site and camera, metres."""
    heading_deg: Heading | None
    """Heading of the optical axis (of the image centre for a panorama), degrees clockwise from north; null if
    unknown."""
    heading_source: Literal["stated", "confirmed", "corrected", "unreliable"] | None = None
    """`stated` by the source and not checked; `confirmed` by the picture's lines or the capture's track; `corrected`
    if both agree on another heading; `unreliable` if one of them contradicts it. Null without a heading."""
    heading_error_deg: float | None = None
    """Uncertainty of the heading: two standard deviations, degrees; 180 if it is known to be unreliable, null if
    nothing is known."""
    position_error_m: float | None = None
    """Uncertainty of the position as the source states it, metres; null if it states none."""
    pitch_deg: float
    """Pitch of the optical axis, degrees above the horizon."""
    hfov_deg: float | None
    """Horizontal field of view, degrees; 360 for a panorama; null if unknown."""
    captured_at: datetime | None
    """Time of capture; null if unknown."""
    sequence: str | None = None
    """The source's id of the capture sequence (a drive, a walk)."""
    width: int
    """Width, pixels."""
    height: int
    """Height, pixels."""
    quality: Quality
    """Scores of the quality gates."""
    faces_blurred: int
    """Number of faces blurred in the photo. 0 for a cut: its panorama has the count."""
    phash: str
    """64-bit perceptual hash, 16 hexadecimal digits. Near-duplicates differ in few bits."""


class StreetView(StreetInfo):
    """A street-level view with its picture."""

    image: Image
    """The picture, with faces blurred and without EXIF."""
    truth: str | None
    """Synthetic world only: JSON of the texts and objects in this view, with their pixel polygons."""


class ChipInfo(Credit):
    """Metadata of a picture from above: north up, in a local metric frame centred on the site."""

    gsd_m: float
    """Ground sample distance, metres per pixel."""
    native_gsd_m: float | None = None
    """Ground sample distance of the source imagery at this place, metres per pixel; greater than `gsd_m` if the chip
    was enlarged. The coarsest one if the chip is a mosaic. Null for drawn chips (maps, the synthetic world)."""
    datum_accuracy_m: float | None = None
    """Accuracy of the transformation from the source's coordinate system to WGS 84, metres, as the EPSG registry states
    it; 0 where it is WGS 84. Null where none is stated, and for drawn chips."""
    width: int
    """Width, pixels."""
    height: int
    """Height, pixels."""
    west: Longitude
    """West edge, degrees."""
    south: Latitude
    """South edge, degrees."""
    east: Longitude
    """East edge, degrees."""
    north: Latitude
    """North edge, degrees."""
    crs: str
    """PROJ string of the local frame (azimuthal equidistant around the site)."""
    captured_at: datetime | None
    """Date of the imagery or of the map extract; null if unknown."""
    covered: float
    """Share of the chip that the source covers, 0 to 1."""
    phash: str | None = None
    """64-bit perceptual hash, 16 hexadecimal digits; null for map chips and in datasets of formats 1 and 2."""


class Chip(ChipInfo):
    """An aerial or map chip with its picture."""

    image: Image
    """The picture."""


class MapFact(Record):
    """A map feature near a site."""

    fact_id: str
    """The map's id of the feature."""
    kind: FactKind
    """Kind of feature."""
    category: str
    """The source's own class, as OSM or Overture name it (`tertiary`, `coffee_shop`, `park`)."""
    name: str | None
    """Name on the map."""
    name_en: str | None
    """English name on the map."""
    distance_m: float
    """Distance from the site to the nearest point of the feature, metres; 0 inside an area."""
    bearing_deg: Heading
    """Bearing of that point from the site, degrees clockwise from north; of the centroid for an area that contains the
    site."""
    axis_deg: Annotated[float, Field(ge=0, lt=180)] | None = None
    """Direction in which a road runs at that point, degrees clockwise from north; null for other things."""
    in_sight: bool | None = None
    """Whether no building on the map stands between the site and the thing; null if the map has no buildings."""
    """From the site to that point; for an area that holds the site, to its centroid."""
    confidence: float | None = None
    """The map's own confidence that the thing exists, 0 to 1; null where it states none."""


class Considered(Record):
    """A photo that was considered for a site, and the decision."""

    source_id: str
    """The source's id of the photo."""
    lat: Latitude
    """Latitude of the camera, degrees."""
    lon: Longitude
    """Longitude of the camera, degrees."""
    distance_m: float
    """Distance between site and camera, metres."""
    heading_deg: Heading | None
    """Heading, degrees clockwise from north; null if unknown."""
    projection: Literal["perspective", "equirectangular", "fisheye"]
    """Camera projection."""
    captured_at: datetime | None
    """Time of capture; null if unknown."""
    author: str
    """Name to credit."""
    licence: str
    """SPDX identifier, or LicenseRef-..."""
    link: str
    """Page of the photo."""
    score: float
    """Penalty (`pipeline.stages.choosing`); photos are tried in ascending order."""
    verdict: str
    """`chosen`, or why it was not chosen."""


class MissingView(Record):
    """A view that the site lacks, and why."""

    view: Literal["street", "aerial", "drone", "map"]
    """Which view."""
    reason: Reason
    """Reason code."""
    detail: str
    """What was found."""


class Lacking(Record):
    """A view that a sample lacks."""

    view: Literal["street", "aerial", "drone", "map"]
    """Which view."""
    reason: Reason
    """Why, as a reason code."""


class LayerRow(Record):
    """The fields that every row of every layer has."""

    layer: ClassVar[str]
    """Name of the layer."""

    site_id: str
    """Id of the site."""
    status: Status
    """Whether the stage succeeded for this site."""
    reason: Reason | None
    """Reason code of a failed site; null otherwise."""
    detail: str | None
    """What was found, in words, if the site failed."""


class ImageryRow(LayerRow):
    """A row of the layer `imagery`: the views of one site. A failed site has empty lists and null chips."""

    layer: ClassVar[str] = "imagery"

    region: str
    """Name of the region."""
    unit: str
    """H3 cell (hexadecimal) of the unit."""
    lat: Latitude
    """Latitude of the site, degrees."""
    lon: Longitude
    """Longitude of the site, degrees."""
    weight: float
    """Inclusion weight."""
    views: list[StreetView]
    """Street views, in the order of their rank."""
    aerial: Chip | None
    """Aerial chip."""
    aerial_scales: list[Chip] = []
    """Further aerial chips with other side lengths."""
    drone: Chip | None = None
    """Drone chip, centred on the first street view."""
    map: Chip | None
    """Map chip."""
    facts: list[MapFact]
    """Map features around the site."""
    charted: list[FactKind] = []
    """Kinds that the map of the place has a layer of, sorted: only of these does its silence mean anything, and only
    for what is worth telling (no plain houses, no driveways)."""
    considered: list[Considered] = []
    """Street photos within the search radius, best first; at most 20."""
    missing: list[MissingView]
    """Views that the site lacks."""


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

    kind: Literal["colour", "marking", "lettering", "background"]
    """Kind of property: the colour of the whole, of a road's painted lines, of a text's letters, of what is behind them."""
    value: str
    """Adjective (`white`, `brick-red`)."""
    confidence: Annotated[float, Field(ge=0, le=1)]
    """Share of the pixels that have this value, among those that have one or, of a colour of the whole, this or the next
    most frequent one, 0 to 1."""


class Cue(Record):
    """One piece of evidence about a place."""

    cue_id: str
    """Unique within the site: `t1` for text, `o1` for an object, `m1` for a map feature."""
    kind: Literal["text", "object", "map"]
    """Text read, object seen, or map feature."""
    label: str
    """`sign` for text; a class of the vocabulary for an object; the kind of feature for a map cue."""
    attribute: str | None
    """Adjective of an object, where one is known: its colour in `looks`, or the engine's own (`brick`, `two-storey`)."""
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


class Signatures(Record):
    """The hand-crafted feature vectors of one picture (`pipeline.perception.signatures`).

    PLANET (CORE) compares such vectors of the aerial view with what a text says about colours, layout and texture.
    """

    colour: list[Float32]
    """48 numbers: histograms of R, G and B with 16 bins each, one after the other; each sums to 1."""
    orientation: list[Float32]
    """18 numbers: histogram of edge orientations, weighted by edge strength, with the sum 1 (0 for a flat picture). Bin
    i is centred on 10 i degrees clockwise from the picture's top (north for a chip); opposite directions share a
    bin."""
    spectrum: list[Float32]
    """32 numbers: log10 of each ring's share of the power of the grey picture at 256 x 256 pixels, minus their mean.
    Ring i covers 4 i to 4 (i + 1) cycles per picture; the minimum is -9."""


class CueRow(LayerRow):
    """A row of the layer `cues`: the evidence about one site. Only sites whose imagery is ok have a row."""

    layer: ClassVar[str] = "cues"

    cues: list[Cue]
    """The cues of the site."""
    signatures: list[Signature] = []
    """Signatures of the perspective street views, in their order, then of the aerial chip."""


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


ClaimKind = Literal["thing", "look", "count", "side", "depth", "relation", "sign", "name", "road", "map"]
Outcome = Literal["supported", "contradicted", "not_witnessed"]
Answer = Literal["yes", "no", "cannot"]
Shows = Literal["from_above", "on_map", "street_only"]
"""Whether what is told can be seen from above, is only on the map, or shows from the street only."""


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
    """What a witness says otherwise, in words."""


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
    """What the street views alone show, at most 300 CLIP tokens; null if the captioner does not write it."""
    long_tokens: int
    """Length of the long description in CLIP tokens, start and end tokens included."""
    short_tokens: int
    """Length of the short description in CLIP tokens, start and end tokens included."""
    street_tokens: int = 0
    """Length of the street description in CLIP tokens, start and end tokens included."""
    long_frame: Frame | None = None
    """What the directions of the long description are relative to: the main view's axis (`heading`) or north
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
    """What a model noted on each photo."""
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


class BBox(Record):
    """Bounding box."""

    xmin: float
    """West, degrees."""
    ymin: float
    """South, degrees."""
    xmax: float
    """East, degrees."""
    ymax: float
    """North, degrees."""


class Sample(Record):
    """A row of a published shard. Missing views are null."""

    sample_id: str
    """Id of the sample: name of the region and a digest."""
    region: str
    """Name of the region."""
    unit: str
    """H3 cell (hexadecimal) of the unit."""
    split: AnySplit
    """Which split. Only datasets of formats 1 and 2 have `test`."""
    lat: Latitude
    """Latitude of the site, degrees (WGS84)."""
    lon: Longitude
    """Longitude of the site, degrees (WGS84)."""
    geometry: bytes
    """The site as a WKB point, OGC:CRS84."""
    bbox: BBox
    """Bounding box of `geometry` (GeoParquet 1.1 covering)."""
    weight: float
    """Inclusion weight: the photos, square metres of land or metres of road that the site stands for."""
    synthetic: bool
    """True if any picture is drawn and not taken (the synthetic world)."""
    street: Image
    """The perspective view that `description` is written from."""
    street_view: StreetInfo
    """Metadata of `street`."""
    panorama: Image | None
    """360-degree photo."""
    panorama_view: StreetInfo | None
    """Metadata of `panorama`."""
    aerial: Image | None
    """Aerial chip."""
    aerial_chip: ChipInfo | None
    """Metadata of `aerial`."""
    aerial_scales: list[Chip]
    """Further aerial chips with other side lengths."""
    drone: Image | None
    """Drone chip."""
    drone_chip: ChipInfo | None
    """Metadata of `drone`."""
    map: Image | None
    """Map chip."""
    map_chip: ChipInfo | None
    """Metadata of `map`."""
    other_views: list[StreetView]
    """Further perspective views."""
    description: str
    """Description of the place as seen from `street`, written for someone who looks for it from above; at most 300 CLIP
    tokens."""
    description_short: str
    """The same in at most 77 CLIP tokens."""
    description_street: str | None
    """What the street views alone show, at most 300 CLIP tokens; null if the captioner does not write it."""
    description_tokens: int
    """Length of `description` in CLIP tokens, start and end tokens included."""
    description_short_tokens: int
    """Length of `description_short` in CLIP tokens, start and end tokens included."""
    description_street_tokens: int
    """Length of `description_street` in CLIP tokens, start and end tokens included; 0 without it."""
    description_frame: Frame | None = None
    """What the directions of `description` are relative to: the axis of `street` (`heading`) or north (`compass`). One
    text has one frame; null if it tells no direction."""
    description_short_frame: Frame | None = None
    """The same of `description_short`."""
    description_street_frame: Frame | None = None
    """The same of `description_street`."""
    language: str
    """ISO 639-1 code of the descriptions."""
    sentences: list[Sentence]
    """Sentences of all descriptions, each with its evidence and claims."""
    cues: list[Cue]
    """Evidence: text read, objects seen, map features."""
    notes: list[Note] = []
    """What a model noted on each photo; empty without a model."""
    street_signatures: Signatures
    """Signatures of `street`."""
    aerial_signatures: Signatures | None
    """Signatures of `aerial`."""
    captioner: str
    """`composer` (no model) or `dialogue`, with its version."""
    prompt_set: str
    """Name of the prompt set."""
    model: str | None
    """Model that wrote the descriptions; null without a model."""
    licence_class: LicenceClass
    """The strictest licence class among the sample's pictures and map data. The class says what a licence requires of
    those who redistribute: nothing, credit, credit and the same licence for adaptations, or something else. Most street
    photos and all OpenStreetMap data are `share-alike`."""
    street_licence_class: LicenceClass | None = None
    """The strictest among `street`, `panorama` and `other_views`."""
    aerial_licence_class: LicenceClass | None = None
    """The strictest among `aerial` and `aerial_scales`; null without them."""
    drone_licence_class: LicenceClass | None = None
    """Of `drone`; null without it."""
    map_licence_class: LicenceClass | None = None
    """Of the map chip; null without it."""
    map_data_licence_class: LicenceClass | None = None
    """Of the map data that map cues, and the sentences that cite them, are derived from; null without map cues."""
    redistributable: bool
    """False if any of its pictures is not redistributable."""
    missing: list[Lacking] = []
    """Views that the site lacks, and why."""
