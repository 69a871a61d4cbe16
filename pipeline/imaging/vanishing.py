"""Where a photo's long level lines run to: kerbs, eaves, lane markings and window rows that meet in one point.

In a street most of them run along it, so the point's direction is that of the street. It is told from the picture
alone, to compare with what a compass says. Lines are OpenCV's line segments (von Gioi et al., LSD, PAMI 2010); the
point is the one on the horizon that most of their length runs to.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.imaging.types import Pixels

_WIDTH_PX = 640
"""Lines are looked for at this width: what is finer is texture."""
_LEAST_LENGTH = 0.04
"""Of the picture's width."""
_UPRIGHT_DEG = 22.0
"""Lines so near to upright are those of walls and poles."""
_LEVEL_DEG = 3.0
"""Lines so near to level in the picture may run anywhere across it."""
_TIGHT_DEG = 2.0
"""By so much a line that runs to a point may miss it."""
_HORIZON_DEG = 8.0
"""The horizon lies within this of the picture's middle: cameras are held nearly level."""
_STEP_DEG = 1.0
_WIDEST_DEG = 42.0
_LEAST_LINES = 12
_LEAST_SHARE = 0.22
"""Of the lines' length, for a point to be believed."""
_LEAST_LEAD = 1.35
"""Over the best point that lies elsewhere."""
_ELSEWHERE_DEG = 12.0
_OPPOSITE = math.cos(math.radians(_ELSEWHERE_DEG))


@dataclass(frozen=True)
class VanishingPoint:
    """Where a photo's level lines run to."""

    angle_deg: float
    """From the optical axis, positive to the right."""
    share: float
    """Of the length of all lines that are neither upright nor level."""


def vanishing_point(pixels: Pixels, hfov_deg: float) -> VanishingPoint | None:
    """The point that a photo's lines run to, if there is one that stands out.

    Args:
        pixels: of a level perspective photo.
        hfov_deg: its horizontal field of view.
    """
    lines, width, height = _lines(pixels)
    if len(lines) < _LEAST_LINES:
        return None
    focal = width / 2 / math.tan(math.radians(hfov_deg) / 2)
    angles = np.arange(-_WIDEST_DEG, _WIDEST_DEG + _STEP_DEG / 2, _STEP_DEG)
    tilts = np.arange(-_HORIZON_DEG, _HORIZON_DEG + 0.1, 1.0)
    columns = width / 2 + focal * np.tan(np.radians(angles))
    rows = height / 2 + focal * np.tan(np.radians(tilts))
    votes = _votes(lines, columns, rows)
    best = votes.max(axis=0)
    at = int(best.argmax())
    total = float(np.hypot(*(lines[:, 2:] - lines[:, :2]).T).sum())
    apart = np.abs(angles - angles[at]) >= _ELSEWHERE_DEG
    rival = float(best[apart].max()) if apart.any() else 0.0
    if best[at] < _LEAST_SHARE * total or best[at] < _LEAST_LEAD * rival or at in (0, len(angles) - 1):
        return None
    near = np.abs(np.arange(len(angles)) - at) <= 2
    angle = float((angles[near] * best[near]).sum() / best[near].sum())
    return VanishingPoint(round(angle, 2), round(float(best[at]) / total, 4))


def vanishing_around(found: Sequence[tuple[float, VanishingPoint]]) -> VanishingPoint | None:
    """Where a street runs that is seen in both directions, in views that were cut from one picture.

    Views beside each other see the same point, so only points half a turn apart bear each other out.

    Args:
        found: for each view the turn of its axis from the picture's, in degrees, and its point.

    Returns:
        The street's direction from the picture's axis, in [-90, 90).
    """
    ends = [(turn + point.angle_deg, point.share) for turn, point in found]
    streets = []
    for one, _ in ends:
        along = [(_half_turn(end - one), share) for end, share in ends if abs(_half_turn(end - one)) < _ELSEWHERE_DEG]
        weight = sum(share for _, share in along)
        across = [share for end, share in ends if abs(_half_turn(end - one)) >= _ELSEWHERE_DEG]
        both = any(math.cos(math.radians(end - one)) < -_OPPOSITE for end, _ in ends)
        if both and weight >= _LEAST_LEAD * sum(across):
            middle = one + sum(off * share for off, share in along) / weight
            streets.append((weight, round(_half_turn(middle), 2), round(weight / len(along), 4)))
    return VanishingPoint(*max(streets)[1:]) if streets else None


def _half_turn(angle_deg: float) -> float:
    """The same direction, forwards or backwards, in [-90, 90)."""
    return (angle_deg + 90.0) % 180.0 - 90.0


def _lines(pixels: Pixels) -> tuple[NDArray[np.float64], int, int]:
    """Segments x1, y1, x2, y2 that are neither upright nor level, and the size of the picture that they lie in."""
    height, width = pixels.shape[:2]
    scale = min(1.0, _WIDTH_PX / width)
    size = round(width * scale), round(height * scale)
    grey = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(grey)[0]
    if found is None:
        return np.zeros((0, 4)), *size
    lines = np.asarray(found, np.float64).reshape(-1, 4)
    across, down = np.abs(lines[:, 2:] - lines[:, :2]).T
    slope = np.degrees(np.arctan2(down, across))
    kept = (np.hypot(across, down) >= _LEAST_LENGTH * size[0]) & (slope < 90 - _UPRIGHT_DEG) & (slope > _LEVEL_DEG)
    return lines[kept], *size


def _votes(lines: NDArray[np.float64], columns: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each point of a grid (rows x columns) the length of the lines that run to it, each by how straight."""
    middle = (lines[:, :2] + lines[:, 2:]) / 2
    along = lines[:, 2:] - lines[:, :2]
    length = np.hypot(*along.T)
    unit = along / length[:, None]
    x = columns[None, :, None] - middle[None, None, :, 0]
    y = rows[:, None, None] - middle[None, None, :, 1]
    off = np.abs(x * unit[:, 1] - y * unit[:, 0])
    reach = np.maximum(np.hypot(x, y), 1e-9)
    miss = np.degrees(np.arcsin(np.minimum(off / reach, 1.0)))
    beside = reach > length / 2  # a line that holds the point does not run to it
    votes: NDArray[np.float64] = (length * beside * np.exp(-((miss / _TIGHT_DEG) ** 2))).sum(axis=2)
    return votes
