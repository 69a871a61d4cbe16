"""Which positions are on land: the GLOBE mask (about 1 km) of the package `global-land-mask`.

The package itself unpacks the mask into 933 MB on import. This module reads the file as a stream and stores only the
cells at which a row changes between land and sea: 3 MB.

The mask is coarse: coasts are off by up to a cell, lakes and rivers count as land, and islands smaller than a cell may
be missing.
"""

import zipfile
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import MachineError

Floats = NDArray[np.float64]
_PIECE = 8 * 2**20


@dataclass(frozen=True)
class LandMask:
    """The mask, row by row from the north west, as the cells at which sea and land alternate."""

    rows: int
    columns: int
    changes: NDArray[np.uint32]
    """Ascending. The first cell is one of them if it is land."""

    def is_land(self, lon: Floats, lat: Floats) -> NDArray[np.bool_]:
        """Whether positions in degrees (longitude in [-180, 180]) are on land."""
        row = np.clip((90.0 - lat) * (self.rows / 180.0), 0, self.rows - 1).astype(np.uint32)
        column = np.clip((lon + 180.0) * (self.columns / 360.0), 0, self.columns - 1).astype(np.uint32)
        before = np.searchsorted(self.changes, row * np.uint32(self.columns) + column, side="right")
        return np.asarray(before % 2 == 1)


@lru_cache(maxsize=1)
def land_mask() -> LandMask:
    """The mask; reading it takes about three seconds, once per process.

    Raises:
        MachineError: the package is not installed, or its file is not the expected one.
    """
    # Looked up and not imported: see above.
    spec = find_spec("global_land_mask")
    if spec is None or not spec.submodule_search_locations:
        raise MachineError("the land mask is not installed: pip install global-land-mask")
    path = Path(next(iter(spec.submodule_search_locations))) / "globe_combined_mask_compressed.npz"
    try:
        with zipfile.ZipFile(path) as archive, archive.open("mask.npy") as file:
            np.lib.format.read_magic(file)
            (rows, columns), _, _ = np.lib.format.read_array_header_1_0(file)
            changes = []
            start, before = 0, b"\1"  # the file says true for sea
            while piece := file.read(_PIECE):
                cells = np.frombuffer(before + piece, np.uint8)
                changes.append((np.flatnonzero(cells[1:] != cells[:-1]) + start).astype(np.uint32))
                start, before = start + len(piece), piece[-1:]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise MachineError(
            f"the land mask {path} cannot be read ({error}): pip install --force-reinstall --no-deps global-land-mask"
        ) from error
    return LandMask(rows, columns, np.concatenate(changes))
