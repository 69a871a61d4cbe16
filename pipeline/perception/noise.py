"""Drops OCR results that are no texts: pictograms, masonry, words cut by the edge of the view."""

import numpy as np
from numpy.typing import NDArray

from pipeline.perception.base import TextBox
from pipeline.perception.scripts import main_script
from pipeline.perception.text import publishable

EDGE_SHARE = 0.004
"""Text nearer than this to the left or right edge is most often the rest of a word: `IRD` of a FREEBIRD."""

# Bars, frames, hoops and windows are read as these, with confidences up to 0.99.
_STROKES = frozenset("Il1i|oO0一二三丨口十工厂日田目回门")


def text_box(words: str, confidence: float, corners: NDArray[np.float64], width: int, height: int) -> TextBox | None:
    """A reading as a text box, cleaned; None where it is noise, personal data or an instruction.

    Args:
        words: as read.
        confidence: the engine's own; above 1 counts as 1.
        corners: n x 2, pixels of the view, clockwise from the text's top left; clipped to the view.
        width: of the view, in pixels.
        height: likewise.
    """
    text = publishable(words)
    if text is None or confidence < required_confidence(text):
        return None
    polygon = np.clip(corners, 0.0, (width, height))
    if polygon[:, 0].min() < EDGE_SHARE * width or polygon[:, 0].max() > width - EDGE_SHARE * width:
        return None
    return TextBox(
        text=text,
        confidence=round(min(confidence, 1.0), 4),
        polygon=tuple(polygon.round(2).ravel().tolist()),
        script=main_script(text),
    )


def required_confidence(text: str) -> float:
    """How sure the engine must be of a text, beyond the configured minimum; above 1 for what is always noise.

    Pictograms, masonry and letters of a script that the model does not know are read as a few Han characters at up to
    0.88, and as single Latin letters and digits at up to 0.89 (corpus photos).
    """
    marks = [character for character in text if character.isalnum()]
    east_asian = sum(main_script(character) in ("Hani", "Hira", "Kana") for character in marks)
    if not marks or (len(marks) == 1 and marks[0] in _STROKES):
        return 1.1
    if len(marks) == 1:
        return 0.97 if east_asian else 0.9
    return 0.9 if 0 < east_asian < 5 else 0.0
