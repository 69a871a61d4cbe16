"""Neighbours in the index table: the chips that overlap a sample's own, and those that make a thinned gallery."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.digest import digest
from pipeline.geo.overlaps import Chips, find_overlaps, overlap_blocks, thinned

MOST_OVERLAP = 0.25
"""No two chips of a thinned gallery share more of their area."""
ADDED = ("continent", "overlaps", "thinned")
"""The columns of the index that do not follow from a sample alone. They may change when a build grows."""
_DIGITS = 4
_STRUCT = pa.struct([pa.field("sample_id", pa.string()), pa.field("share", pa.float32())])
_Found = tuple[NDArray[np.int64], NDArray[np.float64]]


def with_neighbours(
    tables: Sequence[pa.Table], side_m: float, continents: Mapping[str, str | None]
) -> Iterator[pa.Table]:
    """The rows of the index, shard by shard, with the columns `ADDED`.

    Args:
        tables: all rows of the index without these columns, a table for each shard.
        side_m: side of a chip on the ground.
        continents: by region.
    """
    if not tables:
        return
    light = pa.concat_tables([table.select(["sample_id", "lat", "lon", "split"]) for table in tables])
    ids, split = light["sample_id"].to_pylist(), np.array(light["split"].to_pylist(), dtype=np.str_)
    chips = Chips(light["lat"].to_numpy(), light["lon"].to_numpy(), np.full(len(ids), side_m))
    thin = _thinned(ids, split, chips)
    overlaps = chain.from_iterable(overlap_blocks(chips, 10**-_DIGITS))
    start = 0
    for table in tables:
        continent = pa.array([continents.get(region) for region in table["region"].to_pylist()], pa.string())
        others = _lists(list(islice(overlaps, table.num_rows)), ids)
        mine = pa.array(thin[start : start + table.num_rows])
        start += table.num_rows
        for name, column in zip(ADDED, (continent, others, mine), strict=True):
            table = table.append_column(name, column)  # noqa: PLW2901 - a table that grows
        yield table


def _lists(found: Sequence[_Found], ids: Sequence[str]) -> pa.Array:
    offsets = np.cumsum([0, *(len(others) for others, _ in found)])
    others = np.concatenate([np.empty(0, np.int64), *(others for others, _ in found)])
    shares = np.concatenate([np.empty(0), *(share for _, share in found)]).round(_DIGITS).astype(np.float32)
    columns = [pa.array([ids[at] for at in others.tolist()], pa.string()), pa.array(shares)]
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.StructArray.from_arrays(columns, fields=_STRUCT))


def _thinned(ids: Sequence[str], split: NDArray[np.str_], chips: Chips) -> NDArray[np.bool_]:
    """Which samples are in the thinned galleries: chosen in the order of a hash of the id, none of train."""
    chosen = np.zeros(len(ids), dtype=np.bool_)
    for name in sorted(set(split.tolist()) - {"train"}):
        rows = np.flatnonzero(split == name)
        order = sorted(range(len(rows)), key=lambda at: digest("thin", ids[int(rows[at])]))
        close = find_overlaps(chips[rows], MOST_OVERLAP)
        chosen[rows] = thinned(close, np.array(order, dtype=np.int64), MOST_OVERLAP)
    return chosen
