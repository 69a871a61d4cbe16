"""Chips that have another direction than north at the top."""

import math

import numpy as np
from PIL import Image

from pipeline.digest import digest
from pipeline.imaging.types import Pixels


def larger_side(size_px: int) -> int:
    """Side of a square, in pixels, of which a square of `size_px` can be cut in any direction around its centre."""
    side = math.ceil(size_px * math.sqrt(2)) + 2  # a pixel around it for interpolation
    return side + (side - size_px) % 2


def turned(pixels: Pixels, bearing_deg: float, size_px: int) -> Pixels:
    """The square of `size_px` around the centre of a picture, with the direction `bearing_deg` at the top.

    Args:
        pixels: with north at the top, square.
        bearing_deg: clockwise from the picture's top.
        size_px: side of the result. What lies outside of the picture is black.
    """
    cosine, sine = math.cos(math.radians(bearing_deg)), math.sin(math.radians(bearing_deg))
    out, centre = size_px / 2, pixels.shape[0] / 2
    # Pillow maps each pixel of the result to where it comes from. With y down, turning the content counter-clockwise
    # reads from the place turned by as much clockwise.
    matrix = (cosine, -sine, centre - cosine * out + sine * out, sine, cosine, centre - sine * out - cosine * out)
    image = Image.fromarray(pixels)
    return np.array(image.transform((size_px, size_px), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC))


def north_up(pixels: Pixels, bearing_deg: float) -> Pixels:
    """A chip that has the direction `bearing_deg` at the top, turned back, of the same size. Its corners are black."""
    return turned(pixels, -bearing_deg, pixels.shape[0])


def drawn_bearing(site_id: str) -> float:
    """A direction for a place that nobody looks from, degrees clockwise from north: whole, and always the same."""
    return float(int(digest("bearing", site_id), 16) % 360)
