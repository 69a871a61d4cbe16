"""Scores that tell unusable photos, and the gate that refuses them.

All are taken from luma (ITU-R BT.601, 0 to 255) after scaling the picture to a long side of 512 pixels, so that a score
does not depend on the camera's resolution: a full-size photo is not sharper than the same photo scaled down.

- sharpness: variance of the Laplacian (kernel 0 1 0 / 1 -4 1 / 0 1 0), from 0; Pech-Pacheco et al., ICPR 2000.
- contrast: root-mean-square contrast, the standard deviation, 0 to 127.5; Peli, JOSA A 7(10), 1990.
- entropy: Shannon entropy of the 256-bin histogram, 0 to 8 bits.
- darkness: share of pixels below 32, an eighth of the scale, 0 to 1.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config.imagery import QualityGates
from pipeline.imaging.types import Pixels
from schemas.reasons import Reason
from schemas.records import Quality

_SIDE_PX = 512
_DARK_BELOW = 32


def measure(pixels: Pixels) -> Quality:
    """Scores of a picture, rounded to four decimals."""
    grey = _grey(pixels)
    shares = np.bincount(grey.ravel(), minlength=256) / grey.size
    present = shares[shares > 0]
    return Quality(
        sharpness=round(float(cv2.Laplacian(grey, cv2.CV_64F).var()), 4),
        contrast=round(float(grey.std()), 4),
        entropy=round(float(-(present * np.log2(present)).sum()) + 0.0, 4),
        darkness=round(float(shares[:_DARK_BELOW].sum()), 4),
    )


def gate(quality: Quality, gates: QualityGates) -> Reason | None:
    """Why a picture is refused, or None. Darkness is told first, for a dark picture is flat and soft as well."""
    if quality.darkness > gates.max_darkness:
        return Reason.TOO_DARK
    if quality.contrast < gates.min_contrast or quality.entropy < gates.min_entropy:
        return Reason.TOO_FLAT
    if quality.sharpness < gates.min_sharpness:
        return Reason.TOO_BLURRED
    return None


def _grey(pixels: Pixels) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    scale = _SIDE_PX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), np.uint8)
