"""Small pictures with transparency: lettering for signs, trees, people. Premultiplied RGBA, drawn once and kept."""

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.geo.point import Floats
from pipeline.imaging.font import ink, line_width
from pipeline.memo import LruMemo
from pipeline.world.chance import draws
from pipeline.world.things import Colour, Species

Rgba = NDArray[np.uint8]

_LEAVES: tuple[Colour, ...] = (
    (74, 104, 48),
    (88, 118, 56),
    (62, 92, 52),
    (104, 124, 58),
    (120, 128, 62),
    (80, 110, 70),
)
_NEEDLES: tuple[Colour, ...] = ((44, 74, 50), (52, 84, 62), (60, 84, 54))
_BLOSSOM: Colour = (206, 156, 168)
LETTER_PX = 60
"""Height of the capital letters on a sign's picture is about 0.7 of this."""
_PAD = 22  # pixels around them


@dataclass(frozen=True, eq=False)
class Sprite:
    """A picture in several sizes, each half of the one before, so that it can be shown small without flicker."""

    levels: tuple[Rgba, ...]

    @property
    def aspect(self) -> float:
        """Width over height."""
        return float(self.levels[0].shape[1] / self.levels[0].shape[0])

    @property
    def nbytes(self) -> int:
        """Bytes of all sizes together."""
        return sum(level.nbytes for level in self.levels)

    def at(self, height_px: float) -> Rgba:
        """The smallest level that is at least that high."""
        fit = [level for level in self.levels if level.shape[0] >= height_px]
        return fit[-1] if fit else self.levels[0]


def _sprite(picture: Rgba) -> Sprite:
    levels = [picture]
    while min(levels[-1].shape[:2]) >= 16:
        height, width = levels[-1].shape[:2]
        levels.append(
            np.asarray(cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)
        )
    return Sprite(tuple(levels))


@dataclass(frozen=True, eq=False)
class Lettering:
    """A sign's picture, and where on it the letters are."""

    sprite: Sprite
    box: tuple[float, float, float, float]
    """Left, top, right, bottom of the letters as shares of the picture."""


_letterings: LruMemo[tuple[str, Colour, Colour], Lettering] = LruMemo(96_000_000, lambda made: made.sprite.nbytes)


def lettering(text: str, letters: Colour, board: Colour) -> Lettering:
    """Text on a board."""
    return _letterings.get((text, letters, board), lambda: _drawn_lettering(text, letters, board))


def lettering_aspect(text: str) -> float:
    """Width over height of the picture of a text, which for this need not be drawn."""
    height, width = _board_shape(text)
    return width / height


def _weight(text: str) -> int:
    return 500 + 100 * (len(text) % 3)


def _board_shape(text: str) -> tuple[int, int]:
    return LETTER_PX + 2 * _PAD - 8, line_width(text, LETTER_PX, _weight(text)) + 2 * _PAD


def _drawn_lettering(text: str, letters: Colour, board: Colour) -> Lettering:
    height, width = shape = _board_shape(text)
    letter_mask = ink(text, shape, (_PAD, _PAD + LETTER_PX - 14), LETTER_PX, _weight(text))
    rows, columns = np.flatnonzero(letter_mask.any(axis=1)), np.flatnonzero(letter_mask.any(axis=0))
    share = (np.arange(256) / 255.0)[:, None]
    mixed = np.rint(np.array([*board, 255]) * (1 - share) + np.array([*letters, 255]) * share).astype(np.uint8)
    picture = np.take(mixed, letter_mask, axis=0)
    edge = tuple(int(0.8 * c) for c in board)
    cv2.rectangle(picture, (0, 0), (width - 1, height - 1), (*edge, 255), 3)
    left, right = float(columns[0] / width), float((columns[-1] + 1) / width)
    top, bottom = float(rows[0] / height), float((rows[-1] + 1) / height)
    return Lettering(_sprite(picture), (left, top, right, bottom))


def _stain(picture: Rgba, centres: Floats, radii: Floats, colours: Floats) -> None:
    spots, sizes = (centres * 16).astype(int).tolist(), (radii * 16).astype(int).tolist()
    for spot, size, colour in zip(spots, sizes, colours.tolist(), strict=True):
        cv2.circle(picture, spot, size, (*colour, 255), -1, cv2.LINE_8, 4)


def _tint(species: Species, g: np.random.Generator) -> Floats:
    if species == "conifer":
        return np.array(_NEEDLES[int(g.random() * len(_NEEDLES))], float)
    if species == "round" and g.random() < 0.08:
        return np.array(_BLOSSOM, float)
    return np.array(_LEAVES[int(g.random() * len(_LEAVES))], float)


@lru_cache(maxsize=160)
def tree(species: Species, look: int) -> Sprite:
    """A tree from the side, filling its picture from the ground to the top."""
    g = draws("tree", species, look)
    tint = _tint(species, g)
    height, width = 256, {"round": 190, "broad": 236, "slim": 92, "conifer": 128, "bush": 300}[species]
    picture = np.zeros((height, width, 4), np.uint8)
    bark = (88, 72, 58, 255) if g.random() < 0.8 or species == "conifer" else (190, 186, 176, 255)
    stem = {"round": 0.36, "broad": 0.4, "slim": 0.4, "conifer": 0.3, "bush": 0.0}[species]  # where it ends in leaves
    thick = {"round": 9, "broad": 13, "slim": 7, "conifer": 8, "bush": 0}[species]
    if thick:
        foot, fork = (width // 2, height), (width // 2 + int(g.uniform(-6, 6)), int(height * stem))
        cv2.line(picture, foot, fork, bark, thick, cv2.LINE_8)
    centres, radii = _crown(species, g, width, height)
    light = 1.06 - 0.62 * (centres[:, 1] - centres[:, 1].min()) / max(np.ptp(centres[:, 1]), 1.0)
    light += 0.12 * (0.5 - centres[:, 0] / width) + g.uniform(-0.2, 0.2, len(centres))
    _stain(picture, centres, radii, np.clip(tint * light[:, None], 0, 255))
    return _sprite(picture)


def _crown(species: Species, g: np.random.Generator, width: int, height: int) -> tuple[Floats, Floats]:
    """Blots of leaves, the shaded ones first."""
    count = 520
    u, v = g.random(count), g.random(count)
    if species == "conifer":
        down = np.sqrt(u)
        x = width / 2 + (v - 0.5) * (width - 8) * down * (0.72 + 0.28 * np.sin(down * 34) ** 2)
        y = 4 + down * (height * 0.88)
        radii = g.uniform(2.0, 5.5, count)
    else:
        clumps = 9
        turn, out = g.uniform(0, 2 * np.pi, clumps), np.sqrt(g.random(clumps)) * 0.62
        out[0] = 0.0
        crown = {"round": 0.62, "broad": 0.72, "slim": 0.86, "bush": 0.97}[species]
        cx, cy, rx, ry = width / 2, height * crown / 2, width / 2, height * crown / 2
        middle = np.stack([cx + rx * out * np.cos(turn), cy + ry * out * np.sin(turn)], axis=1)
        which = (u * clumps).astype(int)
        spin, reach = v * 2 * np.pi, np.sqrt(g.random(count)) * 0.4
        x = middle[which, 0] + rx * reach * np.cos(spin)
        y = middle[which, 1] + ry * reach * np.sin(spin)
        radii = g.uniform(2.5, 8.0, count) * (1.0 if species != "slim" else 0.7)
    x, y = np.clip(x, radii, width - radii), np.clip(y, radii, height - radii)
    order = np.argsort(-y, kind="stable")
    return np.stack([x, y], axis=1)[order], radii[order]


@lru_cache(maxsize=160)
def crown_from_above(species: Species, look: int) -> Sprite:
    """The same tree from above, filling a square."""
    tint = _tint(species, draws("tree", species, look))
    g = draws("crown", species, look)
    picture = np.zeros((64, 64, 4), np.uint8)
    count = 170
    turn, out = g.uniform(0, 2 * np.pi, count), np.sqrt(g.random(count))
    spread = 27 * (0.93 + 0.07 * np.sin(5 * turn + g.uniform(0, 6)))
    centres = 32 + spread[:, None] * out[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    lit = 0.9 - 0.010 * (centres[:, 0] - 32) - 0.012 * (centres[:, 1] - 32) + g.uniform(-0.22, 0.22, count)
    _stain(picture, centres, g.uniform(2.0, 5.5, count), np.clip(tint * lit[:, None], 0, 255))
    return _sprite(picture)


@lru_cache(maxsize=64)
def person(top: Colour, look: int) -> Sprite:
    """A person from a distance: no face."""
    g = draws("person", look)
    picture = np.zeros((192, 76, 4), np.uint8)
    skin = tuple(int(c) for c in np.array([224, 180, 150]) * g.uniform(0.45, 1.0))
    legs = tuple(int(c) for c in g.uniform(30, 90, 3))
    stride = int(g.uniform(4, 15))
    for side in (-1, 1):
        cv2.line(picture, (38 + 5 * side, 104), (38 + side * stride, 184), (*legs, 255), 13)
        cv2.line(picture, (38 + 15 * side, 44), (38 + 20 * side, 98), (*top, 255), 9)
    cv2.ellipse(picture, (38, 72), (19, 40), 0, 0, 360, (*top, 255), -1)
    cv2.circle(picture, (38, 19), 12, (*skin, 255), -1)
    cv2.ellipse(picture, (38, 15), (13, 11), 0, 180, 360, (*legs, 255), -1)
    return _sprite(picture)


def stamp(image: NDArray[np.uint8], sprite: Sprite, corners: Floats, tone: Floats | None = None) -> None:
    """Put a sprite on an image.

    Args:
        image: RGB, changed in place.
        sprite: What to put there.
        corners: Pixels of the sprite's top left, top right, bottom right and bottom left corner; 4 x 2.
        tone: Haze: RGB colour and its share, 4 values.
    """
    found = _fit(image.shape[:2], sprite, corners)
    if found is None:
        return
    (left, top, right, bottom), warped = found
    if tone is not None and tone[3] > 0.02:
        alpha = warped[..., 3:].astype(np.float32) / 255.0
        mixed = warped[..., :3] * np.float32(1 - tone[3]) + alpha * (tone[:3] * tone[3]).astype(np.float32)
        warped = np.concatenate([mixed.astype(np.uint8), warped[..., 3:]], axis=2)
    blend(image[top:bottom, left:right], warped)


def blend(image: NDArray[np.uint8], picture: Rgba) -> None:
    """Lay a premultiplied picture over a piece of an image of the same size, in place."""
    clear = cv2.merge([255 - picture[..., 3]] * 3)
    image[:] = cv2.add(cv2.multiply(image, clear, scale=1 / 255.0), picture[..., :3])


def stamp_label(labels: NDArray[np.int32], sprite: Sprite, corners: Floats, label: int) -> None:
    """Write a number where the sprite is opaque."""
    found = _fit(labels.shape[:2], sprite, corners)
    if found is not None:
        (left, top, right, bottom), warped = found
        labels[top:bottom, left:right][warped[..., 3] > 127] = label


def _fit(shape: tuple[int, ...], sprite: Sprite, corners: Floats) -> tuple[tuple[int, int, int, int], Rgba] | None:
    """The sprite bent to its corners, and where in the image that lies; None outside of it or below a pixel."""
    points = corners.tolist()
    across, down = zip(*points, strict=True)
    left, top = max(math.floor(min(across)), 0), max(math.floor(min(down)), 0)
    right, bottom = min(math.ceil(max(across)), shape[1]), min(math.ceil(max(down)), shape[0])
    if right - left < 1 or bottom - top < 1:
        return None
    picture = sprite.at(float(np.hypot(points[3][0] - points[0][0], points[3][1] - points[0][1])))
    x, y = picture.shape[1] - 0.5, picture.shape[0] - 0.5
    source = np.array([(-0.5, -0.5), (x, -0.5), (x, y), (-0.5, y)], np.float32)
    target = np.array([(u - left - 0.5, v - top - 0.5) for u, v in points], np.float32)
    matrix = cv2.getPerspectiveTransform(source, target)
    warped = cv2.warpPerspective(picture, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR)
    return (left, top, right, bottom), np.asarray(warped, np.uint8)


@lru_cache(maxsize=512)
def label(text: str, colour: Colour, height_px: int) -> Rgba:
    """A name for a map: letters with a light rim."""
    face = cv2.FontFace("sans")
    _, _, width, _ = cv2.getTextSize((4096, 4096), text, (0, 0), face, height_px, 450)
    ink = np.zeros((height_px + 10, width + 8), np.uint8)
    cv2.putText(ink, text, (4, height_px), 255, face, height_px, 450)
    rim = cv2.GaussianBlur(cv2.dilate(ink, np.ones((3, 3), np.uint8)), (3, 3), 0)
    alpha = np.maximum(ink, (rim * 0.85).astype(np.uint8)) / 255.0
    share = np.divide(ink / 255.0, alpha, out=np.zeros(ink.shape), where=alpha > 0)[..., None]
    shown = (np.array(colour) * share + 255.0 * (1 - share)) * alpha[..., None]
    return np.asarray(np.rint(np.concatenate([shown, alpha[..., None] * 255.0], axis=2)), np.uint8)
