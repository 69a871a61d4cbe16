"""The text of labels, and its rendering."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pipeline.cartography.features import Feature
from pipeline.imaging.font import covered, ink

LABEL_CHARACTERS = 28
_MARGIN = 4


def label_of(feature: Feature) -> str | None:
    """The label to write: the name if the font has all its characters, else the English name, else nothing."""
    if not feature.told:
        return None
    for name in (feature.name, feature.name_en):
        if name and all(covered(character) for character in name):
            return name if len(name) <= LABEL_CHARACTERS else name[: LABEL_CHARACTERS - 1].rstrip() + "…"
    return None


@lru_cache(maxsize=4096)
def text_mask(text: str, size: int, weight: int) -> NDArray[np.uint8]:
    """Coverage (0 to 255) of centred lines of text, cut to their ink and a margin of 4 pixels for the halo.

    `size` is in pixels, `weight` from 100 to 900.
    """
    lines = [_line(line, size, weight) for line in text.split("\n")]
    width = max(line.shape[1] for line in lines)
    whole = np.concatenate([np.pad(line, ((0, 0), _centred(width - line.shape[1]))) for line in lines])
    cut = np.pad(whole, _MARGIN)
    cut.flags.writeable = False
    return cut


def _centred(spare: int) -> tuple[int, int]:
    return spare // 2, spare - spare // 2


def _line(text: str, size: int, weight: int) -> NDArray[np.uint8]:
    drawn = ink(text, (size * 2, size * (len(text) + 2) + 2 * _MARGIN), (_MARGIN, round(size * 1.35)), size, weight)
    columns = np.flatnonzero(drawn.any(axis=0))
    rows = np.flatnonzero(drawn.any(axis=1))
    if not len(columns):
        return np.zeros((1, 1), np.uint8)
    # The height stays that of the font, so that labels of one size sit on one line.
    top, bottom = min(int(rows[0]), round(size * 0.5)), max(int(rows[-1]) + 1, round(size * 1.5))
    return drawn[top:bottom, columns[0] : columns[-1] + 1]
