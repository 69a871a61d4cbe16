"""What the index table says of a sample's neighbours: which chips overlap its own, and which make a thinned gallery."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.digest import digest
from pipeline.geo.overlaps import Chips, find_overlaps, overlap_blocks, thinned

MOST_OVERLAP = 0.25
"""No two chips of a thinned gallery share more of their area."""
_DIGITS = 4
OVERLAP_TYPE = pa.list_(
    pa.field("element", pa.struct([pa.field("sample_id", pa.string()), pa.field("share", pa.float32())]))
)


@dataclass(frozen=True)
class Positions:
    """Samples and where they are, one item each."""

    ids: Sequence[str]
    lat: NDArray[np.float64]
    """WGS84 degrees."""
    lon: NDArray[np.float64]
    split: NDArray[np.str_]
    side_m: float
    """Side of a chip on the ground."""

    def chips(self, rows: NDArray[np.int64]) -> Chips:
        """Footprints of some samples."""
        return Chips(self.lat[rows], self.lon[rows], np.full(len(rows), self.side_m))


class Gallery:
    """The index columns `overlaps` and `thinned`, for tables of samples in the order of `order`."""

    def __init__(self, positions: Positions, order: Sequence[str]) -> None:
        row = {sample_id: at for at, sample_id in enumerate(positions.ids)}
        self._ids = order
        rows = np.array([row[sample_id] for sample_id in order], dtype=np.int64)
        self._thinned = _thinned(positions)[rows]
        self._overlaps = _overlaps(positions.chips(rows))
        self._at = 0

    def next(self, count: int) -> tuple[pa.Array, pa.Array]:
        """`overlaps` and `thinned` of the next samples."""
        found = list(islice(self._overlaps, count))
        offsets = np.cumsum([0, *(len(others) for others, _ in found)])
        others = np.concatenate([np.empty(0, np.int64), *(others for others, _ in found)])
        shares = np.concatenate([np.empty(0), *(share for _, share in found)]).round(_DIGITS).astype(np.float32)
        kind = OVERLAP_TYPE.value_type
        values = pa.StructArray.from_arrays(
            [pa.array([self._ids[at] for at in others.tolist()], pa.string()), pa.array(shares)], fields=list(kind)
        )
        overlaps = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values).cast(OVERLAP_TYPE)
        thin = pa.array(self._thinned[self._at : self._at + count])
        self._at += count
        return overlaps, thin


def _overlaps(chips: Chips) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    return chain.from_iterable(overlap_blocks(chips, 10**-_DIGITS))


def _thinned(positions: Positions) -> NDArray[np.bool_]:
    """Which samples are in the thinned galleries: chosen in the order of a hash of the id, none of train."""
    chosen = np.zeros(len(positions.ids), dtype=np.bool_)
    for name in sorted(set(positions.split.tolist()) - {"train"}):
        rows = np.flatnonzero(positions.split == name)
        order = sorted(range(len(rows)), key=lambda at: digest("thin", positions.ids[int(rows[at])]))
        chosen[rows] = thinned(
            find_overlaps(positions.chips(rows), MOST_OVERLAP), np.array(order, dtype=np.int64), MOST_OVERLAP
        )
    return chosen
