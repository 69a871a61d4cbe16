"""Rows of a published dataset. A field of `Sample` is a column."""

from typing import Literal

from schemas.licences import LicenceClass
from schemas.reasons import Reason
from schemas.records.base import Float32, Image, Latitude, Longitude, Record
from schemas.records.captions import Frame, Note, Sentence
from schemas.records.cues import Cue
from schemas.records.places import BBox
from schemas.records.views import Chip, ChipInfo, StreetInfo, StreetView

Split = Literal["train", "val", "test_seen", "test_unseen"]
AnySplit = Literal[Split, "test"]
"""Datasets of formats 1 and 2 have `train`, `val` and `test`."""


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


class Lacking(Record):
    """A view that a sample lacks."""

    view: Literal["street", "aerial", "drone", "map"]
    """Which view."""
    reason: Reason
    """Why, as a reason code."""


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
    """Description of the street views alone, at most 300 CLIP tokens; null if the captioner does not write it."""
    description_tokens: int
    """Length of `description` in CLIP tokens, start and end tokens included."""
    description_short_tokens: int
    """Length of `description_short` in CLIP tokens, start and end tokens included."""
    description_street_tokens: int
    """Length of `description_street` in CLIP tokens, start and end tokens included; 0 without it."""
    description_frame: Frame | None = None
    """Frame of the directions of `description`: the axis of `street` (`heading`) or north (`compass`). One
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
    """Notes of a model on each photo; empty without a model."""
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
    """Licence class of `drone`; null without it."""
    map_licence_class: LicenceClass | None = None
    """Licence class of the map chip; null without it."""
    map_data_licence_class: LicenceClass | None = None
    """Licence class of the map data that map cues, and the sentences that cite them, are derived from; null without map
    cues."""
    redistributable: bool
    """False if any of its pictures is not redistributable."""
    missing: list[Lacking] = []
    """Views that the site lacks, and why."""
