"""Weather: where the sun stands, the colour of haze, and the sky."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from pipeline.geo.point import Floats
from pipeline.imaging.types import Pixels
from pipeline.world.chance import draws
from pipeline.world.things import Colour

SKY_REACH = 7.0
"""The sky's picture covers a plane one unit above the eye, so far in each direction; below that is haze."""
_SKY_PX = 384


@dataclass(frozen=True)
class Light:
    """The light in which a photo is taken."""

    name: str
    sun_deg: float
    """Direction that the sun stands in, clockwise from north."""
    sun_height_deg: float
    direct: float
    ambient: float
    haze: Colour
    """Colour of the sky at the horizon."""
    zenith: Colour
    haze_m: float
    """Distance at which 63 % of a thing's colour is haze."""
    clouds: float

    def sun(self) -> Floats:
        """Unit vector to the sun: east, north, up."""
        a, h = np.radians(self.sun_deg), np.radians(self.sun_height_deg)
        return np.array([np.sin(a) * np.cos(h), np.cos(a) * np.cos(h), np.sin(h)])


LIGHTS = (
    Light("clear", 150, 42, 0.50, 0.62, (206, 220, 232), (86, 138, 204), 420.0, 0.25),
    Light("morning", 95, 24, 0.46, 0.62, (236, 224, 204), (128, 164, 206), 330.0, 0.3),
    Light("cloudy", 200, 48, 0.20, 0.80, (212, 216, 220), (160, 172, 186), 300.0, 0.9),
    Light("overcast", 180, 50, 0.10, 0.82, (198, 202, 206), (172, 178, 184), 240.0, 0.6),
    Light("evening", 260, 20, 0.44, 0.58, (240, 212, 184), (120, 148, 192), 360.0, 0.4),
    Light("bright", 210, 55, 0.52, 0.66, (220, 230, 238), (104, 156, 216), 480.0, 0.5),
)


@lru_cache(maxsize=1)
def _cloud_noise() -> Floats:
    """Fractal noise, 0 to 1."""
    g = draws("clouds")
    total = np.zeros((_SKY_PX, _SKY_PX))
    for octave, weight in ((4, 1.0), (8, 0.6), (18, 0.36), (44, 0.2), (96, 0.1)):
        layer = cv2.resize(g.random((octave, octave)), (_SKY_PX, _SKY_PX), interpolation=cv2.INTER_CUBIC)
        total += weight * layer
    return np.asarray((total - total.min()) / np.ptp(total))


@lru_cache(maxsize=1)
def _sky_height() -> Floats:
    """How far up each pixel of the sky's picture is, from 0 at its rim to 1 in the zenith."""
    axis = (np.arange(_SKY_PX) + 0.5) / _SKY_PX * 2 - 1
    out = np.hypot(*np.meshgrid(axis, axis)) * SKY_REACH
    elevation = np.arctan2(1.0, np.maximum(out, 1e-6)) / (np.pi / 2)
    floor = np.arctan(1.0 / SKY_REACH) / (np.pi / 2)
    return np.asarray(np.clip((elevation - floor) / (1 - floor), 0, 1)[..., None] ** 0.55)


@lru_cache(maxsize=32)
def sky(light: Light, turn: int) -> Pixels:
    """The sky from below, the haze at its rim; `turn` (0 to 3) gives the clouds another place."""
    height = _sky_height()
    blue = np.array(light.haze) * (1 - height) + np.array(light.zenith) * height
    noise = np.rot90(_cloud_noise(), turn)
    cover = np.clip((noise - (0.72 - 0.45 * light.clouds)) * 4.0, 0, 1)[..., None] * np.clip(height * 4.0, 0, 1)
    white = np.array([246.0, 246.0, 246.0]) - 44.0 * np.clip(noise - 0.4, 0, 1)[..., None]
    return np.asarray(blue * (1 - 0.8 * cover) + white * 0.8 * cover, np.uint8)


def grain(height: int, width: int, *, coarse: bool, x: int = 0, y: int = 0) -> Pixels:
    """Grey noise around 128, three channels alike: a sensor's, or the ground's with its stains; x and y vary it."""
    tile = _grain(int(coarse))
    size = tile.shape[0]
    top, left = y % size, x % size
    if top + height > size or left + width > size:
        tile = np.tile(tile, (-(-(top + height) // size), -(-(left + width) // size), 1))
    return np.asarray(tile[top : top + height, left : left + width])


@lru_cache(maxsize=2)
def _grain(coarse: int) -> Pixels:
    g = draws("grain", coarse)
    field = g.normal(128, 8.0, (2048, 2048))
    if coarse:
        for size, strength in ((256, 6.0), (64, 4.0)):
            field += cv2.resize(g.normal(0, strength, (size, size)), (2048, 2048), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.merge([np.clip(field, 0, 255, out=field).astype(np.uint8)] * 3), np.uint8)


def plain(height: int, width: int, colour: Colour) -> Pixels:
    """A picture of one colour."""
    return np.asarray(cv2.merge([np.full((height, width), c, np.uint8) for c in colour]), np.uint8)
