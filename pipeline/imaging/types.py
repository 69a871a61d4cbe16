"""Pictures in memory, and the cameras that see them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""Height x width x 3, RGB."""


@dataclass(frozen=True)
class Camera:
    """A perspective view's geometry, pinhole. Angles in degrees, the heading clockwise from north."""

    heading_deg: float
    pitch_deg: float
    hfov_deg: float
    width: int
    height: int
