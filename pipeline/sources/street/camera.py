"""Converts statements of sources about cameras to those of photos."""

import math

UNKNOWN_HEADING = -1.0
"""What cameras and programs write where they know none."""


def heading(value: float | None) -> float | None:
    """A direction as degrees in [0, 360); None where it is unknown."""
    if value is None or value == UNKNOWN_HEADING:
        return None
    return value % 360.0 % 360.0  # -1e-17 % 360 is 360.0, hence twice


def hfov_of_focal(focal: float, width: float, height: float) -> float | None:
    """Horizontal field of view in degrees of a pinhole camera whose focal length is in units of the longer side.

    The unit is OpenSfM's (https://opensfm.org/docs/geometry.html#normalized-image-coordinates).
    """
    if min(focal, width, height) <= 0:
        return None
    return math.degrees(2 * math.atan(width / (2 * focal * max(width, height))))
