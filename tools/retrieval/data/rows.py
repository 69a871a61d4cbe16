"""Read rows from row groups: only the required columns, a few groups in memory at a time."""

import sys
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tools.dataset import Dataset, open_dataset
from tools.retrieval.data.columns import require
from tools.retrieval.data.index import Group, Index

Ints = NDArray[np.int64]
Row = dict[str, Any]
_MOST_OPEN = 32
"""Shards that are kept open: opening one takes as long as reading the texts of a small group."""


class RowReader:
    """Reads rows of an index in any order. A group is read when one of its rows is first needed.

    Of a group all rows that are still wanted are kept until they are given, so what is in memory follows from the order
    that they are wanted in: `tools.retrieval.data.order` keeps it to one or two windows.
    """

    def __init__(self, index: Index, columns: Sequence[str]) -> None:
        self._index = index
        self._columns = list(columns)
        self._datasets: dict[int, Dataset] = {}
        """Opened where they are read: a bucket's connections do not pass from one process to another."""
        self._open: OrderedDict[tuple[int, str], tuple[AbstractContextManager[pq.ParquetFile], pq.ParquetFile]]
        self._open = OrderedDict()

    def read(self, batches: Iterable[Ints]) -> Iterator[list[Row]]:
        """Yield the rows of each batch, in its order.

        Raises:
            MachineError: a shard is missing, damaged or lacks a column.
        """
        ahead = list(batches)
        wanted: dict[int, set[int]] = {}
        for batch in ahead:
            for row in batch.tolist():
                wanted.setdefault(int(self._index.group[row]), set()).add(row)
        held: dict[int, Row] = {}
        try:
            for batch in ahead:
                for row in batch.tolist():
                    if row not in held:
                        held |= self._group(int(self._index.group[row]), wanted)
                yield [held.pop(row) for row in batch.tolist()]
        finally:
            while self._open:
                self._open.popitem()[1][0].__exit__(None, None, None)

    def _group(self, number: int, wanted: dict[int, set[int]]) -> dict[int, Row]:
        group = self._index.groups[number]
        rows = sorted(wanted.pop(number))
        context, file = self._shard(group)
        try:
            table = file.read_row_group(group.number, columns=self._columns)
        except (OSError, pa.ArrowException):
            context.__exit__(*sys.exc_info())  # says which file it is, and what to do
            raise
        found: list[Row] = table.take(self._index.place[rows]).to_pylist()
        return dict(zip(rows, found, strict=True))

    def _shard(self, group: Group) -> tuple[AbstractContextManager[pq.ParquetFile], pq.ParquetFile]:
        key = (group.dataset, group.shard.path)
        if key in self._open:
            self._open.move_to_end(key)
            return self._open[key]
        if group.dataset not in self._datasets:
            self._datasets[group.dataset] = open_dataset(self._index.urls[group.dataset])
        dataset = self._datasets[group.dataset]
        context = dataset.shard(group.shard)
        file = context.__enter__()
        require(file, self._columns, f"{dataset.store.url}/{group.shard.path}")
        if len(self._open) >= _MOST_OPEN:
            self._open.popitem(last=False)[1][0].__exit__(None, None, None)
        self._open[key] = context, file
        return self._open[key]
