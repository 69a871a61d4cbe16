"""What sources say of a camera, as photos state it."""

import math


def heading(value: float | None) -> float | None:
    """A direction as degrees in [0, 360)."""
    # -1e-17 % 360 is 360.0, hence twice.
    return None if value is None else value % 360.0 % 360.0


def hfov_of_focal(focal: float, width: float, height: float) -> float | None:
    """Horizontal field of view in degrees of a pinhole camera whose focal length is in units of the longer side.

    The unit is OpenSfM's (https://opensfm.org/docs/geometry.html#normalized-image-coordinates).
    """
    if min(focal, width, height) <= 0:
        return None
    return math.degrees(2 * math.atan(width / (2 * focal * max(width, height))))
