"""The rows of layers and shards. Angles are degrees, headings clockwise from north, lengths metres.

Positions are WGS84 degrees. The origin of pixel coordinates is the top left corner of the top left pixel, x to the
right and y down. Arrow schemas are derived from these classes (`schemas.arrow`): a field added to one is a column, and
its docstring is the column's description in the JSON Schema beside the shards and in docs/columns.md.
"""

from schemas.records.base import Float32, Heading, Image, Latitude, LayerRow, Longitude, Record, Status
from schemas.records.captions import (
    Answer,
    CaptionRow,
    Claim,
    ClaimKind,
    Control,
    Dropped,
    Frame,
    Note,
    Outcome,
    Sentence,
    Shows,
    Turn,
    Variant,
    Verdict,
)
from schemas.records.cues import Above, Cue, CueRow, Look, Mask, Position, Signature
from schemas.records.imagery import Considered, FactKind, ImageryRow, MapFact, MissingView
from schemas.records.places import BBox, Continent, Site
from schemas.records.sample import AnySplit, Lacking, Sample, Signatures, Split
from schemas.records.views import AERIAL, Chip, ChipInfo, Credit, Quality, StreetInfo, StreetView

__all__ = [
    "AERIAL",
    "Above",
    "Answer",
    "AnySplit",
    "BBox",
    "CaptionRow",
    "Chip",
    "ChipInfo",
    "Claim",
    "ClaimKind",
    "Considered",
    "Continent",
    "Control",
    "Credit",
    "Cue",
    "CueRow",
    "Dropped",
    "FactKind",
    "Float32",
    "Frame",
    "Heading",
    "Image",
    "ImageryRow",
    "Lacking",
    "Latitude",
    "LayerRow",
    "Longitude",
    "Look",
    "MapFact",
    "Mask",
    "MissingView",
    "Note",
    "Outcome",
    "Position",
    "Quality",
    "Record",
    "Sample",
    "Sentence",
    "Shows",
    "Signature",
    "Signatures",
    "Site",
    "Split",
    "Status",
    "StreetInfo",
    "StreetView",
    "Turn",
    "Variant",
    "Verdict",
]
