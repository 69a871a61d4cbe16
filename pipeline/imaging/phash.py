"""Perceptual hash: pictures that look alike have hashes that differ in few bits.

The DCT hash of Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010): 32 x 32 luma, the
64 lowest frequencies without those constant along an axis, one bit each, set where it exceeds their median.
"""

import cv2
import numpy as np

from pipeline.imaging.types import Pixels


def phash(pixels: Pixels) -> str:
    """64-bit hash of a picture, 16 hexadecimal digits."""
    grey = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
    # Rounded, so that the numerical noise around 0 of an even picture does not become bits.
    low = np.round(cv2.dct(grey.astype(np.float64))[1:9, 1:9], 3)
    return np.packbits(low > np.median(low)).tobytes().hex()


def distance(a: str, b: str) -> int:
    """How many of the 64 bits of two hashes differ."""
    return (int(a, 16) ^ int(b, 16)).bit_count()
