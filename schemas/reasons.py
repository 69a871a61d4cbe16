"""Why a site, a view or a description is not there: the one list used in rows, counters, messages and docs."""

from enum import StrEnum


class Reason(StrEnum):
    """A reason code. The value is what stands in a row; `EXPLANATIONS` is what `geoscribe status` prints."""

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
    NO_CUES = "no_cues"
    TOO_LONG = "too_long"
    UNGROUNDED = "ungrounded"
    BAD_REPLY = "bad_reply"
    REPLY_CUT = "reply_cut"
    PROMPT_TOO_LONG = "prompt_too_long"
    MODEL_UNREACHABLE = "model_unreachable"
    MODEL_REFUSED = "model_refused"
    NEAR_DUPLICATE = "near_duplicate"


EXPLANATIONS: dict[Reason, str] = {
    Reason.NO_STREET_VIEW: "no photo within the search radius",
    Reason.NO_REFERENCE: "neither an aerial chip nor a map chip could be had",
    Reason.READ_FAILED: "a file that the source names could not be read",
    Reason.BAD_POSITION: "the source places the photo where it cannot be (0, 0, or outside what was asked for)",
    Reason.UNUSABLE_LICENCE: "the licence is missing, or forbids a dataset",
    Reason.METADATA_ONLY: "the source's terms allow ids and no pictures; they are noted among those considered",
    Reason.UNREACHABLE: "the source did not answer in time, or the connection broke, at every try",
    Reason.RATE_LIMITED: "the source asked to wait longer than the limits allow",
    Reason.SERVER_ERROR: "the source answered with a fault of its own at every try",
    Reason.BAD_ANSWER: "the answer was not what the source documents",
    Reason.ANSWER_TOO_LARGE: "the answer was larger than its kind may be",
    Reason.REFUSED: "the source, or its robots.txt, refused the request",
    Reason.GONE: "the source does not have it any more",
    Reason.UNSAFE_ADDRESS: "the source pointed to an address that it has no business with",
    Reason.NOT_AN_IMAGE: "not a JPEG, PNG or WebP picture",
    Reason.IMAGE_TRUNCATED: "the picture's data is cut or damaged",
    Reason.IMAGE_TOO_LARGE: "more bytes or pixels than the limits allow",
    Reason.IMAGE_TOO_SMALL: "a side is shorter than the minimum",
    Reason.IMAGE_ANIMATED: "the file holds several frames",
    Reason.WRONG_ASPECT: "a panorama that is not twice as wide as high",
    Reason.TOO_BLURRED: "below the sharpness gate",
    Reason.TOO_FLAT: "below the contrast or entropy gate",
    Reason.TOO_DARK: "above the darkness gate",
    Reason.NO_OVERLAP: "the raster or map does not reach the chip",
    Reason.ALL_NODATA: "the raster holds no data within the chip",
    Reason.PARTLY_COVERED: "too little of the chip is covered",
    Reason.BLANK_TILE: "the source shows its placeholder where imagery should be",
    Reason.EMPTY_MAP: "the map has no feature within the chip",
    Reason.NO_CUES: "nothing was seen or mapped that a description could rest on",
    Reason.TOO_LONG: "no description under the token limit could be written",
    Reason.UNGROUNDED: "the description says what its evidence does not, and repair did not mend it",
    Reason.BAD_REPLY: "the model's reply did not keep to its form, twice",
    Reason.REPLY_CUT: "the model's reply ended at its token limit, twice",
    Reason.PROMPT_TOO_LONG: "pictures and cues are more than the model takes",
    Reason.MODEL_UNREACHABLE: "no model server answered, at every try",
    Reason.MODEL_REFUSED: "the model, or its server, refused a picture or the request",
    Reason.NEAR_DUPLICATE: "the same picture stands in another site",
}

TRANSIENT = frozenset(
    {
        Reason.UNREACHABLE,
        Reason.RATE_LIMITED,
        Reason.SERVER_ERROR,
        Reason.BAD_ANSWER,
        Reason.IMAGE_TRUNCATED,
        Reason.MODEL_UNREACHABLE,
    }
)
"""Reasons that the same request may not meet again: what `geoscribe retry` is likely to mend."""
OUTAGES = frozenset({Reason.UNREACHABLE, Reason.RATE_LIMITED, Reason.SERVER_ERROR})
"""Reasons that lie with a source and not with what it was asked for. A site that meets one fails, even if it could do
without the view: else the view would be lost for good, where a retry brings it."""
REDRAWN = frozenset({Reason.BAD_REPLY, Reason.REPLY_CUT, Reason.TOO_LONG, Reason.UNGROUNDED, Reason.MODEL_REFUSED})
"""Reasons that lie with what a model said: a retry has it reply anew, with other seeds. After all other reasons the
replies that are kept are still good, and the retry asks for the one that did not come."""
