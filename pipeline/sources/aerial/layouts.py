"""Layouts that chips are warped from: grids of pixels that are read in windows, in a file or at an address."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

RGBA = NDArray[np.uint8]
"""4 x height x width; alpha is 255 where there is data and 0 elsewhere."""


@dataclass(frozen=True)
class Grid:
    """Where a raster's pixels lie."""

    name: str
    crs: str
    """WKT or authority code."""
    transform: Affine
    width: int
    height: int
    datum_accuracy_m: float | None = 0.0
    """Accuracy of the operation from its system to WGS 84, metres; see `pipeline.sources.aerial.datum`."""


class Layout(Protocol):
    """A way to keep rasters."""

    grids: list[Grid]

    def read(self, grid: Grid, window: Window, shape: tuple[int, int]) -> tuple[RGBA, list[str]]:
        """A window, averaged down to `shape` or left as it is, and the names of the files it comes from, if any.

        Raises:
            SiteError: READ_FAILED.
        """
        ...

    def files(self) -> Iterator[tuple[str, Path]]:
        """Names and paths of all files, sorted."""
        ...
