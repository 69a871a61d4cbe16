"""Short descriptions of a picture that need no learning: its colours, the directions of its edges, its texture.

Training on the published samples can hold them against what a text says of colours, layout and texture, as PLANET
(CORE) does with the reference image. Each is a vector of fixed length, the same on every machine to the digits kept.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.imaging.types import Pixels
from schemas.records import Signature

COLOUR_BINS = 16
"""For each of R, G and B."""
DIRECTIONS = 18
"""Bins of 10 degrees each, over half a turn."""
SIDE_PX = 256
"""Directions and texture are taken at this size, so that equal numbers mean equal shares of the picture."""
RINGS = 32
"""Rings of equal width, up to half the sampling frequency."""
FLOOR = -9.0
"""Minimum of a logarithm: lower values are numerical noise."""
DIGITS = 5

Floats = NDArray[np.float32]


def signatures(view_id: str, pixels: Pixels) -> list[Signature]:
    """The three signatures of a picture; `view_id` is the street view's, or `AERIAL`."""
    found = {"colour": colours(pixels), "orientation": directions(pixels), "spectrum": spectrum(pixels)}
    return [Signature(view_id=view_id, kind=kind, values=values.tolist()) for kind, values in found.items()]


def colours(pixels: Pixels) -> Floats:
    """Histograms of R, G and B, one after the other, each with the sum 1.

    Where a colour stands in the picture makes no difference: turned, mirrored or shifted round it is the same.
    """
    levels = (pixels.reshape(-1, 3).astype(np.int64) * COLOUR_BINS) // 256 + COLOUR_BINS * np.arange(3)
    counts = np.bincount(levels.ravel(), minlength=3 * COLOUR_BINS)
    return _kept(counts / max(len(levels), 1))


def directions(pixels: Pixels) -> Floats:
    """Histogram of the directions in which edges run, weighted by their strength, with the sum 1; 0 where all is flat.

    Directions are degrees clockwise from the picture's top (north, in a chip), without regard to which end is which;
    bin i is centred on 10 i degrees, and a gradient counts in the two bins next to it. It does not change when the
    content is shifted; when the picture is turned by 90 degrees it is shifted by half its length.
    """
    grey = _grey(pixels)
    down, across = np.gradient(grey)
    strength = np.hypot(across, down)
    # An edge runs at right angles to its gradient; with y down, atan2(down, across) is clockwise from the right.
    place = (np.degrees(np.arctan2(down, across)) % 180.0) * DIRECTIONS / 180.0
    lower = np.floor(place)
    share = place - lower
    counts = np.zeros(DIRECTIONS)
    for bins, weight in ((lower, 1.0 - share), (lower + 1, share)):
        counts += np.bincount(
            (bins.astype(int) % DIRECTIONS).ravel(), (weight * strength).ravel(), minlength=DIRECTIONS
        )
    return _kept(counts / counts.sum() if counts.sum() > 1e-6 * grey.size else counts * 0)


def spectrum(pixels: Pixels) -> Floats:
    """Radial power spectrum: log10 of each ring's share of the power of the grey picture, mean taken off.

    The picture is windowed (Hann), so that its borders are no edges; ring i holds the frequencies from i to i + 1 times
    4 cycles a picture. Turning by 90 degrees and mirroring change nothing, shifting little. `FLOOR` where all is flat.
    """
    grey = _grey(pixels)
    window = np.hanning(SIDE_PX)
    grey = (grey - grey.mean()) * window[:, None] * window
    power = np.abs(np.fft.fft2(grey)) ** 2
    frequency = np.fft.fftfreq(SIDE_PX) * SIDE_PX
    ring = (np.hypot(*np.meshgrid(frequency, frequency)) * 2 * RINGS / SIDE_PX).astype(int)
    inside = ring < RINGS
    sums = np.bincount(ring[inside], power[inside], minlength=RINGS)
    total = sums.sum()
    if total <= 1e-6 * grey.size:
        return np.full(RINGS, FLOOR, np.float32)
    return _kept(np.log10(np.maximum(sums / total, 10.0**FLOOR)))


def _grey(pixels: Pixels) -> NDArray[np.float64]:
    """0 to 255, squeezed to a square."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.float64)


def _kept(values: NDArray[np.float64]) -> Floats:
    return np.round(values, DIGITS).astype(np.float32)
