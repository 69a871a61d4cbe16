"""Perspective views cut from equirectangular panoramas.

Angles: heading clockwise from north, pitch upwards from the horizon. A panorama covers 360 x 180 degrees; its centre
column looks towards its heading, and columns to the right turn clockwise.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SiteError
from pipeline.imaging.types import Camera, Pixels
from schemas.reasons import Reason

_MARGIN_PX = 4  # what cubic interpolation reaches over, and some


def cut(panorama: Pixels, pano_heading_deg: float, camera: Camera) -> Pixels:
    """The view of a pinhole camera without roll that stands where the panorama was taken.

    Args:
        panorama: Equirectangular, twice as wide as high (two pixels of rounding are allowed).
        pano_heading_deg: Direction of the panorama's centre column.
        camera: The view wanted; its horizontal field of view is below 180 degrees.

    Returns:
        camera.height x camera.width x 3. Where the view is coarser than the panorama, the panorama is scaled down
        first to the view's resolution on the optical axis, so that there is no moire.

    Raises:
        SiteError: WRONG_ASPECT, when the panorama is not twice as wide as high.
    """
    height, width = panorama.shape[:2]
    if abs(width - 2 * height) > 2:
        raise SiteError(Reason.WRONG_ASPECT, f"a panorama of {width} x {height} pixels, must be twice as wide as high")
    axis_step = math.atan(2 * math.tan(math.radians(camera.hfov_deg) / 2) / camera.width)
    coarser = axis_step / (2 * math.pi / width)
    if coarser > 1:
        width, height = max(1, round(width / coarser)), max(1, round(height / coarser))
        panorama = np.asarray(cv2.resize(panorama, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    heading, elevation = directions(camera)
    turn = np.radians(heading - pano_heading_deg + 180.0) % (2 * np.pi)
    # Pixel centres lie at .5, cv2 counts them from 0.
    x = turn / (2 * np.pi) * width - 0.5 + _MARGIN_PX
    y = (0.5 - elevation / 180.0) * height - 0.5
    wrapped = cv2.copyMakeBorder(panorama, 0, 0, _MARGIN_PX, _MARGIN_PX, cv2.BORDER_WRAP)
    where = x.astype(np.float32), y.astype(np.float32)
    return np.asarray(cv2.remap(wrapped, *where, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def directions(camera: Camera) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Heading and elevation in degrees that each pixel's centre looks at, two arrays of height x width."""
    focal_px = camera.width / (2 * math.tan(math.radians(camera.hfov_deg) / 2))
    right = (np.arange(camera.width) + 0.5 - camera.width / 2)[None, :]
    up = (camera.height / 2 - np.arange(camera.height) - 0.5)[:, None]
    sin, cos = math.sin(math.radians(camera.pitch_deg)), math.cos(math.radians(camera.pitch_deg))
    ahead = focal_px * cos - up * sin
    above = focal_px * sin + up * cos
    heading = camera.heading_deg + np.degrees(np.arctan2(right, ahead))
    elevation = np.degrees(np.arctan2(above, np.hypot(right, ahead)))
    return heading % 360.0, elevation
