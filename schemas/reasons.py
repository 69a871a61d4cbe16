"""Reason codes: why a site, a view or a description is missing. Used in rows, counters, messages and docs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Reason(StrEnum):
    """A reason code. The value is stored in rows; `ABOUT` has its stage and meaning."""

    # Getting pictures.
    NO_STREET_VIEW = "no_street_view"
    NO_REFERENCE = "no_reference"
    READ_FAILED = "read_failed"
    BAD_POSITION = "bad_position"
    UNUSABLE_LICENCE = "unusable_licence"
    METADATA_ONLY = "metadata_only"

    # The network.
    UNREACHABLE = "unreachable"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    BAD_ANSWER = "bad_answer"
    ANSWER_TOO_LARGE = "answer_too_large"
    REFUSED = "refused"
    GONE = "gone"
    UNSAFE_ADDRESS = "unsafe_address"

    # What came was no usable picture.
    NOT_AN_IMAGE = "not_an_image"
    IMAGE_TRUNCATED = "image_truncated"
    IMAGE_TOO_LARGE = "image_too_large"
    IMAGE_TOO_SMALL = "image_too_small"
    IMAGE_ANIMATED = "image_animated"
    WRONG_ASPECT = "wrong_aspect"
    TOO_BLURRED = "too_blurred"
    TOO_FLAT = "too_flat"
    TOO_DARK = "too_dark"

    # The reference views.
    NO_OVERLAP = "no_overlap"
    ALL_NODATA = "all_nodata"
    PARTLY_COVERED = "partly_covered"
    BLANK_TILE = "blank_tile"
    EMPTY_MAP = "empty_map"

    # Reading and describing.
    ENGINE_FAILED = "engine_failed"
    NO_CUES = "no_cues"
    TOO_LONG = "too_long"
    UNGROUNDED = "ungrounded"
    TOO_LITTLE_TO_SAY = "too_little_to_say"
    INDOORS = "indoors"
    BAD_REPLY = "bad_reply"
    REPLY_CUT = "reply_cut"
    PROMPT_TOO_LONG = "prompt_too_long"
    MODEL_UNREACHABLE = "model_unreachable"
    MODEL_REFUSED = "model_refused"
    TAKEN_DOWN = "taken_down"
    NOT_SELECTED = "not_selected"


@dataclass(frozen=True)
class About:
    """Properties of a reason."""

    stage: Literal["imagery", "cues", "captions", "publish"]
    """The stage that gives it."""
    meaning: str
    """The line that `geoscribe status` prints."""
    passing: bool = False
    """Whether the same request may succeed later, so that `geoscribe retry` is worthwhile."""
    outage: bool = False
    """Whether the source is the cause and not what was requested. Such a site fails even if it could do without the
    view; otherwise the view would be lost for good."""
    redrawn: bool = False
    """Whether a model's reply is the cause, so that a retry asks the model again with other seeds. After other reasons
    the stored replies are reused."""


ABOUT: dict[Reason, About] = {
    Reason.NO_STREET_VIEW: About("imagery", "no photo within the search radius"),
    Reason.NO_REFERENCE: About("imagery", "neither an aerial chip nor a map chip is available"),
    Reason.READ_FAILED: About("imagery", "a file that the source names could not be read"),
    Reason.BAD_POSITION: About("imagery", "the photo's position is impossible (0, 0, or outside the requested area)"),
    Reason.UNUSABLE_LICENCE: About("imagery", "the licence is missing, or forbids a dataset"),
    Reason.METADATA_ONLY: About(
        "imagery", "the source's terms allow ids only; these are recorded as considered photos"
    ),
    Reason.UNREACHABLE: About(
        "imagery",
        "the source did not respond in time, or the connection failed, at every attempt",
        passing=True,
        outage=True,
    ),
    Reason.RATE_LIMITED: About(
        "imagery", "the source asked to wait longer than the limits allow", passing=True, outage=True
    ),
    Reason.SERVER_ERROR: About(
        "imagery", "the source responded with a server error at every attempt", passing=True, outage=True
    ),
    Reason.BAD_ANSWER: About(
        "imagery", "the answer was not what the source documents, or could not be processed", passing=True
    ),
    Reason.ANSWER_TOO_LARGE: About("imagery", "the answer was larger than its kind may be"),
    Reason.REFUSED: About("imagery", "the source, or its robots.txt, refused the request"),
    Reason.GONE: About("imagery", "the source no longer has it"),
    Reason.UNSAFE_ADDRESS: About("imagery", "the source pointed to a URL that is not allowed"),
    Reason.NOT_AN_IMAGE: About("imagery", "not a JPEG, PNG or WebP picture"),
    Reason.IMAGE_TRUNCATED: About("imagery", "the picture is truncated or damaged", passing=True),
    Reason.IMAGE_TOO_LARGE: About("imagery", "more bytes or pixels than the limits allow"),
    Reason.IMAGE_TOO_SMALL: About("imagery", "a side is shorter than the minimum"),
    Reason.IMAGE_ANIMATED: About("imagery", "the file holds several frames"),
    Reason.WRONG_ASPECT: About("imagery", "a panorama that is not twice as wide as high"),
    Reason.TOO_BLURRED: About("imagery", "below the sharpness gate"),
    Reason.TOO_FLAT: About("imagery", "below the contrast or entropy gate"),
    Reason.TOO_DARK: About("imagery", "above the darkness gate"),
    Reason.NO_OVERLAP: About("imagery", "the raster or map does not reach the chip"),
    Reason.ALL_NODATA: About("imagery", "the raster holds no data within the chip"),
    Reason.PARTLY_COVERED: About("imagery", "too little of the chip is covered"),
    Reason.BLANK_TILE: About("imagery", "the source shows its placeholder where imagery should be"),
    Reason.EMPTY_MAP: About("imagery", "the map has no feature within the chip"),
    Reason.ENGINE_FAILED: About(
        "cues",
        "an engine (face blurring, text reading, segmentation, captioning) failed on it unexpectedly: see the log",
    ),
    Reason.NO_CUES: About("cues", "nothing was seen or mapped that a description could rest on"),
    Reason.TOO_LONG: About("captions", "no description under the token limit could be written", redrawn=True),
    Reason.UNGROUNDED: About(
        "captions",
        "most of what the description says is contradicted by the evidence",
        redrawn=True,
    ),
    Reason.TOO_LITTLE_TO_SAY: About(
        "captions",
        "the photos show too little, or too little is left after claims without a witness are dropped",
        redrawn=True,
    ),
    Reason.INDOORS: About("captions", "the model finds that the main photo was taken inside a building", redrawn=True),
    Reason.BAD_REPLY: About("captions", "the model's reply did not match the schema, twice", redrawn=True),
    Reason.REPLY_CUT: About("captions", "the model's reply ended at its token limit, twice", redrawn=True),
    Reason.PROMPT_TOO_LONG: About("captions", "pictures and cues are more than the model takes"),
    Reason.MODEL_UNREACHABLE: About("captions", "no model server responded at any attempt", passing=True),
    Reason.MODEL_REFUSED: About("captions", "the model, or its server, refused a picture or the request", redrawn=True),
    Reason.TAKEN_DOWN: About("publish", "taken down on request: its pictures or its place are on the take-down list"),
    Reason.NOT_SELECTED: About("publish", "left out by `geoscribe subset`, which was asked for others"),
}

EXPLANATIONS: dict[Reason, str] = {reason: about.meaning for reason, about in ABOUT.items()}
TRANSIENT = frozenset(reason for reason, about in ABOUT.items() if about.passing)
OUTAGES = frozenset(reason for reason, about in ABOUT.items() if about.outage)
REDRAWN = frozenset(reason for reason, about in ABOUT.items() if about.redrawn)
