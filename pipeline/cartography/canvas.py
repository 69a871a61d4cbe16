"""A picture that shapes are drawn onto, at twice its size and averaged down."""

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.imaging.types import Pixels

Colour = tuple[int, int, int]
"""Red, green, blue."""

_FINER = 2
_BITS = 4  # of a pixel's fraction in OpenCV's fixed-point coordinates


class Canvas:
    """Shapes in pixels onto a picture; widths in pixels."""

    def __init__(self, size_px: int, land: Colour) -> None:
        self._size = size_px
        self._canvas = np.full((size_px * _FINER, size_px * _FINER, 3), land, np.uint8)

    def picture(self) -> Pixels:
        """The picture at its size."""
        return np.asarray(cv2.resize(self._canvas, (self._size, self._size), interpolation=cv2.INTER_AREA), np.uint8)

    def area(self, shape: BaseGeometry, fill: Colour, edge: Colour | None = None, edge_px: float = 1.0) -> None:
        """Fill an area; its holes stay open."""
        for polygon in _parts(shape, "Polygon"):
            rings = [_fixed(shapely.get_coordinates(ring)) for ring in (polygon.exterior, *polygon.interiors)]
            cv2.fillPoly(self._canvas, rings, fill, cv2.LINE_AA, _BITS)
            if edge is not None:
                cv2.polylines(self._canvas, rings, True, edge, _stroke(edge_px), cv2.LINE_AA, _BITS)

    def line(self, shape: BaseGeometry, width: float, colour: Colour) -> None:
        """Draw lines with round ends."""
        lines = [_fixed(shapely.get_coordinates(part)) for part in _parts(shape, "LineString")]
        cv2.polylines(self._canvas, lines, False, colour, _stroke(width), cv2.LINE_AA, _BITS)

    def dashes(self, shape: BaseGeometry, width: float, colour: Colour, dash: float, gap: float) -> None:
        """Draw lines with gaps."""
        for part in _parts(shape, "LineString"):
            starts = np.arange(0.0, part.length, dash + gap)
            along = np.column_stack([starts, np.minimum(starts + dash, part.length)])
            ends = shapely.get_coordinates(shapely.line_interpolate_point(part, along))
            strokes = _fixed(ends).reshape(-1, 2, 2)
            cv2.polylines(self._canvas, list(strokes), False, colour, _stroke(width), cv2.LINE_AA, _BITS)

    def dot(self, point: BaseGeometry, radius: float, colour: Colour) -> None:
        """Draw a disc."""
        (centre,) = _fixed(shapely.get_coordinates(point))
        cv2.circle(self._canvas, centre.tolist(), round(radius * _FINER * 2**_BITS), colour, -1, cv2.LINE_AA, _BITS)


def _parts(shape: BaseGeometry, kind: str) -> list[BaseGeometry]:
    parts = shapely.get_parts(shape)
    # Clipping can leave a collection with other things in it, where an area touches the edge.
    nested = [part for one in parts for part in shapely.get_parts(one)]
    return [part for part in nested if part.geom_type == kind and not part.is_empty]


def _stroke(width: float) -> int:
    return max(round(width * _FINER), 1)


def _fixed(coordinates: NDArray[np.float64]) -> NDArray[np.int32]:
    """OpenCV's coordinates, which count from the middle of the top left pixel, on the finer canvas."""
    finer = coordinates * _FINER - 0.5
    fixed: NDArray[np.int32] = np.round(finer * 2**_BITS).astype(np.int32)
    return fixed
