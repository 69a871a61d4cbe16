"""Perspective views cut from equirectangular panoramas.

Angles: heading clockwise from north, pitch upwards from the horizon. A panorama covers 360 x 180 degrees; its centre
column looks towards its heading, and columns to the right turn clockwise.
"""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SiteError
from pipeline.imaging.types import Camera, Pixels
from schemas.reasons import Reason

_MARGIN_PX = 4  # what cubic interpolation reaches over, and some


def cut(panorama: Pixels, pano_heading_deg: float, camera: Camera) -> Pixels:
    """The view of a pinhole camera without roll that stands where the panorama was taken; see `cuts`."""
    return next(cuts(panorama, pano_heading_deg, [camera]))


def cuts(panorama: Pixels, pano_heading_deg: float, cameras: Sequence[Camera]) -> Iterator[Pixels]:
    """The views of pinhole cameras without roll that stand where the panorama was taken.

    Args:
        panorama: Equirectangular, twice as wide as high (two pixels of rounding are allowed).
        pano_heading_deg: Direction of the panorama's centre column.
        cameras: The views wanted; their horizontal fields of view are below 180 degrees.

    Yields:
        camera.height x camera.width x 3. Where the view is coarser than the panorama, the panorama is scaled down
        first to the view's resolution on the optical axis, so that there is no moire: once for all views in a row that
        need the same.

    Raises:
        SiteError: WRONG_ASPECT, when the panorama is not twice as wide as high.
    """
    height, width = panorama.shape[:2]
    if abs(width - 2 * height) > 2:
        raise SiteError(Reason.WRONG_ASPECT, f"a panorama of {width} x {height} pixels, must be twice as wide as high")
    scaled = panorama
    for camera in cameras:
        size = _size_for(camera, width, height)
        if size != scaled.shape[1::-1]:
            scaled = panorama
            if size != (width, height):
                scaled = np.asarray(cv2.resize(panorama, size, interpolation=cv2.INTER_AREA), np.uint8)
        yield _cut(scaled, pano_heading_deg, camera)


def _size_for(camera: Camera, width: int, height: int) -> tuple[int, int]:
    """Width and height of a panorama that is no finer than a view on its optical axis."""
    axis_step = math.atan(2 * math.tan(math.radians(camera.hfov_deg) / 2) / camera.width)
    coarser = axis_step / (2 * math.pi / width)
    return (max(1, round(width / coarser)), max(1, round(height / coarser))) if coarser > 1 else (width, height)


def _cut(panorama: Pixels, pano_heading_deg: float, camera: Camera) -> Pixels:
    height, width = panorama.shape[:2]
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
    off_axis, elevation = _seen_from_axis(camera.width, camera.height, camera.hfov_deg, camera.pitch_deg)
    return (camera.heading_deg + off_axis) % 360.0, elevation


@lru_cache(maxsize=2)  # of the views cut from one panorama, for lines and to be shown, only the headings differ
def _seen_from_axis(
    width: int, height: int, hfov_deg: float, pitch_deg: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Degrees clockwise from the camera's heading, and elevation."""
    focal_px = width / (2 * math.tan(math.radians(hfov_deg) / 2))
    right = (np.arange(width) + 0.5 - width / 2)[None, :]
    up = (height / 2 - np.arange(height) - 0.5)[:, None]
    sin, cos = math.sin(math.radians(pitch_deg)), math.cos(math.radians(pitch_deg))
    ahead = focal_px * cos - up * sin
    above = focal_px * sin + up * cos
    found = np.degrees(np.arctan2(right, ahead)), np.degrees(np.arctan2(above, np.hypot(right, ahead)))
    for angles in found:
        angles.flags.writeable = False
    return found
