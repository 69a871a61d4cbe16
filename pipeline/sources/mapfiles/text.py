"""What labels say, and their pictures."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pipeline.imaging.font import covered, ink
from pipeline.sources.mapfiles.features import Feature

LABEL_CHARACTERS = 28
_MARGIN = 4
_WEIGHT = 500


def label_of(feature: Feature) -> str | None:
    """What to write: the name if the font has all its characters, else the English name, else nothing."""
    if not feature.told:
        return None
    for name in (feature.name, feature.name_en):
        if name and all(covered(character) for character in name):
            return name if len(name) <= LABEL_CHARACTERS else name[: LABEL_CHARACTERS - 1].rstrip() + "…"
    return None


@lru_cache(maxsize=4096)
def text_mask(text: str, size: int) -> NDArray[np.uint8]:
    """Coverage (0 to 255) of a line of text, cut to its ink and a margin of 4 pixels for the halo."""
    drawn = ink(text, (size * 2, size * (len(text) + 2) + 2 * _MARGIN), (_MARGIN, round(size * 1.35)), size, _WEIGHT)
    columns = np.flatnonzero(drawn.any(axis=0))
    rows = np.flatnonzero(drawn.any(axis=1))
    if not len(columns):
        return np.zeros((1, 1), np.uint8)
    # The height stays that of the font, so that labels of one size sit on one line.
    top, bottom = min(int(rows[0]), round(size * 0.5)), max(int(rows[-1]) + 1, round(size * 1.5))
    cut = np.pad(drawn[top:bottom, columns[0] : columns[-1] + 1], _MARGIN)
    cut.flags.writeable = False
    return cut
