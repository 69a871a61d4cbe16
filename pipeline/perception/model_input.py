"""A picture as a closed-set model wants it, and where in the picture a point of what the model sees lies."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config.perception import PictureInput
from pipeline.errors import ConfigError, Problem
from pipeline.imaging.types import Pixels
from pipeline.perception.runtime import ModelInputShape

MULTIPLE_PX = 32
"""Models halve their input up to five times, and many refuse what cannot be halved so often."""


@dataclass(frozen=True)
class Shown:
    """A picture shown to a model. Pixel (x, y) of the picture lies at (left + x * across, top + y * down)."""

    fed: NDArray[Any]
    """1 x 3 x height x width, or 1 x height x width x 3."""
    size: tuple[int, int]
    """Height and width that the model sees, what was filled included."""
    left: float
    top: float
    across: float
    down: float


class ModelInput:
    """Shows pictures to one model."""

    def __init__(self, shape: ModelInputShape, spec: PictureInput, where: str) -> None:
        """Works out the order of axes and the size.

        Raises:
            ConfigError: the input has no axis of three channels, or the spec does not fit it.
        """
        self._spec, self._kind = spec, np.dtype(shape.kind)
        sides = shape.sides
        layouts = [name for name, axis in (("nchw", 1), ("nhwc", 3)) if len(sides) == 4 and sides[axis] in (3, None)]
        if len(layouts) == 2:
            layouts = [name for name, axis in (("nchw", 1), ("nhwc", 3)) if sides[axis] == 3] or layouts
        if spec.layout is not None:
            layouts = [name for name in layouts if name == spec.layout]
        if len(layouts) != 1 or sides[0] not in (1, None):
            found = f"an input of {[side or 'any' for side in sides]}" + (f" as {spec.layout}" if spec.layout else "")
            allowed = "one picture, 1 x 3 x height x width or 1 x height x width x 3; spec.input.layout says which"
            raise ConfigError([Problem(where, found, allowed)])
        self.layout = layouts[0]
        height, width = sides[2:] if self.layout == "nchw" else sides[1:3]
        self._fixed = (height, width) if height is not None and width is not None else None
        plain = (spec.scale, spec.mean, spec.std) == (1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
        if self._kind == np.uint8 and not plain:
            found = "scale, mean or std for a model that is fed bytes"
            raise ConfigError([Problem(where, found, "scale: 1, mean: [0, 0, 0], std: [1, 1, 1]")])

    def trial(self) -> Shown:
        """A small black picture, to see what the model makes of it."""
        return self._show(np.zeros((64, 64, 3), np.uint8), 64)

    def show(self, pixels: Pixels) -> Shown:
        """The picture in the model's size, order of axes, colours and scale."""
        return self._show(pixels, self._spec.side_px)

    def _show(self, pixels: Pixels, side_px: int) -> Shown:
        spec = self._spec
        height, width = pixels.shape[:2]
        rows, columns = self._fixed or seen_size(height, width, side_px)
        inner_rows, inner_columns = rows, columns
        if spec.fit != "stretch":
            scale = min(rows / height, columns / width)
            inner_rows, inner_columns = max(1, round(height * scale)), max(1, round(width * scale))
        top, left = ((rows - inner_rows) // 2, (columns - inner_columns) // 2) if spec.fit == "centre" else (0, 0)
        # Area averaging for what shrinks; enlarged, it would repeat pixels.
        shrinks = inner_rows < height or inner_columns < width
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        seen = np.full((rows, columns, 3), spec.fill, np.uint8)
        seen[top : top + inner_rows, left : left + inner_columns] = cv2.resize(
            pixels, (inner_columns, inner_rows), interpolation=how
        )
        if spec.colours == "bgr":
            seen = seen[:, :, ::-1]
        if self._kind != np.uint8:
            offset = np.array(spec.mean, np.float32)
            seen = (
                (seen.astype(np.float32) * np.float32(spec.scale) - offset) / np.array(spec.std, np.float32)
            ).astype(self._kind)
        axes = (2, 0, 1) if self.layout == "nchw" else (0, 1, 2)
        fed = np.ascontiguousarray(seen.transpose(axes)[None])
        return Shown(fed, (rows, columns), left, top, inner_columns / width, inner_rows / height)


def seen_size(height: int, width: int, side_px: int) -> tuple[int, int]:
    """Height and width at which a model of any size sees a view: the long side as given, both multiples of 32."""
    scale = side_px / max(height, width)
    return (
        max(1, round(height * scale / MULTIPLE_PX)) * MULTIPLE_PX,
        max(1, round(width * scale / MULTIPLE_PX)) * MULTIPLE_PX,
    )
