"""A second look at each view, at two enlarged halves of it: what a model says at both scales is no accident of one."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.imaging.types import Pixels

PART = 0.6
"""Share of the view's longer side that each half has; they overlap, for things that the middle would cut."""

Floats: TypeAlias = NDArray[np.float32]
Shares: TypeAlias = dict[str | None, Floats]
"""By label the share, height x width of a picture; None for what is not told. A label that is missing is nowhere."""


def seen_twice(look: Callable[[Pixels], Shares], pixels: Pixels) -> Shares:
    """The mean of what a model says of a view and of its two halves, each enlarged to the model's size."""
    whole = look(pixels)
    height, width = pixels.shape[:2]
    across = width >= height
    part = round(PART * max(height, width))
    times = np.zeros((height, width), np.float32)
    again: Shares = {}
    for start in (0, max(height, width) - part):
        place = np.s_[:, start : start + part] if across else np.s_[start : start + part, :]
        times[place] += 1
        for label, share in look(np.ascontiguousarray(pixels[place])).items():
            again.setdefault(label, np.zeros((height, width), np.float32))[place] += share
    nothing = np.float32(0)
    return {
        label: np.asarray((whole.get(label, nothing) + again.get(label, nothing) / times) / 2, np.float32)
        for label in dict.fromkeys((*whole, *again))
    }
