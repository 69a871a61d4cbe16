"""The pictures that a model is shown of a place, scaled to what they may cost."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from PIL import Image

from pipeline.config import captioning as config
from pipeline.config.imagery import ImageLimits
from pipeline.digest import digest_bytes
from pipeline.imaging.decode import decode
from pipeline.imaging.encode import encode_jpeg
from pipeline.imaging.turn import north_up
from pipeline.perception.directions import position_of, trusted_heading, turn_between
from schemas.records import Chip, ImageryRow, StreetView

PATCH_PX = 28
"""Side of what becomes one token: 14 px patches, merged 2 x 2 (Qwen2-VL, Qwen2.5-VL; Qwen3-VL's are 32)."""
_LEAST_PATCHES = 4
_MOST_ASPECT = 200
_JPEG_QUALITY = 90
_OWN = ImageLimits(min_side_px=16)


@dataclass(frozen=True)
class Picture:
    """A picture ready to be sent."""

    kind: Literal["street", "aerial", "map"]
    jpeg: bytes
    width: int
    height: int
    view_id: str | None
    direction: str | None
    """Position of a further street view as seen from the main one, where it is known."""
    metres: int | None
    """Side of what a chip shows."""
    octant: int | None
    """Where the main view looks on a chip, in eighths of a turn from its upper edge, clockwise."""

    @cached_property
    def digest(self) -> str:
        """Digest of its bytes."""
        return digest_bytes(self.jpeg, length=32)

    @property
    def tokens(self) -> int:
        """Tokens of the model's context that it costs, its start and end marks included."""
        return (self.width // PATCH_PX) * (self.height // PATCH_PX) + 2


def size_within(width: int, height: int, most_pixels: int) -> tuple[int, int]:
    """Size that a picture is scaled to: multiples of a patch, about the same aspect, at most so many pixels.

    The rule of `qwen_vl_utils.smart_resize`, by which the servers of these models scale: a picture that has such a
    size already is left alone by them. That package is not used, since it imports torch.

    Raises:
        ValueError: one side is more than 200 times the other.
    """
    if max(width, height) > _MOST_ASPECT * min(width, height):
        raise ValueError(f"{width} x {height} pixels, a side 200 times the other at most")
    wide, high = (max(PATCH_PX, round(side / PATCH_PX) * PATCH_PX) for side in (width, height))
    if wide * high > most_pixels:
        shrink = math.sqrt(width * height / most_pixels)
        # Theirs lets the short side of a very long picture come down to nothing.
        wide, high = (max(PATCH_PX, math.floor(side / shrink / PATCH_PX) * PATCH_PX) for side in (width, height))
    elif wide * high < _LEAST_PATCHES * PATCH_PX**2:
        grow = math.sqrt(_LEAST_PATCHES * PATCH_PX**2 / (width * height))
        wide, high = (math.ceil(side * grow / PATCH_PX) * PATCH_PX for side in (width, height))
    return wide, high


def pictures_of(site: ImageryRow, settings: config.Dialogue) -> list[Picture]:
    """The site's perspective views, the main one first, then the aerial chip and the map, as far as there are any.

    Raises:
        SiteError: a picture of the row is damaged.
    """
    views = [view for view in site.views if view.projection == "perspective"][: settings.max_views]
    shown = [_street(view, views[0], settings.view_pixels) for view in views]
    heading = trusted_heading(views[0]) if views else None
    if site.aerial is not None:
        shown.append(_chip("aerial", site.aerial, heading, settings.chip_pixels))
    if site.map is not None:
        shown.append(_chip("map", site.map, heading, settings.chip_pixels))
    return shown


def _street(view: StreetView, main: StreetView, most_pixels: int) -> Picture:
    turn = turn_between(view, main)
    direction = None if view is main or turn is None else position_of(turn).value
    return Picture("street", *_scaled(view.image.bytes, most_pixels), view.view_id, direction, None, None)


def _chip(kind: Literal["aerial", "map"], chip: Chip, heading: float | None, most_pixels: int) -> Picture:
    octant = None if heading is None else round(heading / 45) % 8
    metres = round(chip.gsd_m * chip.width)
    return Picture(kind, *_scaled(chip.image.bytes, most_pixels, chip.bearing_deg), None, None, metres, octant)


def _scaled(data: bytes, most_pixels: int, bearing_deg: float = 0.0) -> tuple[bytes, int, int]:
    pixels = decode(data, _OWN)
    if bearing_deg:  # the prompts say that north is at the top; the corners are black then
        pixels = north_up(pixels, bearing_deg)
    height, width = pixels.shape[:2]
    wide, high = size_within(width, height, most_pixels)
    if (wide, high) != (width, height):
        pixels = np.array(Image.fromarray(pixels).resize((wide, high), Image.Resampling.LANCZOS))
    return encode_jpeg(pixels, _JPEG_QUALITY), wide, high
