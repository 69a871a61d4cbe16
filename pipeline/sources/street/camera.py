"""Converts statements of sources about cameras to those of photos."""

import math

_ONE_DEGREE = math.radians(1.0)
_STEPS = 60
"""Of the iteration, which converges wherever the model means anything."""
UNKNOWN_HEADING = -1.0
"""Values that cameras and programs write where they know none."""
_MOST_TURNS_DEG = 1_080.0
"""Beyond, a number is no direction, but something else in its place."""


def heading(value: float | None) -> float | None:
    """A direction as degrees in [0, 360); None where it is unknown."""
    if value is None or value == UNKNOWN_HEADING or not abs(value) <= _MOST_TURNS_DEG:  # not of NaN either
        return None
    return value % 360.0 % 360.0  # -1e-17 % 360 is 360.0, hence twice


def hfov_of_focal(focal: float, width: float, height: float, k1: float = 0.0, k2: float = 0.0) -> float | None:
    """Horizontal field of view in degrees of a camera whose focal length is in units of the longer side.

    The unit and the model, a pinhole with radial distortion, are OpenSfM's
    (https://opensfm.org/docs/geometry.html#normalized-image-coordinates). None where no pinhole has its directions to
    within a degree.
    """
    if min(focal, width, height) <= 0:
        return None
    edge = width / (2 * focal * max(width, height))
    shares = [n / 16 for n in range(1, 17)]
    true = [_undistorted(share * edge, k1, k2) for share in shares]
    if math.inf in true:
        return None

    def error(half: float) -> float:
        """Of a pinhole that has this tangent at its edge, the most."""
        return max(abs(math.atan(t) - math.atan(share * half)) for t, share in zip(true, shares, strict=True))

    best = min((t / share for t, share in zip(true, shares, strict=True)), key=error)
    return math.degrees(2 * math.atan(best)) if error(best) <= _ONE_DEGREE else None


def _undistorted(radius: float, k1: float, k2: float) -> float:
    """The tangent of the angle from the axis that is drawn at a radius, both in focal lengths; infinite if none is."""

    def scale(r: float) -> float:
        square = r * r
        return 1 + k1 * square + k2 * square * square

    found = radius
    for _ in range(_STEPS):
        if scale(found) <= 0:
            return math.inf
        found = radius / scale(found)
    return found if abs(found * scale(found) - radius) < 1e-6 else math.inf
