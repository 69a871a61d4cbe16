"""Whether a view is bright and sharp enough that what a model says of it, and its colours, may be believed."""

from collections.abc import Sequence

import cv2
import numpy as np

from pipeline.imaging.types import Pixels
from pipeline.perception.base import Segment

DARK_SKY, DARK_VIEW, DARK_MIDDLE = 90, 107, 77
"""At night the sky's median lightness is below the first (CIE L* as a byte: 35 of 100). Where none is seen three
quarters of a view are darker than the second (42), or half of it than the third (30)."""
BLUR_SIDE_PX, BLUR_PX, BLURRED = 512, 9, 0.42
"""A view reduced to the first is blurred if so great a share of its neighbours' differences is left after a blur of so
many pixels: the camera moved, or was out of focus."""
LEAST_EDGES = 0.2
"""Mean difference of neighbours (grey values, 0 to 255) below which a direction has no edges to judge by."""


def is_clear(pixels: Pixels, segments: Sequence[Segment]) -> bool:
    """Whether a view is neither taken at night nor blurred."""
    return not is_night(pixels, segments) and not is_blurred(pixels)


def is_night(pixels: Pixels, segments: Sequence[Segment]) -> bool:
    """Whether a view was taken in the dark: a lit shop window may fill half of one."""
    lightness = cv2.cvtColor(np.ascontiguousarray(pixels[::4, ::4]), cv2.COLOR_RGB2LAB)[..., 0]
    sky = [segment.mask[::4, ::4] for segment in segments if segment.label == "sky"]
    seen = lightness[np.logical_or.reduce(sky)] if sky else lightness[:0]
    if seen.size:
        return float(np.median(seen)) < DARK_SKY
    return bool(np.percentile(lightness, 75) < DARK_VIEW or np.median(lightness) < DARK_MIDDLE)


def is_blurred(pixels: Pixels) -> bool:
    """Whether a view is out of focus or moved: a further blur takes little from it (Crete et al. 2007)."""
    scale = min(1.0, BLUR_SIDE_PX / max(pixels.shape))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    grey = cv2.cvtColor(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY).astype(np.float32)
    left = []
    for axis, kernel in ((0, (1, BLUR_PX)), (1, (BLUR_PX, 1))):
        before, after = (np.abs(np.diff(picture, axis=axis)) for picture in (grey, cv2.blur(grey, kernel)))
        if before.mean() >= LEAST_EDGES:
            left.append(1.0 - float(np.maximum(before - after, 0.0).sum() / before.sum()))
    return max(left, default=0.0) >= BLURRED
