"""Street pictures: sky, ground and things in the view of one camera, and panoramas made of six such views."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.geo.point import Floats
from pipeline.imaging.types import Pixels
from pipeline.world import ground
from pipeline.world.light import SKY_REACH, Light, grain, plain, sky
from pipeline.world.mesh import Mesh
from pipeline.world.scene import RANGE_M, Eye, cells_in_view, look, paint_things
from pipeline.world.town import Town

PANORAMA_PX = 2048
"""Width of a panorama."""
_FACE_PX = 660
_FACE_HALF_DEG = 45.5  # a little more than a cube's face, so that joining them needs no border


def ground_windows(eye: Eye) -> list[ground.Window]:
    """The pictures of the ground that a view is made of: all of it coarsely, then what is near."""

    def ahead(distance: float) -> tuple[float, float]:
        h = np.radians(eye.heading)
        return eye.x + float(np.sin(h)) * distance, eye.y + float(np.cos(h)) * distance

    if abs(eye.pitch) > 45:
        return [ground.Window(eye.x, eye.y, eye.heading, 500, 500 / 14.0)]
    far, near = ahead(RANGE_M / 2 - 4), ahead(17.0)
    return [
        ground.Window(*far, eye.heading, 704, 704 / (RANGE_M + 20)),
        ground.Window(*near, eye.heading, 760, 760 / 38.0),
    ]


def to_picture(eye: Eye, window: ground.Window) -> Floats:
    """3 x 3: drawing coordinates of the picture from those of a ground window."""
    to_town = np.linalg.inv(np.vstack([window.matrix(), [0, 0, 1]]))
    rotate = eye.axes
    # A ground point (x, y, 0) in camera space is linear in (x, y, 1).
    space = np.column_stack([rotate[:, 0], rotate[:, 1], -rotate @ (eye.x, eye.y, eye.z)])
    project = np.array([[eye.focal, 0, eye.width / 2], [0, eye.focal, eye.height / 2], [0, 0, 1]])
    half = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    return np.asarray(half @ project @ space @ to_town @ np.linalg.inv(half))


def horizon_row(eye: Eye) -> float:
    """Row of the horizon; above or below the picture for a steep view."""
    if abs(eye.pitch) > 45:
        return -1.0 if eye.pitch < 0 else float(eye.height)
    return eye.height / 2 + eye.focal * float(np.tan(np.radians(eye.pitch)))


def paint_view(town: Town, eye: Eye, light: Light, extra: Mesh, *, grainy: bool = True) -> Pixels:
    """The picture that an eye sees."""
    image = _sky(eye, light)
    top = int(np.clip(np.ceil(horizon_row(eye)), 0, eye.height))
    if top < eye.height:
        _ground(image, top, town, eye, light)
    paint_things(image, look(town, eye, extra), light)
    return add_grain(image) if grainy else image


def add_grain(image: Pixels) -> Pixels:
    """The same picture with noise, as a sensor has it."""
    height, width = image.shape[:2]
    return np.asarray(cv2.addWeighted(image, 1.0, grain(height, width, coarse=False), 0.6, -76.8), np.uint8)


def _sky(eye: Eye, light: Light) -> Pixels:
    turn = int(abs(eye.x) / 150 + abs(eye.y) / 230) % 4
    picture = sky(light, turn)
    size = picture.shape[0]
    scale = size / (2 * SKY_REACH)
    # From the sky's picture to a plane one unit above the eye, then as for the ground.
    to_plane = np.array([[1 / scale, 0, -SKY_REACH], [0, -1 / scale, SKY_REACH], [0, 0, 1]])
    project = np.array([[eye.focal, 0, eye.width / 2 - 0.5], [0, eye.focal, eye.height / 2 - 0.5], [0, 0, 1]])
    matrix = project @ eye.axes @ to_plane
    rows = int(np.clip(np.ceil(horizon_row(eye)), 0, eye.height))
    image = plain(eye.height, eye.width, light.haze)
    if rows:
        image[:rows] = cv2.warpPerspective(
            picture,
            matrix,
            (eye.width, rows),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=light.haze,
        )
        _skyline(image, eye, light)
    return image


@lru_cache(maxsize=8)
def _hills(number: int) -> Floats:
    """Height of the skyline (tangent of its elevation) for each of 360 degrees."""
    turn = np.radians(np.arange(360))
    waves = sum(np.sin(k * turn + number * k * 1.7) / k for k in (2, 3, 5, 8, 13))
    blocky = np.repeat((np.sin(np.arange(120) * (7.3 + number)) > 0.2) * 0.012, 3)
    return np.asarray(0.035 + 0.012 * waves + blocky)


def _skyline(image: Pixels, eye: Eye, light: Light) -> None:
    """Far roofs and hills in the haze."""
    if abs(eye.pitch) > 45:
        return
    heights = _hills(int(abs(eye.x + eye.y) / 400) % 8)
    azimuth = np.arange(int(eye.heading) - 60, int(eye.heading) + 61)
    h = np.radians(azimuth)
    for reach, mix in ((heights, 0.78), (np.roll(heights, 77) * 0.6, 0.62)):
        tops = np.stack([np.sin(h), np.cos(h), reach[azimuth % 360]], axis=1)
        feet = np.stack([np.sin(h), np.cos(h), np.full(len(h), -0.016)], axis=1)
        space = np.concatenate([tops, feet[::-1]]) @ eye.axes.T
        points = np.rint(eye.pixels(space) * 16).astype(np.int32)
        colour = np.array(light.haze) * mix + np.array([72, 84, 84]) * (1 - mix)
        cv2.fillPoly(image, [points], colour.tolist(), cv2.LINE_AA, 4)


def _ground(image: Pixels, top: int, town: Town, eye: Eye, light: Light) -> None:
    down = np.array([[1, 0, 0], [0, 1, -top], [0, 0, 1.0]])
    base = np.array([120, 124, 112]) * 0.5 + np.array(light.haze) * 0.5
    below = plain(image.shape[0] - top, image.shape[1], (int(base[0]), int(base[1]), int(base[2])))
    for window in ground_windows(eye):
        flat = ground.paint(town, cells_in_view(town, eye, window.size_px / window.scale * 0.75), window)
        flat = ground.texture(flat, window, light)
        matrix = down @ to_picture(eye, window)
        size = (below.shape[1], below.shape[0])
        cv2.warpPerspective(flat, matrix, size, dst=below, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)
    _haze(below, top, eye, light)
    image[top:] = below


def _haze(below: NDArray[np.uint8], top: int, eye: Eye, light: Light) -> None:
    """Mix haze into the ground's upper rows, which are far away."""
    if abs(eye.pitch) > 45:
        return
    rows = np.arange(below.shape[0]) + top + 0.5 - horizon_row(eye)
    distance = eye.z * eye.focal / np.maximum(rows, 0.5)
    share = 1 - np.exp(-np.minimum(distance, 600.0) / light.haze_m)
    count = int((share > 0.02).sum())
    mix = share[:count, None, None].astype(np.float32)
    below[:count] = below[:count] * (1 - mix) + np.array(light.haze, np.float32) * mix


@lru_cache(maxsize=1)
def _panorama_maps() -> list[tuple[slice, slice, NDArray[np.float32], NDArray[np.float32]]]:
    """For each cube face, where in the panorama it may be, and the face's pixels there (-1 where it is not)."""
    height, width = PANORAMA_PX // 2, PANORAMA_PX
    lon = ((np.arange(width) + 0.5) / width - 0.5) * 2 * np.pi
    lat = (0.5 - (np.arange(height) + 0.5) / height) * np.pi
    focal = _FACE_PX / 2 / np.tan(np.radians(_FACE_HALF_DEG))
    flat = np.cos(lat)[:, None]
    ray = np.empty((height, width, 3))
    ray[..., 0], ray[..., 1], ray[..., 2] = np.sin(lon) * flat, np.cos(lon) * flat, np.sin(lat)[:, None]
    best, most = np.zeros((height, width), np.uint8), ray[..., 1].copy()
    for face, (axis, sign) in enumerate(((0, 1), (1, -1), (0, -1), (2, 1), (2, -1)), start=1):
        share = ray[..., axis] * sign
        best[share > most] = face
        np.maximum(most, share, out=most)
    found = []
    for face, (heading, pitch) in enumerate(FACES):
        mine = best == face
        rows, columns = np.flatnonzero(mine.any(axis=1)), np.flatnonzero(mine.any(axis=0))
        where = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
        axes = Eye(0, 0, 0, heading, pitch, focal, _FACE_PX, _FACE_PX).axes
        space = ray[where] @ axes.T
        depth = np.where(mine[where], space[..., 2], np.nan)
        x, y = (space[..., k] / depth * focal + _FACE_PX / 2 - 0.5 for k in (0, 1))
        found.append(
            (*where, np.nan_to_num(x, nan=-9.0).astype(np.float32), np.nan_to_num(y, nan=-9.0).astype(np.float32))
        )
    return found


FACES = ((0.0, 0.0), (90.0, 0.0), (180.0, 0.0), (270.0, 0.0), (0.0, 90.0), (0.0, -90.0))
"""Heading and pitch of a cube's faces, relative to the panorama's centre."""


def paint_panorama(town: Town, x: float, y: float, z: float, heading: float, light: Light, extra: Mesh) -> Pixels:
    """An equirectangular picture whose centre looks along `heading`; 1024 x 2048 x 3."""
    focal = _FACE_PX / 2 / float(np.tan(np.radians(_FACE_HALF_DEG)))
    image = np.zeros((PANORAMA_PX // 2, PANORAMA_PX, 3), np.uint8)
    for (turn, pitch), (rows, columns, map_x, map_y) in zip(FACES, _panorama_maps(), strict=True):
        eye = Eye(x, y, z, heading + turn, pitch, focal, _FACE_PX, _FACE_PX)
        face = paint_view(town, eye, light, extra, grainy=False)
        cv2.remap(face, map_x, map_y, cv2.INTER_LINEAR, dst=image[rows, columns], borderMode=cv2.BORDER_TRANSPARENT)
    return add_grain(image)
