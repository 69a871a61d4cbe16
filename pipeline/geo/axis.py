"""The direction in which a line runs."""

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from pipeline.geo.frame import bearing_deg

_REACH_M = 8.0
"""The direction is taken over so much of the line to either side."""


def axis_deg(shape: BaseGeometry, x: float, y: float) -> float | None:
    """Direction in which lines run at their point nearest to a place, in [0, 180) clockwise from north.

    Args:
        shape: of lines, in metres east and north.
        x: of the place, metres east.
        y: metres north.
    """
    lines = [line for line in shapely.get_parts(shape) if line.geom_type == "LineString"]
    if not lines:
        return None
    here = shapely.Point(x, y)
    line = min(lines, key=lambda one: float(shapely.distance(one, here)))
    along = float(shapely.line_locate_point(line, here))
    ends = shapely.line_interpolate_point(line, [max(0.0, along - _REACH_M), min(line.length, along + _REACH_M)])
    (x1, y1), (x2, y2) = shapely.get_coordinates(ends)
    return None if np.hypot(x2 - x1, y2 - y1) < 1.0 else bearing_deg(x2 - x1, y2 - y1) % 180.0
