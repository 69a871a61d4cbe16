"""Decode a picture to a model's input size, with chips optionally turned heading-up."""

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.errors import MachineError

Pixels = NDArray[np.uint8]

TURNED_SHARE = 1 / math.sqrt(2)
"""Side of the largest square that lies within a square chip however it is turned."""


def picture(data: bytes, size_px: int, turn_deg: float | None = None) -> Pixels:
    """Decode a published picture to 3 x size x size, RGB.

    Args:
        data: JPEG or PNG.
        size_px: side of the result; what is not square is squeezed to it.
        turn_deg: of a chip, the direction, clockwise from its top, that is to be at the top. The chip is then cut to
            the square that fits at any direction, `TURNED_SHARE` of its side, so that all have one scale and no corner
            is empty. None: as it is.

    Raises:
        MachineError: it cannot be decoded.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            image.draft("RGB", (size_px * 3 // 2, size_px * 3 // 2))
            pixels = image.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises on damaged data
        raise MachineError(f"a picture cannot be read ({error}): run `geoscribe verify` on the dataset") from error
    if turn_deg is None:
        return _planes(pixels.resize((size_px, size_px), Image.Resampling.BICUBIC, reducing_gap=3.0))
    return _planes(_turned(pixels, size_px, turn_deg))


def _turned(pixels: Image.Image, size_px: int, turn_deg: float) -> Image.Image:
    """Scale first and rotate then: scaling smooths, rotation does not."""
    side = round(size_px / TURNED_SHARE)
    scaled = pixels.resize((side, side), Image.Resampling.BICUBIC, reducing_gap=3.0)
    # Pillow maps each pixel of the result to where it comes from. With y down, turning the content by turn_deg counter-
    # clockwise reads from the place turned by as much clockwise.
    cosine, sine = math.cos(math.radians(turn_deg)), math.sin(math.radians(turn_deg))
    out, centre = size_px / 2, side / 2
    matrix = (cosine, -sine, centre - cosine * out + sine * out, sine, cosine, centre - sine * out - cosine * out)
    return scaled.transform((size_px, size_px), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)


def _planes(image: Image.Image) -> Pixels:
    """The picture's pixels in another order, not copied: they are copied once, into a batch."""
    return np.asarray(image, np.uint8).transpose(2, 0, 1)


def turned_orientation(histogram: NDArray[np.float32], turn_deg: float) -> NDArray[np.float32]:
    """Rotate the signature `orientation` of a chip (see `schemas.records.Signatures`) with the chip.

    Bin i is centred on i times the bin's width clockwise from the top; what points to `turn_deg` then points to 0. A
    turn that is no whole number of bins shares each bin out between two.
    """
    bins = len(histogram)
    shift = turn_deg / (180.0 / bins)
    whole, part = math.floor(shift), shift - math.floor(shift)
    rolled = (1 - part) * np.roll(histogram, -whole) + part * np.roll(histogram, -whole - 1)
    return np.asarray(rolled, np.float32)
