"""What pictures of several sites share (capture sequences, photos), as numbers: a dataset may have millions."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Numbers = NDArray[np.int32]


@dataclass(frozen=True)
class Keys:
    """Pairs of a site and one of its keys, in the order of the sites."""

    site: Numbers
    key: Numbers

    def take(self, sites: NDArray[np.int64]) -> "Keys":
        """The keys of some sites, each named once. These and their keys get numbers of their own, from 0."""
        start, end = (np.searchsorted(self.site, sites.astype(np.int32), side) for side in ("left", "right"))
        count = end - start
        site = np.repeat(np.arange(len(sites), dtype=np.int32), count)
        at = np.arange(len(site)) + np.repeat(start - (np.cumsum(count) - count), count)
        return Keys(site, _renumbered(self.key[at]))

    def only(self, chosen: NDArray[np.bool_]) -> "Keys":
        """The pairs that are chosen. Their keys get numbers of their own, from 0."""
        return Keys(self.site[chosen], _renumbered(self.key[chosen]))

    def joined(self, other: "Keys") -> "Keys":
        """All keys of each site, where both have the numbers of one `keys_of`."""
        site, key = np.concatenate([self.site, other.site]), np.concatenate([self.key, other.key])
        order = np.argsort(site, kind="stable")
        return Keys(site[order], key[order])


NO_KEYS = Keys(np.empty(0, np.int32), np.empty(0, np.int32))


def keys_of(*columns: pa.ListArray | pa.ChunkedArray) -> list[Keys]:
    """The keys in columns of lists of texts. Equal texts have one number, also where they are in different columns."""
    flat = [pc.list_flatten(column) for column in columns]
    texts = pa.chunked_array([chunk for one in flat for chunk in _chunks(one)], pa.string())
    coded = _chunks(texts.dictionary_encode())
    key = np.concatenate([np.empty(0, np.int32), *(chunk.indices.to_numpy() for chunk in coded)])
    found, end = [], 0
    for column, one in zip(columns, flat, strict=True):
        site = np.repeat(np.arange(len(column), dtype=np.int32), pc.list_value_length(column).to_numpy())
        start, end = end, end + len(one)
        found.append(Keys(site, key[start:end]))
    return found


def _chunks(column: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    return column.chunks if isinstance(column, pa.ChunkedArray) else [column]


def _renumbered(key: Numbers) -> Numbers:
    return np.unique(key, return_inverse=True)[1].astype(np.int32)
