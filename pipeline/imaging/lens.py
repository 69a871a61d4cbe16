"""Pictures that are no pinhole's, parts of a sphere and fisheyes: where each direction lies on them, how far they see.

Angles are in degrees: headings clockwise from north, elevations upwards from the horizon, turns clockwise from the
picture's axis.
"""

import io
import math
import re
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pipeline.errors import SiteError
from pipeline.imaging.panorama import directions
from pipeline.imaging.types import Camera, Pixels
from schemas.reasons import Reason

_MOST_XMP = 256 * 1024
_TAG = re.compile(rb"GPano:(\w+)\s*(?:=\s*[\"']|>)\s*([^\s\"'<][^\"'<]*)")
_CROP_TAGS = (
    "FullPanoWidthPixels",
    "FullPanoHeightPixels",
    "CroppedAreaLeftPixels",
    "CroppedAreaTopPixels",
    "CroppedAreaImageWidthPixels",
    "CroppedAreaImageHeightPixels",
)
_WHOLE = 0.995
"""From this share on a part of a sphere is the whole of it."""
_OTHER_ASPECT = 0.02
"""Share of a picture's height by which it may differ from what is said of it."""
_ONE_COLOUR = 12
"""Levels of 255 by which a padding's pixels may differ from their median, for JPEG."""


@dataclass(frozen=True)
class Crop:
    """Which part of an equirectangular sphere a picture shows, in pixels of the whole sphere's picture.

    The heading of such a picture is that of the whole sphere's centre column.
    """

    full_width: float
    full_height: float
    left: float
    top: float
    width: float
    height: float

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return self.width >= _WHOLE * self.full_width and self.height >= _WHOLE * self.full_height

    def fault(self) -> str | None:
        """The fault, in words; None if there is none."""
        said = f"{self.width:g} x {self.height:g} at {self.left:g}, {self.top:g} of {self.full_width:g} x "
        said += f"{self.full_height:g}"
        if min(self.full_width, self.full_height, self.width, self.height) <= 0 or min(self.left, self.top) < 0:
            return f"{said}: sizes must be positive"
        if self.left + self.width > self.full_width + 2 or self.top + self.height > self.full_height + 2:
            return f"{said}: it reaches beyond the sphere"
        if abs(self.full_width - 2 * self.full_height) > 0.01 * self.full_width:
            return f"{said}: a sphere is twice as wide as high"
        return None


@dataclass(frozen=True)
class Fisheye:
    """An equidistant fisheye with radial distortion, after OpenSfM (its `fisheye` camera model).

    A ray at angle t (radians) from the axis lies f t (1 + k1 t^2 + k2 t^4) from the picture's middle, in units of the
    longer side.
    """

    focal: float
    k1: float
    k2: float

    def radius(self, angle: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance from the middle, in units of the longer side, of rays at angles from the axis, in radians."""
        square = angle**2
        return np.asarray(self.focal * angle * (1 + square * (self.k1 + square * self.k2)))

    def span_deg(self, width: int, height: int) -> float:
        """How wide it sees along the picture's width; at most 360."""
        angles = np.linspace(0.0, math.pi, 1_801)
        radii = self.radius(angles)
        # Beyond the angle at which the radius stops growing the model means nothing.
        turns_back = np.flatnonzero(np.diff(radii) <= 0)
        last = int(turns_back[0]) if len(turns_back) else len(angles) - 1
        inside = np.flatnonzero(radii[: last + 1] <= width / (2 * max(width, height)))
        return 2 * math.degrees(float(angles[inside[-1]])) if len(inside) else 0.0


def stated_crop(data: bytes) -> Crop | None:
    """The part of a sphere that a picture's own XMP says it is (Google's photo sphere tags), if it says so.

    https://developers.google.com/streetview/spherical-metadata

    Raises:
        SiteError: WRONG_ASPECT, when what it says cannot be, or cannot be read.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as picture:
            xmp = picture.info.get("xmp", b"")
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return None  # the decoder says what is wrong with it
    if not isinstance(xmp, bytes):
        return None
    said = {name.decode(): value.strip().decode("utf-8", "replace") for name, value in _TAG.findall(xmp[:_MOST_XMP])}
    tags = {name: _number(name, said[name]) for name in _CROP_TAGS if name in said}
    if len(tags) < len(_CROP_TAGS):
        for side in ("Width", "Height"):
            part, full = tags.get(f"CroppedAreaImage{side}Pixels"), tags.get(f"FullPano{side}Pixels")
            if part is not None and full is not None and part < _WHOLE * full:
                lacking = ", ".join(name for name in _CROP_TAGS if name not in tags)
                raise SiteError(Reason.WRONG_ASPECT, f"GPano tags: a part of a sphere without {lacking}")
        return None
    crop = Crop(*(tags[name] for name in _CROP_TAGS))
    if fault := crop.fault():
        raise SiteError(Reason.WRONG_ASPECT, f"GPano tags: {fault}")
    return crop


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SiteError(Reason.WRONG_ASPECT, f"GPano tags: {name} is {text[:40]!r}")
    return value


def on_sphere(pixels: Pixels, crop: Crop) -> Pixels:
    """A part of a sphere laid on the whole of it, at its own scale; black where it shows nothing.

    A picture that somebody has padded to the whole sphere already, in one colour, is that sphere.

    Raises:
        SiteError: WRONG_ASPECT, when its sides are in another proportion than the part has.
    """
    height, width = pixels.shape[:2]
    if _is_padded(pixels, crop):
        return pixels
    scale = width / crop.width
    if abs(height - crop.height * scale) > max(2.0, _OTHER_ASPECT * height):
        said = f"a picture of {width} x {height} pixels, said to be a part of {crop.width:g} x {crop.height:g}"
        raise SiteError(Reason.WRONG_ASPECT, said)
    full_height = max(1, round(crop.full_height * scale))
    whole = np.zeros((full_height, 2 * full_height, 3), np.uint8)
    left, top = round(crop.left * scale), round(crop.top * scale)
    part = pixels[: whole.shape[0] - top, : whole.shape[1] - left]
    whole[top : top + part.shape[0], left : left + part.shape[1]] = part
    return whole


def _is_padded(pixels: Pixels, crop: Crop) -> bool:
    """Whether a picture is a whole sphere with one colour around the part that it shows."""
    height, width = pixels.shape[:2]
    if abs(width - 2 * height) > 2:
        return False
    x, y = width / crop.full_width, height / crop.full_height
    around = np.ones((height, width), bool)
    rim = 8  # pixels, over which JPEG smears an edge
    top, left = max(0, int(crop.top * y) - rim), max(0, int(crop.left * x) - rim)
    around[top : int((crop.top + crop.height) * y) + rim, left : int((crop.left + crop.width) * x) + rim] = False
    step = max(1, width // 1024)
    outside = pixels[::step, ::step][around[::step, ::step]].astype(np.int16)
    return len(outside) > 0 and bool(np.quantile(np.abs(outside - np.median(outside, axis=0)), 0.99) <= _ONE_COLOUR)


def shown_of_crop(crop: Crop, heading_deg: float, camera: Camera) -> float:
    """Share of a view's pixels that lie on a part of a sphere, 0 to 1."""
    heading, elevation = directions(camera)
    x = ((heading - heading_deg + 180.0) % 360.0) / 360.0 * crop.full_width
    y = (0.5 - elevation / 180.0) * crop.full_height
    inside = (x >= crop.left) & (x <= crop.left + crop.width) & (y >= crop.top) & (y <= crop.top + crop.height)
    return float(inside.mean())


def cut_fisheye(pixels: Pixels, lens: Fisheye, heading_deg: float, camera: Camera) -> tuple[Pixels, float]:
    """The view of a pinhole camera without roll that stands where a fisheye does, and the share of it that is shown.

    Args:
        pixels: of the fisheye, whose axis is level and in the middle of the picture.
        lens: its model.
        heading_deg: of its axis.
        camera: the view wanted.
    """
    height, width = pixels.shape[:2]
    heading, elevation = (np.radians(angles) for angles in directions(camera))
    turn = heading - math.radians(heading_deg)
    right, up = np.sin(turn) * np.cos(elevation), np.sin(elevation)
    ahead = np.cos(turn) * np.cos(elevation)
    off_axis = np.hypot(right, up)
    angle = np.arctan2(off_axis, ahead)
    reach = lens.radius(angle) * max(width, height) / np.maximum(off_axis, 1e-12)
    x = width / 2 + right * reach
    y = height / 2 - up * reach
    seen = angle <= math.radians(lens.span_deg(max(width, height), max(width, height)) / 2)
    inside = seen & (x >= 0) & (x <= width) & (y >= 0) & (y <= height)
    where = (x - 0.5).astype(np.float32), (y - 0.5).astype(np.float32)
    view = np.asarray(cv2.remap(pixels, *where, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT), np.uint8)
    return view, float(inside.mean())


def turns(span_deg: float, hfov_deg: float, most: int) -> list[float]:
    """Turns from the axis at which views of a picture are cut: the axis first, then evenly to either side.

    All round for a whole sphere; for one that sees less, as far as a view still lies within it.
    """
    if span_deg >= 360.0:
        return [360.0 * n / most for n in range(most)]
    reach = max(0.0, (span_deg - hfov_deg) / 2)
    pairs = min((most - 1) // 2, math.ceil(reach / (hfov_deg / 2)))
    steps = [reach * (n + 1) / pairs for n in range(pairs)] if pairs else []
    if not steps and most == 2 and reach > hfov_deg / 4:
        return [-reach, reach]
    return [0.0, *(sign * step for step in steps for sign in (1.0, -1.0))]
