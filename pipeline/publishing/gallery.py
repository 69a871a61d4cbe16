"""Neighbours in the index table: the chips that overlap a sample's own, and those that make a thinned gallery."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.digest import digest
from pipeline.geo.overlaps import Chips, Overlaps, overlaps_of, thinned_chips

MOST_OVERLAP = 0.25
"""No two chips of a thinned gallery share more of their area."""
ADDED = ("continent", "overlaps", "thinned")
"""The columns of the index that do not follow from a sample alone. They may change when a build grows."""
_DIGITS = 4
_STRUCT = pa.struct([pa.field("sample_id", pa.string()), pa.field("share", pa.float32())])
_PACKED = pa.ipc.IpcWriteOptions(compression="zstd")


def with_neighbours(
    tables: Iterable[pa.Table], side_m: float, continents: Mapping[str, str | None]
) -> Iterator[pa.Table]:
    """The rows of the index, shard by shard, with the columns `ADDED`.

    All rows are read before the first one is given: meanwhile they are compressed, to a quarter.

    Args:
        tables: all rows of the index without these columns, a table for each shard.
        side_m: side of a chip on the ground.
        continents: by region.
    """
    packed, places, sizes = [], [], []
    for table in tables:
        packed.append(_packed(table))
        places.append(table.select(["sample_id", "lat", "lon", "split"]))
        sizes.append(len(table))
    if not packed:
        return
    light = pa.concat_tables(places).combine_chunks()
    del places
    ids, edges = light["sample_id"], np.cumsum([0, *sizes])
    chips = Chips(light["lat"].to_numpy(), light["lon"].to_numpy(), np.full(len(light), side_m))
    thin = _thinned(ids, light["split"], chips)
    shards = [np.arange(start, end) for start, end in pairwise(edges)]
    for buffer, rows, overlaps in zip(packed, shards, overlaps_of(shards, chips, 10**-_DIGITS), strict=True):
        table = pa.ipc.open_stream(buffer).read_all()
        continent = pa.array([continents.get(region) for region in table["region"].to_pylist()], pa.string())
        for name, column in zip(ADDED, (continent, _lists(overlaps, ids), pa.array(thin[rows])), strict=True):
            table = table.append_column(name, column)
        yield table


def _packed(table: pa.Table) -> pa.Buffer:
    to = pa.BufferOutputStream()
    with pa.ipc.new_stream(to, table.schema, options=_PACKED) as writer:
        writer.write_table(table)
    return to.getvalue()


def _lists(overlaps: Overlaps, ids: pa.ChunkedArray) -> pa.ListArray:
    others = ids.take(pa.array(overlaps.other)).combine_chunks()
    shares = pa.array(overlaps.share.round(_DIGITS).astype(np.float32))
    found = pa.StructArray.from_arrays([others, shares], fields=list(_STRUCT))
    return pa.ListArray.from_arrays(pa.array(overlaps.start, pa.int32()), found)


def _thinned(ids: pa.ChunkedArray, split: pa.ChunkedArray, chips: Chips) -> NDArray[np.bool_]:
    """Which samples are in the thinned galleries: chosen in the order of a hash of the id, none of train."""
    chosen = np.zeros(len(ids), dtype=np.bool_)
    for name in sorted(set(pc.unique(split).to_pylist()) - {"train"}):
        rows = np.flatnonzero(pc.equal(split, name).to_numpy())
        drawn = (int(digest("thin", sample_id.as_py()), 16) for sample_id in ids.take(pa.array(rows)))
        order = np.argsort(np.fromiter(drawn, np.uint64, len(rows)), kind="stable")
        chosen[rows] = thinned_chips(chips[rows], order, MOST_OVERLAP)
    return chosen
